//! What a client verifies: certified headers, proofs of transactions and of state. What is true is accepted,
//! and nothing else, however the bytes of a true proof were changed.

use super::decoders::canonical;
use super::genuine::{self, CHAIN, VALIDATORS};
use super::script::Script;
use quorate_chain::block::{BlockResult, PROTOCOL_VERSION};
use quorate_chain::certificate::{CertifiedHeader, CommitVote, PrepareVote, Signatures, ValidatorSignature};
use quorate_chain::codec::{List, decode, encode};
use quorate_chain::crypto::{Domain, SecretKey};
use quorate_chain::ids::{MerkleRoot, ValidatorSetHash};
use quorate_chain::merkle::{self, MerkleProof};
use quorate_chain::state::tree::{Error, KeyHash, LeafSource, Pair, Prefix, Proof, Tree, ValueHash};
use quorate_chain::{
    ChainId, CommitCertificate, Epoch, Header, Height, PreparedCertificate, ResultHash, Signature, StateRoot,
    TimestampMs, ValidatorIndex, View,
};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Blocks of the chain that proofs are about.
const HEIGHTS: usize = 5;
/// Keys of the state that proofs are about.
const KEYS: u16 = 300;

struct Chain {
    headers: Vec<Header>,
    results: Vec<BlockResult>,
}

static TRUE_CHAIN: LazyLock<Chain> = LazyLock::new(|| {
    let mut chain = Chain { headers: Vec::new(), results: Vec::new() };
    for height in 1..=HEIGHTS as u64 {
        let parent = chain.headers.last().map_or(CHAIN.genesis_block(), Header::hash);
        let parent_result = chain.results.last().map_or(ResultHash::default(), BlockResult::hash);
        chain.headers.push(Header {
            version: PROTOCOL_VERSION,
            height: Height(height),
            epoch: Epoch(1),
            parent,
            timestamp_ms: TimestampMs(height),
            transactions_root: MerkleRoot([height as u8; 32]),
            transaction_count: height as u32,
            parent_result,
            proposer: ValidatorIndex(0),
        });
        chain.results.push(BlockResult {
            state_root: StateRoot([height as u8; 32]),
            receipts_root: MerkleRoot::default(),
            next_set_hash: ValidatorSetHash::default(),
        });
    }
    chain
});

/// Signatures as the script wants them: by whom, in which order, over what; and whether they all hold.
fn signatures<T: borsh::BorshSerialize>(
    script: &mut Script<'_>,
    (domain, other_domain): (Domain, Domain),
    vote: &T,
) -> (Option<Signatures>, bool) {
    let count = script.below(6);
    let mut list = Vec::new();
    let (mut genuine, mut last) = (count >= 3, None);
    for place in 0..count {
        let choice = script.byte();
        // Mostly the next seat, so that whole certificates are made.
        let seat = if choice & 0xc0 == 0xc0 { u16::from(choice & 7) } else { place as u16 };
        let mut signature = sign(seat, domain, CHAIN, vote);
        match choice >> 3 & 7 {
            1 => signature = sign(seat, other_domain, CHAIN, vote),
            2 => signature = sign(seat, domain, ChainId([9; 32]), vote),
            3 => signature = sign(seat, domain, CHAIN, &(vote, 0u8)),
            4 => signature = sign(seat.wrapping_add(1) % VALIDATORS, domain, CHAIN, vote),
            5 => signature.0[usize::from(choice & 63)] ^= 1 << (choice & 7),
            6 => signature = add_order(signature),
            _ => {}
        }
        let honest = matches!(choice >> 3 & 7, 0 | 7) && seat < VALIDATORS;
        genuine &= honest && last.is_none_or(|last| last < seat);
        last = Some(seat);
        list.push(ValidatorSignature { validator: ValidatorIndex(seat), signature });
    }
    (List::new(list).ok(), genuine)
}

fn sign<T: borsh::BorshSerialize>(seat: u16, domain: Domain, chain: ChainId, vote: &T) -> Signature {
    if seat < VALIDATORS {
        return genuine::key(seat).sign(domain, chain, vote);
    }
    SecretKey::from_seed(&[seat as u8; 32]).sign(domain, chain, vote)
}

/// The same signature with the group's order added to S: it holds where S is not checked to be reduced.
fn add_order(mut signature: Signature) -> Signature {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, order) in signature.0[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    signature
}

/// Certificates put together by a script: one holds exactly if a quorum of distinct validators signed it.
pub fn certificates(data: &[u8]) {
    let mut script = Script::new(data);
    let chain = &*TRUE_CHAIN;
    let set = &genuine::context().set;
    let top = script.below(HEIGHTS);
    let vote = CommitVote {
        epoch: Epoch(1),
        view: View(script.below(4) as u64),
        height: chain.headers[top].height,
        block: chain.headers[top].hash(),
        result: chain.results[top].hash(),
    };
    let prepare = PrepareVote { epoch: vote.epoch, view: vote.view, height: vote.height, block: vote.block };
    if let (Some(signatures), holds) = signatures(&mut script, (Domain::Prepare, Domain::Commit), &prepare) {
        let certificate = PreparedCertificate { vote: prepare, signatures };
        assert_eq!(certificate.verify(set, CHAIN).is_ok(), holds, "{certificate:?}");
    }
    let (Some(signatures), holds) = signatures(&mut script, (Domain::Commit, Domain::Prepare), &vote) else {
        return;
    };
    let commit = CommitCertificate::new(vote, signatures);
    assert_eq!(commit.verify(set, CHAIN).is_ok(), holds, "{commit:?}");
    certified_header(&mut script, commit, top, holds);
}

