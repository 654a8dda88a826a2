//! Who is let in, and what happens when somebody goes.

use super::{CHAIN, at, config, key, mesh, node, seeds, until};
use crate::{Error, Event, start};
use bytes::Bytes;
use std::net::SocketAddr;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_not_on_the_list_is_refused() {
    // The stranger has the smaller key, and dials at once.
    let [stranger, member, other] = seeds(3)[..] else { panic!("three") };
    let mut member = node(config(member, CHAIN, vec![at(other, None)])).await;
    let mut stranger = node(config(stranger, CHAIN, vec![member.address()])).await;
    // A refused peer first sees a connection, then its end; it tries again and again.
    until("it was refused twice", || stranger.network.stats().connections >= 2).await;
    assert!(stranger.network.connected().is_empty() && member.network.connected().is_empty());
    assert!(stranger.drain().is_empty() && member.drain().is_empty());
    assert_eq!(member.network.stats().connections, 0);
    // It is let in as soon as it is on the list.
    member.network.set_peers(vec![at(stranger.seed, None)]);
    stranger.connected(member.key()).await;
    member.connected(stranger.key()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_of_different_chains_never_talk() {
    let [first, second] = seeds(2)[..] else { panic!("two") };
    let mut second = node(config(second, "02", vec![at(first, None)])).await;
    let mut first = node(config(first, "01", vec![second.address()])).await;
    until("they were parted twice", || first.network.stats().connections >= 2).await;
    for node in [&mut first, &mut second] {
        assert!(node.network.connected().is_empty());
        assert!(node.drain().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_taken_off_the_list_is_disconnected() {
    let mut nodes = mesh(3).await;
    let [first, second, third] = &mut nodes[..] else { panic!("three") };
    first.network.set_peers(vec![second.address()]);
    first.disconnected(third.key()).await;
    third.disconnected(first.key()).await;
    until("it is gone from the list", || first.network.connected() == [second.key()]).await;
    // The other goes on.
    first.network.send(second.key(), Bytes::from_static(b"still here"));
    let from = first.key();
    assert_eq!(second.frame(from).await, "still here");
    // And back on the list it comes back.
    first.network.set_peers(vec![second.address(), third.address()]);
    first.connected(third.key()).await;
    first.network.send(third.key(), Bytes::from_static(b"again"));
    assert_eq!(third.frame(from).await, "again");
}

/// Whichever of the two restarts: the one that dials, or the one that is dialled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_restarts_on_its_port_is_connected_again() {
    for restarts in [0, 1] {
        let mut nodes = mesh(2).await;
        let mut stays = nodes.remove(1 - restarts);
        let old = nodes.remove(0);
        let (key, seed, address) = (old.key(), old.seed, old.network.local_address());
        stays.connected(key).await;
        old.network.shutdown().await;
        stays.disconnected(key).await;
        let mut again = config(seed, CHAIN, vec![stays.address()]);
        again.listen = address;
        let mut new = node(again).await;
        new.connected(stays.key()).await;
        stays.connected(key).await;
        stays.network.send(key, Bytes::from_static(b"to"));
        assert_eq!(new.frame(stays.key()).await, "to");
        new.network.send(stays.key(), Bytes::from_static(b"fro"));
        assert_eq!(stays.frame(key).await, "fro");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_larger_key_dials_when_the_smaller_knows_no_address() {
    let [small, large] = seeds(2)[..] else { panic!("two") };
    let mut small = node(config(small, CHAIN, vec![at(large, None)])).await;
    let mut large = node(config(large, CHAIN, vec![small.address()])).await;
    small.connected(large.key()).await;
    large.connected(small.key()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_name_is_resolved_at_each_dial() {
    let [small, large] = seeds(2)[..] else { panic!("two") };
    let mut large = node(config(large, CHAIN, vec![at(small, None)])).await;
    let mut peer = large.address();
    peer.address = Some(format!("localhost:{}", large.network.local_address().port()));
    let mut small = node(config(small, CHAIN, vec![peer])).await;
    small.connected(large.key()).await;
    large.connected(small.key()).await;
}

/// Comings and goings that nobody reads must not pile up, and what is true in the end must be told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comings_and_goings_that_are_not_read_stay_bounded() {
    let [small, large] = seeds(2)[..] else { panic!("two") };
    let mut large = node(config(large, CHAIN, vec![at(small, None)])).await;
    let (here, away) = (vec![large.address()], Vec::new());
    let small = node(config(small, CHAIN, here.clone())).await;
    let rounds = 50; // More events than the channel holds.
    for _ in 0..rounds {
        until("connected", || large.network.connected() == [small.key()]).await;
        small.network.set_peers(away.clone());
        until("disconnected", || large.network.connected().is_empty()).await;
        small.network.set_peers(here.clone());
    }
    until("connected at last", || large.network.connected() == [small.key()]).await;
    // Each side connects on its own: a frame sent before would be dropped.
    until("both ways", || small.network.connected() == [large.key()]).await;
    small.network.send(large.key(), Bytes::from_static(b"end"));
    // Alternating, beginning and ending with a coming.
    let mut present = Vec::new();
    let mut end = false;
    while !end || present.last() != Some(&true) {
        let event = large.wait_for("the end", Some).await;
        match event {
            Event::Connected(_) => present.push(true),
            Event::Disconnected(_) => present.push(false),
            Event::Direct { frame, .. } => end |= frame == "end",
            _ => {}
        }
    }
    assert!(present.len() <= 2 * rounds + 1);
    assert!(present.iter().enumerate().all(|(i, is)| *is == (i % 2 == 0)), "{present:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_cannot_start_says_why() {
    let first = node(config(1, CHAIN, Vec::new())).await;
    let mut taken = config(2, CHAIN, Vec::new());
    taken.listen = first.network.local_address();
    assert!(
        matches!(start(taken).await, Err(Error::Listen { address, .. }) if address == first.network.local_address())
    );
    let mut elsewhere = config(2, CHAIN, Vec::new());
    elsewhere.listen = SocketAddr::from(([192, 0, 2, 1], 0));
    assert!(matches!(start(elsewhere).await, Err(Error::Listen { .. })));
    // No point of the curve has this encoding.
    let mut unsound = at(2, None);
    unsound.key.0 = [2; 32];
    unsound.key.0[0] = 0xff;
    let unsound = (0..=255).map(|byte| {
        let mut peer = unsound.clone();
        peer.key.0[1] = byte;
        peer
    });
    let unsound =
        unsound.into_iter().find(|peer| peer.key.peer_id().is_err()).expect("half of all encodings");
    assert!(matches!(start(config(2, CHAIN, vec![unsound])).await, Err(Error::Setup(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_own_key_is_passed_over() {
    let alone = node(config(1, CHAIN, vec![at(1, Some(([127, 0, 0, 1], 1).into()))])).await;
    assert_eq!(alone.network.local_key(), key(1));
    alone.network.broadcast(Bytes::from_static(b"x"));
    let asked = alone.network.request(key(1), Bytes::new()).await;
    assert!(matches!(asked, Err(Error::NotConnected(_))));
    assert_eq!(alone.network.stats().frames_dropped, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_network_ends_with_its_last_handle_or_its_reader() {
    let mut nodes = mesh(3).await;
    let (third, second) = (nodes.pop().unwrap(), nodes.pop().unwrap());
    let (gone, unread) = (third.key(), second.key());
    let (network, mut events) = (third.network, third.events);
    drop(network.clone());
    assert_eq!(network.connected().len(), 2, "another handle is left");
    drop(network);
    while events.recv().await.is_some() {}
    nodes[0].disconnected(gone).await;
    drop(second.events);
    nodes[0].disconnected(unread).await;
}
