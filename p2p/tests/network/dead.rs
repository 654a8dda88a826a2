//! Peers that die without a word: their host has lost power, or the wire is cut.

use crate::cluster::{Node, at, config, mesh, seeds, silent, until};
use crate::proxy::Proxy;
use bytes::Bytes;

/// Far more than fits into sockets and windows.
const PASSED_BYTES: u64 = 64 << 20;

/// The first node of two dials the second through a wire.
async fn wired() -> (Node, Node, Proxy) {
    let [first, second] = seeds(2)[..] else { panic!("two") };
    let mut second = Node::start(config(second, Vec::new())).await;
    let proxy = Proxy::start(second.network.local_address()).await;
    let mut first = Node::start(config(first, vec![at(second.key(), proxy.address)])).await;
    second.network.set_peers(vec![silent(first.key())]);
    first.connected(second.key()).await;
    second.connected(first.key()).await;
    (first, second, proxy)
}

async fn both_notice_and_meet_again(first: &mut Node, second: &mut Node) {
    let keys = (first.key(), second.key());
    first.disconnected(keys.1).await;
    first.connected(keys.1).await;
    second.connected(keys.0).await;
    until("both have a queue", || first.has(keys.1) && second.has(keys.0)).await;
    first.network.send(keys.1, Bytes::from_static(b"to"));
    second.network.send(keys.0, Bytes::from_static(b"fro"));
    for (node, expected) in [(second, "to"), (first, "fro")] {
        while node.frame().await.1 != expected {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_wire_is_noticed_and_replaced() {
    let (mut first, mut second, proxy) = wired().await;
    proxy.cut();
    both_notice_and_meet_again(&mut first, &mut second).await;
}

/// With more to send than fits into the socket, closing the dead connection must not wait for it to drain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_wire_is_noticed_with_full_buffers_too() {
    let (mut first, mut second, proxy) = wired().await;
    let frame = Bytes::from(vec![7; 256 * 1024]);
    let to = second.key();
    // The multiplexer lets more and more be under way while the other side keeps up.
    until("much has passed", || {
        first.network.send(to, frame.clone());
        second.read();
        proxy.bytes() > PASSED_BYTES
    })
    .await;
    proxy.cut();
    let dropped = first.network.stats().frames_dropped;
    until("the queue is full", || {
        first.network.send(to, frame.clone());
        first.network.stats().frames_dropped > dropped
    })
    .await;
    both_notice_and_meet_again(&mut first, &mut second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_ends_is_noticed_at_once() {
    let mut nodes = mesh(3).await;
    let gone = nodes.pop().unwrap();
    let key = gone.key();
    drop(gone);
    for node in &mut nodes {
        node.disconnected(key).await;
        until("it is gone from the list", || !node.has(key)).await;
        node.network.send(key, Bytes::from_static(b"x"));
        assert_eq!(node.network.stats().frames_dropped, 1);
    }
}
