//! Events for which the channel has no room yet: the swarm task does not wait for it.

use crate::event::Event;
use crate::key::NetworkKey;
use std::collections::VecDeque;

/// Gossip batches and requests that wait beside the event channel; more are dropped.
const EVENTS_MAX: usize = 64;
/// Comings and goings of one peer that wait: it has gone, and come again.
const PRESENCE_MAX: usize = 2;

/// At most so many gossip batches and requests, and two comings and goings a peer.
#[derive(Debug, Default)]
pub(crate) struct Backlog(VecDeque<Event>);

impl Backlog {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.0.pop_front()
    }

    /// Queues a coming or going of `key`. None is dropped alone, only pairs of them are left out: what the
    /// application sees goes on alternating, and ends with what is true.
    pub(crate) fn announce(&mut self, event: Event, key: NetworkKey) {
        let of_peer = |event: &Event| event.presence() == Some(key);
        if self.0.iter().filter(|event| of_peer(event)).count() >= PRESENCE_MAX {
            self.0.retain(|event| !of_peer(event));
        }
        self.0.push_back(event);
    }

    /// Queues what may be lost; false, and it is dropped, if there is no room.
    pub(crate) fn offer(&mut self, event: Event) -> bool {
        let room = self.0.len() < EVENTS_MAX;
        if room {
            self.0.push_back(event);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const PEERS: [NetworkKey; 2] = [NetworkKey([1; 32]), NetworkKey([2; 32])];

    fn frame() -> Event {
        Event::Direct { from: PEERS[0], frame: Bytes::new() }
    }

    /// However many are read in between: alternating, the truth last, never more than two waiting.
    #[test]
    fn comings_and_goings_alternate_and_end_with_the_truth() {
        for read_every in 1..=7 {
            for changes in 1..=20 {
                let mut backlog = Backlog::default();
                let mut told = [false; 2];
                let read = |backlog: &mut Backlog, told: &mut [bool; 2]| match backlog.pop().unwrap() {
                    Event::Connected(key) => assert!(!std::mem::replace(&mut told[index(key)], true)),
                    Event::Disconnected(key) => assert!(std::mem::replace(&mut told[index(key)], false)),
                    other => panic!("{other:?}"),
                };
                for change in 0..changes {
                    for key in PEERS {
                        let event =
                            if change % 2 == 0 { Event::Connected(key) } else { Event::Disconnected(key) };
                        backlog.announce(event, key);
                    }
                    assert!(backlog.0.len() <= PRESENCE_MAX * PEERS.len());
                    if change % read_every == 0 {
                        read(&mut backlog, &mut told);
                    }
                }
                while !backlog.is_empty() {
                    read(&mut backlog, &mut told);
                }
                assert_eq!(told, [changes % 2 == 1; 2], "{read_every} {changes}");
            }
        }
    }

    fn index(key: NetworkKey) -> usize {
        PEERS.iter().position(|peer| *peer == key).unwrap()
    }

    #[test]
    fn what_may_be_lost_is_bounded_and_comings_find_room() {
        let mut backlog = Backlog::default();
        assert_eq!((0..1_000).filter(|_| backlog.offer(frame())).count(), EVENTS_MAX);
        backlog.announce(Event::Connected(PEERS[0]), PEERS[0]);
        assert_eq!(backlog.0.len(), EVENTS_MAX + 1);
        assert!(!backlog.offer(frame()));
        let waiting: Vec<_> = std::iter::from_fn(|| backlog.pop()).collect();
        assert!(matches!(waiting.last(), Some(Event::Connected(_))));
    }
}
