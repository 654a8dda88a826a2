//! Bytes from peers, clients and disk: whatever they are, decoding does not panic, and what decodes has no
//! other encoding.

use super::genuine;
use super::script::Script;
use borsh::{BorshDeserialize, BorshSerialize};
use quorate_chain::block::BlockResult;
use quorate_chain::certificate::CertifiedHeader;
use quorate_chain::codec::{decode, encode};
use quorate_chain::crypto::{SignedMessage, verify_batch, verify_zip215};
use quorate_chain::instruction::Instruction;
use quorate_chain::ledger::{Applied, journal::Position};
use quorate_chain::merkle::MerkleProof;
use quorate_chain::parameters::Parameters;
use quorate_chain::receipt::{Event, Receipt};
use quorate_chain::state::tree::{Prefix, Proof, Summary};
use quorate_chain::state::{StateKey, StateValue, value_hash};
use quorate_chain::transaction::TransactionBody;
use quorate_chain::validator::{Card, SetChange};
use quorate_chain::{
    Block, CommitCertificate, Header, Height, PreparedCertificate, TimestampMs, Transaction, ValidatorIndex,
    ValidatorSet,
};
use quorate_consensus::message::verify;
use quorate_consensus::{Config, DurableState, Evidence, Input, Message, Now, Record, Replica, Time, Tip};
use std::fmt::Debug;

/// Bytes of an input whose lengths are lied about.
const HOSTILE_BYTES_MAX: usize = 2 * 1024;

/// Decodes all of the bytes; what they give is encoded as they are.
pub(super) fn canonical<T: BorshSerialize + BorshDeserialize + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let value = decode::<T>(data).ok()?;
    assert!(encode(&value) == data, "another encoding of {value:?}");
    Some(value)
}

/// A consensus message: canonical, and verified if and only if it is genuine.
pub fn message(data: &[u8]) {
    let Some(message) = canonical::<Message>(data) else { return };
    let expected = genuine::message(&message);
    let verdict = verify(message.clone(), &genuine::context());
    assert_eq!(verdict.is_ok(), expected, "{verdict:?} of {message:?}");
    let again = message.signer(&genuine::context());
    assert!(again.is_some() || matches!(message, Message::Certificate(_)));
}

/// A record of the vote journal: canonical; added to others, kept short and started from without a panic.
pub fn record(data: &[u8]) {
    let Some(record) = canonical::<Record>(data) else { return };
    let mut state = DurableState::default();
    state.apply(record.clone());
    state.apply(record);
    state.forget(Height(u64::MAX));
    let snapshot = Record::Snapshot(Box::new(state.clone()));
    let mut again = DurableState::default();
    again.apply(decode(&encode(&snapshot)).expect("a snapshot decodes"));
    assert_eq!(again, state);
    let context = genuine::context();
    let tip = Tip {
        height: context.start_height,
        block: context.start_block,
        result: context.start_result,
        timestamp_ms: TimestampMs(1),
        certificate: None,
    };
    let config = Config {
        context,
        me: Some(ValidatorIndex(0)),
        window: 4,
        timeout_base_ms: 300,
        timeout_max_ms: 10_000,
        status_ms: 100,
        max_ahead_ms: 2_000,
        batch_wait_ms: 5,
        max_idle_ms: 0,
    };
    let now = Now { time: Time(0), clock: TimestampMs(10) };
    let (mut replica, _) = Replica::start(now, config, state, tip, [], Vec::new());
    for _ in 0..4 {
        let Some(time) = replica.deadline() else { return };
        replica.step(Now { time, ..now }, Input::Tick);
    }
}

/// Evidence: canonical, and accepted if and only if it proves something.
pub fn evidence(data: &[u8]) {
    let Some(evidence) = canonical::<Evidence>(data) else { return };
    let expected = genuine::evidence(&evidence);
    let verdict = evidence.verify(&genuine::context());
    assert_eq!(verdict.is_ok(), expected, "{verdict:?} of {evidence:?}");
    assert!(verdict.is_err() || verdict == Ok(evidence.accused()));
}

/// A transaction as a client sends it: canonical; its signatures have one verdict, alone and in a batch.
pub fn transaction(data: &[u8]) {
    let Ok(transaction) = Transaction::from_bytes(data) else { return };
    assert_eq!(transaction.bytes(), data);
    let again = encode(&(transaction.body().clone(), ()));
    assert!(data.starts_with(&again), "another encoding of {:?}", transaction.body());
    let signers: Vec<_> = transaction.signers().collect();
    assert!(signers.windows(2).all(|two| two[0] < two[1]), "signers out of order");
    let message = transaction.signed_bytes(genuine::CHAIN);
    let signed: Vec<SignedMessage<'_>> = transaction.signed_messages(&message).collect();
    let singly: Vec<_> = signed.iter().map(|one| verify_zip215(*one)).collect();
    let many: Vec<_> = signed.iter().cycle().take(4.max(signed.len())).copied().collect();
    assert_eq!(verify_batch(&many)[..singly.len()], singly);
    assert_eq!(transaction.verify_signatures(genuine::CHAIN), singly.iter().all(|holds| *holds));
    let inside = encode(&vec![transaction.clone()]);
    assert_eq!(decode::<Vec<Transaction>>(&inside), Ok(vec![transaction]));
}

