//! Frames keep their order whatever happens to the wire.

use crate::cluster::{Node, at, config, mesh, seeds, silent, until};
use crate::proxy::Proxy;
use bytes::Bytes;
use quorate_p2p::{DIRECT_QUEUE_BYTES_MAX, Event};
use tokio::time::Instant;

/// What a stopped reader may hold up beside its sender's queue: events, windows, sockets.
const UNDER_WAY_BYTES_MAX: usize = 48 << 20;

fn numbered(number: u32, bytes: usize) -> Bytes {
    let mut frame = vec![0; bytes];
    frame[..4].copy_from_slice(&number.to_le_bytes());
    frame.into()
}

fn number(frame: &Bytes) -> u32 {
    u32::from_le_bytes(frame[..4].try_into().unwrap())
}

/// What is taken for a peer that does not read is bounded, and all of it comes once it reads again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stopped_reader_holds_up_is_bounded_and_comes_in_the_end() {
    let mut nodes = mesh(2).await;
    let [sender, stopped] = &mut nodes[..] else { panic!("two") };
    let (bytes, to) = (64 * 1024, stopped.key());
    let tried = 4 * (DIRECT_QUEUE_BYTES_MAX + UNDER_WAY_BYTES_MAX) / bytes;
    let mut taken = Vec::new();
    for number in 0..tried as u32 {
        let dropped = sender.network.stats().frames_dropped;
        sender.network.send(to, numbered(number, bytes));
        if sender.network.stats().frames_dropped == dropped {
            taken.push(number);
        }
        if number % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(taken.len() >= DIRECT_QUEUE_BYTES_MAX / (bytes + 1_024), "{}", taken.len());
    assert!(taken.len() * bytes <= DIRECT_QUEUE_BYTES_MAX + UNDER_WAY_BYTES_MAX, "{}", taken.len());
    for expected in taken {
        assert_eq!(number(&stopped.frame().await.1), expected);
    }
}

/// Restarted again and again on its port, by a wire that is cut or by itself: back in seconds, both ways.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_restarts_on_its_port_is_back_within_seconds() {
    for restarts in [0, 1] {
        let mut nodes = mesh(2).await;
        let mut stays = nodes.remove(1 - restarts);
        let mut restarting = nodes.remove(0);
        let (seed, address, key) = (restarting.seed, restarting.network.local_address(), restarting.key());
        for round in 0..2 {
            restarting.network.shutdown().await;
            drop(restarting);
            stays.disconnected(key).await;
            let mut again = config(seed, vec![stays.peer()]);
            again.listen = address;
            let start = Instant::now();
            restarting = Node::start(again).await;
            restarting.connected(stays.key()).await;
            stays.connected(key).await;
            stays.network.send(key, numbered(round, 10));
            restarting.network.send(stays.key(), numbered(round, 20));
            assert_eq!(restarting.frame().await.1, numbered(round, 10));
            assert_eq!(stays.frame().await.1, numbered(round, 20));
            println!("frames flow again after {:?}", start.elapsed());
        }
    }
}

/// A wire that is cut while frames cross it may swallow some, but never turns two around or doubles one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_wire_neither_doubles_nor_reorders() {
    let [first, second] = seeds(2)[..] else { panic!("two") };
    let mut second = Node::start(config(second, Vec::new())).await;
    let wire = Proxy::start(second.network.local_address()).await;
    let first = Node::start(config(first, vec![at(second.key(), wire.address)])).await;
    second.network.set_peers(vec![silent(first.key())]);
    let (mut next, mut last, mut breaks, mut come) = (0, None, 0, 0);
    while breaks < 5 {
        until("connected", || first.has(second.key())).await;
        for _ in 0..100 {
            first.network.send(second.key(), numbered(next, 1_000));
            next += 1;
        }
        let from = come;
        until("frames have come", || {
            for event in second.read() {
                if let Event::Direct { frame, .. } = event {
                    let number = number(&frame);
                    assert!(last.is_none_or(|last| last < number), "{number} after {last:?}");
                    last = Some(number);
                    come += 1;
                }
            }
            first.network.send(second.key(), numbered(next, 1_000));
            next += 1;
            come > from
        })
        .await;
        wire.reset();
        breaks += 1;
    }
}
