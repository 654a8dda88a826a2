//! Requests and responses.

use super::{CHAIN, Node, at, config, key, mesh, node};
use crate::behaviour::REQUESTS_PER_CONNECTION_MAX;
use crate::swarm::REQUESTS_MAX;
use crate::{Error, Event, REQUEST_BYTES_MAX, REQUEST_TIMEOUT, RESPONSE_BYTES_MAX, Responder};
use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio::time::Instant;

impl Node {
    /// Asks in the background.
    fn ask(&self, to: &Self, request: impl Into<Bytes>) -> JoinHandle<Result<Bytes, Error>> {
        let (network, to, request) = (self.network.clone(), to.key(), request.into());
        tokio::spawn(async move { network.request(to, request).await })
    }

    /// The next request.
    async fn asked(&mut self) -> (Bytes, Responder) {
        self.wait_for("a request", |event| match event {
            Event::Request { request, responder, .. } => Some((request, responder)),
            _ => None,
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_answered_up_to_the_longest() {
    let mut nodes = mesh(2).await;
    for (asks, answers) in [(0, 0), (5, 1_000_000), (REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX)] {
        let asking = nodes[0].ask(&nodes[1], vec![1; asks]);
        let (request, responder) = nodes[1].asked().await;
        assert_eq!(request, vec![1; asks]);
        responder.respond(vec![2; answers].into());
        assert_eq!(asking.await.unwrap().unwrap(), vec![2; answers]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_at_once_get_their_own_answers() {
    let mut nodes = mesh(2).await;
    let asking: Vec<_> = (0..10_u8).map(|number| nodes[0].ask(&nodes[1], vec![number])).collect();
    for _ in 0..10 {
        let (request, responder) = nodes[1].asked().await;
        responder.respond([&request[..], b"!"].concat().into());
    }
    for (number, asking) in asking.into_iter().enumerate() {
        assert_eq!(asking.await.unwrap().unwrap(), vec![number as u8, b'!']);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_under_way_are_bounded() {
    let others = REQUESTS_MAX / REQUESTS_PER_CONNECTION_MAX;
    let mut nodes = mesh(1 + others as u8).await;
    let (asker, answering) = nodes.split_first_mut().unwrap();
    let ask = |number: usize| asker.ask(&answering[number % others], vec![number as u8]);
    let asking: Vec<_> = (0..REQUESTS_MAX).map(ask).collect();
    let mut responders = Vec::new();
    for node in answering.iter_mut() {
        for _ in 0..REQUESTS_PER_CONNECTION_MAX {
            responders.push(node.asked().await);
        }
    }
    let refused = asker.ask(&answering[0], "one more").await.unwrap();
    assert!(matches!(refused, Err(Error::Busy)), "{refused:?}");
    responders.into_iter().for_each(|(request, responder)| responder.respond(request));
    for (number, asked) in asking.into_iter().enumerate() {
        assert_eq!(asked.await.unwrap().unwrap(), vec![number as u8]);
    }
    let again = asker.ask(&answering[0], "again");
    answering[0].asked().await.1.respond(Bytes::from_static(b"yes"));
    assert_eq!(again.await.unwrap().unwrap(), "yes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_fails_at_once_when_it_can() {
    let mut nodes = mesh(2).await;
    let to = nodes[1].key();
    let start = Instant::now();
    let long = nodes[0].network.request(to, vec![0; REQUEST_BYTES_MAX + 1].into()).await;
    assert!(matches!(long, Err(Error::TooLarge { .. })));
    let unknown = nodes[0].network.request(key(99), Bytes::new()).await;
    assert!(matches!(unknown, Err(Error::NotConnected(peer)) if peer == key(99)));
    // The responder dropped.
    let asking = nodes[0].ask(&nodes[1], "a");
    drop(nodes[1].asked().await);
    let unanswered = asking.await.unwrap().unwrap_err();
    assert!(matches!(unanswered, Error::NoAnswer { peer, .. } if peer == to) && unanswered.is_transient());
    // Too long an answer is not sent.
    let asking = nodes[0].ask(&nodes[1], "b");
    nodes[1].asked().await.1.respond(vec![0; RESPONSE_BYTES_MAX + 1].into());
    assert!(matches!(asking.await.unwrap(), Err(Error::NoAnswer { .. })));
    // The peer gone while it is asked.
    let asking = nodes[0].ask(&nodes[1], "c");
    let (_, _responder) = nodes[1].asked().await;
    nodes[1].network.shutdown().await;
    assert!(matches!(asking.await.unwrap(), Err(Error::NoAnswer { .. })));
    assert!(start.elapsed() < REQUEST_TIMEOUT, "none of these waited for the time-out");
    nodes[0].disconnected(to).await;
    assert!(matches!(nodes[0].network.request(to, Bytes::new()).await, Err(Error::NotConnected(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_not_answered_in_time_fails() {
    let mut nodes = mesh(2).await;
    let (to, start) = (nodes[1].key(), Instant::now());
    let asking = nodes[0].ask(&nodes[1], "slow");
    let (_, late) = nodes[1].asked().await;
    let unanswered = asking.await.unwrap().unwrap_err();
    assert!(matches!(unanswered, Error::NoAnswer { peer, .. } if peer == to), "{unanswered}");
    assert!(start.elapsed() < 2 * REQUEST_TIMEOUT);
    // An answer that comes too late does no harm, and the next request is answered.
    late.respond(Bytes::from_static(b"late"));
    let asking = nodes[0].ask(&nodes[1], "next");
    nodes[1].asked().await.1.respond(Bytes::from_static(b"in time"));
    assert_eq!(asking.await.unwrap().unwrap(), "in time");
    assert_eq!(nodes[0].network.stats().connections, 1, "nothing closed the idle connection");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_was_shut_down_says_so() {
    let mut alone = node(config(1, CHAIN, vec![at(2, None)])).await;
    alone.network.shutdown().await;
    alone.network.shutdown().await;
    assert!(matches!(alone.network.request(key(2), Bytes::new()).await, Err(Error::Stopped)));
    assert!(matches!(alone.network.publish(Bytes::new()), Err(Error::Stopped)));
    alone.network.send(key(2), Bytes::new());
    assert!(alone.network.connected().is_empty());
    assert!(alone.events.recv().await.is_none(), "the events end");
}