/// R22: a header and its result, by the certificate of the block at `top`; then with some bytes changed.
fn certified_header(script: &mut Script<'_>, commit: CommitCertificate, top: usize, holds: bool) {
    let chain = &*TRUE_CHAIN;
    let bottom = script.below(top + 1);
    let proof = CertifiedHeader {
        header: chain.headers[bottom].clone(),
        result: chain.results[bottom],
        path: List::new(chain.headers[bottom + 1..=top].to_vec()).expect("a short path"),
        commit,
    };
    let set = &genuine::context().set;
    assert_eq!(proof.verify(Epoch(1), set, CHAIN).is_ok(), holds, "{proof:?}");
    assert!(proof.verify(Epoch(2), set, CHAIN).is_err(), "of another epoch: {proof:?}");
    // Unless the script has had a quorum sign it for that chain.
    assert!(!holds || proof.verify(Epoch(1), set, ChainId([9; 32])).is_err(), "of another chain: {proof:?}");
    let changed = change(encode(&proof), script);
    if let Some(changed) = canonical::<CertifiedHeader>(&changed) {
        accepts_only_the_chain(&changed);
    }
}

/// A certified header from bytes: what is accepted is a block of the chain with its true result.
fn accepts_only_the_chain(proof: &CertifiedHeader) {
    let chain = &*TRUE_CHAIN;
    if proof.verify(Epoch(1), &genuine::context().set, CHAIN).is_ok() {
        let mut blocks = chain.headers.iter().zip(&chain.results);
        let is_true = blocks.any(|(header, result)| (header, result) == (&proof.header, &proof.result));
        assert!(is_true && genuine::committed(&proof.commit), "a forged proof is accepted: {proof:?}");
    }
}

/// Changes, cuts out or doubles a few bytes.
fn change(mut bytes: Vec<u8>, script: &mut Script<'_>) -> Vec<u8> {
    while !script.is_empty() && !bytes.is_empty() {
        let (how, at) = (script.byte(), script.below(bytes.len().max(257)) % bytes.len());
        match how % 8 {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, how),
            2 => {
                let end = (at + usize::from(how)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            3 => bytes.truncate(at),
            4 => bytes[at] = script.byte(),
            _ => bytes[at] ^= 1 << (how >> 5),
        }
    }
    bytes
}

struct State {
    pairs: BTreeMap<KeyHash, ValueHash>,
    tree: Tree,
}

static TRUE_STATE: LazyLock<State> = LazyLock::new(|| {
    let pair = |i: u16| (KeyHash::of(&i.to_le_bytes()), ValueHash::of(&[i.to_le_bytes(); 2].concat()));
    let pairs: BTreeMap<_, _> = (0..KEYS).map(pair).collect();
    let tree = Tree::build(pairs.iter().map(|(key, value)| (*key, *value))).expect("ascending keys");
    State { pairs, tree }
});

impl LeafSource for State {
    fn leaf(&self, prefix: &Prefix) -> Result<Vec<Pair>, Error> {
        let (first, last) = prefix.range();
        Ok(self.pairs.range(first..=last).map(|(key, value)| (*key, *value)).collect())
    }
}

/// Proofs of state entries, true ones with bytes changed, or any bytes: what is accepted is true.
pub fn state_proof(data: &[u8]) {
    let mut script = Script::new(data);
    let state = &*TRUE_STATE;
    // Some keys that are there, and some that are not.
    let key =
        |script: &mut Script<'_>| KeyHash::of(&(script.below(2 * usize::from(KEYS)) as u16).to_le_bytes());
    let (proven, asked) = (key(&mut script), key(&mut script));
    let root = state.tree.root();
    let proof = state.tree.prove(state, &proven).expect("a tree in memory");
    assert_eq!(proof.verify(&root, &proven).ok(), Some(state.pairs.get(&proven).copied()));
    let bytes =
        if script.byte() & 1 == 0 { change(encode(&proof), &mut script) } else { script.rest().into() };
    let Some(proof) = canonical::<Proof>(&bytes) else { return };
    for key in [proven, asked] {
        if let Ok(value) = proof.verify(&root, &key) {
            assert_eq!(value, state.pairs.get(&key).copied(), "a forged proof of {key:?} is accepted");
        }
    }
}

/// Proofs that something is in a list, with bytes changed: what is accepted is in the list, and at its place
/// if the length is the list's.
pub fn list_proof(data: &[u8]) {
    let mut script = Script::new(data);
    let count = 1 + script.below(40);
    let items: Vec<_> = (0..count).map(|i| *blake3::hash(&[i as u8]).as_bytes()).collect();
    let (root, index) = (merkle::root(&items), script.below(count));
    let proof = merkle::prove(&items, index).expect("an index of the list");
    assert!(proof.verify(root, &items[index]));
    let changed = change(encode(&proof), &mut script);
    let Ok(proof) = decode::<MerkleProof>(&changed) else { return };
    for (place, item) in items.iter().enumerate() {
        if proof.verify(root, item) {
            let at_its_place = proof.index as usize == place || proof.count as usize != count;
            assert!(at_its_place, "{proof:?} puts item {place} at another place");
        }
    }
    assert!(!proof.verify(root, &[0xee; 32]), "{proof:?} proves what is not there");
}
