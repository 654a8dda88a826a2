//! A wire between two nodes that counts bytes and can be cut without either side being told.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const BUFFER_BYTES: usize = 16 * 1024;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    bytes: Arc<AtomicU64>,
    wire: watch::Sender<Wire>,
}

/// What has happened to the wire so far.
#[derive(Clone, Copy, Default)]
struct Wire {
    cuts: u64,
    resets: u64,
}

impl Proxy {
    /// Forwards to `target` until it is dropped.
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (wire, state) = watch::channel(Wire::default());
        let bytes = Arc::new(AtomicU64::new(0));
        tokio::spawn(accept(listener, target, Arc::clone(&bytes), state));
        Self { address, bytes, wire }
    }

    /// Bytes forwarded, both ways.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The connections that there are now stay open, but nothing moves on them any more; new ones work.
    pub(crate) fn cut(&self) {
        self.wire.send_modify(|wire| wire.cuts += 1);
    }

    /// The connections that there are now end.
    pub(crate) fn reset(&self) {
        self.wire.send_modify(|wire| wire.resets += 1);
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    bytes: Arc<AtomicU64>,
    mut wire: watch::Receiver<Wire>,
) {
    loop {
        let near = tokio::select! {
            accepted = listener.accept() => accepted.unwrap().0,
            () = ended(&mut wire) => return,
        };
        let Ok(far) = TcpStream::connect(target).await else { continue };
        let (near, far) = (near.into_split(), far.into_split());
        tokio::spawn(forward(near.0, far.1, Arc::clone(&bytes), wire.clone()));
        tokio::spawn(forward(far.0, near.1, Arc::clone(&bytes), wire.clone()));
    }
}

async fn ended(wire: &mut watch::Receiver<Wire>) {
    while wire.changed().await.is_ok() {}
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    bytes: Arc<AtomicU64>,
    mut wire: watch::Receiver<Wire>,
) {
    let resets = wire.borrow_and_update().resets;
    let moving = async {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
            bytes.fetch_add(read as u64, Ordering::Relaxed);
            if to.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = moving => return,
        _ = wire.changed() => {}
    }
    // Cut, both sockets stay open.
    let _ = wire.wait_for(|wire| wire.resets > resets).await;
}
