//! Counters since the start.

use std::sync::atomic::{AtomicU64, Ordering};

/// A reading of the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Frames written to direct streams.
    pub frames_sent: u64,
    /// Bytes of them.
    pub frame_bytes_sent: u64,
    /// Frames read from direct streams.
    pub frames_received: u64,
    /// Bytes of them.
    pub frame_bytes_received: u64,
    /// Frames dropped before they were sent: too long, the peer's queue full, or the peer not connected.
    pub frames_dropped: u64,
    /// Gossip batches that came in for the first time.
    pub gossip_received: u64,
    /// Bytes of them.
    pub gossip_bytes_received: u64,
    /// Gossip batches rejected by the application, or longer than allowed.
    pub gossip_rejected: u64,
    /// Gossip batches and requests dropped because the events were not read fast enough.
    pub events_dropped: u64,
    /// Gossip batches published.
    pub gossip_published: u64,
    /// Bytes of them; each peer is sent as many.
    pub gossip_bytes_published: u64,
    /// Bytes of requests and answers sent.
    pub request_bytes_sent: u64,
    /// Bytes of requests and answers received.
    pub request_bytes_received: u64,
    /// Gossip messages not sent to one peer because it takes them too slowly.
    pub gossip_dropped: u64,
    /// Gossip batches that could not be published.
    pub publish_failed: u64,
    /// Connections made, those included that the other side then refused.
    pub connections: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) frames_sent: AtomicU64,
    pub(crate) frame_bytes_sent: AtomicU64,
    pub(crate) frames_received: AtomicU64,
    pub(crate) frame_bytes_received: AtomicU64,
    pub(crate) frames_dropped: AtomicU64,
    pub(crate) gossip_received: AtomicU64,
    pub(crate) gossip_bytes_received: AtomicU64,
    pub(crate) gossip_rejected: AtomicU64,
    pub(crate) events_dropped: AtomicU64,
    pub(crate) gossip_published: AtomicU64,
    pub(crate) gossip_bytes_published: AtomicU64,
    pub(crate) request_bytes_sent: AtomicU64,
    pub(crate) request_bytes_received: AtomicU64,
    pub(crate) gossip_dropped: AtomicU64,
    pub(crate) publish_failed: AtomicU64,
    pub(crate) connections: AtomicU64,
}

/// Counts one more.
pub(crate) fn count(counter: &AtomicU64) {
    add(counter, 1);
}

pub(crate) fn add(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn read(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            frames_sent: read(&self.frames_sent),
            frame_bytes_sent: read(&self.frame_bytes_sent),
            frames_received: read(&self.frames_received),
            frame_bytes_received: read(&self.frame_bytes_received),
            frames_dropped: read(&self.frames_dropped),
            gossip_received: read(&self.gossip_received),
            gossip_bytes_received: read(&self.gossip_bytes_received),
            gossip_rejected: read(&self.gossip_rejected),
            events_dropped: read(&self.events_dropped),
            gossip_published: read(&self.gossip_published),
            gossip_bytes_published: read(&self.gossip_bytes_published),
            request_bytes_sent: read(&self.request_bytes_sent),
            request_bytes_received: read(&self.request_bytes_received),
            gossip_dropped: read(&self.gossip_dropped),
            publish_failed: read(&self.publish_failed),
            connections: read(&self.connections),
        }
    }
}
