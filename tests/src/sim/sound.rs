//! Whether a plan from elsewhere, a file or a part of another one, can be run, and what it holds.

use super::fault::{DRIFT, Fault, SILENT, SKEW};
use super::plan::{LAST_CHANGE_MAX, Plan};
use quorate_chain::quorum::Quorum;
use quorate_chain::validator::VALIDATORS_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// Fewer validators can do without nobody.
const SEATS_MIN: usize = 4;

impl Plan {
    /// Whether it can be run with so many validators.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self, replicas: usize) -> Result<(), String> {
        let nodes = replicas + self.spares;
        if nodes > VALIDATORS_MAX {
            return Err(format!("{nodes} nodes are more than {VALIDATORS_MAX}"));
        }
        let named =
            self.faults.iter().flat_map(|(_, fault)| fault.nodes()).chain(self.silent.iter().copied());
        let named = named.chain(self.liars()).chain(self.traps.iter().map(|trap| trap.node));
        if let Some(node) = named.into_iter().find(|node| *node >= nodes) {
            return Err(format!("there is no node {node} of {nodes}"));
        }
        if let Some((at, fault)) = self.faults.iter().find(|(at, _)| *at >= self.heal_ms) {
            return Err(format!("{} at {at} ms is after healing at {} ms", fault.kind(), self.heal_ms));
        }
        if let Some((at, fault)) = self.faults.iter().find(|(_, fault)| fault.is_void()) {
            return Err(format!("{} at {at} ms delays by nothing", fault.kind()));
        }
        if self.heal_ms == 0 {
            return Err("nothing can be submitted before healing at 0 ms".into());
        }
        self.seated(replicas).map(|_| ())
    }

    /// Whether at most f validators of each epoch are faulty for ever, so that a run must succeed.
    #[must_use]
    pub fn is_bearable(&self, replicas: usize) -> bool {
        let lost = self.faults.iter().filter(|(_, fault)| fault.is_for_ever()).flat_map(|(_, f)| f.nodes());
        let faulty: BTreeSet<_> = lost.chain(self.silent.iter().copied()).chain(self.liars()).collect();
        self.seated(replicas).is_ok_and(|epochs| {
            epochs.iter().all(|seats| seats.intersection(&faulty).count() <= Quorum::of(seats.len()).f())
        })
    }

    /// Who lies, or goes for ever with a message.
    fn liars(&self) -> impl Iterator<Item = usize> {
        let gone = self.traps.iter().filter(|trap| trap.down_ms.is_none()).map(|trap| trap.node);
        self.byzantine.iter().map(|(node, _)| *node).chain(self.liar).chain(gone)
    }

    /// The f of the smallest epoch's set; 0 if the sets cannot change so.
    pub(super) fn least_f(&self, replicas: usize) -> usize {
        let epochs = self.seated(replicas).unwrap_or_default();
        epochs.iter().map(|seats| Quorum::of(seats.len()).f()).min().unwrap_or(0)
    }

    /// How often each kind of fault is planned.
    #[must_use]
    pub fn kinds(&self) -> BTreeMap<&'static str, u64> {
        let skewed = self.is_skewed();
        let drifts = self.drift.iter().any(|drift| *drift != 0);
        let lasting = [(skewed, SKEW), (drifts, DRIFT), (!self.silent.is_empty(), SILENT)];
        let lasting = lasting.into_iter().filter_map(|(there, kind)| there.then_some(kind));
        // A backup harms nobody.
        let faults = self.faults.iter().map(|(_, f)| f).filter(|f| !matches!(f, Fault::Backup { .. }));
        let mut kinds = BTreeMap::new();
        let lies = self.byzantine.iter().map(|(_, kind)| kind.name());
        lasting
            .chain(faults.map(Fault::kind))
            .chain(lies)
            .for_each(|kind| *kinds.entry(kind).or_default() += 1);
        kinds
    }

    /// Who has a seat in each epoch.
    fn seated(&self, replicas: usize) -> Result<Vec<BTreeSet<usize>>, String> {
        let nodes = replicas + self.spares;
        let mut seats: BTreeSet<usize> = (0..replicas).collect();
        let mut epochs = vec![seats.clone()];
        let mut before = 0;
        for change in &self.changes {
            let height = change.height;
            let sound = height > before
                && height <= LAST_CHANGE_MAX
                && change.rotated.is_none_or(|node| seats.contains(&node))
                && change.removed.is_none_or(|node| seats.remove(&node))
                && change.added.is_none_or(|node| node < nodes && seats.insert(node));
            if !sound || seats.len() < SEATS_MIN {
                return Err(format!("no set can change so at height {height}: {change:?}"));
            }
            epochs.push(seats.clone());
            before = height;
        }
        Ok(epochs)
    }
}

impl Fault {
    /// Whether its node never votes again with its key.
    const fn is_for_ever(&self) -> bool {
        matches!(self, Self::BitFlip { .. } | Self::OldDisk { .. } | Self::Wipe { .. } | Self::AskLast { .. })
    }

