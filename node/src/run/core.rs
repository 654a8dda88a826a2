//! The task that owns the consensus core: it turns what happens into inputs and carries out the effects.

use super::compact;
use super::disk::DiskLow;
use super::evidence;
use super::executor::Job;
use super::known::Known;
use super::sync::SyncJob;
use super::verifier::Heard;
use super::wire::{Batch, Frame};
use bytes::Bytes;
use quorate_chain::codec::encode;
use quorate_chain::crypto::SecretKey;
use quorate_chain::ledger::Reader;
use quorate_chain::{ChainId, Epoch, TimestampMs, TransactionId, ValidatorIndex, ValidatorSet, View};
use quorate_consensus::message::EpochContext;
use quorate_consensus::{
    Effect, Input, Message, Now, Outgoing, Peer, PersistId, Phase, Record, Replica, Time, Unsigned, Verified,
};
use quorate_p2p::{Network, NetworkKey};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot, watch};

/// What others see of the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CoreStatus {
    pub(super) epoch: Epoch,
    /// Network keys of the epoch's validators, by index.
    pub(super) validators: Arc<[NetworkKey]>,
    pub(super) me: Option<ValidatorIndex>,
    pub(super) view: View,
    pub(super) primary: ValidatorIndex,
    pub(super) voting: bool,
    pub(super) halted: Option<String>,
    /// Why the consensus key is not used any more, if it is not (R47).
    pub(super) record_lost: Option<String>,
}

impl CoreStatus {
    pub(super) fn of(replica: &Replica, validators: Arc<[NetworkKey]>, disk_low: DiskLow) -> Self {
        let halted = replica.halted().map(|halt| halt.to_string()).or(disk_low);
        let record_lost = replica.has_lost_record().then(|| {
            "others hold signatures of this validator that its vote record does not know of; make a new \
             consensus key"
                .to_owned()
        });
        Self {
            epoch: replica.epoch(),
            validators,
            me: replica.seat(),
            view: replica.view(),
            primary: replica.primary(),
            voting: replica.seat().is_some() && replica.phase() == Phase::Normal && halted.is_none(),
            halted,
            record_lost,
        }
    }
}

/// Network keys of a set's validators, by index.
pub(super) fn network_keys(set: &ValidatorSet) -> Arc<[NetworkKey]> {
    set.validators().iter().map(|validator| NetworkKey(validator.network.0)).collect()
}

/// The key that signs; the core knows whose it is in its epoch.
pub(super) struct Signer {
    pub(super) chain: ChainId,
    pub(super) key: SecretKey,
}

/// Both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    pub(super) fn now(self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            time: Time(u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)),
            clock: TimestampMs(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    fn instant(self, time: Time) -> tokio::time::Instant {
        // One millisecond on top: the timer's own resolution must not wake the core too early.
        (self.origin + std::time::Duration::from_millis(time.0 + 1)).into()
    }
}

/// The core with everything that its effects go to.
pub(super) struct Core {
    pub(super) replica: Replica,
    pub(super) clock: Clock,
    pub(super) signer: Option<Signer>,
    /// Network keys of the epoch's validators, by index.
    pub(super) validators: Arc<[NetworkKey]>,
    /// The epoch, for whoever verifies.
    pub(super) context: watch::Sender<Arc<EpochContext>>,
    /// Peers that have sent something of another epoch, by the number that the core knows them by. Only
    /// peers on the allow-list get through, so these are few.
    pub(super) peers: Vec<NetworkKey>,
    pub(super) reader: Reader,
    /// Where evidence is kept.
    pub(super) evidence: PathBuf,
    pub(super) network: Network,
    pub(super) known: Known,
    pub(super) votes: mpsc::UnboundedSender<(PersistId, Record)>,
    pub(super) executor: std::sync::mpsc::Sender<Job>,
    pub(super) sync: mpsc::Sender<SyncJob>,
    pub(super) status: watch::Sender<CoreStatus>,
    /// Own messages, signed, on their way back in.
    pub(super) own: VecDeque<Input>,
    /// While it says why, the core stands still.
    pub(super) disk_low: watch::Receiver<DiskLow>,
}

