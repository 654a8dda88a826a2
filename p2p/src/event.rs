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
    /// A peer is connected; frames to it are no longer dropped.
    Connected(NetworkKey),
    /// A peer is gone.
    Disconnected(NetworkKey),
    /// A frame on a direct stream; in order among those of one stream.
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

/// Decides whether a gossip batch is passed on. Dropped without a word, it is not, and nobody is blamed.
#[derive(Debug)]
pub struct GossipVerdict {
    pub(crate) message: MessageId,
    pub(crate) source: PeerId,
    pub(crate) commands: mpsc::Sender<Command>,
}

impl GossipVerdict {
    fn give(self, acceptance: MessageAcceptance) {
        let Self { message, source, commands } = self;
        // With a full queue the batch is just not passed on.
        drop(commands.try_send(Command::Verdict { message, source, acceptance }));
    }

    /// Good: passed on.
    pub fn accept(self) {
        self.give(MessageAcceptance::Accept);
    }

    /// Neither passed on nor held against anybody.
    pub fn ignore(self) {
        self.give(MessageAcceptance::Ignore);
    }

    /// No honest peer would have passed it on.
    pub fn reject(self) {
        self.give(MessageAcceptance::Reject);
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
