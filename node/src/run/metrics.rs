//! What monitoring reads of a running node beside what rpc knows: time of each stage, sizes of batches, queues,
//! traffic. `docs/METRICS.md` is the table of all, made from here.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use quorate_p2p::{Network, Stats};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// A stage of a transaction's or a block's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Stage {
    /// Checks of a batch of transactions against the state.
    Check,
    /// Its signatures.
    Verify,
    /// Taking it into the pool.
    Insert,
    /// Choosing a block's transactions.
    Batch,
    /// A block's body into the journal, synced.
    Store,
    /// R6.
    Validate,
    /// Execution, with state root.
    Execute,
    /// Certificate, result and changes into the journal, synced; then shown.
    Commit,
    /// A group of votes into the vote journal, synced.
    Persist,
    /// Decoding and verifying a frame.
    Frame,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStage {
    stage: Stage,
}

/// What became of a transaction that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Outcome {
    /// It is in the pool.
    Taken,
    /// Refused, by state or pool.
    Refused,
    /// A signature does not hold.
    Forged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Incoming {
    outcome: Outcome,
}

/// What became of a proposal that names its transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Arrived {
    /// All of them were in the pool.
    Filled,
    /// Others had the rest.
    Fetched,
    /// Nobody had the rest, or too many proposals came from one peer.
    Dropped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Proposals {
    outcome: Arrived,
}

/// Counters, gauges and histograms. A clone shares them.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    registry: Arc<Registry>,
    stages: Family<OfStage, Histogram, fn() -> Histogram>,
    incoming: Family<Incoming, Counter>,
    /// Signatures that were verified.
    pub(super) verified: Counter,
    /// Batches of gossip that were dropped, as enough waited to be checked.
    pub(super) unseen: Counter,
    /// Transactions whose signatures were known to hold.
    pub(super) known: Counter,
    proposals: Family<Proposals, Counter>,
    /// Transactions that proposals named and this node did not know.
    pub(super) missing: Counter,
    verify_batch: Histogram,
    block: Histogram,
    /// Transactions in committed blocks.
    pub(super) committed: Counter,
    /// Bytes that wait in the pool.
    pub(super) pool_bytes: Gauge,
    /// Transactions in the pool that wait for a nonce that is missing.
    pub(super) pool_gapped: Gauge,
}

/// From 16 µs to 8 s.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(16e-6, 2.0, 20))
}

/// From 1 to 32,768.
fn counts() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, 16))
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("quorate");
        let metrics = Self {
            registry: Arc::default(),
            stages: Family::new_with_constructor(seconds as fn() -> Histogram),
            incoming: Family::default(),
            verified: Counter::default(),
            known: Counter::default(),
            unseen: Counter::default(),
            proposals: Family::default(),
            missing: Counter::default(),
            verify_batch: counts(),
            block: counts(),
            committed: Counter::default(),
            pool_bytes: Gauge::default(),
            pool_gapped: Gauge::default(),
        };
        let all = &metrics;
        registry.register_with_unit("stage", "Time of a stage.", Unit::Seconds, all.stages.clone());
        registry.register(
            "incoming_transactions",
            "Transactions that came in, by what became of them.",
            all.incoming.clone(),
        );
        registry.register("signatures_verified", "Transaction signatures verified.", all.verified.clone());
        let known = "Transactions that came again, whose signatures were known to hold.";
        registry.register("signatures_known", known, all.known.clone());
        let unseen = "Batches of gossip that were dropped unseen, as enough waited to be checked.";
        registry.register("gossip_batches_unseen", unseen, all.unseen.clone());
        let compact = "Proposals that name their transactions, by what became of them.";
        registry.register("compact_proposals", compact, all.proposals.clone());
        let missing = "Transactions that such proposals named and this node did not know.";
        registry.register("compact_proposals_missing_transactions", missing, all.missing.clone());
        let batch = "Transactions whose signatures were verified together.";
        registry.register("verify_batch_transactions", batch, all.verify_batch.clone());
        registry.register("block_transactions", "Transactions of a committed block.", all.block.clone());
        registry.register("committed_transactions", "Transactions committed.", all.committed.clone());
        let bytes = "Transactions that wait for a block.";
        registry.register_with_unit("mempool", bytes, Unit::Bytes, all.pool_bytes.clone());
        let gapped = "Transactions that wait for a nonce that is missing.";
        registry.register("mempool_gapped", gapped, all.pool_gapped.clone());
        Self { registry: Arc::new(registry), ..metrics }
    }

    /// Notes how long a stage took that began at an instant.
    pub(super) fn stage(&self, stage: Stage, began: Instant) {
        self.stages.get_or_create(&OfStage { stage }).observe(began.elapsed().as_secs_f64());
    }

    /// Notes what became of so many transactions.
    pub(super) fn incoming(&self, outcome: Outcome, count: usize) {
        self.incoming.get_or_create(&Incoming { outcome }).inc_by(count as u64);
    }

    /// Notes what became of a proposal that names its transactions.
    pub(super) fn proposal(&self, outcome: Arrived) {
        self.proposals.get_or_create(&Proposals { outcome }).inc();
    }

    /// Notes a batch of signatures.
    pub(super) fn verify_batch(&self, transactions: usize) {
        self.verify_batch.observe(transactions as f64);
    }

    /// Notes a committed block.
    pub(super) fn block(&self, transactions: usize) {
        self.block.observe(transactions as f64);
        self.committed.inc_by(transactions as u64);
    }

    /// All of them, and those of the network and the process, in the text format of OpenMetrics.
    pub(super) fn text(&self, network: Option<&Network>) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = text::encode_registry(&mut text, &self.registry);
        let mut beside = Registry::with_prefix("quorate");
        beside.register_collector(Box::new(Beside(network.map(Network::stats))));
        let _ = text::encode_registry(&mut text, &beside);
        text
    }
}

