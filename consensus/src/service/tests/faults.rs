//! Bytes of anybody, lost messages, hosts that are not like the others.

use super::net::{CHAIN, Log, Net};
use crate::message::Message;
use crate::service::operation::sign;
use crate::service::wire::Wire;
use crate::service::{Alarm, Error, MESSAGE_BYTES_MAX};
use quorate_chain::codec::{List, decode};
use quorate_chain::validator::fixture::consensus_key;
use quorate_chain::{ChainId, Nonce, ValidatorIndex};
use std::collections::BTreeMap;

/// A network that has seen messages of most kinds: a dead primary, a host that catches up.
fn eventful() -> Net {
    let mut net = Net::new(4);
    net.submit(1, b"a").unwrap();
    net.run_until_all_have(1);
    net.crash(0);
    net.submit(1, b"b").unwrap();
    net.run_until_all_have(2);
    net.start(0).unwrap();
    net.run_until_all_have(2);
    net
}

/// One message of each kind that host 3 did not sign, and from whom it may come.
fn examples(net: &mut Net) -> BTreeMap<String, (ValidatorIndex, Vec<u8>)> {
    let context = net.host(3).context.clone();
    let mut found = BTreeMap::new();
    for bytes in &net.seen {
        let wire: Wire = decode(bytes).unwrap();
        let (kind, from) = match &wire {
            Wire::Consensus(message) => (format!("{message:?}"), message.signer(&context)),
            other => (format!("{other:?}"), None),
        };
        let from = from.unwrap_or(ValidatorIndex(2));
        if from != ValidatorIndex(3) {
            found.insert(kind.split('(').next().unwrap().to_owned(), (from, bytes.clone()));
        }
    }
    found
}

#[test]
fn no_bytes_do_harm() {
    let mut net = eventful();
    let examples = examples(&mut net);
    assert!(examples.len() >= 11, "{:?}", examples.keys());
    let now = net.now();
    let from = ValidatorIndex(2);
    let host = net.host(3);
    let tip = host.tip().clone();
    for bytes in [&[][..], &[0], &[9], &[1, 0], &[255; 40], &vec![1; MESSAGE_BYTES_MAX + 1]] {
        let error = host.receive(now, from, bytes).unwrap_err();
        assert!(error.is_peer_fault(), "{error}");
    }
    for (kind, (from, bytes)) in &examples {
        for cut in 0..bytes.len() {
            let error = host.receive(now, *from, &bytes[..cut]).unwrap_err();
            assert!(matches!(error, Error::Encoding(_)), "{kind}: {error}");
        }
        for place in 0..bytes.len() {
            for change in [1, 0x80] {
                let mut other = bytes.clone();
                other[place] ^= change;
                if let Err(error) = host.receive(now, *from, &other) {
                    assert!(error.is_peer_fault(), "{kind}: {error}");
                }
            }
        }
    }
    assert_eq!(host.tip(), &tip);
    net.submit(3, b"c").unwrap();
    net.run_until_all_have(3);
    assert_eq!(net.alarms, []);
}

#[test]
fn strangers_other_networks_and_forged_operations_are_refused() {
    let mut net = eventful();
    let now = net.now();
    for seat in [3, 4, u16::MAX] {
        let refused =
            net.host(3).receive(now, ValidatorIndex(seat), &Wire::WantBlocks(Default::default()).to_bytes());
        assert!(matches!(refused, Err(Error::Stranger(_))), "{seat}");
    }
    let second_hand = ["Status", "Ask", "Recall", "Newest"].map(|kind| examples(&mut net)[kind].clone());
    for (from, bytes) in second_hand {
        let other = ValidatorIndex((from.0 + 1) % 3);
        assert!(matches!(net.host(3).receive(now, other, &bytes), Err(Error::SecondHand(_))));
        assert!(net.host(3).receive(now, from, &bytes).is_ok());
    }
    let mut refuse = |operation| {
        let wire = Wire::Operations(List::new(vec![operation]).unwrap()).to_bytes();
        let refused = net.host(3).receive(now, ValidatorIndex(2), &wire);
        assert!(matches!(refused, Err(Error::ForgedOperation)));
    };
    refuse(sign(b"x", Nonce(5), ChainId([9; 32]), &consensus_key(2)).unwrap());
    refuse(sign(b"x", Nonce(5), CHAIN, &consensus_key(4)).unwrap());
    refuse(sign(b"", Nonce(5), CHAIN, &consensus_key(2)).unwrap());
    let mut bytes = sign(b"x", Nonce(5), CHAIN, &consensus_key(2)).unwrap().bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    refuse(quorate_chain::Transaction::from_bytes(&bytes).unwrap());
}