impl Core {
    /// Runs until `stop` is ready. `answers` come from this node's own threads, each to an effect, so they
    /// are bounded by what is in flight; `messages` from the network are bounded by their channel.
    pub(super) async fn run(
        mut self,
        first: Vec<Effect>,
        mut answers: mpsc::UnboundedReceiver<Input>,
        mut messages: mpsc::Receiver<Heard>,
        stop: oneshot::Receiver<()>,
    ) {
        self.carry_out(first);
        let mut stop = std::pin::pin!(stop);
        loop {
            if self.disk_low.borrow_and_update().is_some() {
                self.show();
                // What comes meanwhile waits in its queues, as it does for a process that is paused. When the
                // other end is gone the node is stopping.
                let space = self.disk_low.wait_for(Option::is_none);
                tokio::select! {
                    biased;
                    _ = &mut stop => return,
                    there_is = space => if there_is.is_err() { return },
                }
            }
            let deadline = self.replica.deadline().map(|time| self.clock.instant(time));
            let input = tokio::select! {
                biased;
                _ = &mut stop => return,
                Some(answer) = answers.recv() => answer,
                Ok(()) = self.disk_low.changed() => continue,
                Some(heard) = messages.recv() => match self.input(heard) {
                    Some(input) => input,
                    None => continue,
                },
                () = sleep_until(deadline) => Input::Tick,
            };
            self.step(input);
            while let Some(own) = self.own.pop_front() {
                self.step(own);
            }
            self.show();
        }
    }

    /// `None` for what concerns no validator.
    fn input(&mut self, heard: Heard) -> Option<Input> {
        Some(match heard {
            Heard::Message(message) => Input::Message(message),
            Heard::Connected(peer) => Input::Connected(self.validator(peer)?),
            Heard::Disconnected(peer) => Input::Disconnected(self.validator(peer)?),
            Heard::OtherEpoch(from, epoch) => {
                let known = self.peers.iter().position(|peer| *peer == from);
                let number = known.unwrap_or_else(|| {
                    self.peers.push(from);
                    self.peers.len() - 1
                });
                Input::OtherEpoch { peer: Peer(number as u64), epoch }
            }
        })
    }

    fn validator(&self, peer: NetworkKey) -> Option<ValidatorIndex> {
        let index = self.validators.iter().position(|validator| *validator == peer)?;
        u16::try_from(index).ok().map(ValidatorIndex)
    }

    fn step(&mut self, input: Input) {
        let started = match &input {
            Input::EpochStarted { context, .. } => Some(Arc::new(context.clone())),
            _ => None,
        };
        let effects = self.replica.step(self.clock.now(), input);
        if let Some(context) = started.filter(|context| context.epoch == self.replica.epoch()) {
            self.validators = network_keys(&context.set);
            self.context.send_replace(context);
        }
        self.carry_out(effects);
    }

