//! Ordered streams of frames: each side opens the stream that it writes to. The one file that knows
//! libp2p-stream, which is an alpha.
//!
//! A frame is its length (u32, little endian) and its bytes. The acceptor of a stream first writes one byte:
//! libp2p-stream may lose a stream after its opener was told that it is open, so the opener waits a second
//! for that byte and else opens another.

use crate::event::Event;
use crate::key::NetworkKey;
use crate::stats::{Counters, add, count};
use crate::swarm::{Command, Peers};
use bytes::{Bytes, BytesMut};
use futures::io::BufReader;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{PeerId, Stream, StreamProtocol};
use libp2p_stream::{Control, IncomingStreams};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longest frame, bytes; a peer that announces a longer one is disconnected.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes that may wait for one peer; frames above that are dropped.
pub const DIRECT_QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Written by whoever accepts a stream.
const ACCEPTED: u8 = 0x51;
/// How long the opener waits for that.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause before a stream is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(50);
/// Frames taken from the queue for one write.
const COALESCED_FRAMES_MAX: usize = 256;
/// Bytes above which a write is not made longer.
const COALESCED_BYTES: usize = 256 * 1024;
/// Buffer of a reader.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// The sending end of a peer's queue.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    frames: mpsc::UnboundedSender<Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl Queue {
    /// Queues a frame; false if there is no room.
    pub(crate) fn push(&self, frame: Bytes) -> bool {
        let bytes = frame.len();
        if bytes > FRAME_BYTES_MAX {
            return false;
        }
        if self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes > DIRECT_QUEUE_BYTES_MAX
            || self.frames.send(frame).is_err()
        {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        true
    }
}

/// Starts the task that sends to `peer`; it ends when the queue is dropped.
pub(crate) fn start_sender(
    peer: PeerId,
    control: Control,
    protocol: StreamProtocol,
    counters: Arc<Counters>,
) -> Queue {
    let (frames, queue) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let sender = Sender { peer, control, protocol, counters, waiting: Arc::clone(&waiting) };
    tokio::spawn(sender.run(queue));
    Queue { frames, waiting }
}

struct Sender {
    peer: PeerId,
    control: Control,
    protocol: StreamProtocol,
    counters: Arc<Counters>,
    waiting: Arc<AtomicUsize>,
}

impl Sender {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Bytes>) {
        while !queue.is_closed() {
            match self.open().await {
                Ok(stream) => match self.send(stream, &mut queue).await {
                    Ok(()) => return,
                    Err(error) => tracing::debug!(peer = %self.peer, %error, "a direct stream broke"),
                },
                Err(error) => tracing::debug!(peer = %self.peer, %error, "cannot open a direct stream"),
            }
            tokio::time::sleep(REOPEN_PAUSE).await;
        }
    }

    async fn open(&mut self) -> io::Result<Stream> {
        let opening = async {
            let mut stream = self
                .control
                .open_stream(self.peer, self.protocol.clone())
                .await
                .map_err(|error| io::Error::other(error.to_string()))?;
            let mut accepted = [0];
            stream.read_exact(&mut accepted).await?;
            if accepted == [ACCEPTED] { Ok(stream) } else { Err(io::Error::other("not a direct stream")) }
        };
        timeout(ACCEPT_TIMEOUT, opening).await.map_err(|_| io::Error::other("nobody accepted the stream"))?
    }

    /// Writes what is queued, as much as there is with one write; ends when the queue is dropped.
    async fn send(&self, mut stream: Stream, queue: &mut mpsc::UnboundedReceiver<Bytes>) -> io::Result<()> {
        let mut frames = Vec::with_capacity(COALESCED_FRAMES_MAX);
        let mut buffer = BytesMut::new();
        while queue.recv_many(&mut frames, COALESCED_FRAMES_MAX).await > 0 {
            for frame in frames.drain(..) {
                let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
                buffer.extend_from_slice(&length.to_le_bytes());
                buffer.extend_from_slice(&frame);
                self.waiting.fetch_sub(frame.len(), Ordering::Relaxed);
                count(&self.counters.frames_sent);
                add(&self.counters.frame_bytes_sent, frame.len());
                if buffer.len() >= COALESCED_BYTES {
                    stream.write_all(&buffer).await?;
                    buffer.clear();
                }
            }
            stream.write_all(&buffer).await?;
            stream.flush().await?;
            buffer.clear();
        }
        stream.close().await
    }
}

/// Accepts streams and reads frames from them, one stream a peer: a new one takes the place of the old.
pub(crate) struct Acceptor {
    pub(crate) peers: Peers,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) counters: Arc<Counters>,
}

impl Acceptor {
    pub(crate) async fn run(self, mut incoming: IncomingStreams) {
        // As many entries as there are admitted peers: others get no connection.
        let mut readers: HashMap<PeerId, JoinHandle<()>> = HashMap::new();
        while let Some((peer, stream)) = incoming.next().await {
            readers.retain(|_, reader| !reader.is_finished());
            let Some(key) = self.peers.key(&peer) else { continue };
            let reader = Reader {
                key,
                peer,
                events: self.events.clone(),
                commands: self.commands.clone(),
                counters: Arc::clone(&self.counters),
            };
            if let Some(old) = readers.insert(peer, tokio::spawn(reader.run(stream))) {
                old.abort();
            }
        }
    }
}

struct Reader {
    key: NetworkKey,
    peer: PeerId,
    events: mpsc::Sender<Event>,
    commands: mpsc::Sender<Command>,
    counters: Arc<Counters>,
}

impl Reader {
    async fn run(self, stream: Stream) {
        match self.read(stream).await {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::warn!(peer = %self.key, %error, "disconnecting");
                drop(self.commands.send(Command::Disconnect(self.peer)).await);
            }
            Err(error) => tracing::debug!(peer = %self.key, %error, "a direct stream ended"),
            Ok(()) => {}
        }
    }

    async fn read(&self, mut stream: Stream) -> io::Result<()> {
        stream.write_all(&[ACCEPTED]).await?;
        stream.flush().await?;
        let mut stream = BufReader::with_capacity(READ_BUFFER_BYTES, stream);
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length).await?;
            let length = u32::from_le_bytes(length) as usize;
            if length > FRAME_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame longer than allowed"));
            }
            let frame = read_frame(&mut stream, length).await?;
            count(&self.counters.frames_received);
            // A full channel makes this stream wait, and through Yamux its sender.
            if self.events.send(Event::Direct { from: self.key, frame }).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Reads in steps: an announced length costs nothing until its bytes come.
async fn read_frame(stream: &mut BufReader<Stream>, length: usize) -> io::Result<Bytes> {
    let mut frame = Vec::with_capacity(length.min(READ_BUFFER_BYTES));
    while frame.len() < length {
        let from = frame.len();
        frame.resize(length.min(from + READ_BUFFER_BYTES), 0);
        stream.read_exact(&mut frame[from..]).await?;
    }
    Ok(frame.into())
}
