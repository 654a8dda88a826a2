//! Bytes as a source of decisions: the fuzzer's input, read from front to back.

/// Reads decisions from bytes; behind their end every decision is zero.
#[derive(Clone, Debug)]
pub(super) struct Script<'a> {
    rest: &'a [u8],
}

impl<'a> Script<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether there is nothing left to decide by.
    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> u8 {
        let (first, rest) = self.rest.split_first().map_or((0, self.rest), |(first, rest)| (*first, rest));
        self.rest = rest;
        first
    }

    /// A number below `bound` ≥ 1, from one byte, or two if one is too small.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let mut number = usize::from(self.byte());
        if bound > 256 {
            number = number << 8 | usize::from(self.byte());
        }
        number % bound
    }

    /// One of the last `window` elements; `None` of an empty slice. A zero byte is the last one.
    pub(super) fn recent<'b, T>(&mut self, of: &'b [T], window: usize) -> Option<&'b T> {
        let back = self.below(of.len().clamp(1, window));
        of.get(of.len().checked_sub(1 + back)?)
    }

    /// The next `count` bytes, fewer at the end.
    pub(super) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_follow_the_bytes_and_end_with_zeros() {
        let mut script = Script::new(&[7, 1, 2, 9]);
        assert_eq!((script.byte(), script.below(300)), (7, 258));
        assert_eq!(script.recent(&[10, 11, 12], 2), Some(&11));
        assert!(script.is_empty());
        assert_eq!((script.byte(), script.take(3)), (0, &[][..]));
        assert_eq!(script.recent::<u8>(&[], 4), None);
    }
}
