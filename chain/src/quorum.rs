//! Quorum arithmetic for any number of validators.
//!
//! 2f+1 is a quorum only where n = 3f+1: with n = 5 and f = 1 two quorums of 3 need share no honest
//! replica. ⌊(n+f)/2⌋+1 is right for every n (PBFT §2; the rules' section 1).

/// The sizes that follow from n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    n: usize,
}

impl Quorum {
    /// For `n` ≥ 1 validators.
    #[must_use]
    pub fn of(n: usize) -> Self {
        assert!(n >= 1, "a validator set is never empty");
        Self { n }
    }

    /// n, the number of validators.
    #[must_use]
    pub const fn n(self) -> usize {
        self.n
    }

    /// f = ⌊(n−1)/3⌋, the faulty validators that are survived.
    #[must_use]
    pub const fn f(self) -> usize {
        (self.n - 1) / 3
    }

    /// q = ⌊(n+f)/2⌋+1, the votes that make a certificate.
    #[must_use]
    pub const fn q(self) -> usize {
        (self.n + self.f()) / 2 + 1
    }

    /// f+1: at least one of so many is honest.
    #[must_use]
    pub const fn one_honest(self) -> usize {
        self.f() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quorums_intersect_in_an_honest_replica_and_can_be_reached() {
        for n in 1..=200 {
            let quorum = Quorum::of(n);
            assert!(n > 3 * quorum.f(), "n = {n}");
            assert!(2 * quorum.q() > n + quorum.f(), "two quorums share an honest replica, n = {n}");
            assert!(quorum.q() <= n - quorum.f(), "the honest alone are a quorum, n = {n}");
            assert!(2 * (quorum.q() - 1) <= n + quorum.f(), "no smaller quorum would do, n = {n}");
        }
        let sizes: Vec<_> =
            [1, 2, 3, 4, 5, 6, 7, 10].map(Quorum::of).iter().map(|s| (s.f(), s.q())).collect();
        assert_eq!(sizes, [(0, 1), (0, 2), (0, 2), (1, 3), (1, 4), (1, 4), (2, 5), (3, 7)]);
    }
}