#[test]
fn lost_messages_are_made_good() {
    // Of every kind of message, host 3 gets none of the first part of the run, and the others' bodies never.
    let weathers: [super::net::Weather; 5] = [
        |_, to, wire| to != 3 || !matches!(wire, Wire::Consensus(Message::Proposal(_))),
        |_, to, wire| to != 3 || !matches!(wire, Wire::Consensus(Message::Commit(_))),
        |_, to, wire| to != 3 || !matches!(wire, Wire::Blocks(_) | Wire::Body(_)),
        |from, to, wire| from != 1 && to != 1 || !matches!(wire, Wire::Operations(_)),
        |_, to, wire| to != 2 || !matches!(wire, Wire::Consensus(Message::Prepare(_))),
    ];
    for weather in weathers {
        let mut net = Net::new(4);
        net.weather = weather;
        for count in 0..12u8 {
            net.submit(u16::from(count) % 3, &[count]).unwrap();
            net.run_ms(50);
        }
        net.run_until(|net| net.operations(0).len() >= 8);
        net.weather = |_, _, _| true;
        net.run_until_all_have(12);
        assert_eq!(net.operations(3), net.operations(0));
        assert_eq!(net.operations(0).len(), 12);
        assert_eq!(net.alarms, []);
    }
}

#[test]
fn a_primary_that_hears_of_nothing_is_replaced() {
    let mut net = Net::new(4);
    net.weather = |from, to, wire| from != 0 && to != 0 || !matches!(wire, Wire::Operations(_));
    let ticket = net.submit(3, b"a").unwrap();
    net.run_until(|net| net.replies.contains_key(&(3, ticket)));
    assert_ne!(net.host(3).primary(), ValidatorIndex(0));
}

#[test]
fn a_service_unlike_the_others_stops_voting_and_says_so() {
    let mut net = Net::new(4);
    net.crash(2);
    net.start_as(2, Log { quirk: 1, ..Log::default() }).unwrap();
    net.submit(0, b"a").unwrap();
    net.run_until(|net| {
        net.alarms.iter().any(|(seat, alarm)| matches!((seat, alarm), (2, Alarm::Halted(_))))
    });
    net.submit(0, b"b").unwrap();
    net.run_until(|net| [0, 1, 3].iter().all(|seat| net.operations(*seat).len() == 2));
}

#[test]
fn two_operations_for_one_place_are_one_too_many() {
    let mut net = Net::new(4);
    let now = net.now();
    for (to, what) in [(0, b"x"), (2, b"y"), (3, b"y")] {
        let operation = sign(what, Nonce(0), CHAIN, &consensus_key(1)).unwrap();
        let wire = Wire::Operations(List::new(vec![operation]).unwrap()).to_bytes();
        net.host(to).receive(now, ValidatorIndex(1), &wire).unwrap();
        net.collect(to);
    }
    net.submit(2, b"after").unwrap();
    net.run_until_all_have(2);
    net.run_ms(20_000);
    assert_eq!(net.operations(0).len(), 2, "one of x and y, and after");
    assert_eq!(net.operations(0), net.operations(3));
}
