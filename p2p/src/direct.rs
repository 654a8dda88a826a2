//! Ordered streams of frames: each side opens the stream that it writes to. The one file that knows
//! libp2p-stream, which is an alpha.
//!
//! A frame is its length (u32, little endian) and its bytes. The acceptor of a stream first writes one byte:
//! libp2p-stream may lose a stream after its opener was told that it is open, so the opener waits a second
//! for that byte and else opens another. Nothing else comes back on a stream.

use crate::codec::{prefix, read_prefixed};
use crate::event::Event;
use crate::key::NetworkKey;
use crate::peers::Peers;
use crate::stats::{Counters, add, count};
use crate::swarm::Command;
use bytes::{BufMut, Bytes, BytesMut};
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
/// Bytes that may wait for one peer, with what keeping each frame costs; frames above that are dropped.
pub const DIRECT_QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What keeping a frame costs beside its bytes: many tiny frames must not pass for nothing.
const FRAME_OVERHEAD_BYTES: usize = 128;
/// Written by whoever accepts a stream.
pub(crate) const ACCEPTED: u8 = 0x51;
/// How long the opener waits for that.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(1);
/// First pause before a stream is opened again.
const REOPEN_PAUSE_MIN: Duration = Duration::from_millis(20);
/// Longest pause before a stream is opened again.
const REOPEN_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Frames taken from the queue for one write.
const COALESCED_FRAMES_MAX: usize = 256;
/// Bytes at which a write is not made longer; a frame of so many is written from where it is.
const COALESCED_BYTES: usize = 256 * 1024;
/// Buffer of a reader.
const READ_BUFFER_BYTES: usize = 64 * 1024;

const _: () = assert!(DIRECT_QUEUE_BYTES_MAX >= 2 * (FRAME_BYTES_MAX + FRAME_OVERHEAD_BYTES));

/// A frame in a queue; its bytes are given back to the queue when it is dropped, sent or not.
#[derive(Debug)]
struct Queued {
    frame: Bytes,
    waiting: Arc<AtomicUsize>,
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.frame.len() + FRAME_OVERHEAD_BYTES, Ordering::Relaxed);
    }
}

/// The sending end of a peer's queue, bounded by bytes and not by frames.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    frames: mpsc::UnboundedSender<Queued>,
    waiting: Arc<AtomicUsize>,
}

impl Queue {
    fn new() -> (Self, mpsc::UnboundedReceiver<Queued>) {
        let (frames, queue) = mpsc::unbounded_channel();
        (Self { frames, waiting: Arc::default() }, queue)
    }

    /// Queues a frame; false if it is too long or there is no room.
    pub(crate) fn push(&self, frame: Bytes) -> bool {
        if frame.len() > FRAME_BYTES_MAX {
            return false;
        }
        let bytes = frame.len() + FRAME_OVERHEAD_BYTES;
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        // From here on dropping it gives the bytes back.
        let queued = Queued { frame, waiting: Arc::clone(&self.waiting) };
        before + bytes <= DIRECT_QUEUE_BYTES_MAX && self.frames.send(queued).is_ok()
    }

    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// One that leads nowhere.
    #[cfg(test)]
    pub(crate) fn detached() -> Self {
        Self::new().0
    }
}

/// Between tries to open a stream, without end: each twice the one before, up to the longest.
fn reopen_pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(REOPEN_PAUSE_MIN), |pause| Some((*pause * 2).min(REOPEN_PAUSE_MAX)))
}

/// Sends to one peer during one session.
pub(crate) struct Sender {
    pub(crate) peer: PeerId,
    pub(crate) key: NetworkKey,
    /// The session's number, for the message that it is ready.
    pub(crate) session: u64,
    pub(crate) control: Control,
    pub(crate) protocol: StreamProtocol,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) counters: Arc<Counters>,
}