    /// A channel that is closed belongs to a thread that has ended; the node is stopping then.
    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Persist(id, record) => drop(self.votes.send((id, record))),
                Effect::StoreBody(block) => drop(self.executor.send(Job::Store(block))),
                Effect::Validate(block) => drop(self.executor.send(Job::Validate(block))),
                Effect::Execute(block) => drop(self.executor.send(Job::Execute(block))),
                Effect::Commit { block, certificate, path } => {
                    tracing::debug!(height = block.height().0, block = %block.hash(), "committed");
                    drop(self.executor.send(Job::Commit(block, certificate, path)));
                }
                Effect::RequestBatch { parent, height } => {
                    drop(self.executor.send(Job::Batch(parent, height)));
                }
                Effect::Broadcast(outgoing) => {
                    let frame = match outgoing {
                        Outgoing::Own(unsigned) => {
                            self.sign(unsigned).map(|message| compact::first(message, &self.known))
                        }
                        // Sent again, as not all may have had it: whole.
                        Outgoing::Signed(message) => Some(Frame::Consensus(message)),
                    };
                    if let Some(frame) = frame {
                        self.to_validators(&encode(&frame).into());
                    }
                }
                Effect::Send(to, outgoing) => self.send(to, outgoing),
                Effect::Sign(unsigned) => drop(self.sign(unsigned)),
                // A full queue is no loss: the core asks again.
                Effect::FetchBlock(hash) => {
                    let _ = self.sync.try_send(SyncJob::Body(hash));
                }
                Effect::Sync { peer, to } => {
                    let peer = self.validators.get(usize::from(peer.0)).copied();
                    let _ = self.sync.try_send(SyncJob::Blocks { peer, to });
                }
                Effect::SyncWithPeer { peer: Peer(number) } => {
                    let peer = self.peers.get(number as usize).copied();
                    let to = self.replica.tip().height.next();
                    let _ = self.sync.try_send(SyncJob::Blocks { peer, to });
                }
                Effect::Discard(block) => drop(self.executor.send(Job::Discard(block))),
                Effect::ShowEpochEnd { peer: Peer(number), epoch } => self.show_epoch_end(number, epoch),
                Effect::RelayTransactions { first } => self.relay_transactions(first),
                Effect::Excuse(id) => drop(self.executor.send(Job::Excuse(id))),
                // Keys are replaced, and old ones erased, by governance.
                Effect::ReleaseOldEpoch(what) => tracing::debug!(?what, "not needed any more"),
                Effect::Evidence(evidence) => {
                    tracing::warn!(validator = evidence.accused().0, kind = ?evidence.kind(),
                        "a validator contradicts itself");
                    evidence::keep(self.evidence.clone(), evidence);
                }
                Effect::RecordLost(lost) => {
                    tracing::error!(%lost, "this validator's vote record is not whole: it follows without voting");
                }
                Effect::ResultsDiffer(votes) => {
                    tracing::error!(?votes, "validators computed different results for one block");
                }
                Effect::Halted(halt) => {
                    tracing::error!(%halt, "this node has stopped voting: it needs repair")
                }
            }
        }
    }

    /// R46: the certificate that ended an epoch, for a peer that is still in it.
    fn show_epoch_end(&self, peer: u64, epoch: Epoch) {
        let Some(peer) = self.peers.get(peer as usize).copied() else { return };
        let (reader, network) = (self.reader.clone(), self.network.clone());
        tokio::task::spawn_blocking(move || match reader.epoch_end(epoch) {
            Ok(Some(last)) => {
                let message = Message::Certificate(Arc::new(last.certificate.clone()));
                network.send(peer, encode(&Frame::Consensus(message)).into());
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "cannot read the end of an epoch"),
        });
    }

    /// Signs; a copy goes back into the core.
    fn sign(&mut self, unsigned: Unsigned) -> Option<Message> {
        let (signer, me) = (self.signer.as_ref()?, self.replica.seat()?);
        let message = unsigned.sign(signer.chain, me, &signer.key);
        self.own.push_back(Input::Message(Verified::vouched(message.clone())));
        Some(message)
    }

    fn send(&mut self, to: ValidatorIndex, outgoing: Outgoing) {
        let message = match outgoing {
            Outgoing::Own(unsigned) => self.sign(unsigned),
            Outgoing::Signed(message) => Some(message),
        };
        let Some(message) = message else { return };
        if let Some(key) = self.validators.get(usize::from(to.0)) {
            self.network.send(*key, encode(&Frame::Consensus(message)).into());
        }
    }

    fn to_validators(&self, frame: &Bytes) {
        send_to_all(&self.network, &self.validators, frame);
    }

    fn relay_transactions(&self, first: Option<TransactionId>) {
        let (answer, oldest) = oneshot::channel();
        if self.executor.send(Job::Waiting(first, Duration::ZERO, answer)).is_err() {
            return;
        }
        let (network, validators) = (self.network.clone(), Arc::clone(&self.validators));
        tokio::spawn(async move {
            if let Ok(Ok(batch)) = oldest.await.map(Batch::new) {
                let frame: Bytes = encode(&Frame::Transactions(batch)).into();
                send_to_all(&network, &validators, &frame);
            }
        });
    }

    fn show(&self) {
        let disk_low = self.disk_low.borrow().clone();
        let status = CoreStatus::of(&self.replica, Arc::clone(&self.validators), disk_low);
        self.status.send_if_modified(|shown| {
            let modified = *shown != status;
            if modified {
                if shown.view != status.view || shown.voting != status.voting {
                    tracing::info!(
                        view = status.view.0,
                        primary = status.primary.0,
                        voting = status.voting,
                        "view"
                    );
                }
                *shown = status;
            }
            modified
        });
    }
}

fn send_to_all(network: &Network, validators: &[NetworkKey], frame: &Bytes) {
    for key in validators.iter().filter(|key| **key != network.local_key()) {
        network.send(*key, frame.clone());
    }
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
