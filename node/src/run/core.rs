//! The task that owns the consensus core: it turns what happens into inputs and carries out the effects.

use super::executor::Job;
use super::sync::SyncJob;
use super::wire::{Batch, Frame};
use bytes::Bytes;
use quorate_chain::codec::encode;
use quorate_chain::crypto::SecretKey;
use quorate_chain::{ChainId, TimestampMs, ValidatorIndex, View};
use quorate_consensus::{
    Effect, Input, Message, Now, Outgoing, PersistId, Phase, Record, Replica, Time, Unsigned, Verified,
};
use quorate_p2p::{Network, NetworkKey};
use std::collections::VecDeque;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot, watch};

/// What others see of the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CoreStatus {
    pub(super) view: View,
    pub(super) primary: ValidatorIndex,
    pub(super) voting: bool,
    pub(super) halted: Option<String>,
}

/// The key that signs, and whose it is.
pub(super) struct Signer {
    pub(super) chain: ChainId,
    pub(super) me: ValidatorIndex,
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
    /// Network keys of all validators, by index.
    pub(super) validators: Vec<NetworkKey>,
    pub(super) network: Network,
    pub(super) votes: mpsc::UnboundedSender<(PersistId, Record)>,
    pub(super) executor: std::sync::mpsc::Sender<Job>,
    pub(super) sync: mpsc::Sender<SyncJob>,
    pub(super) status: watch::Sender<CoreStatus>,
    /// Own messages, signed, on their way back in.
    pub(super) own: VecDeque<Input>,
}

impl Core {
    /// Runs until `stop` is ready. `answers` come from this node's own threads, each to an effect, so they
    /// are bounded by what is in flight; `messages` from the network are bounded by their channel.
    pub(super) async fn run(
        mut self,
        first: Vec<Effect>,
        mut answers: mpsc::UnboundedReceiver<Input>,
        mut messages: mpsc::Receiver<Verified<Message>>,
        stop: oneshot::Receiver<()>,
    ) {
        self.carry_out(first);
        let mut stop = std::pin::pin!(stop);
        loop {
            let deadline = self.replica.deadline().map(|time| self.clock.instant(time));
            let input = tokio::select! {
                biased;
                _ = &mut stop => return,
                Some(answer) = answers.recv() => answer,
                Some(message) = messages.recv() => Input::Message(message),
                () = sleep_until(deadline) => Input::Tick,
            };
            self.step(input);
            while let Some(own) = self.own.pop_front() {
                self.step(own);
            }
            self.show();
        }
    }

    fn step(&mut self, input: Input) {
        let effects = self.replica.step(self.clock.now(), input);
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
                    if let Some(frame) = self.frame(outgoing) {
                        self.to_validators(&frame);
                    }
                }
                Effect::Send(to, outgoing) => self.send(to, outgoing),
                Effect::Sign(unsigned) => drop(self.sign(unsigned)),
                // A full queue is no loss: the core asks again.
                Effect::FetchBlock(hash) => {
                    let _ = self.sync.try_send(SyncJob::Body(hash));
                }
                Effect::Sync { peer, to } => {
                    let _ = self.sync.try_send(SyncJob::Blocks { peer: Some(peer), to });
                }
                Effect::RelayTransactions => self.relay_transactions(),
                Effect::Evidence(evidence) => tracing::warn!(?evidence, "a validator contradicts itself"),
                Effect::ResultsDiffer(votes) => {
                    tracing::error!(?votes, "validators computed different results for one block");
                }
                Effect::Halted(halt) => {
                    tracing::error!(%halt, "this node has stopped voting: it needs repair")
                }
            }
        }
    }

    /// Signs; a copy goes back into the core.
    fn sign(&mut self, unsigned: Unsigned) -> Option<Message> {
        let signer = self.signer.as_ref()?;
        let message = unsigned.sign(signer.chain, signer.me, &signer.key);
        self.own.push_back(Input::Message(Verified::vouched(message.clone())));
        Some(message)
    }

    fn frame(&mut self, outgoing: Outgoing) -> Option<Bytes> {
        let message = match outgoing {
            Outgoing::Own(unsigned) => self.sign(unsigned)?,
            Outgoing::Signed(message) => message,
        };
        Some(encode(&Frame::Consensus(message)).into())
    }

    fn send(&mut self, to: ValidatorIndex, outgoing: Outgoing) {
        let Some(frame) = self.frame(outgoing) else { return };
        if let Some(key) = self.validators.get(usize::from(to.0)) {
            self.network.send(*key, frame);
        }
    }

    fn to_validators(&self, frame: &Bytes) {
        send_to_all(&self.network, &self.validators, frame);
    }

    fn relay_transactions(&self) {
        let (answer, oldest) = oneshot::channel();
        if self.executor.send(Job::Oldest(answer)).is_err() {
            return;
        }
        let (network, validators) = (self.network.clone(), self.validators.clone());
        tokio::spawn(async move {
            if let Ok(Ok(batch)) = oldest.await.map(Batch::new) {
                let frame: Bytes = encode(&Frame::Transactions(batch)).into();
                send_to_all(&network, &validators, &frame);
            }
        });
    }

    fn show(&self) {
        let replica = &self.replica;
        let halted = replica.halted().map(|halt| halt.to_string());
        let voting = self.signer.is_some() && replica.phase() == Phase::Normal && halted.is_none();
        let status = CoreStatus { view: replica.view(), primary: replica.primary(), voting, halted };
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
