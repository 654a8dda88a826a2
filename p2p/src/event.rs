//! What comes from the network, and how it is answered.

use crate::key::NetworkKey;
use crate::swarm::Command;
use bytes::Bytes;
use libp2p::PeerId;
use libp2p::gossipsub::{MessageAcceptance, MessageId};
use libp2p::request_response::ResponseChannel;
use tokio::sync::mpsc;

/// Something that came from the network.
#[derive(Debug)]
pub enum Event {
    /// A peer has accepted a direct stream: frames to it are no longer dropped. Its own frames may come
    /// earlier. A peer that restarts unnoticed shows as [`Event::Disconnected`] and this one.
    Connected(NetworkKey),
    /// A peer is gone, and with it the frames that waited for it. Pairs of this and [`Event::Connected`] that
    /// are not read in time are left out.
    Disconnected(NetworkKey),
    /// A frame on a direct stream, in the order in which it was sent.
    Direct {
        /// Who sent it.
        from: NetworkKey,
        /// What it sent.
        frame: Bytes,
    },
    /// A gossip batch, seen for the first time.
    Gossip {
        /// Who passed it on; not necessarily who published it.
        from: NetworkKey,
        /// The batch.
        batch: Bytes,
        /// Decides whether it is passed on.
        verdict: GossipVerdict,
    },
    /// A request to be answered.
    Request {
        /// Who asks.
        from: NetworkKey,
        /// What it asks.
        request: Bytes,
        /// Where the answer goes; dropped, the asker is told that there is none.
        responder: Responder,
    },
}

impl Event {
    /// Whose coming or going this is.
    pub(crate) const fn presence(&self) -> Option<NetworkKey> {
        match self {
            Self::Connected(key) | Self::Disconnected(key) => Some(*key),
            Self::Direct { .. } | Self::Gossip { .. } | Self::Request { .. } => None,
        }
    }
}

/// Decides whether a gossip batch is passed on. Dropped without a word, it is ignored: gossipsub would
/// otherwise keep the batch until it is too old.
#[derive(Debug)]
pub struct GossipVerdict {
    message: MessageId,
    source: PeerId,
    acceptance: Acceptance,
    commands: mpsc::Sender<Command>,
}

#[derive(Clone, Copy, Debug)]
enum Acceptance {
    Accept,
    Ignore,
    Reject,
}

impl GossipVerdict {
    pub(crate) const fn new(message: MessageId, source: PeerId, commands: mpsc::Sender<Command>) -> Self {
        Self { message, source, acceptance: Acceptance::Ignore, commands }
    }

    /// Good: passed on.
    pub fn accept(mut self) {
        self.acceptance = Acceptance::Accept;
    }

    /// Neither passed on nor held against anybody.
    pub fn ignore(mut self) {
        self.acceptance = Acceptance::Ignore;
    }

    /// No honest peer would have passed it on. A peer that sends several such batches is not heard in gossip
    /// for a minute.
    pub fn reject(mut self) {
        self.acceptance = Acceptance::Reject;
    }
}

impl Drop for GossipVerdict {
    fn drop(&mut self) {
        let acceptance = match self.acceptance {
            Acceptance::Accept => MessageAcceptance::Accept,
            Acceptance::Ignore => MessageAcceptance::Ignore,
            Acceptance::Reject => MessageAcceptance::Reject,
        };
        let verdict = Command::Verdict { message: self.message.clone(), source: self.source, acceptance };
        // With a full queue the batch is just not passed on.
        drop(self.commands.try_send(verdict));
    }
}

/// Takes the answer to a request.
#[derive(Debug)]
pub struct Responder {
    pub(crate) channel: ResponseChannel<Bytes>,
    pub(crate) commands: mpsc::Sender<Command>,
}

impl Responder {
    /// Sends the answer, at most [`crate::RESPONSE_BYTES_MAX`] bytes; a longer one is not sent.
    pub fn respond(self, response: Bytes) {
        if response.len() <= crate::RESPONSE_BYTES_MAX {
            drop(self.commands.try_send(Command::Respond { channel: self.channel, response }));
        }
    }
}
