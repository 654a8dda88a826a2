//! Faults as they happen, crashes and starts, and the healing of everything.

use super::chart::Mark;
use super::checker::Violation;
use super::fault::{Fault, all_nodes};
use super::gap::{Gaps, Trap};
use super::node::{self, DiskFault, Slowness, Standing};
use super::settings::TIMEOUT_BASE_MS;
use super::storage::Storage;
use super::weather::Weather;
use super::wire::{FOLLOW_MS, Wire};
use super::world::{Event, World};
use quorate_chain::ledger::LedgerError;
use quorate_chain::ledger::journal::PowerLoss;
use quorate_chain::{Epoch, Height, ValidatorIndex};
use quorate_consensus::Replica;

/// How long a node that could not start waits before it tries again, milliseconds.
const RETRY_MS: u64 = 150;
/// Its kind, for counting.
const TRAP: &str = "crash with a message";
/// Bytes that fit at most when a node starts on a full disk.
const NEARLY_FULL_BYTES: u64 = 3_000;

impl World {
    /// A node's seat in an epoch, if it may vote with its key.
    pub(super) fn seat(&self, node: usize, epoch: Epoch) -> Option<ValidatorIndex> {
        let seat = self.own_seat(node, epoch);
        seat.filter(|_| self.nodes[node].holds_key(epoch))
    }

    pub(super) fn heal(&mut self) -> Result<(), Violation> {
        let current = self.nodes.iter().filter_map(|n| n.replica()).map(Replica::timeout_ms).max();
        self.healed = Some((self.now_ms, self.now_ms));
        self.healed_timeout_ms = current.unwrap_or(TIMEOUT_BASE_MS);
        self.watch_timeout(self.healed_timeout_ms);
        self.note(Mark::All, || "healed".into());
        for node in 0..self.nodes.len() {
            let stand = self.nodes[node].describe();
            self.note(Mark::At(node), || stand);
        }
        (self.weather, self.gaps) = (Weather::default(), Gaps::default());
        for node in 0..self.nodes.len() {
            let one = &mut self.nodes[node];
            (one.slow_disk, one.slow_executor) = (Slowness::default(), Slowness::default());
            (one.crash_at_persist, one.disk_fault) = (None, None);
            one.storage.repair();
            self.boot(node)?;
        }
        self.client(self.transactions, None)
    }

    pub(super) fn boot(&mut self, node: usize) -> Result<(), Violation> {
        let one = &self.nodes[node];
        if one.process.is_some() || one.standing == Standing::Damaged || self.is_silent(node) {
            return Ok(());
        }
        if let Some(DiskFault::Full(until_ms)) = one.disk_fault {
            if self.now_ms < until_ms {
                let more_bytes = self.random.below(NEARLY_FULL_BYTES);
                self.nodes[node].storage.fill(more_bytes);
            } else {
                self.nodes[node].storage.repair();
                self.nodes[node].disk_fault = None;
            }
        }
        let (settings, now_ms) = (self.settings, self.now_ms);
        let config = |epoch: Epoch| {
            let context = self.contexts.get(epoch.0 as usize)?.clone();
            Some(node::config(context, self.seat(node, epoch), &settings))
        };
        match self.nodes[node].open(now_ms, &settings, &self.start, config) {
            Ok(Some((process, effects))) => {
                self.nodes[node].start += 1;
                self.nodes[node].process = Some(process);
                self.check_durable(node)?;
                self.note(Mark::Start(node), || "starts".into());
                let start = self.nodes[node].start;
                self.after(FOLLOW_MS, Event::Follow { node, start });
                self.carry_out(node, effects)?;
                self.schedule_tick(node);
                self.tell_wires(node, &Wire::Connected);
                for peer in (0..self.nodes.len()).filter(|peer| *peer != node) {
                    self.after(1, Event::Deliver { from: peer, to: node, wire: Wire::Connected });
                }
                Ok(())
            }
            Ok(None) => Err(Violation(format!("S3: node {node} starts in an epoch that nobody is in"))),
            Err(error) => self.cannot_start(node, &error),
        }
    }

    /// S3, R10: what was said to be durable is there.
    fn check_durable(&mut self, node: usize) -> Result<(), Violation> {
        let Some(process) = &self.nodes[node].process else { return Ok(()) };
        let found = (process.executor.tip().height, process.votes.journal.synced());
        let (height, records) = self.nodes[node].durable;
        let all_there = found.0 >= height && found.1 >= records;
        match self.nodes[node].standing {
            Standing::Honest if !all_there => {
                return Err(Violation(format!(
                    "S3: node {node} starts with height {} and {} vote records, durable were {height} and \
                     {records}",
                    found.0, found.1
                )));
            }
            // The bit that turned was nobody's.
            Standing::BitFlip { .. } if all_there => self.nodes[node].standing = Standing::Honest,
            // The last records look as if they had never been synced: no journal can tell that (R47).
            Standing::BitFlip { .. } => self.nodes[node].standing = Standing::OldDisk,
            _ => {}
        }
        self.nodes[node].durable = found;
        Ok(())
    }

