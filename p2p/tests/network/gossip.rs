//! How often a batch crosses a wire, how often it is told, and how long it takes past a node that only passes
//! it on.

use crate::cluster::{Node, at, cluster, config, seeds, silent, until};
use crate::proxy::Proxy;
use bytes::Bytes;
use quorate_p2p::{Event, GOSSIP_BATCH_BYTES_MAX, GossipVerdict};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Batches that warm a network up begin with it.
const WARM: u8 = 0xff;
/// Several heartbeats: gossip has told of what a peer may lack.
const REPAIRED: Duration = Duration::from_millis(2_500);

/// A batch that nothing compresses, told from others by its first bytes.
fn batch(publisher: usize, number: usize, bytes: usize) -> Bytes {
    let mut batch = vec![0; bytes];
    batch[..2].copy_from_slice(&[publisher as u8, number as u8]);
    batch.into()
}

/// Accepts what has come, and counts the copies of each batch.
fn take(node: &mut Node, seen: &mut BTreeMap<[u8; 2], usize>) {
    for event in node.read() {
        if let Event::Gossip { batch, verdict, .. } = event {
            verdict.accept();
            if batch[0] != WARM {
                *seen.entry([batch[0], batch[1]]).or_default() += 1;
            }
        }
    }
}

/// Until what each publishes arrives at its neighbours: subscriptions come a little after the streams.
async fn warm(nodes: &mut [Node], neighbours: impl Fn(usize, usize) -> bool) {
    for i in 0..nodes.len() {
        let mut heard = vec![false; nodes.len()];
        let mut number = 0_u32;
        until("neighbours hear the publisher", || {
            number += 1;
            let batch = [&[WARM, i as u8][..], &number.to_le_bytes()].concat();
            drop(nodes[i].network.publish(batch.into()));
            for (j, node) in nodes.iter_mut().enumerate() {
                heard[j] |= j == i || !neighbours(i, j);
                for event in node.read() {
                    if let Event::Gossip { batch, .. } = event {
                        heard[j] |= batch[..2] == [WARM, i as u8];
                    }
                }
            }
            heard.iter().all(|heard| *heard)
        })
        .await;
    }
}

/// Four nodes, every connection through a wire that counts.
async fn counted_mesh() -> (Vec<Node>, Vec<Proxy>) {
    let (mut nodes, mut wires) = (Vec::new(), Vec::new());
    for seed in seeds(4) {
        let node = Node::start(config(seed, Vec::new())).await;
        wires.push(Proxy::start(node.network.local_address()).await);
        nodes.push(node);
    }
    let keys: Vec<_> = nodes.iter().map(Node::key).collect();
    for (i, node) in nodes.iter().enumerate() {
        let smaller = keys[..i].iter().map(|key| silent(*key));
        let larger = (i + 1..keys.len()).map(|j| at(keys[j], wires[j].address));
        node.network.set_peers(smaller.chain(larger).collect());
    }
    for node in &nodes {
        until("all are connected", || node.network.connected().len() == 3).await;
    }
    (nodes, wires)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_batch_crosses_each_wire_about_once_and_is_told_exactly_once() {
    let (mut nodes, wires) = counted_mesh().await;
    warm(&mut nodes, |_, _| true).await;
    let crossed = || wires.iter().map(Proxy::bytes).sum::<u64>();
    let (before, batches) = (crossed(), 10);
    let mut seen = vec![BTreeMap::new(); nodes.len()];
    for number in 0..batches {
        for (publisher, node) in nodes.iter().enumerate() {
            node.network.publish(batch(publisher, number, GOSSIP_BATCH_BYTES_MAX)).unwrap();
        }
        // Less than waits for a reader: nothing is lost.
        until("all batches of all others", || {
            nodes.iter_mut().zip(&mut seen).for_each(|(node, seen)| take(node, seen));
            seen.iter().all(|seen| seen.len() == 3 * (number + 1))
        })
        .await;
    }
    // Whatever is asked for again is asked for by the next heartbeats, which tell of all this.
    let start = Instant::now();
    until("heartbeats have passed", || start.elapsed() > REPAIRED).await;
    nodes.iter_mut().zip(&mut seen).for_each(|(node, seen)| take(node, seen));
    assert!(seen.iter().all(|seen| seen.len() == 3 * batches && seen.values().all(|copies| *copies == 1)));
    let needed = nodes.len() * 3 * batches * GOSSIP_BATCH_BYTES_MAX;
    let copies = (crossed() - before) as f64 / needed as f64;
    println!("{copies:.3} copies of each batch");
    assert!((1.0..1.5).contains(&copies), "{copies} copies of each batch");
}

/// First – middle – last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_batch_goes_on_within_seconds_and_a_rejected_one_never() {
    let linked = |i: usize, j: usize| i.abs_diff(j) == 1;
    let mut line = cluster(3, linked).await;
    warm(&mut line, linked).await;
    for round in 0..2 {
        for (number, judge) in
            [GossipVerdict::reject as fn(GossipVerdict), GossipVerdict::accept].iter().enumerate()
        {
            let name = batch(round, number, 1_000);
            line[0].network.publish(name.clone()).unwrap();
            let verdict = line[1]
                .next("the batch", |event| match event {
                    Event::Gossip { batch, verdict, .. } if batch == name => Some(verdict),
                    _ => None,
                })
                .await;
            judge(verdict);
        }
        // Both are told of by the same heartbeat or the rejected one earlier: were it passed on, it would be
        // here with the accepted one of the next round at the latest.
        let start = Instant::now();
        let next = line[2].next("the accepted batch", |event| match event {
            Event::Gossip { batch, .. } if batch[0] != WARM => Some((batch[0], batch[1])),
            _ => None,
        });
        assert_eq!(next.await, (round as u8, 1));
        println!("passed on after {:?}", start.elapsed());
    }
    assert_eq!(line[1].network.stats().gossip_rejected, 2);
}
