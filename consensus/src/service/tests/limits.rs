//! Every bound filled.

use super::net::{CHAIN, Net};
use crate::service::effects::RECENT_MAX;
use crate::service::operation::{OPERATION_BYTES_MAX, sign};
use crate::service::peers::ANSWER_BYTES_MAX;
use crate::service::pool::WAITING_MAX;
use crate::service::settings::WINDOW_MAX;
use crate::service::storage::Key;
use crate::service::wire::{
    BLOCK_BYTES_MAX, BLOCK_OPERATIONS_MAX, MESSAGE_BYTES_MAX, RELAY_BYTES_MAX, RELAY_OPERATIONS_MAX,
    SYNC_BLOCKS_MAX, Wire,
};
use crate::service::{Error, Output, Storage};
use quorate_chain::codec::{List, decode};
use quorate_chain::validator::fixture::consensus_key;
use quorate_chain::{Height, Nonce, ValidatorIndex};

#[test]
fn a_full_pool_refuses_and_takes_again_when_it_has_emptied() {
    let mut net = Net::new(4);
    net.weather = |_, _, _| false;
    for count in 0..WAITING_MAX as u32 {
        net.submit(1, &count.to_le_bytes()).unwrap();
    }
    let full = net.submit(1, b"one more").unwrap_err();
    assert!(matches!(full, Error::Full) && full.is_transient() && !full.is_peer_fault(), "{full}");
    net.weather = |_, _, _| true;
    net.run_until_all_have(WAITING_MAX);
    net.submit(1, b"one more").unwrap();
    net.run_until_all_have(WAITING_MAX + 1);
    let relays = net.seen.iter().filter_map(|bytes| match decode(bytes) {
        Ok(Wire::Operations(all)) => Some(all.len()),
        _ => None,
    });
    assert_eq!(relays.max(), Some(RELAY_OPERATIONS_MAX), "relays were as large as they may be");
    let blocks = net.seen.iter().filter(|bytes| bytes.len() > MESSAGE_BYTES_MAX);
    assert_eq!(blocks.count(), 0);
}

/// However many more are asked for; no Commit arrives until then.
#[test]
fn so_many_heights_are_in_flight_and_the_next_waits_for_a_commit() {
    let mut net = Net::new(4);
    net.settings.window = 2 * WINDOW_MAX;
    net.settings.timeout_base_ms = 1_000_000;
    for seat in 0..4 {
        net.crash(seat);
        net.start(seat).unwrap();
    }
    // Before a first commit in the view only one height is in flight (R7).
    let primary = net.host(0).primary().0;
    net.submit(primary, b"first").unwrap();
    net.run_until_all_have(1);
    net.weather = |_, _, wire| !matches!(wire, Wire::Consensus(crate::Message::Commit(_)));
    let proposed = |net: &Net| {
        let heights = net.seen.iter().filter_map(|bytes| match decode(bytes) {
            Ok(Wire::Consensus(crate::Message::Proposal(proposal))) => Some(proposal.block.height().0),
            _ => None,
        });
        heights.max().unwrap_or_default()
    };
    for number in 1..=WINDOW_MAX + 8 {
        net.submit(primary, &number.to_le_bytes()).unwrap();
        net.run_ms(net.settings.status_ms);
        assert_eq!(proposed(&net), 1 + number.min(WINDOW_MAX));
    }
    net.weather = |_, _, _| true;
    net.run_until_all_have(WINDOW_MAX as usize + 9);
    assert!(proposed(&net) > 1 + WINDOW_MAX);
}

