//! SplitMix64: small, fast, the same everywhere.

/// Where the stream of seed 0 starts.
const START: u64 = 0x5851_f42d_4c95_7f2d;

/// A stream of numbers that follows from its seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed ^ START)
    }

    /// The seed of a stream of which nothing was drawn yet.
    pub(super) const fn seed(&self) -> u64 {
        self.0 ^ START
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound` ≥ 1.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number from `low` to `high`, both included.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True `percent` times of a hundred.
    pub const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Two different ones of `count` ≥ 2 things.
    pub const fn two_of(&mut self, count: usize) -> [usize; 2] {
        let one = self.below(count as u64) as usize;
        [one, (one + self.between(1, count as u64 - 1) as usize) % count]
    }
}