    fn cannot_start(&mut self, node: usize, error: &LedgerError) -> Result<(), Violation> {
        self.note(Mark::At(node), || format!("does not start: {error}"));
        match (self.nodes[node].standing, self.nodes[node].disk_fault) {
            (Standing::BitFlip { wiped }, _) => {
                self.fired(Fault::BitFlip { node, wiped, down_ms: 0 }.kind());
                if wiped {
                    return self.wipe(node);
                }
                self.nodes[node].standing = Standing::Damaged;
                Ok(())
            }
            (_, Some(DiskFault::Full(_))) => {
                self.fired(Fault::FullDisk { node, more_bytes: 0, for_ms: 0 }.kind());
                self.nodes[node].end(PowerLoss::Keep);
                self.after(RETRY_MS, Event::Boot { node });
                Ok(())
            }
            _ => Err(Violation(format!("F: node {node} does not start, and nothing is wrong: {error}"))),
        }
    }

    /// A node without a record of its votes follows, and never votes with its key (R47).
    fn wipe(&mut self, node: usize) -> Result<(), Violation> {
        let seed = self.random.next();
        let one = &mut self.nodes[node];
        one.end(PowerLoss::Keep);
        one.storage = Storage::new(seed, self.settings.replicas);
        (one.standing, one.durable) = (Standing::Wiped, (Height::ZERO, 0));
        self.boot(node)
    }

    /// Ends a node's process, and maybe its power; false if it is down, or nothing may go wrong any more.
    pub(super) fn crash(&mut self, node: usize, down_ms: u64) -> bool {
        let loss = match self.random.below(4) {
            0 => PowerLoss::Keep,
            1 => PowerLoss::Drop,
            _ => PowerLoss::Tear { seed: self.random.next() },
        };
        self.crash_with(node, down_ms, loss)
    }

    /// A process ends in the middle of what it does.
    pub(super) fn spring(&mut self, trap: &Trap) -> Result<(), Violation> {
        if let Some(down_ms) = trap.down_ms.filter(|_| trap.all) {
            return self.fault(Fault::PowerLoss { down_ms });
        }
        let happened = self.crash(trap.node, trap.down_ms.unwrap_or(0));
        if happened && trap.down_ms.is_none() {
            self.silence(trap.node);
        } else if happened {
            self.fired(TRAP);
        }
        Ok(())
    }

    fn crash_with(&mut self, node: usize, down_ms: u64, loss: PowerLoss) -> bool {
        if self.nodes[node].process.is_none() || self.healed.is_some() {
            return false;
        }
        let loss = match self.nodes[node].disk_fault {
            // The power did go.
            Some(DiskFault::PowerCut(_)) if loss == PowerLoss::Keep => PowerLoss::Drop,
            _ => loss,
        };
        self.hash(&[node as u64, down_ms], &[0xcc; 32]);
        self.note(Mark::Crash(node), || format!("down for {down_ms} ms, {loss:?}"));
        self.nodes[node].end(loss);
        if !matches!(self.nodes[node].disk_fault, Some(DiskFault::Full(_))) {
            self.nodes[node].disk_fault = None;
        }
        self.after(down_ms, Event::Boot { node });
        self.tell_wires(node, &Wire::Disconnected);
        true
    }

    pub(super) fn fault(&mut self, fault: Fault) -> Result<(), Violation> {
        self.note(Mark::All, || format!("{fault:?}"));
        let kind = fault.kind();
        let happened = match fault {
            Fault::Crash { node, down_ms } => self.crash(node, down_ms),
            Fault::CrashPrimary { down_ms } => {
                let replicas = self.nodes.iter().filter_map(|n| n.replica());
                let highest = replicas.max_by_key(|replica| (replica.epoch(), replica.view()));
                let primary = highest.and_then(|r| self.roster.node(r.epoch(), r.primary()));
                primary.is_some_and(|node| self.crash(node, down_ms))
            }
            Fault::PowerLoss { down_ms } => {
                let mut any = false;
                for node in 0..self.nodes.len() {
                    let seed = self.random.next();
                    let torn = self.random.chance(60);
                    let loss = if torn { PowerLoss::Tear { seed } } else { PowerLoss::Drop };
                    any |= self.crash_with(node, down_ms, loss);
                }
                any
            }
            Fault::FullDisk { .. } | Fault::FailedSync { .. } | Fault::PowerCut { .. } => {
                self.order_disk_fault(&fault);
                false
            }
            Fault::BitFlip { .. }
            | Fault::Backup { .. }
            | Fault::OldDisk { .. }
            | Fault::LostChain { .. }
            | Fault::Wipe { .. } => return self.change_disk(&fault),
            Fault::AskLast { node } => {
                self.leaving.push(node);
                false
            }
            Fault::CrashAtPersist { node, synced, down_ms } => {
                self.nodes[node].crash_at_persist = Some((synced, down_ms));
                false
            }
            _ => {
                self.condition(&fault);
                false
            }
        };
        if happened {
            self.fired(kind);
        }
        Ok(())
    }

