//! Direct streams.

use super::raw::{Faults, Raw};
use super::{CHAIN, Node, at, cluster, config, key, mesh, node, seeds, until};
use crate::{DIRECT_QUEUE_BYTES_MAX, Event, FRAME_BYTES_MAX};
use bytes::Bytes;

/// A frame that tells its number and its sender, of a length that varies.
fn numbered(sender: usize, number: usize) -> Bytes {
    let mut frame = format!("{sender}:{number}:").into_bytes();
    frame.resize(frame.len() + (number * 37) % 2_000, b'.');
    frame.into()
}

/// Every node sends to every other, and all arrives in order.
async fn exchange(nodes: &mut [Node], frames: usize) {
    let keys: Vec<_> = nodes.iter().map(Node::key).collect();
    for (i, node) in nodes.iter().enumerate() {
        for number in 0..frames {
            node.network.broadcast(numbered(i, number));
        }
    }
    for (j, node) in nodes.iter_mut().enumerate() {
        let mut next = vec![0; keys.len()];
        while (0..keys.len()).any(|i| i != j && next[i] < frames) {
            let (from, frame) = node
                .wait_for("frames of all", |event| match event {
                    Event::Direct { from, frame } => Some((from, frame)),
                    _ => None,
                })
                .await;
            let i = keys.iter().position(|key| *key == from).unwrap();
            assert_eq!(frame, numbered(i, next[i]), "in order");
            next[i] += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_nodes_exchange_ordered_frames() {
    let mut nodes = mesh(4).await;
    exchange(&mut nodes, 500).await;
    let stats = nodes[0].network.stats();
    assert_eq!((stats.frames_sent, stats.frames_received, stats.frames_dropped), (1_500, 1_500, 0));
}

/// Inbound streams that libp2p-stream loses, and dials that cross, must not leave a pair without a stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_nodes_that_start_at_once_reach_each_other() {
    let mut nodes = mesh(8).await;
    exchange(&mut nodes, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_every_length_arrive_whole() {
    let mut nodes = mesh(2).await;
    let peer = nodes[0].key();
    for length in [0, 1, 256 * 1024 - 1, 256 * 1024, FRAME_BYTES_MAX] {
        nodes[0].network.send(nodes[1].key(), vec![length as u8; length].into());
        assert_eq!(nodes[1].frame(peer).await, vec![length as u8; length]);
    }
    nodes[0].network.send(nodes[1].key(), vec![0; FRAME_BYTES_MAX + 1].into());
    assert_eq!(nodes[0].network.stats().frames_dropped, 1, "a longer one is not sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_to_nobody_are_dropped_and_counted() {
    let alone = node(config(1, CHAIN, vec![at(2, None)])).await;
    alone.network.send(key(2), Bytes::from_static(b"x"));
    alone.network.send(key(3), Bytes::from_static(b"x"));
    alone.network.broadcast(Bytes::from_static(b"x"));
    assert_eq!(alone.network.stats().frames_dropped, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_reading_bounds_the_queue_and_holds_up_nobody() {
    let mut nodes = mesh(3).await;
    let [sender, stopped, reading] = &mut nodes[..] else { panic!("three") };
    let (from, to) = (sender.key(), stopped.key());
    let frame = Bytes::from(vec![1; 256 * 1024]);
    until("the queue is full", || {
        sender.network.send(to, frame.clone());
        assert!(sender.network.peers.waiting(to).unwrap() <= DIRECT_QUEUE_BYTES_MAX);
        sender.network.stats().frames_dropped > 0
    })
    .await;
    for number in 0..100 {
        sender.network.send(reading.key(), numbered(0, number));
        assert_eq!(reading.frame(from).await, numbered(0, number));
    }
    assert!(sender.network.connected().contains(&to), "it is still connected");
    // Once it reads, all that was queued comes, and more.
    let dropped = sender.network.stats().frames_dropped;
    stopped.frame(from).await;
    until("there is room again", || {
        drop(stopped.drain());
        sender.network.peers.waiting(to) == Some(0)
    })
    .await;
    sender.network.send(to, Bytes::from_static(b"last"));
    assert_eq!(
        stopped
            .wait_for("the last frame", |event| match event {
                Event::Direct { frame, .. } if frame == "last" => Some(frame),
                _ => None,
            })
            .await,
        "last"
    );
    assert_eq!(sender.network.stats().frames_dropped, dropped);
}

/// libp2p-stream may lose a stream after its opener was told that it is open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_nobody_accepts_is_opened_again() {
    let mut opener = node(config(1, CHAIN, vec![at(2, None)])).await;
    // Returns when a stream was accepted at last.
    let _raw = Raw::connect(2, &opener, Faults { streams_ignored: 1, ..Faults::default() }).await;
    opener.connected(key(2)).await;
    assert_eq!(opener.network.stats().connections, 1, "on the same connection");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_announces_too_long_a_frame_is_disconnected() {
    let mut victim = node(config(1, CHAIN, vec![at(2, None), at(3, None)])).await;
    let longest = u32::try_from(FRAME_BYTES_MAX).unwrap();
    let mut raw = Raw::connect(2, &victim, Faults::default()).await;
    raw.write(&(longest + 1).to_le_bytes()).await;
    victim.disconnected(key(2)).await;
    // The longest that is allowed is waited for; what comes before it is read.
    let mut raw = Raw::connect(3, &victim, Faults::default()).await;
    raw.write(&[&[2, 0, 0, 0, b'o', b'k'][..], &longest.to_le_bytes()].concat()).await;
    assert_eq!(victim.frame(key(3)).await, "ok");
    assert_eq!(victim.network.connected(), [key(3)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_neighbours_get_a_broadcast() {
    let mut line = cluster(3, |i, j| i.abs_diff(j) == 1).await;
    assert_eq!(seeds(3), line.iter().map(|node| node.seed).collect::<Vec<_>>());
    let (first, last) = (line[0].key(), line[2].key());
    line[0].network.broadcast(Bytes::from_static(b"a"));
    line[2].network.broadcast(Bytes::from_static(b"c"));
    assert_eq!(line[1].frame(first).await, "a");
    line[1].network.send(first, Bytes::from_static(b"b"));
    let middle = line[1].key();
    assert_eq!(line[0].frame(middle).await, "b");
    assert_eq!(line[1].network.connected(), [first, last]);
    assert_eq!(line[0].network.connected(), [middle]);
}
