//! Every bound of the core, filled by a peer.

use super::fixture::*;
use crate::message::Unsigned;
use crate::replica::blocks::Blocks;
use crate::replica::epochs::PEERS_MAX;
use crate::replica::sync::HELP_BYTES_MAX;
use crate::replica::{AHEAD_MAX, DECIDED_MAX, Effect, Input, Peer, RECENT_MAX, Replica, blocks};
use crate::time::Time;
use crate::{DurableState, Outgoing, SealedBlock};
use quorate_chain::block::transactions_root;
use quorate_chain::certificate::CommitVote;
use quorate_chain::codec::{Bytes, List};
use quorate_chain::instruction::{DATA_VALUE_BYTES_MAX, Instruction};
use quorate_chain::transaction::TransactionBody;
use quorate_chain::validator::fixture::consensus_key;
use quorate_chain::{Block, BlockHash, Epoch, Height, Nonce, Transaction, View};

#[test]
fn proposals_are_kept_for_a_few_heights_beyond_the_window() {
    let mut rig = Rig::new(1, 2);
    for height in (1..=100).rev() {
        let far = changed(&first(0, 1), |header| header.height = Height(height));
        rig.say(0, proposal(0, &far));
    }
    let kept = rig.replica.proposals.last_key_value().map(|(height, _)| height.0);
    assert_eq!(kept, Some(2 + AHEAD_MAX));
    assert!(rig.replica.proposals.len() as u64 <= 2 + AHEAD_MAX);
}

#[test]
fn certificates_of_blocks_to_come_are_kept_up_to_a_number() {
    let mut rig = Rig::new(1, 1);
    for far in 0..DECIDED_MAX as u64 + 40 {
        let vote = CommitVote {
            epoch: EPOCH,
            view: View(0),
            height: Height(1_000 - far),
            block: BlockHash([9; 32]),
            result: result(9),
        };
        rig.hear(certificate_message(&certificate(vote, &[0, 2, 3])));
    }
    assert_eq!(rig.replica.decided.len(), DECIDED_MAX);
    let first = rig.replica.decided.first_key_value().map(|(height, _)| height.0);
    assert_eq!(first, Some(1_000 - (DECIDED_MAX as u64 + 39)), "the lowest stay");
}

#[test]
fn the_own_chain_is_remembered_up_to_a_number() {
    let rig = Rig::new(1, 1);
    let heights = 1..=2 * RECENT_MAX as u64;
    let ancestors = heights.map(|height| (Height(height), BlockHash([3; 32]), result(1)));
    let tip = crate::replica::Tip { height: Height(2 * RECENT_MAX as u64 + 1), ..genesis_tip() };
    let (replica, _) =
        Replica::start(rig.now, rig.config, DurableState::default(), tip, ancestors, Vec::new());
    assert_eq!(replica.recent.len(), RECENT_MAX);
}

#[test]
fn blocks_and_fetches_are_kept_up_to_a_number() {
    let mut held = Blocks::default();
    let all: Vec<_> = (1..=blocks::BLOCKS_MAX as u64 + 1).map(|time| first(0, time)).collect();
    let (last, others) = all.split_last().unwrap();
    assert!(others.iter().all(|block| held.insert(block)));
    assert!(!held.insert(last) && held.insert(&others[0]), "only what it has already");
    let mut asked = Blocks::default();
    assert!(others.iter().all(|block| asked.fetch(block.hash(), Time(1), 10)));
    assert!(!asked.fetch(last.hash(), Time(1), 10));
}

#[test]
fn peers_of_other_epochs_are_answered_up_to_a_number() {
    let mut rig = Rig::new(1, 1);
    let mut answers = |peers: std::ops::Range<u64>| {
        let ask = |peer| rig.step(Input::OtherEpoch { peer: Peer(peer), epoch: Epoch(3) }).len();
        peers.map(ask).sum::<usize>()
    };
    assert_eq!(answers(0..PEERS_MAX as u64), PEERS_MAX);
    assert_eq!(answers(5_000..5_010), 0);
    rig.now.time = rig.now.time + STATUS_MS;
    assert_eq!(rig.step(Input::OtherEpoch { peer: Peer(6_000), epoch: Epoch(3) }).len(), 1);
}

/// A block of more than a third of what one answer may hold.
fn heavy(parent: &SealedBlock, time: u64) -> SealedBlock {
    let key = consensus_key(9);
    let value = Bytes::new(vec![1; DATA_VALUE_BYTES_MAX]).unwrap();
    let account = key.public().into();
    let put = Instruction::PutData { namespace: account, key: Bytes::default(), value };
    let body = TransactionBody::new(CHAIN, account, Nonce(0), vec![put]).unwrap();
    let transaction = Transaction::sign(body, CHAIN, &[&key]).unwrap();
    let transactions = vec![transaction; HELP_BYTES_MAX / 3 / DATA_VALUE_BYTES_MAX + 1];
    let mut header = child(parent, 0, time).header().clone();
    header.transactions_root = transactions_root(&transactions);
    header.transaction_count = transactions.len() as u32;
    SealedBlock::new(Block { header, transactions: List::new(transactions).unwrap() }).unwrap()
}

#[test]
fn r30_proposals_are_sent_again_up_to_a_number_of_bytes() {
    let mut rig = Rig::new(1, 8);
    let mut chain = vec![first(0, 1)];
    rig.commit(&chain[0], &c(0, &chain[0]));
    for time in 2..6 {
        let next = heavy(chain.last().unwrap(), time);
        rig.accept(&next);
        chain.push(next);
    }
    let stands: Unsigned = status(0, Some(&chain[0]), 1);
    rig.say(2, stands.clone());
    let sent = rig.say(2, stands);
    let proposals = sent.iter().filter(|effect| matches!(effect, Effect::Send(_, Outgoing::Signed(_))));
    assert_eq!(proposals.count(), 2, "of {}", chain.len() - 1);
}
