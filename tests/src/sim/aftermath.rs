//! What a healed network owes to R26: f validators that turn faulty long after cost it nothing. They ask for the
//! next view and stop for good; the view is healthy, so nobody else has a reason to leave it, and all others
//! vote. A transaction that comes then is committed in the same view.

use super::checker::Violation;
use super::clients::transactions;
use super::fault::Fault;
use super::node::{SimNode, Standing};
use super::world::World;
use quorate_chain::View;
use quorate_chain::ledger::journal::PowerLoss;
use quorate_consensus::message::{Ask, AskCounter};
use quorate_consensus::{Outgoing, Phase, Unsigned};

/// Time for a transaction, and for everything that was still under way, milliseconds.
const CALM_MS: u64 = 1_000;
/// Higher than any other count of starts.
const LAST_START: u64 = 1_000_000;

impl World {
    /// Those that are to turn faulty do so, if the network is in a healthy view.
    pub(super) fn aftermath(&mut self) -> Result<(), Violation> {
        let leaving = std::mem::take(&mut self.leaving);
        // A slow network takes another time.
        if leaving.is_empty() || self.skewed || self.latency_ms > 0 {
            return Ok(());
        }
        // A commit in the view, after which every ask but that of a replica in need is withdrawn (R26).
        if !self.commits_one_more()? {
            return Ok(());
        }
        let Some(view) = self.healthy_view(&leaving) else { return Ok(()) };
        for node in &leaving {
            self.asks_and_stops(*node, view)?;
        }
        if self.commits_one_more()? && self.voters(&leaving).all(|node| is_normal_in(node, view)) {
            return Ok(());
        }
        let states: Vec<_> = self.nodes.iter().map(SimNode::describe).collect();
        let states = states.join("\n  ");
        Err(Violation(format!(
            "L: view {view} was healthy, and does not outlive an ask and a crash:\n  {states}"
        )))
    }

    /// Submits a transaction to all; whether it is committed everywhere when all is calm again.
    fn commits_one_more(&mut self) -> Result<bool, Violation> {
        if self.transactions + 1 >= transactions().len() {
            return Ok(false);
        }
        self.transactions += 1;
        for node in 0..self.nodes.len() {
            self.submit(node, &transactions()[self.transactions..=self.transactions])?;
        }
        let until_ms = self.now_ms + CALM_MS;
        while let Some(next) = self.events.first_entry().filter(|next| next.key().0 <= until_ms) {
            let ((time_ms, _), event) = next.remove_entry();
            self.now_ms = time_ms;
            self.handle(event)?;
        }
        self.now_ms = until_ms;
        Ok(self.is_done())
    }

    /// Nodes that vote, and will.
    fn voters<'a>(&'a self, leaving: &'a [usize]) -> impl Iterator<Item = &'a SimNode> + 'a {
        let stays = |node: &&SimNode| !leaving.contains(&node.index) && self.liar != Some(node.index);
        let votes = |node: &&SimNode| {
            let replica = node.replica().filter(|replica| replica.epoch() == self.roster.last());
            node.standing == Standing::Honest && replica.is_some_and(|replica| replica.seat().is_some())
        };
        self.nodes.iter().filter(stays).filter(votes)
    }

    /// The view that all but f faulty ones are in, in which they have just committed a block of one of them. There
    /// is none if f+1 asks have silenced a replica (R26), or so many suspect the primary that f more asks end its
    /// view (R39). Who is silent for any other reason is no excuse.
    fn healthy_view(&self, leaving: &[usize]) -> Option<View> {
        let quorum = self.roster.set(self.roster.last()).quorum();
        let complaints = self.checker.complaints();
        let voters: Vec<_> = self.voters(leaving).filter_map(SimNode::replica).collect();
        let first = voters.first()?;
        let view = first.view();
        let healthy = voters.iter().all(|replica| {
            let silenced = match replica.phase() {
                Phase::Normal => false,
                Phase::Changing { target } => {
                    complaints.asks_for((replica.epoch(), target)) >= quorum.one_honest()
                }
            };
            let committed = replica.tip().certificate.as_ref().is_some_and(|c| c.view == view);
            replica.view() == view && committed && !silenced
        });
        let led = voters.iter().any(|replica| replica.seat() == Some(first.primary()));
        let suspected = complaints.suspects_of((first.epoch(), view)) + quorum.f() >= quorum.q();
        let enough = voters.len() + quorum.f() >= quorum.n();
        (healthy && led && enough && !suspected).then_some(view)
    }

    /// From now on it is faulty.
    fn asks_and_stops(&mut self, node: usize, view: View) -> Result<(), Violation> {
        let counter = AskCounter { start: LAST_START, sequence: 0 };
        let ask = Ask { epoch: self.roster.last(), target: view.next(), counter };
        self.nodes[node].standing = Standing::Byzantine;
        self.broadcast(node, Outgoing::Own(Unsigned::Ask(ask)))?;
        self.nodes[node].end(PowerLoss::Keep);
        self.silence(node);
        self.fired(Fault::AskLast { node }.kind());
        Ok(())
    }
}

fn is_normal_in(node: &SimNode, view: View) -> bool {
    node.replica().is_some_and(|replica| replica.phase() == Phase::Normal && replica.view() == view)
}
