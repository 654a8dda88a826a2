//! What befalls the machines: power, disks, executors, transactions.

use super::actor::Actor;
use super::executor::transfer;
use super::letter::{Kind, of};
use super::setup::STATUS_MS;
use super::stage::Stage;
use quorate_chain::Transaction;
use quorate_consensus::{Input, SealedBlock};

impl Stage {
    /// The power of these validators fails: the process ends, and what was not synced is lost.
    pub fn lose_power(&mut self, seats: &[usize]) {
        for seat in seats {
            self.note(|| format!("{seat} loses power"));
            self.actor(*seat).lose_power();
        }
    }

    /// The disk with the chain is lost; key and vote record are on another.
    pub fn lose_ledger(&mut self, seat: usize) {
        self.actor(seat).disk.lose_ledger();
    }

    /// Everything is lost but the key.
    pub fn lose_disk(&mut self, seat: usize) {
        self.actor(seat).disk = super::disk::Disk::default();
    }

    /// A validator starts from its disk; it asks the others what it signed (R47), but nobody has heard it yet.
    pub fn restart(&mut self, seat: usize) {
        self.note(|| format!("{seat} starts"));
        let setup = self.setup.clone();
        let effects = self.actor(seat).boot(&setup);
        self.carry_out(seat, effects);
        self.work(seat);
    }

    /// These validators and the seat that restarted hear each other about what it signed (R47). It takes a
    /// moment: nobody is helped twice within `status_ms`.
    pub fn recall(&mut self, seat: usize, from: &[usize]) {
        let question = of(&[Kind::Recall]).from(&[seat]).to(from);
        self.flow(2 * STATUS_MS, &question.and(of(&[Kind::Newest]).from(from).to(&[seat])));
    }

    /// From now on nothing that this validator writes becomes durable.
    pub fn hold_disk(&mut self, seat: usize) {
        self.actor(seat).disk.held = true;
    }

    /// What it wrote becomes durable now, and from now on at once.
    pub fn release_disk(&mut self, seat: usize) {
        let actor = self.actor(seat);
        actor.disk.held = false;
        actor.sync();
        self.work(seat);
    }

    /// From now on this validator's results are all wrong, in one way.
    pub fn errs(&mut self, seat: usize) {
        self.actor(seat).executor.err();
    }

    /// The execution of this block takes until [`Self::release_execution`].
    pub fn hold_execution(&mut self, seat: usize, block: &SealedBlock) {
        self.actor(seat).slow_blocks.insert(block.hash());
    }

    /// Everything is executed now.
    pub fn release_execution(&mut self, seat: usize) {
        self.actor(seat).slow_blocks.clear();
        self.execute(seat);
        self.work(seat);
    }

    /// The client's next transaction.
    pub fn fresh_transaction(&mut self) -> Transaction {
        self.nonce += 1;
        transfer(self.setup.context.chain, self.nonce - 1)
    }

    /// A fresh transaction comes to each of these validators, and to nobody else.
    pub fn submit(&mut self, seats: &[usize]) {
        let transaction = self.fresh_transaction();
        self.submit_this(seats, &transaction);
    }

    /// These validators hold a transaction and put it into no block of theirs.
    pub fn leaves_out(&mut self, seats: &[usize], transaction: &Transaction) {
        for seat in seats {
            self.actor(*seat).unwanted.insert(transaction.id());
        }
    }

    /// This validator's own proposals leave so much later, from now on.
    pub fn proposes_late(&mut self, seat: usize, late_ms: u64) {
        self.actor(seat).late_ms = late_ms;
    }

    /// This transaction comes to each of these validators.
    pub fn submit_this(&mut self, seats: &[usize], transaction: &Transaction) {
        for seat in seats {
            self.take_in(*seat, std::slice::from_ref(transaction));
        }
    }

    /// Whether everybody who is up has committed it.
    #[must_use]
    pub fn has_committed(&self, transaction: &Transaction) -> bool {
        let holds = |actor: &Actor| {
            actor.disk.blocks().iter().any(|c| c.block.block().transactions.contains(transaction))
        };
        self.actors.values().filter(|actor| actor.replica.is_some()).all(holds)
    }

    pub(super) fn take_in(&mut self, seat: usize, transactions: &[Transaction]) {
        let actor = self.actor(seat);
        let in_chain =
            |t: &Transaction| actor.disk.blocks().iter().any(|c| c.block.block().transactions.contains(t));
        let fresh = transactions.iter().filter(|t| !actor.pool.contains(t) && !in_chain(t));
        let fresh: Vec<_> = fresh.cloned().collect();
        actor.pool.extend(fresh);
        let pending = actor.pending();
        self.step(seat, Input::Pending(pending));
    }
}