#[test]
fn long_operations_fill_blocks_relays_and_answers_within_their_bytes() {
    let mut net = Net::new(4);
    net.weather = |_, to, _| to != 3;
    let mut submitted = 0;
    for round in 0..8u8 {
        for seat in 0..3 {
            for count in 0..12u8 {
                let operation = [vec![round, seat as u8, count], vec![7; OPERATION_BYTES_MAX - 3]].concat();
                net.submit(seat, &operation).unwrap();
                submitted += 1;
            }
        }
        net.run_until(|net| net.operations(0).len() == submitted);
    }
    let mut longest_block = 0;
    for bytes in &net.seen {
        assert!(bytes.len() <= MESSAGE_BYTES_MAX);
        if let Ok(Wire::Consensus(crate::Message::Proposal(proposal))) = decode(bytes) {
            let all = &proposal.block.block().transactions;
            longest_block = longest_block.max(all.iter().map(|t| t.bytes().len()).sum::<usize>());
        }
    }
    assert!((BLOCK_BYTES_MAX * 9 / 10..=BLOCK_BYTES_MAX).contains(&longest_block), "{longest_block}");
    assert!(RELAY_BYTES_MAX < longest_block);

    // Somebody who asks without end gets so much in a while and no more, and again later.
    let now = net.now();
    let ask = Wire::WantBlocks(Height(0)).to_bytes();
    let answers = |net: &mut Net, now| {
        let (mut bytes, mut asked) = (0, 0);
        while asked < 100 {
            asked += 1;
            net.host(0).receive(now, ValidatorIndex(2), &ask).unwrap();
            for output in net.host(0).outputs() {
                if let Output::Send(_, answer) = output {
                    assert!(answer.len() <= MESSAGE_BYTES_MAX);
                    bytes += answer.len();
                }
            }
        }
        bytes
    };
    let first = answers(&mut net, now);
    assert!(first > ANSWER_BYTES_MAX / 2 && first <= ANSWER_BYTES_MAX, "{first}");
    assert_eq!(answers(&mut net, now), 0);
    net.now_ms += net.settings.status_ms;
    let later = net.now();
    assert!(answers(&mut net, later) > 0);

    net.weather = |_, _, _| true;
    net.run_until_all_have(submitted);
}

#[test]
fn an_answer_has_so_many_blocks_and_a_block_so_many_operations() {
    let mut net = Net::new(4);
    for count in 0..SYNC_BLOCKS_MAX as u8 + 4 {
        net.submit(0, &[count]).unwrap();
        net.run_until_all_have(usize::from(count) + 1);
    }
    let now = net.now();
    net.host(0).receive(now, ValidatorIndex(2), &Wire::WantBlocks(Height(0)).to_bytes()).unwrap();
    let Some(Output::Send(_, bytes)) = net.host(0).outputs().pop() else { panic!("no answer") };
    let Ok(Wire::Blocks(blocks)) = decode(&bytes) else { panic!("not blocks") };
    assert_eq!(blocks.len(), SYNC_BLOCKS_MAX);

    // Unasked, they are not even looked at.
    net.host(1).receive(now, ValidatorIndex(0), &bytes).unwrap();

    let mut net = Net::new(4);
    net.weather = |_, _, _| false;
    for seat in [1, 2, 3] {
        for count in 0..WAITING_MAX as u64 {
            let operation = sign(&count.to_le_bytes(), Nonce(count), CHAIN, &consensus_key(seat)).unwrap();
            let wire = Wire::Operations(List::new(vec![operation]).unwrap()).to_bytes();
            let now = net.now();
            net.host(0).receive(now, ValidatorIndex(seat), &wire).unwrap();
        }
    }
    net.weather = |_, _, _| true;
    net.collect(0);
    net.run_until_all_have(3 * WAITING_MAX);
    let largest = net.seen.iter().filter_map(|bytes| match decode(bytes) {
        Ok(Wire::Consensus(crate::Message::Proposal(p))) => Some(p.block.block().transactions.len()),
        _ => None,
    });
    assert_eq!(largest.max(), Some(BLOCK_OPERATIONS_MAX));
}

#[test]
fn the_last_committed_blocks_can_be_had_by_their_hash() {
    let mut net = Net::new(4);
    let mut blocks = Vec::new();
    for count in 0..RECENT_MAX as u64 + 2 {
        net.submit(0, &count.to_le_bytes()).unwrap();
        net.run_until_all_have(count as usize + 1);
        blocks.push(net.host(0).tip().block);
    }
    let now = net.now();
    let mut bodies = 0;
    for block in &blocks {
        net.host(0).receive(now, ValidatorIndex(2), &Wire::WantBody(*block).to_bytes()).unwrap();
        for output in net.host(0).outputs() {
            let Output::Send(_, bytes) = output else { panic!("{output:?}") };
            let Ok(Wire::Body(body)) = decode(&bytes) else { panic!("not a body") };
            assert_eq!(body.hash(), blocks[blocks.len() - RECENT_MAX + bodies]);
            bodies += 1;
        }
    }
    assert_eq!(bodies, RECENT_MAX);
    assert!(net.host(0).bodies.is_empty(), "R43: bodies go with their commit");
    let keys = net.host(0).storage.keys().unwrap();
    assert!(!keys.iter().any(|key| matches!(key, Key::Body(_))));
}