/// How many kinds of values [`chain_value`] knows.
pub const CHAIN_VALUES: u8 = 23;

/// Any other value of the chain: the first byte says which. Canonical, and what is computed of it is computed.
pub fn chain_value(data: &[u8]) {
    let mut script = Script::new(data);
    let kind = script.byte() % CHAIN_VALUES;
    let data = script.rest();
    match kind {
        0 => block(data),
        1 => drop(canonical::<Header>(data).map(|header| header.hash())),
        2 => certificate(data),
        3 => drop(canonical::<PreparedCertificate>(data).map(|p| {
            let set = &genuine::context().set;
            assert_eq!(p.verify(set, genuine::CHAIN).is_ok(), genuine::prepared(&p), "{p:?}");
        })),
        4 => drop(canonical::<CertifiedHeader>(data)),
        5 => drop(canonical::<Receipt>(data).map(|receipt| receipt.hash())),
        6 => validator_set(data),
        7 => drop(canonical::<Parameters>(data).map(|parameters| parameters.check())),
        8 => drop(canonical::<StateKey>(data).map(|key| key.hash())),
        9 => drop(canonical::<StateValue>(data).map(|value| value_hash(&StateKey::Parameters, &value))),
        10 => drop(canonical::<MerkleProof>(data)),
        11 => drop(canonical::<Proof>(data).map(|proof| proof.depth())),
        12 => drop(
            canonical::<Prefix>(data).map(|prefix| (prefix.range(), prefix.child(1), format!("{prefix}"))),
        ),
        13 => drop(canonical::<Summary>(data).map(|summary| (summary.digest(), summary.count()))),
        14 => drop(canonical::<SetChange>(data)),
        15 => drop(canonical::<Card>(data).map(|card| card.verify())),
        16 => drop(canonical::<BlockResult>(data).map(|result| result.hash())),
        17 => drop(canonical::<Event>(data)),
        18 => drop(canonical::<Instruction>(data)),
        19 => drop(canonical::<TransactionBody>(data)),
        20 => drop(canonical::<Position>(data)),
        21 => drop(canonical::<Applied>(data)),
        _ => drop(canonical::<(StateKey, StateValue)>(data)),
    }
}

fn block(data: &[u8]) {
    let Some(block) = canonical::<Block>(data) else { return };
    let hash = block.hash();
    let sealed = quorate_consensus::SealedBlock::new(block.clone());
    assert_eq!(sealed.is_some(), block.is_bound());
    assert!(sealed.is_none_or(|sealed| sealed.hash() == hash && encode(&sealed) == data));
}

fn certificate(data: &[u8]) {
    let Some(certificate) = canonical::<CommitCertificate>(data) else { return };
    let verdict = certificate.verify(&genuine::context().set, genuine::CHAIN);
    assert_eq!(verdict.is_ok(), genuine::committed(&certificate), "{verdict:?} of {certificate:?}");
}

fn validator_set(data: &[u8]) {
    let Some(set) = canonical::<ValidatorSet>(data) else { return };
    let quorum = set.quorum();
    assert!(2 * quorum.q() > quorum.n() + quorum.f() && quorum.q() <= quorum.n());
    for view in [0, 1, 7, u64::MAX] {
        let primary = set.primary(quorate_chain::Epoch(u64::MAX), quorate_chain::View(view));
        assert!(set.get(primary).is_some());
    }
    // Decoding checks no keys; making the set again does.
    let made = ValidatorSet::new(set.validators().to_vec());
    assert!(made.is_err() || made.is_ok_and(|made| made.hash() == set.hash()));
}

/// The first byte says of what the rest would be an encoding; then every length in it is made as large as it
/// gets, one after the other. None of that takes room or time for what is not there.
pub fn hostile_lengths(data: &[u8]) {
    let mut script = Script::new(data);
    let kind = script.byte();
    let data = script.rest();
    let mut hostile = data[..data.len().min(HOSTILE_BYTES_MAX)].to_vec();
    for at in 0..hostile.len().saturating_sub(3) {
        for lie in [u32::MAX, i32::MAX as u32, 20_000] {
            let kept: [u8; 4] = [hostile[at], hostile[at + 1], hostile[at + 2], hostile[at + 3]];
            hostile[at..at + 4].copy_from_slice(&lie.to_le_bytes());
            match kind % 6 {
                0 => drop(decode::<Message>(&hostile)),
                1 => drop(decode::<Record>(&hostile)),
                2 => drop(decode::<Evidence>(&hostile)),
                3 => drop(Transaction::from_bytes(&hostile)),
                4 => drop(decode::<Block>(&hostile)),
                _ => drop(decode::<CertifiedHeader>(&hostile)),
            }
            hostile[at..at + 4].copy_from_slice(&kept);
        }
    }
}
