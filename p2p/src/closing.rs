//! Closing a connection, within a bound.
//!
//! A multiplexer first sends what it still has and says goodbye. To a peer that died without a word that takes
//! until TCP gives up, a quarter of an hour, if more waits than its socket holds; all that time the swarm would
//! count the connection and use it for gossip and requests.

use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// How long the goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A multiplexer that is dropped, and its socket with it, when closing it takes too long.
#[derive(Debug)]
pub(crate) struct Closing<M> {
    muxer: M,
    /// From the first time it is asked to close.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<M> Closing<M> {
    pub(crate) const fn new(muxer: M) -> Self {
        Self { muxer, patience: None }
    }
}

impl<M: StreamMuxer + Unpin> StreamMuxer for Closing<M> {
    type Substream = M::Substream;
    type Error = M::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<M::Substream, M::Error>> {
        Pin::new(&mut self.muxer).poll_inbound(cx)
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<M::Substream, M::Error>> {
        Pin::new(&mut self.muxer).poll_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        if let closed @ Poll::Ready(_) = Pin::new(&mut self.muxer).poll_close(cx) {
            return closed;
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(CLOSE_TIMEOUT)));
        patience.as_mut().poll(cx).map(Ok)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, M::Error>> {
        Pin::new(&mut self.muxer).poll(cx)
    }
}
