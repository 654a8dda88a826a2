//! Which faults happen when, all from the seed.

use super::random::Random;

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A process ends and starts again after so many milliseconds. What was not synced is lost, or a part.
    Crash {
        /// Which node.
        node: usize,
        /// How long it is down.
        down_ms: u64,
    },
    /// The power fails for all at once.
    PowerLoss {
        /// How long.
        down_ms: u64,
    },
    /// Messages between the two groups are lost, in one direction or both.
    Partition {
        /// Nodes of one side, a bit each.
        side: u64,
        /// Whether the side still hears the others.
        one_way: bool,
        /// How long.
        for_ms: u64,
    },
    /// So many messages of a hundred are lost, and as many doubled.
    Lossy {
        /// Percent.
        percent: u64,
        /// How long.
        for_ms: u64,
    },
    /// Messages take up to so long.
    Slow {
        /// Longest delay.
        delay_ms: u64,
        /// How long.
        for_ms: u64,
    },
    /// Each sync of this node takes so long.
    SlowDisk {
        /// Which node.
        node: usize,
        /// How long a sync takes.
        sync_ms: u64,
        /// How long.
        for_ms: u64,
    },
    /// This node crashes in the moment between a record's sync and the message that waits for it, or before
    /// the sync: at its next persist point.
    CrashAtPersist {
        /// Which node.
        node: usize,
        /// Whether the record became durable.
        synced: bool,
        /// How long it is down.
        down_ms: u64,
    },
}

impl Fault {
    /// Its kind, for counting.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Crash { .. } => "crash",
            Self::PowerLoss { .. } => "power loss of all",
            Self::Partition { one_way: false, .. } => "partition",
            Self::Partition { one_way: true, .. } => "one-way partition",
            Self::Lossy { .. } => "loss and duplication",
            Self::Slow { .. } => "slow network",
            Self::SlowDisk { .. } => "slow disk",
            Self::CrashAtPersist { .. } => "crash at a persist point",
        }
    }
}

/// What happens in one run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When which fault begins, ascending.
    pub faults: Vec<(u64, Fault)>,
    /// Nodes that are off from the start to the end; at most f for a run that must succeed.
    pub silent: Vec<usize>,
    /// What each node's wall clock is ahead, milliseconds.
    pub skew_ms: Vec<i64>,
    /// When the faults end.
    pub heal_ms: u64,
}

impl Plan {
    /// A plan for `n` nodes of which `f` may be silent.
    #[must_use]
    pub fn random(random: &mut Random, n: usize, f: usize) -> Self {
        let heal_ms = random.between(4_000, 12_000);
        let count = random.between(3, 10);
        let mut faults: Vec<_> =
            (0..count).map(|_| (random.between(50, heal_ms - 1_000), Self::fault(random, n))).collect();
        faults.sort_by_key(|(at, _)| *at);
        let silent = if random.chance(30) && f > 0 { vec![random.below(n as u64) as usize] } else { vec![] };
        let hour = 3_600_000;
        let skew_ms =
            (0..n).map(|_| if random.chance(10) { hour - 2 * hour * random.below(2) as i64 } else { 0 });
        let skew_ms = skew_ms.collect();
        Self { faults, silent, skew_ms, heal_ms }
    }

    fn fault(random: &mut Random, n: usize) -> Fault {
        let node = random.below(n as u64) as usize;
        let for_ms = random.between(100, 2_500);
        match random.below(8) {
            0 => Fault::Crash { node, down_ms: for_ms },
            1 => Fault::PowerLoss { down_ms: random.between(10, 500) },
            2 => Fault::Partition { side: random.between(1, (1 << n) - 2), one_way: false, for_ms },
            3 => Fault::Partition { side: random.between(1, (1 << n) - 2), one_way: true, for_ms },
            4 => Fault::Lossy { percent: random.between(5, 30), for_ms },
            5 => Fault::Slow { delay_ms: random.between(50, 1_500), for_ms },
            6 => Fault::SlowDisk { node, sync_ms: random.between(20, 400), for_ms },
            _ => Fault::CrashAtPersist { node, synced: random.chance(50), down_ms: random.between(10, 900) },
        }
    }
}
