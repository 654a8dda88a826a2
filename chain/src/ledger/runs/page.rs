//! A page of a run: sorted entries, and where the next page begins.
//!
//! Bytes: 1 and the first key of the next page, or 0 in the last one; then the entries, key ‖ value, ascending. Keys
//! and values of an index have one length each, so that an entry is found without decoding the others.

use super::Index;

/// A page whose entries ascend.
#[derive(Clone, Debug)]
pub(super) struct Page {
    index: Index,
    bytes: Vec<u8>,
    /// Where the entries begin.
    entries_at: usize,
}

/// A key and its value.
pub(super) type Entry<'a> = (&'a [u8], &'a [u8]);

/// The bytes of a page of these entries.
pub(super) fn encode(entries: &[u8], next: Option<&[u8]>) -> Vec<u8> {
    [&[u8::from(next.is_some())], next.unwrap_or_default(), entries].concat()
}

impl Page {
    /// The page that is stored under a first key, which is empty for the first page of a run; `None` if these are not
    /// a page's bytes.
    pub(super) fn decode(index: Index, first: &[u8], bytes: Vec<u8>) -> Option<Self> {
        let entries_at = match bytes.first()? {
            0 => 1,
            1 => 1 + index.widths().0,
            _ => return None,
        };
        let page = Self { index, bytes, entries_at };
        let (key, value) = index.widths();
        let len = page.bytes.get(entries_at..)?.len();
        let whole = len > 0 && len.is_multiple_of(key + value) && page.len() <= index.page_entries();
        let ascends = whole
            && (1..page.len()).all(|at| page.key(at - 1) < page.key(at))
            && (first.is_empty() || page.key(0) == first)
            && page.next().is_none_or(|next| page.key(page.len() - 1) < next);
        ascends.then_some(page)
    }

    /// How many entries it has; at least one.
    pub(super) fn len(&self) -> usize {
        let (key, value) = self.index.widths();
        (self.bytes.len() - self.entries_at) / (key + value)
    }

    /// The first key of the next page; `None` in the last one.
    pub(super) fn next(&self) -> Option<&[u8]> {
        (self.entries_at > 1).then(|| self.bytes.get(1..self.entries_at).unwrap_or_default())
    }

    /// The entry at a place below [`Self::len`].
    pub(super) fn entry(&self, at: usize) -> Entry<'_> {
        let (key, value) = self.index.widths();
        let from = self.entries_at + at * (key + value);
        self.bytes.get(from..from + key + value).unwrap_or_default().split_at_checked(key).unwrap_or_default()
    }

    fn key(&self, at: usize) -> &[u8] {
        self.entry(at).0
    }

    /// How many entries have a key below this one.
    pub(super) fn below(&self, key: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle) < key { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The value at a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let at = self.below(key);
        let (found, value) = (at < self.len()).then(|| self.entry(at))?;
        (found == key).then_some(value)
    }
}
