//! The host: a replica with everything that it needs, behind four calls.

use super::execution::Execution;
use super::operation;
use super::peers::Neighbour;
use super::pool::{Pool, WAITING_MAX};
use super::storage::Key;
use super::wire::Wire;
use super::{Committed, Error, OPERATION_BYTES_MAX, Reply, Service, Settings, Storage, Ticket};
use crate::evidence::Evidence;
use crate::message::{EpochContext, SealedBlock, Signed};
use crate::record::{DurableState, PersistId};
use crate::replica::{Halt, Input, Lost, Replica, Tip};
use crate::time::{Now, Time};
use quorate_chain::certificate::CommitVote;
use quorate_chain::codec::List;
use quorate_chain::crypto::SecretKey;
use quorate_chain::{BlockHash, Height, Nonce, Transaction, ValidatorIndex, View};
use std::collections::{BTreeMap, VecDeque};

/// What a host wants done or known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To be sent to every other host.
    Broadcast(Vec<u8>),
    /// To be sent to one host.
    Send(ValidatorIndex, Vec<u8>),
    /// A submitted operation is executed, for ever.
    Reply(Box<Reply>),
    /// A block is executed, for ever; its operations may be any host's.
    Committed(Box<Committed>),
    /// Somebody should look.
    Alarm(Alarm),
}

/// What time does not heal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// A host has signed contradicting things (R37).
    Evidence(Box<Evidence>),
    /// Hosts have different results for one block, so many that none has a quorum (R37).
    ResultsDiffer(Vec<Signed<CommitVote>>),
    /// This host has stopped voting: its service or its disk differs from a quorum's (R36).
    Halted(Halt),
    /// This host's record is not whole. It follows and signs nothing more (R47).
    RecordLost(Lost),
}

/// A replica of a service.
#[derive(Debug)]
pub struct Host<S, D> {
    pub(super) settings: Settings,
    pub(super) context: EpochContext,
    pub(super) key: SecretKey,
    pub(super) me: ValidatorIndex,
    pub(super) now: Now,
    pub(super) replica: Replica,
    pub(super) execution: Execution<S>,
    /// R43: of blocks above the tip; all of them are stored.
    pub(super) bodies: BTreeMap<BlockHash, SealedBlock>,
    /// Where the last committed blocks are stored, for whoever lacks one.
    pub(super) recent: BTreeMap<BlockHash, Height>,

    pub(super) pool: Pool,
    /// Own operations in the pool, in this run.
    pub(super) own: BTreeMap<Nonce, (Ticket, Transaction)>,
    /// Own operations whose nonce went to one of an earlier run; they get new ones.
    pub(super) displaced: VecDeque<(Ticket, Vec<u8>)>,
    pub(super) next_ticket: u64,
    /// Whether the replica is to be told anew what waits.
    pub(super) pool_changed: bool,
    pub(super) told_pending: bool,
    pub(super) told_view: View,

    pub(super) storage: D,
    pub(super) durable: DurableState,
    /// Numbers of the first record stored and of the next one.
    pub(super) records: (u64, u64),
    /// To be put with the next sync, and what the replica is told then.
    pub(super) writes: Vec<(Key, Vec<u8>)>,
    pub(super) written: (Option<PersistId>, Vec<BlockHash>),
    /// To be removed after it.
    pub(super) removals: Vec<Key>,

    pub(super) neighbours: BTreeMap<ValidatorIndex, Neighbour>,
    pub(super) inputs: VecDeque<Input>,
    pub(super) outputs: Vec<Output>,
    pub(super) lost: bool,
    pub(super) stopped: bool,
}

impl<S: Service, D: Storage> Host<S, D> {
    /// Orders an operation. Its [`Output::Reply`] carries the ticket.
    ///
    /// # Errors
    /// When the service does not take it, too many wait, or the host has stopped or signs nothing any more.
    pub fn submit(&mut self, now: Now, operation: &[u8]) -> Result<Ticket, Error> {
        self.begin(now)?;
        if self.lost {
            return Err(Error::RecordLost);
        }
        if operation.len() > OPERATION_BYTES_MAX {
            return Err(Error::LongOperation(operation.len()));
        }
        if !self.execution.service().validate(operation) {
            return Err(Error::InvalidOperation);
        }
        if self.own.len() + self.displaced.len() >= WAITING_MAX {
            return Err(Error::Full);
        }
        let ticket = Ticket(self.next_ticket);
        self.enqueue(ticket, operation)?;
        self.next_ticket += 1;
        self.run()?;
        Ok(ticket)
    }

    /// Takes in what another host sent. The transport should vouch for `from`: if it does not, liars can cost
    /// others their answers and so time, but nothing is ever signed or executed because of that name.
    ///
    /// # Errors
    /// [`Error::is_peer_fault`]: refused, the host goes on. All others: the host has stopped.
    pub fn receive(&mut self, now: Now, from: ValidatorIndex, bytes: &[u8]) -> Result<(), Error> {
        self.begin(now)?;
        let taken = self.on_message(from, bytes);
        self.stop_if_fatal(taken)?;
        self.run()
    }

    /// Lets time pass; to be called at [`Self::deadline`] if nothing else was called since, and harmless at
    /// any time.
    ///
    /// # Errors
    /// When the host has stopped.
    pub fn tick(&mut self, now: Now) -> Result<(), Error> {
        self.begin(now)?;
        self.run()
    }

    /// When [`Self::tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.replica.deadline().filter(|_| !self.stopped)
    }

    /// Takes what has come out since the last time, in order.
    pub fn outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// The service at the committed state.
    #[must_use]
    pub const fn service(&self) -> &S {
        self.execution.service()
    }

    /// The highest committed block.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        self.replica.tip()
    }

    /// The current view.
    #[must_use]
    pub const fn view(&self) -> View {
        self.replica.view()
    }

    /// The host that leads the current view.
    #[must_use]
    pub fn primary(&self) -> ValidatorIndex {
        self.replica.primary()
    }

    /// Ends the host, as a crash would: the storage is all that is left.
    pub fn into_storage(self) -> D {
        self.storage
    }

    /// Signs an operation, puts it into the pool and shows it to all.
    pub(super) fn enqueue(&mut self, ticket: Ticket, operation: &[u8]) -> Result<(), Error> {
        let next = self.execution.next().get(usize::from(self.me.0)).copied().unwrap_or_default();
        let nonce = self.pool.free_nonce(self.me, next);
        let signed = operation::sign(operation, nonce, self.settings.chain, &self.key)?;
        self.pool.insert(self.me, next, signed.clone())?;
        self.own.insert(nonce, (ticket, signed.clone()));
        self.pool_changed = true;
        self.broadcast(&Wire::Operations(List::new(vec![signed])?));
        Ok(())
    }

    pub(super) fn broadcast(&mut self, wire: &Wire) {
        self.outputs.push(Output::Broadcast(wire.to_bytes()));
    }

    pub(super) fn send(&mut self, to: ValidatorIndex, wire: &Wire) {
        self.outputs.push(Output::Send(to, wire.to_bytes()));
    }

    fn begin(&mut self, now: Now) -> Result<(), Error> {
        if self.stopped {
            return Err(Error::Stopped);
        }
        self.now = Now { time: self.now.time.max(now.time), clock: now.clock };
        Ok(())
    }
}
