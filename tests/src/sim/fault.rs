//! What can go wrong.

use super::random::Random;
use serde::{Deserialize, Serialize};

/// Nodes, a bit each.
pub type Nodes = u128;

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// A process ends and starts again after so many milliseconds. What was not synced is kept, lost or torn.
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
    /// The power fails for all at once. What was not synced is lost or torn.
    PowerLoss {
        /// How long.
        down_ms: u64,
    },
    /// Messages between the two groups are lost, in one direction or both.
    Partition {
        /// Nodes of one side, a bit each; a list in a file.
        #[serde(with = "node_list")]
        side: Nodes,
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
    /// Messages between two nodes take up to so long.
    SlowLink {
        /// The two.
        nodes: [usize; 2],
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
    /// The clock that this node's timers go by stands still, and goes on from there.
    StalledClock {
        /// Which node.
        node: usize,
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
    /// This node's disk is full after so many more bytes; the node stops, and starts when there is space.
    FullDisk {
        /// Which node.
        node: usize,
        /// How many bytes still fit.
        more_bytes: u64,
        /// How long.
        for_ms: u64,
    },
    /// This node's next sync fails; the node stops.
    FailedSync {
        /// Which node.
        node: usize,
        /// How long it is down.
        down_ms: u64,
    },
    /// The power goes in the middle of one of this node's next writes or syncs: what it was at is torn.
    PowerCut {
        /// Which node.
        node: usize,
        /// In which operation from now on.
        operation: u64,
        /// How long it is down.
        down_ms: u64,
    },
    /// A bit of one of this node's journals turns while it is down. It must notice when it starts; then it
    /// stays down, or its disk is wiped.
    BitFlip {
        /// Which node.
        node: usize,
        /// Whether its disk is wiped then.
        wiped: bool,
        /// How long it is down.
        down_ms: u64,
    },
    /// A copy of this node's disk is made, as a backup.
    Backup {
        /// Which node.
        node: usize,
    },
    /// This node starts again with the copy of its disk, keys and all (R47).
    OldDisk {
        /// Which node.
        node: usize,
        /// How long it is down.
        down_ms: u64,
    },
    /// This node starts again without its chain, but with its vote record: it goes through the epochs again, and
    /// signs nothing else than it did (R46).
    LostChain {
        /// Which node.
        node: usize,
        /// How long it is down.
        down_ms: u64,
    },
    /// This validator turns faulty long after everything is well again: it asks for the next view and stops for
    /// good, which nobody else may follow (R26).
    AskLast {
        /// Which node.
        node: usize,
    },
    /// This node starts again with an empty disk; a key without its record never votes (R47).
    Wipe {
        /// Which node.
        node: usize,
        /// How long it is down.
        down_ms: u64,
    },
}

/// A wall clock is wrong by an hour: a kind of fault that lasts for a whole run.
pub(super) const SKEW: &str = "clock an hour wrong";
/// A clock runs too fast or too slowly: as well.
pub(super) const DRIFT: &str = "clock drift";
/// The node is off from the start to the end: as well.
pub(super) const SILENT: &str = "silent node";

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
            Self::SlowLink { .. } => "slow link",
            Self::SlowDisk { .. } => "slow disk",
            Self::SlowExecutor { .. } => "slow executor",
            Self::StalledClock { .. } => "stalled clock",
            Self::CrashAtPersist { .. } => "crash at a persist point",
            Self::Flaky { .. } => "crashes at any effect",
            Self::FullDisk { .. } => "full disk",
            Self::FailedSync { .. } => "failed sync",
            Self::PowerCut { .. } => "power cut in a write",
            Self::BitFlip { .. } => "bit flip in a journal",
            Self::Backup { .. } => "backup",
            Self::OldDisk { .. } => "old disk",
            Self::LostChain { .. } => "lost chain",
            Self::Wipe { .. } => "wiped disk",
            Self::AskLast { .. } => "ask in a healthy view",
        }
    }

    /// One that any node survives.
    pub(super) fn random(random: &mut Random, n: usize) -> Self {
        let node = random.below(n as u64) as usize;
        let for_ms = random.between(100, 2_500);
        let down_ms = random.between(10, 900);
        match random.below(17) {
            0 => Self::Crash { node, down_ms: for_ms },
            1 => Self::PowerLoss { down_ms: random.between(10, 500) },
            2 => Self::Partition { side: some_nodes(random, n), one_way: false, for_ms },
            3 => Self::Partition { side: some_nodes(random, n), one_way: true, for_ms },
            4 => Self::Lossy { percent: random.between(5, 30), for_ms },
            5 => Self::Slow { delay_ms: random.between(50, 1_500), for_ms },
            6 => Self::SlowDisk { node, sync_ms: random.between(20, 400), for_ms },
            7 => Self::SlowExecutor { node, execute_ms: random.between(20, 400), for_ms },
            8 => Self::CrashPrimary { down_ms: random.between(10, 5_000) },
            9 => {
                let (hears, heard) = [(false, false), (true, false), (false, true)][random.below(3) as usize];
                Self::Isolate { node, hears, heard, for_ms }
            }
            10 => Self::Flaky { permille: random.between(1, 30), for_ms },
            11 => {
                let other = (node + random.between(1, n as u64 - 1) as usize) % n;
                Self::SlowLink { nodes: [node, other], delay_ms: random.between(100, 3_000), for_ms }
            }
            12 => Self::FullDisk { node, more_bytes: random.below(6_000), for_ms },
            13 => Self::FailedSync { node, down_ms },
            14 => Self::PowerCut { node, operation: random.between(1, 12), down_ms },
            _ => Self::CrashAtPersist { node, synced: random.chance(50), down_ms },
        }
    }

    /// One that is bound to show within its time.
    pub(super) fn sure(random: &mut Random, n: usize, kind: usize) -> Self {
        let for_ms = random.between(600, 2_000);
        match kind {
            0 => Self::Lossy { percent: random.between(10, 30), for_ms },
            1 => Self::Slow { delay_ms: random.between(50, 1_000), for_ms },
            2 => Self::Partition { side: some_nodes(random, n), one_way: random.chance(30), for_ms },
            _ => Self::CrashPrimary { down_ms: random.between(10, 2_000) },
        }
    }

    /// How many kinds of those there are.
    pub(super) const SURE: usize = 4;
}

/// Some of `n` nodes, neither none nor all.
fn some_nodes(random: &mut Random, n: usize) -> Nodes {
    let all = all_nodes(n);
    let drawn = (Nodes::from(random.next()) << 64 | Nodes::from(random.next())) & all;
    if drawn == 0 || drawn == all { 1 } else { drawn }
}

/// All of `n` nodes.
pub(super) const fn all_nodes(n: usize) -> Nodes {
    if n >= Nodes::BITS as usize { Nodes::MAX } else { (1 << n) - 1 }
}

/// Nodes as a list of their numbers.
pub(super) mod node_list {
    use super::Nodes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in super::super) fn serialize<S: Serializer>(nodes: &Nodes, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq((0..Nodes::BITS).filter(|node| nodes >> node & 1 == 1))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Nodes, D::Error> {
        let numbers = Vec::<u32>::deserialize(from)?;
        let bit = |node| Nodes::checked_shl(1, node).ok_or_else(|| D::Error::custom("there is no such node"));
        numbers.into_iter().try_fold(0, |nodes, node| Ok(nodes | bit(node)?))
    }
}
