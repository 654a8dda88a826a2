//! Proofs of entries and absences in the state, and of elements of lists.

use crate::state::{entries, pairs, tree};
use crate::{account, bytes, file};
use quorate_chain::codec::{decode, encode};
use quorate_chain::ids::MerkleRoot;
use quorate_chain::merkle::{self, MerkleProof};
use quorate_chain::state::tree::{Error, KeyHash, LeafSource, Pair, Prefix, Proof, Tree};
use quorate_chain::state::{StateKey, value_hash};
use quorate_chain::{AccountId, StateRoot};
use serde_json::{Value, json};

/// A store that has the state.
struct Stored(Vec<Pair>);

impl LeafSource for Stored {
    fn leaf(&self, prefix: &Prefix) -> Result<Vec<Pair>, Error> {
        Ok(self.0.iter().filter(|(key, _)| prefix.contains(key)).copied().collect())
    }
}

/// What [`Proof`] encodes.
type Shape = (Vec<[[u8; 32]; 4]>, Vec<([u8; 32], [u8; 32])>);

fn shown(name: &str, root: &[u8; 32], key: &StateKey, proof: &Proof) -> Value {
    let (levels, leaf): Shape = decode(&encode(proof)).unwrap();
    let verdict = proof.verify(root, &key.hash());
    let holds = verdict.is_ok();
    json!({
        "name": name,
        "root": hex::encode(root),
        "key": bytes(key),
        "fields": {
            "levels": levels.iter().map(|level| level.map(hex::encode)).collect::<Vec<_>>(),
            "leaf": leaf.iter().map(|(key, value)| [key, value].map(hex::encode)).collect::<Vec<_>>(),
        },
        "bytes": bytes(proof),
        "holds": holds,
        "value_hash": verdict.ok().flatten().map(|value| hex::encode(value.0)),
    })
}

fn state_proofs() -> Value {
    let entries = entries();
    let (tree, store) = (tree(&entries), Stored(pairs(&entries)));
    let root = tree.root();
    let absent = |number: u8| StateKey::Account(account(number));
    let prove = |key: &StateKey| tree.prove(&store, &key.hash()).unwrap();
    let mut proofs: Vec<_> =
        entries.iter().step_by(75).map(|(key, _)| shown("an entry", &root, key, &prove(key))).collect();
    for (key, value) in entries.iter().take(12) {
        assert_eq!(prove(key).verify(&root, &key.hash()).unwrap(), Some(value_hash(key, value)));
    }
    assert!(prove(&entries[5].0).depth() >= 2, "inner nodes below inner nodes");
    proofs.extend(
        [20, 21, 22].map(|number| shown("no entry", &root, &absent(number), &prove(&absent(number)))),
    );
    let (key, other) = (&entries[5].0, &entries[400].0);
    assert_ne!(key.hash().0[0], other.hash().0[0]);
    let flipped = |at: fn(usize) -> usize| {
        let mut changed = encode(&prove(key));
        let place = at(changed.len());
        changed[place] ^= 1;
        decode::<Proof>(&changed).unwrap()
    };
    proofs.extend([
        shown("a bit of a sibling flipped", &root, key, &flipped(|_| 4 + 40)),
        shown("a bit of a value hash flipped", &root, key, &flipped(|length| length - 1)),
        shown("the proof of another key", &root, key, &prove(other)),
        shown("an absence by another key's leaf", &root, &absent(20), &prove(other)),
        shown("against another root", &[7; 32], key, &prove(key)),
    ]);
    json!({ "root": StateRoot(root), "proofs": proofs, "empty": empty() })
}

/// Of the state without entries.
fn empty() -> Value {
    let key = StateKey::Account(AccountId([1; 32]));
    let proof = Tree::EMPTY.prove(&Stored(Vec::new()), &key.hash()).unwrap();
    json!({ "root": StateRoot(Tree::EMPTY.root()), "proof": shown("no entry", &Tree::EMPTY.root(), &key, &proof) })
}

fn list_proofs() -> Vec<Value> {
    let items: Vec<_> = (0..11u64).map(|number| KeyHash::of(&number.to_le_bytes()).0).collect();
    let shown = |name: &str, count: usize, item: usize, proof: &MerkleProof| {
        let root = merkle::root(&items[..count]);
        json!({
            "name": name,
            "items": items[..count].iter().map(hex::encode).collect::<Vec<_>>(),
            "root": root,
            "item": hex::encode(items[item]),
            "fields": proof,
            "bytes": bytes(proof),
            "holds": proof.verify(root, &items[item]),
        })
    };
    let prove = |count: usize, index| merkle::prove(&items[..count], index).unwrap();
    let mut proofs: Vec<_> = [(1, 0), (2, 1), (3, 2), (5, 0), (5, 4), (8, 3), (11, 6), (11, 10)]
        .map(|(count, index)| shown("an element", count, index, &prove(count, index)))
        .to_vec();
    let good = prove(11, 6);
    let siblings = |change: fn(&mut Vec<MerkleRoot>)| {
        let mut siblings = good.siblings.to_vec();
        change(&mut siblings);
        MerkleProof { siblings: quorate_chain::codec::List::new(siblings).unwrap(), ..good.clone() }
    };
    proofs.extend([
        shown("another element", 11, 5, &good),
        shown("another index", 11, 6, &MerkleProof { index: 7, ..good.clone() }),
        shown("an index outside of the list", 11, 6, &MerkleProof { index: 11, ..good.clone() }),
        shown("a bit of a sibling flipped", 11, 6, &siblings(|all| all[1].0[9] ^= 1)),
        shown("a sibling left out", 11, 6, &siblings(|all| all.truncate(all.len() - 1))),
        shown("a sibling too many", 11, 6, &siblings(|all| all.push(MerkleRoot::default()))),
    ]);
    proofs
}

#[test]
fn proofs() {
    let made = json!({ "state": state_proofs(), "lists": list_proofs() });
    let of_state = made["state"]["proofs"].as_array().unwrap().iter();
    let both = of_state.chain(made["lists"].as_array().unwrap());
    assert_eq!(both.filter(|proof| proof["holds"] == false).count(), 5 + 6);
    file::check("proofs", &made);
}
