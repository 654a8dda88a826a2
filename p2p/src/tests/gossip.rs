//! Gossip.

use super::raw::{Faults, Raw};
use super::{CHAIN, Node, at, cluster, config, mesh, node, seeds, until};
use crate::behaviour::GOSSIP_HEARTBEAT;
use crate::standing::REJECTS_MAX;
use crate::{Error, Event, GOSSIP_BATCH_BYTES_MAX, GossipVerdict, NetworkKey};
use bytes::Bytes;
use tokio::time::Instant;

impl Node {
    /// The next batch.
    async fn batch(&mut self) -> (NetworkKey, Bytes, GossipVerdict) {
        self.wait_for("a batch", |event| match event {
            Event::Gossip { from, batch, verdict } => Some((from, batch, verdict)),
            _ => None,
        })
        .await
    }

    /// Publishes until gossipsub knows a peer that listens: its subscription comes a little after the stream.
    async fn publish_first(&self) -> Bytes {
        for number in 0_u32.. {
            let failed = self.network.stats().publish_failed;
            let batch = Bytes::from(format!("first {number}"));
            self.network.publish(batch.clone()).unwrap();
            // Commands are taken in order: once this request is refused, the batch has been published or not.
            let asked = self.network.request(self.key(), Bytes::new()).await;
            assert!(matches!(asked, Err(Error::NotConnected(_))));
            if self.network.stats().publish_failed == failed {
                return batch;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        unreachable!("numbers do not end")
    }
}

/// Until every node has heard every other by gossip, and all that was sent for it has been read.
async fn subscribed(nodes: &mut [Node]) {
    for publisher in 0..nodes.len() {
        let mut heard = vec![false; nodes.len()];
        heard[publisher] = true;
        let from = nodes[publisher].key();
        let mut number = 0;
        until("all have heard the publisher", || {
            number += 1;
            nodes[publisher].network.publish(format!("{publisher} warms up {number}").into()).unwrap();
            for (node, heard) in nodes.iter_mut().zip(&mut heard) {
                let told = |event: &Event| matches!(event, Event::Gossip { from: by, .. } if *by == from);
                *heard |= node.drain().iter().any(told);
            }
            heard.iter().all(|heard| *heard)
        })
        .await;
    }
}

/// The next batch that is not one of those that [`subscribed`] sent.
async fn real(node: &mut Node) -> (NetworkKey, Bytes, GossipVerdict) {
    loop {
        let (from, batch, verdict) = node.batch().await;
        if !String::from_utf8_lossy(&batch).contains("warms up") {
            return (from, batch, verdict);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_reaches_all_the_longest_too() {
    let mut nodes = mesh(4).await;
    subscribed(&mut nodes).await;
    for (publisher, length) in [(0, 1), (1, 1_000), (2, GOSSIP_BATCH_BYTES_MAX), (3, GOSSIP_BATCH_BYTES_MAX)]
    {
        let batch = Bytes::from(vec![publisher as u8; length]);
        nodes[publisher].network.publish(batch.clone()).unwrap();
        for (i, node) in nodes.iter_mut().enumerate() {
            if i != publisher {
                let (_, got, verdict) = real(node).await;
                assert_eq!(got.len(), batch.len());
                assert_eq!(got, batch);
                verdict.accept();
            }
        }
        // What warmed it up is counted as well.
        let stats = nodes[publisher].network.stats();
        assert!(stats.gossip_bytes_published >= length as u64, "{stats:?}");
        for node in nodes.iter().enumerate().filter(|(i, _)| *i != publisher).map(|(_, node)| node) {
            assert!(node.network.stats().gossip_bytes_received >= length as u64);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_long_a_batch_is_refused_by_its_publisher() {
    let alone = node(config(1, CHAIN, Vec::new())).await;
    let error = alone.network.publish(vec![0; GOSSIP_BATCH_BYTES_MAX + 1].into()).unwrap_err();
    assert!(
        matches!(error, Error::TooLarge { bytes, max } if bytes == max + 1 && max == GOSSIP_BATCH_BYTES_MAX)
    );
    assert!(!error.is_transient());
}

/// First – middle – last: what the middle accepts is passed on (by lazy gossip, the mesh being empty), what it
/// rejects, ignores or drops is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_accepted_is_passed_on() {
    let mut line = cluster(3, |i, j| i.abs_diff(j) == 1).await;
    let [first, middle, last] = &mut line[..] else { panic!("three") };
    let mut told = first.publish_first().await;
    // The middle passes the first one on, once it is there.
    loop {
        let (from, batch, verdict) = middle.batch().await;
        assert_eq!(from, first.key());
        if batch == told {
            verdict.accept();
            break;
        }
    }
    let (from, batch, verdict) = last.batch().await;
    assert_eq!((from, &batch), (middle.key(), &told));
    drop(verdict);
    for (name, judge) in [
        ("rejected", GossipVerdict::reject as fn(GossipVerdict)),
        ("ignored", GossipVerdict::ignore),
        ("dropped", drop),
        ("accepted", GossipVerdict::accept),
    ] {
        told = Bytes::from(name);
        first.network.publish(told.clone()).unwrap();
        let (_, batch, verdict) = middle.batch().await;
        assert_eq!(batch, told);
        judge(verdict);
    }
    // Whatever else is passed on comes before this one, or before the next.
    assert_eq!(last.batch().await.1, "accepted");
    first.network.publish(Bytes::from_static(b"end")).unwrap();
    middle.batch().await.2.accept();
    assert_eq!(last.batch().await.1, "end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gossip_to_a_node_that_stops_reading_is_ignored_and_counted() {
    let mut nodes = mesh(2).await;
    subscribed(&mut nodes).await;
    let [publisher, stopped] = &mut nodes[..] else { panic!("two") };
    let mut number = 0;
    until("batches are dropped", || {
        number += 1;
        // A full queue of commands is no reason to stop.
        drop(publisher.network.publish(format!("batch {number}").into()));
        stopped.network.stats().events_dropped > 0
    })
    .await;
    // Its swarm goes on: it still asks, and is answered.
    let (from, to) = (stopped.key(), publisher.key());
    let network = stopped.network.clone();
    let asking = tokio::spawn(async move { network.request(to, Bytes::from_static(b"alive?")).await });
    publisher
        .wait_for("the request", |event| match event {
            Event::Request { from: asker, responder, .. } if asker == from => {
                responder.respond(Bytes::from_static(b"yes"));
                Some(())
            }
            _ => None,
        })
        .await;
    assert_eq!(asking.await.unwrap().unwrap(), "yes");
    assert!(publisher.network.connected().contains(&from));
}

/// A peer is told of all batches of the last seconds in one message, which must not be longer than it takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_batches_do_not_break_gossip() {
    let mut nodes = mesh(2).await;
    subscribed(&mut nodes).await;
    let [publisher, reader] = &mut nodes[..] else { panic!("two") };
    let group = 32; // Less than waits for a peer or for the reader: none is dropped.
    let (start, mut first) = (Instant::now(), 0);
    // Several times what is told of.
    while start.elapsed() < 8 * GOSSIP_HEARTBEAT {
        let batches: Vec<_> = (first..first + group).map(|number| format!("batch {number}")).collect();
        first += group;
        for batch in &batches {
            publisher.network.publish(batch.clone().into()).unwrap();
        }
        for batch in &batches {
            let (_, got, verdict) = real(reader).await;
            assert_eq!(got, batch.as_bytes());
            verdict.accept();
        }
    }
    assert_eq!(publisher.network.stats().gossip_dropped, 0);
}

/// gossipsub counts messages and not bytes: with its default of 5,000 a stopped peer would cost hundreds of MiB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_stops_taking_gossip_costs_little_and_holds_up_nobody() {
    let [stopped, reader, publisher] = seeds(3)[..] else { panic!("three") };
    let publisher = node(config(publisher, CHAIN, vec![at(stopped, None), at(reader, None)])).await;
    let mut reader = node(config(reader, CHAIN, vec![publisher.address()])).await;
    let faults = Faults { stops_at_gossip: true, ..Faults::default() };
    let stopped = Raw::connect(stopped, &publisher, faults).await;
    let (mut number, mut heard) = (0, false);
    until("one listens and the other has stopped", || {
        number += 1;
        publisher.network.publish(format!("warms up {number}").into()).unwrap();
        heard |= reader.drain().iter().any(|event| matches!(event, Event::Gossip { .. }));
        heard && *stopped.stopped.borrow()
    })
    .await;
    let before = publisher.network.stats().gossip_published;
    for number in 0..5_000_u32 {
        let mut batch = vec![0; GOSSIP_BATCH_BYTES_MAX];
        batch[..4].copy_from_slice(&number.to_le_bytes());
        publisher.network.publish(batch.clone().into()).unwrap();
        assert_eq!(real(&mut reader).await.1, batch, "the other still gets all");
        if publisher.network.stats().gossip_dropped > 0 {
            break;
        }
    }
    let stats = publisher.network.stats();
    assert!(stats.gossip_dropped > 0);
    // What is neither dropped nor taken waits here or in the sockets.
    let waiting = stats.gossip_published - before - stats.gossip_dropped;
    assert!(waiting < 16 * 1024 * 1024 / GOSSIP_BATCH_BYTES_MAX as u64, "{waiting} batches");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_heard_hides_no_honest_copy_and_is_heard_on_a_new_connection() {
    let mut nodes = mesh(3).await;
    subscribed(&mut nodes).await;
    let [judge, bad, good] = &mut nodes[..] else { panic!("three") };
    for number in 0..REJECTS_MAX {
        bad.network.publish(format!("rejected {number}").into()).unwrap();
        let (from, _, verdict) = real(judge).await;
        assert_eq!(from, bad.key());
        verdict.reject();
    }
    until("all are rejected", || judge.network.stats().gossip_rejected == u64::from(REJECTS_MAX)).await;
    // From now on what it sends has not even been seen: an honest peer's copy comes.
    // One batch may be lost to lazy gossip: gossipsub asks whoever tells of a batch first, the one that is not
    // heard too, and then nobody else.
    let mut number = 0;
    until("an honest copy comes", || {
        number += 1;
        drop(bad.network.publish(format!("sound {number}").into()));
        for event in good.drain() {
            if let Event::Gossip { batch, verdict, .. } = event
                && batch.starts_with(b"sound")
            {
                verdict.accept();
            }
        }
        judge.drain().iter().any(|event| match event {
            Event::Gossip { from, batch, .. } if batch.starts_with(b"sound") => {
                assert_eq!(*from, good.key(), "the other is not heard");
                true
            }
            _ => false,
        })
    })
    .await;
    // A new connection, a new chance.
    judge.network.set_peers(vec![good.address()]);
    judge.disconnected(bad.key()).await;
    judge.network.set_peers(vec![good.address(), bad.address()]);
    let mut number = 0;
    until("it is heard again", || {
        number += 1;
        drop(bad.network.publish(format!("new chance {number}").into()));
        let by = bad.key();
        judge.drain().iter().any(|event| matches!(event, Event::Gossip { from, .. } if *from == by))
    })
    .await;
}