/// What is counted elsewhere.
struct Beside(Option<Stats>);

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Beside")
    }
}

impl Collector for Beside {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let stats = self.0.unwrap_or_default();
        let counters = [
            ("p2p_frames_sent", "Frames written to direct streams.", None, stats.frames_sent),
            ("p2p_frames_sent", "What these frames take.", Some(Unit::Bytes), stats.frame_bytes_sent),
            ("p2p_frames_received", "Frames read from direct streams.", None, stats.frames_received),
            ("p2p_frames_received", "What these frames take.", Some(Unit::Bytes), stats.frame_bytes_received),
            (
                "p2p_frames_dropped",
                "Frames dropped before they were sent: too long, the peer's queue full, not connected.",
                None,
                stats.frames_dropped,
            ),
            (
                "p2p_gossip_received",
                "Gossip batches that came in for the first time.",
                None,
                stats.gossip_received,
            ),
            (
                "p2p_gossip_received",
                "What these batches take.",
                Some(Unit::Bytes),
                stats.gossip_bytes_received,
            ),
            (
                "p2p_gossip_rejected",
                "Gossip batches rejected, or longer than allowed.",
                None,
                stats.gossip_rejected,
            ),
            ("p2p_gossip_published", "Gossip batches published.", None, stats.gossip_published),
            (
                "p2p_gossip_published",
                "What these batches take; each peer is sent as much.",
                Some(Unit::Bytes),
                stats.gossip_bytes_published,
            ),
            (
                "p2p_requests_sent",
                "What the requests and answers take that were sent.",
                Some(Unit::Bytes),
                stats.request_bytes_sent,
            ),
            (
                "p2p_requests_received",
                "What the requests and answers take that came in.",
                Some(Unit::Bytes),
                stats.request_bytes_received,
            ),
            (
                "p2p_gossip_dropped",
                "Gossip messages not sent to one peer because it takes them too slowly.",
                None,
                stats.gossip_dropped,
            ),
            ("p2p_publish_failed", "Gossip batches that could not be published.", None, stats.publish_failed),
            (
                "p2p_events_dropped",
                "Gossip batches and requests dropped because they were not read fast enough.",
                None,
                stats.events_dropped,
            ),
            ("p2p_connections", "Connections made.", None, stats.connections),
        ];
        for (name, help, unit, value) in counters {
            let metric = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
            ConstCounter::new(value).encode(metric)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table in docs/METRICS.md: name, type, unit, what.
    fn table(text: &str) -> String {
        let of =
            |kind: &'static str| move |line: &str| line.strip_prefix(kind).map(|rest| rest.trim().to_owned());
        let mut rows = String::new();
        for help in text.lines().filter_map(of("# HELP ")) {
            let (name, help) = help.split_once(' ').unwrap();
            let second = |line: String| {
                line.split_once(' ').filter(|(of, _)| *of == name).map(|(_, what)| what.to_owned())
            };
            let kind = text.lines().filter_map(of("# TYPE ")).find_map(second).unwrap();
            let unit = text.lines().filter_map(of("# UNIT ")).find_map(second).unwrap_or_default();
            let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
            rows += &format!("| `{name}` | {kind} | {unit} | {} |\n", help.trim_end_matches('.'));
        }
        rows
    }

    #[test]
    fn the_table_in_the_documentation_is_that_of_the_program() {
        let metrics = Metrics::new();
        metrics.stage(Stage::Commit, Instant::now());
        metrics.incoming(Outcome::Taken, 3);
        metrics.proposal(Arrived::Filled);
        let text = metrics.text(None);
        assert!(text.contains("quorate_incoming_transactions_total{outcome=\"Taken\"} 3"), "{text}");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/METRICS.md");
        let document = std::fs::read_to_string(path).unwrap();
        let rows = table(&text);
        if std::env::var_os("QUORATE_WRITE_TABLES").is_some() {
            let head = document.split("| `quorate_stage").next().unwrap();
            std::fs::write(path, format!("{head}{rows}")).unwrap();
            return;
        }
        assert!(document.ends_with(&rows), "make it again with QUORATE_WRITE_TABLES=1");
    }
}
