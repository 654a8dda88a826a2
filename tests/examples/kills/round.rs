//! One kill of the primary: what a surviving validator shows from then on.

use crate::report::Kill;
use crate::{DEADLINE, Failure, LOOK_EVERY, Net, Run};
use quorate_chain::{CommitCertificate, Header, Height, ValidatorIndex, View};
use quorate_rpc_client::{Client, Status};
use serde::Deserialize;
use serde_json::json;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often the surviving validator is asked for its tip.
const POLL_EVERY: Duration = Duration::from_millis(4);
/// Kills come so much later each time, up to [`PHASES`] times, so that they hit all phases of a block.
const PHASE_STEP: Duration = Duration::from_millis(7);
const PHASES: u32 = 13;

/// Of `commit`.
#[derive(Debug, Deserialize)]
struct Commit {
    header: Header,
    commit: CommitCertificate,
}

fn commit(node: &Client, height: Height) -> Option<Commit> {
    node.call("commit", &json!({ "height": height })).ok()
}

/// Follows the commits that one node shows.
struct Watch<'a> {
    run: &'a Run,
    node: &'a Client,
    height: Height,
    committed_at: Instant,
    longest_gap: Duration,
}

impl<'a> Watch<'a> {
    fn new(run: &'a Run, node: &'a Client) -> Self {
        Self { run, node, height: Height::ZERO, committed_at: Instant::now(), longest_gap: Duration::ZERO }
    }

    /// Where the node is, and whether that is higher than before.
    fn poll(&mut self) -> Option<(Status, bool)> {
        let status = self.node.status().ok()?;
        let now = Instant::now();
        let higher = status.height > self.height;
        self.longest_gap = self.longest_gap.max(now - self.committed_at);
        if higher {
            (self.height, self.committed_at) = (status.height, now);
        }
        Some((status, higher))
    }

    /// The longest time without a commit since this was last called.
    fn take_longest_gap_ms(&mut self) -> u64 {
        milliseconds(std::mem::take(&mut self.longest_gap))
    }

    /// Polls until `look` gives something.
    fn wait_for<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&Status, bool) -> Option<T>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = self.poll().and_then(|(status, higher)| look(&status, higher)) {
                return Ok(found);
            }
            self.run.check(what, deadline)?;
            sleep(POLL_EVERY);
        }
    }
}

/// Kills the primary, starts it again when a later view has committed, and waits until it votes at the tip.
pub(crate) fn kill_primary(run: &Run, net: &mut Net, number: u32) -> Result<Kill, Failure> {
    net.check_running()?;
    let nodes = net.clients()?;
    let (mut watch, view, validator) = loop {
        let (view, validator) = run.wait_for("all validators vote in one view", || one_view(&nodes))?;
        let mut watch = Watch::new(run, &nodes[(usize::from(validator.0) + 2) % nodes.len()]);
        if commits_for_a_while(&mut watch, view, validator, PHASE_STEP * (number % PHASES))? {
            break (watch, view, validator);
        }
    };
    let (survivor, primary) = (watch.node, usize::from(validator.0));
    watch.take_longest_gap_ms();
    let killed = Instant::now();
    net.kill(primary)?;
    let (mut last_old_commit_ms, mut view_ms) = (0, None);
    let (later_view, commit_ms) = watch.wait_for("a commit of a later view", |status, higher| {
        let now_ms = milliseconds(killed.elapsed());
        if status.view > view {
            view_ms.get_or_insert(now_ms);
        }
        if !higher {
            return None;
        }
        let of = commit(survivor, status.height)?.commit.view;
        if of <= view {
            last_old_commit_ms = now_ms;
        }
        (of > view).then_some((of, now_ms))
    })?;

    let gap_ms = watch.take_longest_gap_ms();
    net.start_again(primary)?;
    let started = Instant::now();
    let mut looked_at = started;
    watch.wait_for("the killed validator votes at the tip", |status, _| {
        if looked_at.elapsed() < LOOK_EVERY {
            return None;
        }
        looked_at = Instant::now();
        votes_at_tip(&nodes, validator, status).then_some(())
    })?;
    Ok(Kill {
        validator,
        view,
        later_view,
        last_old_commit_ms,
        view_ms: view_ms.unwrap_or(commit_ms),
        commit_ms,
        gap_ms,
        back_ms: milliseconds(started.elapsed()),
        back_gap_ms: watch.take_longest_gap_ms(),
    })
}

/// Waits for a commit of a block that this primary proposed in this view, and so much longer; false if the view
/// ends before.
fn commits_for_a_while(
    watch: &mut Watch<'_>,
    view: View,
    primary: ValidatorIndex,
    longer: Duration,
) -> Result<bool, Failure> {
    let node = watch.node;
    let commits = watch.wait_for("the primary commits", |status, higher| {
        if status.view != view || !higher {
            return (status.view != view).then_some(false);
        }
        let commit = commit(node, status.height)?;
        (commit.commit.view == view && commit.header.proposer == primary).then_some(true)
    })?;
    let until = Instant::now() + longer;
    let same = |status: &Status, _| (Instant::now() >= until).then_some(status.view == view);
    Ok(commits && watch.wait_for("the time to kill", same)?)
}

/// The view in which all vote, and its primary.
fn one_view(nodes: &[Client]) -> Option<(View, ValidatorIndex)> {
    let all: Option<Vec<Status>> = nodes.iter().map(|node| node.status().ok()).collect();
    let all = all?;
    let first = all.first()?;
    all.iter().all(|s| s.voting && s.view == first.view).then_some((first.view, first.primary))
}

/// Whether the node is connected to all others and where another is, and the certificate of its tip has its own
/// signature. Another quorum may have been faster; then it is looked at again.
fn votes_at_tip(nodes: &[Client], own: ValidatorIndex, other: &Status) -> bool {
    let node = &nodes[usize::from(own.0)];
    let Ok(status) = node.status() else { return false };
    let there = !status.catching_up && status.height >= other.height && status.peers + 1 >= nodes.len();
    let signed = |commit: Commit| {
        let mut signatures = commit.commit.signatures.iter();
        commit.commit.view == other.view && signatures.any(|one| one.validator == own)
    };
    status.voting && there && commit(node, status.height).is_some_and(signed)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