    /// What lasts for a while; it counts when somebody feels it.
    fn condition(&mut self, fault: &Fault) {
        let (kind, now_ms, all) = (fault.kind(), self.now_ms, all_nodes(self.nodes.len()));
        match *fault {
            Fault::Partition { side, one_way, for_ms } => {
                self.weather.cut((side, all & !side), !one_way, now_ms + for_ms, kind);
            }
            Fault::Isolate { node, hears, heard, for_ms } => {
                let (one, both) = (1 << node, !heard && !hears);
                let cut = if heard { (all, one) } else { (one, all) };
                self.weather.cut(cut, both, now_ms + for_ms, kind);
            }
            Fault::Lossy { percent, for_ms } => self.weather.lossy(percent, now_ms + for_ms, kind),
            Fault::Slow { delay_ms, for_ms } => self.weather.slow(delay_ms, now_ms + for_ms, kind),
            Fault::SlowLink { nodes, delay_ms, for_ms } => {
                self.weather.slow_link(nodes, delay_ms, now_ms + for_ms, kind);
            }
            Fault::SlowDisk { node, sync_ms, for_ms } => {
                self.nodes[node].slow_disk =
                    Slowness { max_ms: sync_ms, until_ms: now_ms + for_ms, felt: false };
            }
            Fault::SlowExecutor { node, execute_ms, for_ms } => {
                self.nodes[node].slow_executor =
                    Slowness { max_ms: execute_ms, until_ms: now_ms + for_ms, felt: false };
            }
            Fault::StalledClock { node, for_ms } => {
                self.nodes[node].stalled_ms = now_ms..now_ms + for_ms;
                self.fired(kind);
            }
            Fault::Flaky { permille, for_ms } => self.weather.flaky(permille, now_ms + for_ms),
            _ => {}
        }
    }

    /// The disk of a running node is told to fail; it counts when the node stops for it.
    fn order_disk_fault(&mut self, fault: &Fault) {
        let (node, ordered) = match *fault {
            Fault::FullDisk { node, for_ms, .. } => (node, DiskFault::Full(self.now_ms + for_ms)),
            Fault::FailedSync { node, down_ms } => (node, DiskFault::Sync(down_ms)),
            Fault::PowerCut { node, down_ms, .. } => (node, DiskFault::PowerCut(down_ms)),
            _ => return,
        };
        let one = &mut self.nodes[node];
        if one.process.is_none() || one.disk_fault.is_some() {
            return;
        }
        one.disk_fault = Some(ordered);
        match *fault {
            Fault::FullDisk { more_bytes, for_ms, .. } => {
                one.storage.fill(more_bytes);
                self.after(for_ms, Event::FreeDisk { node });
            }
            Fault::PowerCut { operation, .. } => one.storage.cut_power_after(operation),
            _ => one.storage.fail_syncs(),
        }
    }

    pub(super) fn free_disk(&mut self, node: usize) {
        if matches!(self.nodes[node].disk_fault, Some(DiskFault::Full(until_ms)) if until_ms <= self.now_ms) {
            self.nodes[node].storage.repair();
            self.nodes[node].disk_fault = None;
        }
    }

    /// What leaves a node with another disk than it had; of those the plan has at most f.
    fn change_disk(&mut self, fault: &Fault) -> Result<(), Violation> {
        let failed = |error: std::io::Error| Violation(format!("driver: the disk can't be copied: {error}"));
        match *fault {
            Fault::Backup { node } => {
                let seed = self.random.next();
                let one = &mut self.nodes[node];
                if one.process.is_some() {
                    one.backup = Some((one.storage.copy(seed).map_err(failed)?, one.height()));
                }
            }
            Fault::OldDisk { node, down_ms } => {
                let older = self.nodes[node].backup.take();
                let Some((storage, height)) = older.filter(|_| self.crash(node, down_ms)) else {
                    return Ok(());
                };
                self.fired(fault.kind());
                let one = &mut self.nodes[node];
                (one.storage, one.standing, one.durable) = (storage, Standing::OldDisk, (height, 0));
                one.disk_fault = None;
            }
            Fault::BitFlip { node, wiped, down_ms } if self.crash(node, down_ms) => {
                let one = &mut self.nodes[node];
                one.storage.repair();
                one.disk_fault = None;
                let flipped = one.storage.flip_bit(&mut self.random).map_err(failed)?;
                if let Some(what) = flipped {
                    one.standing = Standing::BitFlip { wiped };
                    self.note(Mark::At(node), || what);
                }
            }
            Fault::LostChain { node, down_ms } if self.crash(node, down_ms) => {
                self.fired(fault.kind());
                let one = &mut self.nodes[node];
                one.storage.repair();
                one.storage.lose_chain().map_err(failed)?;
                (one.durable.0, one.disk_fault) = (Height::ZERO, None);
            }
            Fault::Wipe { node, down_ms } if self.crash(node, down_ms) => {
                self.fired(fault.kind());
                let seed = self.random.next();
                let one = &mut self.nodes[node];
                one.storage = Storage::new(seed, self.settings.replicas);
                (one.standing, one.durable, one.disk_fault) = (Standing::Wiped, (Height::ZERO, 0), None);
            }
            _ => {}
        }
        Ok(())
    }
}
