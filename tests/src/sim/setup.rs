//! A run before it starts: who is there, and what is planned.

use super::byzantine::{Kind, LIE_EVERY_MS, Liar, Library};
use super::chart::Chart;
use super::checker::Checker;
use super::clients::{self, TRANSACTIONS};
use super::fault::{DRIFT, SILENT, SKEW};
use super::gap::Gaps;
use super::node::{SimNode, Standing, Start};
use super::plan::Plan;
use super::random::Random;
use super::roster::Roster;
use super::settings::{Outcome, Settings};
use super::weather::Weather;
use super::world::{Event, World};
use quorate_chain::{Epoch, Height};
use quorate_consensus::message::EpochContext;
use std::collections::BTreeMap;
use std::sync::Arc;

impl World {
    pub(super) fn new(mut random: Random, settings: Settings, plan: &Plan) -> Self {
        let roster = Roster::new(settings.replicas, &plan.changes);
        let start = Start::new(&settings, &roster);
        let context = EpochContext {
            chain: clients::CHAIN,
            epoch: Epoch::ZERO,
            set: Arc::clone(roster.set(Epoch::ZERO)),
            start_height: Height::ZERO,
            start_block: clients::CHAIN.genesis_block(),
            start_result: start.result,
        };
        let mut silent = plan.silent.clone();
        // All over the order of primaries, the first one included.
        let more = (0..settings.silent).map(|i| i * settings.replicas / settings.silent);
        silent.extend(more.filter(|node| !plan.silent.contains(node)));
        let second = settings.replicas + plan.spares;
        let with_twins = plan.byzantine.iter().filter(|(_, kind)| *kind == Kind::Twins);
        let twins: Vec<_> = with_twins.map(|(node, _)| *node).zip(second..).collect();
        let count = second + twins.len();
        let mut nodes: Vec<_> = (0..count).map(|i| SimNode::new(i, &settings, &mut random)).collect();
        nodes.iter_mut().zip(&plan.skew_ms).for_each(|(node, skew)| node.skew_ms = *skew);
        nodes.iter_mut().zip(&plan.drift).for_each(|(node, drift)| node.drift = *drift);
        let mut coalition: Vec<_> = plan.byzantine.iter().map(|(node, _)| *node).collect();
        coalition.extend(twins.iter().map(|(_, second)| *second));
        for (node, kind) in &plan.byzantine {
            (nodes[*node].standing, nodes[*node].liar) = (Standing::Byzantine, Some(Liar::new(*kind)));
        }
        for (_, second) in &twins {
            (nodes[*second].standing, nodes[*second].liar) =
                (Standing::Byzantine, Some(Liar::new(Kind::Twins)));
        }
        Self {
            settings,
            random,
            coalition,
            slow_primary: plan.byzantine.iter().any(|(_, kind)| *kind == Kind::SlowPrimary),
            library: Library::default(),
            twins,
            whole_twins: plan.whole_twins,
            checker: Checker::new(&roster, settings.verify),
            roster,
            start,
            contexts: vec![context],
            now_ms: 0,
            sequence: 0,
            events: BTreeMap::new(),
            nodes,
            silent,
            leaving: Vec::new(),
            one_disk: plan.one_disk,
            weather: Weather::default(),
            gaps: Gaps::new(plan.gaps.clone(), plan.traps.clone()),
            liar: plan.liar,
            loyal: plan.loyal,
            latency_ms: plan.latency_ms,
            base_ms: plan.base_ms(),
            skewed: plan.is_skewed(),
            transactions: plan.transactions.unwrap_or(TRANSACTIONS).min(TRANSACTIONS),
            healed: None,
            balanced: Height::ZERO,
            timeout_ms: 0,
            healed_timeout_ms: 0,
            chart: Chart::new(count),
            hasher: blake3::Hasher::new(),
            outcome: Outcome::default(),
        }
    }

    pub(super) fn schedule(&mut self, plan: &Plan) {
        for node in 0..self.nodes.len() {
            self.at(0, Event::Boot { node });
        }
        for (at, fault) in &plan.faults {
            self.at(*at, Event::Fault(Box::new(fault.clone())));
        }
        for (transaction, at) in
            clients::schedule(&mut self.random, self.transactions, plan.heal_ms).into_iter().enumerate()
        {
            self.at(at, Event::Submit { transaction, asked: None });
        }
        self.at(plan.heal_ms, Event::Heal);
        for node in self.coalition.clone() {
            let first = self.random.below(LIE_EVERY_MS);
            self.at(first, Event::Lie { node });
        }
        let drifts = self.nodes.iter().any(|node| node.drift != 0);
        let lasting = [(self.skewed, SKEW), (drifts, DRIFT), (!self.silent.is_empty(), SILENT)];
        lasting.into_iter().filter(|(there, _)| *there).for_each(|(_, kind)| self.fired(kind));
    }
}
