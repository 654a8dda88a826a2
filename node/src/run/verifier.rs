//! Frames from the network, decoded and verified off the async threads, in the order in which they came.

use super::ingest::Incoming;
use super::wire::Frame;
use bytes::Bytes;
use quorate_chain::codec::decode;
use quorate_consensus::message::{EpochContext, verify};
use quorate_consensus::{Message, Verified};
use quorate_p2p::NetworkKey;
use tokio::sync::mpsc;

/// Frames that wait for verification; then their streams wait.
pub(super) const FRAMES_WAITING_MAX: usize = 1_024;
/// Verified messages that wait for the core.
pub(super) const MESSAGES_WAITING_MAX: usize = 4_096;

/// The verifying thread.
pub(super) struct Verifier {
    pub(super) context: EpochContext,
    pub(super) core: mpsc::Sender<Verified<Message>>,
    pub(super) ingest: mpsc::Sender<Incoming>,
}

impl Verifier {
    /// Works until the network is gone.
    pub(super) fn run(self, mut frames: mpsc::Receiver<(NetworkKey, Bytes)>) {
        while let Some((from, frame)) = frames.blocking_recv() {
            match decode::<Frame>(&frame) {
                Ok(Frame::Consensus(message)) => match verify(message, &self.context) {
                    Ok(verified) => {
                        if self.core.blocking_send(verified).is_err() {
                            return;
                        }
                    }
                    Err(error) if error.is_peer_fault() => {
                        tracing::warn!(peer = %from, %error, "refused a consensus message");
                    }
                    Err(error) => tracing::debug!(peer = %from, %error, "passed over a consensus message"),
                },
                // A full queue drops them: whoever waits for them sends them again.
                Ok(Frame::Transactions(batch)) => {
                    drop(self.ingest.try_send(Incoming::Relayed(batch.into_inner())));
                }
                Err(error) => tracing::warn!(peer = %from, %error, "refused a frame"),
            }
        }
    }
}
