//! What the network does to a message, for now.

use super::random::Random;

/// Longest delay of a message when nothing is wrong, milliseconds.
const DELAY_MAX_MS: u64 = 8;
/// How late the second copy of a doubled message comes at most, milliseconds.
const REPLAY_MAX_MS: u64 = 2_000;

/// Links that are cut: messages from a node of `from` to a node of `to`, a bit each.
struct Cut {
    from: u64,
    to: u64,
    until_ms: u64,
}

/// Conditions of the network.
#[derive(Default)]
pub(super) struct Weather {
    cuts: Vec<Cut>,
    lossy: Option<(u64, u64)>,
    slow: Option<(u64, u64)>,
    flaky: Option<(u64, u64)>,
}

fn now_of(condition: Option<(u64, u64)>, now_ms: u64) -> u64 {
    condition.filter(|(_, until)| now_ms < *until).map_or(0, |(amount, _)| amount)
}

impl Weather {
    pub(super) fn cut(&mut self, from: u64, to: u64, until_ms: u64) {
        self.cuts.push(Cut { from, to, until_ms });
    }

    pub(super) const fn lossy(&mut self, percent: u64, until_ms: u64) {
        self.lossy = Some((percent, until_ms));
    }

    pub(super) const fn slow(&mut self, delay_ms: u64, until_ms: u64) {
        self.slow = Some((delay_ms, until_ms));
    }

    pub(super) const fn flaky(&mut self, permille: u64, until_ms: u64) {
        self.flaky = Some((permille, until_ms));
    }

    /// Whether a process crashes now.
    pub(super) fn strikes(&self, now_ms: u64, random: &mut Random) -> bool {
        let permille = now_of(self.flaky, now_ms);
        permille > 0 && random.below(1_000) < permille
    }

    /// After how many milliseconds the copies of a message arrive: none, one or two.
    pub(super) fn arrivals(
        &mut self,
        now_ms: u64,
        (from, to): (usize, usize),
        random: &mut Random,
    ) -> [Option<u64>; 2] {
        self.cuts.retain(|cut| now_ms < cut.until_ms);
        if self.cuts.iter().any(|cut| cut.from >> from & cut.to >> to & 1 == 1) {
            return [None; 2];
        }
        let slow_ms = now_of(self.slow, now_ms);
        let delay_ms = random.between(1, DELAY_MAX_MS) + if slow_ms > 0 { random.below(slow_ms) } else { 0 };
        let percent = now_of(self.lossy, now_ms);
        if percent == 0 {
            return [Some(delay_ms), None];
        }
        let first = Some(delay_ms).filter(|_| !random.chance(percent));
        [first, random.chance(percent).then(|| delay_ms + random.below(REPLAY_MAX_MS))]
    }
}