    /// Whether it slows something down by nothing.
    const fn is_void(&self) -> bool {
        matches!(
            self,
            Self::Slow { delay_ms: 0, .. }
                | Self::SlowLink { delay_ms: 0, .. }
                | Self::SlowDisk { sync_ms: 0, .. }
                | Self::SlowExecutor { execute_ms: 0, .. }
        )
    }

    /// The nodes that it names.
    fn nodes(&self) -> Vec<usize> {
        match *self {
            Self::Crash { node, .. }
            | Self::Isolate { node, .. }
            | Self::SlowDisk { node, .. }
            | Self::SlowExecutor { node, .. }
            | Self::StalledClock { node, .. }
            | Self::CrashAtPersist { node, .. }
            | Self::FullDisk { node, .. }
            | Self::FailedSync { node, .. }
            | Self::PowerCut { node, .. }
            | Self::BitFlip { node, .. }
            | Self::Backup { node }
            | Self::AskLast { node }
            | Self::OldDisk { node, .. }
            | Self::LostChain { node, .. }
            | Self::Wipe { node, .. } => vec![node],
            Self::SlowLink { nodes, .. } => nodes.to_vec(),
            Self::Partition { side, .. } => (0..128).filter(|node| side >> node & 1 == 1).collect(),
            Self::CrashPrimary { .. }
            | Self::PowerLoss { .. }
            | Self::Lossy { .. }
            | Self::Slow { .. }
            | Self::Flaky { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::Nodes;
    use super::super::random::Random;
    use super::super::roster::SetChangePlan;
    use super::super::scenario::Scenario;
    use super::*;

    #[test]
    fn plans_are_sound_and_bearable_and_come_back_from_json() {
        let mut random = Random::new(7);
        for (n, scenario) in
            (4..=10).flat_map(|n| Scenario::all().map(move |one| (n, one))).cycle().take(8_000)
        {
            let plan = (scenario.plan)(&mut random, n, Quorum::of(n).f());
            assert_eq!(plan.check(n), Ok(()), "{plan:?}");
            assert!(plan.is_bearable(n), "{plan:?}");
            let text = serde_json::to_string(&plan).unwrap();
            assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
        }
        let all = Plan { faults: vec![(1, partition(Nodes::MAX))], heal_ms: 2, ..Plan::default() };
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), all);
        assert!(serde_json::from_str::<Plan>(&text.replace("127", "128")).is_err());
        assert!(serde_json::from_str::<Plan>(r#"{"healed_ms":3}"#).is_err(), "a misspelt field");
    }

    fn partition(side: Nodes) -> Fault {
        Fault::Partition { side, one_way: false, for_ms: 3 }
    }

    #[test]
    fn unsound_plans_are_refused() {
        let with = |at, fault| Plan { faults: vec![(at, fault)], heal_ms: 50, ..Plan::default() };
        let crash = |node| Fault::Crash { node, down_ms: 5 };
        assert_eq!(with(49, crash(3)).check(4), Ok(()));
        assert!(with(50, crash(3)).check(4).is_err_and(|error| error.contains("after healing")));
        assert!(with(49, crash(4)).check(4).is_err_and(|error| error.contains("no node 4")));
        assert!(with(49, partition(1 << 4)).check(4).is_err());
        assert!(with(49, Fault::Slow { delay_ms: 0, for_ms: 5 }).check(4).is_err());
        let sound = Plan { heal_ms: 1, ..Plan::default() };
        assert_eq!((sound.check(4), Plan::default().check(4).is_err()), (Ok(()), true));
        assert!(Plan { silent: vec![4], ..sound.clone() }.check(4).is_err());
        assert!(Plan { spares: 125, ..sound.clone() }.check(4).is_err());
        let change = |change| Plan { changes: vec![change], spares: 1, ..sound.clone() };
        let at = |height| SetChangePlan { height, ..SetChangePlan::default() };
        assert_eq!(change(SetChangePlan { removed: Some(0), added: Some(4), ..at(3) }).check(4), Ok(()));
        for wrong in [
            SetChangePlan { rotated: Some(0), ..at(0) },
            SetChangePlan { rotated: Some(0), ..at(LAST_CHANGE_MAX + 1) },
            SetChangePlan { rotated: Some(4), ..at(3) },
            SetChangePlan { removed: Some(0), ..at(3) },
            SetChangePlan { added: Some(3), ..at(3) },
            SetChangePlan { added: Some(5), ..at(3) },
        ] {
            assert!(change(wrong).check(4).is_err());
        }
    }

    #[test]
    fn f_of_every_epoch_may_be_faulty() {
        let wipe = Fault::Wipe { node: 1, down_ms: 5 };
        let plan = Plan { faults: vec![(1, wipe)], silent: vec![0], heal_ms: 9, ..Plan::default() };
        assert!(plan.is_bearable(7) && !plan.is_bearable(4));
        let removed = SetChangePlan { height: 3, removed: Some(6), ..SetChangePlan::default() };
        assert!(!Plan { changes: vec![removed], ..plan }.is_bearable(7), "six bear one");
    }
}