impl Sender {
    /// Starts sending; ends when the queue is dropped. Says [`Command::Ready`] when the peer has accepted the
    /// first stream.
    pub(crate) fn start(self) -> Queue {
        let (queue, frames) = Queue::new();
        tokio::spawn(self.run(frames));
        queue
    }

    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Queued>) {
        let mut pauses = reopen_pauses();
        let mut ready = Some(Command::Ready { key: self.key, session: self.session });
        while !queue.is_closed() {
            match self.open().await {
                Ok(stream) => {
                    if let Some(ready) = ready.take() {
                        drop(self.commands.send(ready).await);
                    }
                    pauses = reopen_pauses();
                    match self.send(stream, &mut queue).await {
                        Ok(()) => return,
                        Err(error) => tracing::debug!(peer = %self.key, %error, "a direct stream broke"),
                    }
                }
                Err(error) => tracing::debug!(peer = %self.key, %error, "cannot open a direct stream"),
            }
            tokio::time::sleep(pauses.next().unwrap_or(REOPEN_PAUSE_MAX)).await;
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

    /// Writes what is queued until the queue is dropped.
    async fn send(&self, mut stream: Stream, queue: &mut mpsc::UnboundedReceiver<Queued>) -> io::Result<()> {
        let mut frames = Vec::with_capacity(COALESCED_FRAMES_MAX);
        let mut buffer = BytesMut::new();
        loop {
            let mut byte = [0];
            let taken = tokio::select! {
                taken = queue.recv_many(&mut frames, COALESCED_FRAMES_MAX) => taken,
                // Notices a stream that was closed before a frame is lost to it.
                _ = stream.read(&mut byte) => return Err(io::Error::other("closed by the peer")),
            };
            if taken == 0 {
                return stream.close().await;
            }
            self.write(&mut stream, &mut frames, &mut buffer).await?;
        }
    }

    /// As much with one write as there is, and one flush: what a frame costs is mostly these two.
    async fn write(
        &self,
        stream: &mut Stream,
        frames: &mut Vec<Queued>,
        buffer: &mut BytesMut,
    ) -> io::Result<()> {
        for queued in frames.drain(..) {
            let frame = &queued.frame;
            buffer.put_slice(&prefix(frame.len())?);
            let large = frame.len() >= COALESCED_BYTES;
            if !large {
                buffer.put_slice(frame);
            }
            if large || buffer.len() >= COALESCED_BYTES {
                stream.write_all(buffer).await?;
                buffer.clear();
            }
            if large {
                stream.write_all(frame).await?;
            }
            count(&self.counters.frames_sent);
            add(&self.counters.frame_bytes_sent, frame.len());
        }
        stream.write_all(buffer).await?;
        buffer.clear();
        stream.flush().await
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
    /// Ends with the swarm.
    pub(crate) async fn run(self, mut incoming: IncomingStreams) {
        // As many entries as there are admitted peers: others get no connection.
        let mut readers: HashMap<PeerId, JoinHandle<()>> = HashMap::new();
        while let Some((peer, stream)) = incoming.next().await {
            readers.retain(|_, reader| !reader.is_finished());
            let Some(key) = self.peers.key(&peer) else { continue };
            let reader = Reader {
                key,
                peer,
                peers: self.peers.clone(),
                events: self.events.clone(),
                commands: self.commands.clone(),
                counters: Arc::clone(&self.counters),
            };
            let old = readers.remove(&peer).inspect(JoinHandle::abort);
            readers.insert(peer, tokio::spawn(reader.run(stream, old)));
        }
    }
}

struct Reader {
    key: NetworkKey,
    peer: PeerId,
    peers: Peers,
    events: mpsc::Sender<Event>,
    commands: mpsc::Sender<Command>,
    counters: Arc<Counters>,
}

impl Reader {
    /// Takes the place of `old`, which was told to end, and has before anything is read: none of its frames
    /// comes late.
    async fn run(self, stream: Stream, old: Option<JoinHandle<()>>) {
        if let Some(old) = old {
            let _ = old.await;
        }
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
            let frame = read_prefixed(&mut stream, FRAME_BYTES_MAX).await?;
            count(&self.counters.frames_received);
            add(&self.counters.frame_bytes_received, frame.len());
            // A full channel makes this stream wait, and through Yamux its sender.
            let Ok(room) = self.events.reserve().await else { return Ok(()) };
            if self.peers.key(&self.peer).is_none() {
                return Ok(()); // No longer admitted: not even what came before.
            }
            room.send(Event::Direct { from: self.key, frame });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_queue_is_bounded_by_bytes_and_gives_them_back() {
        let (queue, mut frames) = Queue::new();
        let frame = Bytes::from(vec![0; FRAME_BYTES_MAX]);
        let fit = DIRECT_QUEUE_BYTES_MAX / (FRAME_BYTES_MAX + FRAME_OVERHEAD_BYTES);
        for _ in 0..fit {
            assert!(queue.push(frame.clone()));
        }
        assert!(!queue.push(frame.clone()), "full");
        assert!(queue.waiting() <= DIRECT_QUEUE_BYTES_MAX);
        drop(frames.recv().await);
        assert!(queue.push(frame), "room again");
        drop(frames);
        assert_eq!(queue.waiting(), 0);
        assert!(!queue.push(Bytes::new()), "nobody takes it");
        assert_eq!(queue.waiting(), 0);
    }

    #[test]
    fn empty_frames_fill_a_queue_too() {
        let (queue, _frames) = Queue::new();
        let pushed = (0..=DIRECT_QUEUE_BYTES_MAX).take_while(|_| queue.push(Bytes::new())).count();
        assert_eq!(pushed, DIRECT_QUEUE_BYTES_MAX / FRAME_OVERHEAD_BYTES);
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_stay_there() {
        let pauses: Vec<_> = reopen_pauses().take(9).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000]);
    }

    #[test]
    fn a_frame_longer_than_allowed_is_not_queued() {
        let (queue, _frames) = Queue::new();
        assert!(!queue.push(Bytes::from(vec![0; FRAME_BYTES_MAX + 1])));
        assert_eq!(queue.waiting(), 0);
    }
}
