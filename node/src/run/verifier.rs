//! Frames from the network, decoded and verified off the async threads, in the order in which they came.

use super::compact::Filler;
use super::ingest::Incoming;
use super::metrics::{Metrics, Stage};
use super::wire::Frame;
use bytes::Bytes;
use quorate_chain::Epoch;
use quorate_chain::codec::decode;
use quorate_consensus::message::{CompactProposal, EpochContext, Invalid, verify};
use quorate_consensus::{Message, Verified};
use quorate_p2p::NetworkKey;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, watch};

/// Frames that wait for verification; then their streams wait.
pub(super) const FRAMES_WAITING_MAX: usize = 1_024;
/// Verified messages that wait for the core.
pub(super) const MESSAGES_WAITING_MAX: usize = 4_096;

/// What the core hears of its peers.
pub(super) enum Heard {
    /// A message that holds.
    Message(Verified<Message>),
    /// This peer has sent something of another epoch (R46).
    OtherEpoch(NetworkKey, Epoch),
    /// The wire to this peer is new.
    Connected(NetworkKey),
    /// The wire to this peer is gone.
    Disconnected(NetworkKey),
}

/// The verifying thread.
pub(super) struct Verifier {
    /// The core's epoch.
    pub(super) context: watch::Receiver<Arc<EpochContext>>,
    pub(super) core: mpsc::Sender<Heard>,
    pub(super) ingest: mpsc::Sender<Incoming>,
    pub(super) filler: Filler,
    pub(super) metrics: Metrics,
}

impl Verifier {
    /// Works until the network is gone.
    pub(super) fn run(mut self, mut frames: mpsc::Receiver<(NetworkKey, Bytes)>) {
        while let Some((from, frame)) = frames.blocking_recv() {
            let began = Instant::now();
            match decode::<Frame>(&frame) {
                Ok(Frame::Consensus(message)) => {
                    let context = Arc::clone(&self.context.borrow());
                    let signer = message.signer(&context).and_then(|index| context.set.get(index));
                    if message.is_first_hand() && signer.is_none_or(|seat| seat.network.0 != from.0) {
                        if message.epoch() != context.epoch {
                            drop(self.core.blocking_send(Heard::OtherEpoch(from, message.epoch())));
                        }
                        continue;
                    }
                    let heard = match verify(message, &context) {
                        Ok(verified) => Heard::Message(verified),
                        Err(Invalid::Epoch(epoch)) => Heard::OtherEpoch(from, epoch),
                        Err(error) => {
                            tracing::warn!(peer = %from, %error, "refused a consensus message");
                            continue;
                        }
                    };
                    self.metrics.stage(Stage::Frame, began);
                    if self.core.blocking_send(heard).is_err() {
                        return;
                    }
                }
                Ok(Frame::Proposal(proposal)) => {
                    let context = Arc::clone(&self.context.borrow());
                    match proposal.verify(&context) {
                        Ok(verified) => {
                            let CompactProposal { epoch, view, .. } = verified.get();
                            let primary = context.set.get(context.set.primary(*epoch, *view));
                            // Nobody passes one on, so nobody makes others look for what is in an old one.
                            if primary.is_none_or(|seat| seat.network.0 != from.0) {
                                continue;
                            }
                            if let Some(whole) = self.filler.fill(from, verified) {
                                self.metrics.stage(Stage::Frame, began);
                                if self.core.blocking_send(Heard::Message(whole)).is_err() {
                                    return;
                                }
                            }
                        }
                        Err(Invalid::Epoch(epoch)) => {
                            drop(self.core.blocking_send(Heard::OtherEpoch(from, epoch)));
                        }
                        Err(error) => tracing::warn!(peer = %from, %error, "refused a proposal"),
                    }
                }
                // A full queue drops them: whoever waits for them sends them again.
                Ok(Frame::Transactions(batch)) => {
                    if self.ingest.try_send(Incoming::Relayed(batch.into_inner())).is_err() {
                        self.metrics.unseen.inc();
                    }
                }
                Err(error) => tracing::warn!(peer = %from, %error, "refused a frame"),
            }
        }
    }
}
