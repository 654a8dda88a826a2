//! A small file that is replaced as a whole, on a disk that loses power.

/// Its content, before and after the last sync. `None`: there is no such file.
#[derive(Clone, Debug)]
pub(super) struct Note<T> {
    durable: Option<T>,
    /// Replaced, but not synced: after a loss of power this or what was before.
    written: Option<Option<T>>,
}

impl<T> Default for Note<T> {
    fn default() -> Self {
        Self { durable: None, written: None }
    }
}

impl<T> Note<T> {
    /// Replaces it, or removes it.
    pub(super) fn write(&mut self, content: Option<T>) {
        self.written = Some(content);
    }

    /// Makes what was written durable.
    pub(super) fn sync(&mut self) {
        if let Some(content) = self.written.take() {
            self.durable = content;
        }
    }

    /// What is left of it: what was written last, if that survives.
    pub(super) fn lose_power(&mut self, survives: bool) {
        if survives {
            self.sync();
        }
        self.written = None;
    }
}

impl<T: Clone> Note<T> {
    /// What a process reads.
    pub(super) fn read(&self) -> Option<T> {
        self.written.as_ref().unwrap_or(&self.durable).clone()
    }
}
