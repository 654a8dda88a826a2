//! Which faults happen when, all from the seed.

use super::random::Random;

/// How wrong a clock is.
const HOUR_MS: i64 = 3_600_000;

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
    /// The same for the primary of the highest view.
    CrashPrimary {
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
    /// A node that hears nobody, or nobody hears, or both.
    Isolate {
        /// Which node.
        node: usize,
        /// Whether it still hears the others.
        hears: bool,
        /// Whether the others still hear it.
        heard: bool,
        /// How long.
        for_ms: u64,
    },
    /// So many messages of a hundred are lost, and as many doubled, the second one late.
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
    /// Each sync of this node takes up to so long.
    SlowDisk {
        /// Which node.
        node: usize,
        /// How long a sync takes at most.
        sync_ms: u64,
        /// How long.
        for_ms: u64,
    },
    /// Each execution of this node takes up to so long.
    SlowExecutor {
        /// Which node.
        node: usize,
        /// How long an execution takes at most.
        execute_ms: u64,
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
    /// Any node may crash at any effect that it carries out, in the middle of a broadcast too.
    Flaky {
        /// Crashes for a thousand effects.
        permille: u64,
        /// How long.
        for_ms: u64,
    },
}

impl Fault {
    /// Its kind, for counting.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Crash { .. } => "crash",
            Self::CrashPrimary { .. } => "crash of the primary",
            Self::PowerLoss { .. } => "power loss of all",
            Self::Partition { one_way: false, .. } => "partition",
            Self::Partition { one_way: true, .. } => "one-way partition",
            Self::Isolate { .. } => "isolated node",
            Self::Lossy { .. } => "loss and duplication",
            Self::Slow { .. } => "slow network",
            Self::SlowDisk { .. } => "slow disk",
            Self::SlowExecutor { .. } => "slow executor",
            Self::CrashAtPersist { .. } => "crash at a persist point",
            Self::Flaky { .. } => "crashes at any effect",
        }
    }
}

/// What happens in one run.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// When which fault begins, ascending.
    pub faults: Vec<(u64, Fault)>,
    /// Nodes that are off from the start to the end; at most f for a run that must succeed.
    pub silent: Vec<usize>,
    /// What each node's wall clock is ahead, milliseconds; 0 where left out.
    pub skew_ms: Vec<i64>,
    /// When the faults end.
    pub heal_ms: u64,
    /// Whether a node's votes, bodies and blocks wait for one disk, or each for its own.
    pub one_disk: bool,
}

impl Plan {
    /// A plan for `n` nodes of which at most `f` are silent.
    #[must_use]
    pub fn random(random: &mut Random, n: usize, f: usize) -> Self {
        let heal_ms = random.between(4_000, 12_000);
        let count = random.between(3, 14);
        let mut faults: Vec<_> =
            (0..count).map(|_| (random.between(50, heal_ms - 1_000), Self::fault(random, n))).collect();
        faults.sort_by_key(|(at, _)| *at);
        let mut silent = Vec::new();
        if random.chance(40) {
            let first = random.below(n as u64) as usize;
            let count = random.between(0, f as u64) as usize;
            silent.extend((first..first + count).map(|node| node % n));
        }
        let one_disk = random.chance(50);
        let mut skew_ms: Vec<_> = (0..n).map(|_| random.below(40) as i64).collect();
        if random.chance(30) {
            for _ in 0..random.between(1, f as u64 + 1) {
                skew_ms[random.below(n as u64) as usize] = HOUR_MS - 2 * HOUR_MS * random.below(2) as i64;
            }
        }
        Self { faults, silent, skew_ms, heal_ms, one_disk }
    }

    fn fault(random: &mut Random, n: usize) -> Fault {
        let node = random.below(n as u64) as usize;
        let for_ms = random.between(100, 2_500);
        match random.below(13) {
            0 => Fault::Crash { node, down_ms: for_ms },
            1 => Fault::PowerLoss { down_ms: random.between(10, 500) },
            2 => Fault::Partition { side: random.between(1, (1 << n) - 2), one_way: false, for_ms },
            3 => Fault::Partition { side: random.between(1, (1 << n) - 2), one_way: true, for_ms },
            4 => Fault::Lossy { percent: random.between(5, 30), for_ms },
            5 => Fault::Slow { delay_ms: random.between(50, 1_500), for_ms },
            6 => Fault::SlowDisk { node, sync_ms: random.between(20, 400), for_ms },
            7 => Fault::SlowExecutor { node, execute_ms: random.between(20, 400), for_ms },
            8 => Fault::CrashPrimary { down_ms: random.between(10, 5_000) },
            9 => {
                let (hears, heard) = [(false, false), (true, false), (false, true)][random.below(3) as usize];
                Fault::Isolate { node, hears, heard, for_ms }
            }
            10 => Fault::Flaky { permille: random.between(1, 30), for_ms },
            _ => Fault::CrashAtPersist { node, synced: random.chance(50), down_ms: random.between(10, 900) },
        }
    }
}
