//! The tree against a plain recomputation, and what the tests share: the specification, a store in memory,
//! and keys ground together.

mod proofs;
mod shape;
mod storage;

use super::hashes::Change;
use super::*;
use proptest::prelude::*;

type Content = BTreeMap<KeyHash, ValueHash>;

/// The flushed state.
#[derive(Clone, Default)]
struct Store(Content);

impl LeafSource for Store {
    fn leaf(&self, prefix: &Prefix) -> Result<Vec<Pair>, Error> {
        let (first, last) = prefix.range();
        Ok(self.0.range(first..=last).map(|(key, value)| (*key, *value)).collect())
    }
}

/// A source for trees that have every leaf loaded.
struct NoStore;

impl LeafSource for NoStore {
    fn leaf(&self, _: &Prefix) -> Result<Vec<Pair>, Error> {
        Err(Error::source(std::io::Error::other("no store")))
    }
}

fn pair(i: u64) -> Pair {
    (KeyHash::of(&i.to_le_bytes()), ValueHash::of(&(i * 7 + 1).to_le_bytes()))
}

fn content(n: u64) -> Content {
    (0..n).map(pair).collect()
}

fn pairs(content: &Content) -> impl Iterator<Item = Pair> {
    content.iter().map(|(key, value)| (*key, *value))
}

/// The tree after changes; of several to one key the last counts.
fn updated(
    tree: &Tree,
    source: &dyn LeafSource,
    changes: impl IntoIterator<Item = Change>,
) -> Result<Tree, Error> {
    tree.update(source, &changes.into_iter().collect())
}

fn loaded(content: &Content) -> Tree {
    updated(&Tree::EMPTY, &NoStore, pairs(content).map(|(key, value)| (key, Some(value)))).unwrap()
}

/// A key whose first `shared` nibbles are 3, told apart behind them by `i` < 256.
fn ground(shared: usize, i: u8) -> KeyHash {
    let text: String = (0..64)
        .map(|n| match n {
            n if n < shared => '3',
            n if n == shared => char::from_digit(u32::from(i >> 4), 16).unwrap(),
            n if n == shared + 1 => char::from_digit(u32::from(i & 15), 16).unwrap(),
            _ => '0',
        })
        .collect();
    let mut key = [0; 32];
    hex::decode_to_slice(text, &mut key).unwrap();
    KeyHash(key)
}

/// Root by the book, from hexadecimal strings, with nothing of the tree's own code.
fn specified_root(content: &Content) -> Digest {
    let listed: Vec<(String, &KeyHash, &ValueHash)> =
        content.iter().map(|(key, value)| (hex::encode(key.0), key, value)).collect();
    specified(&listed, "")
}

fn specified(all: &[(String, &KeyHash, &ValueHash)], prefix: &str) -> Digest {
    let below: Vec<_> = all.iter().filter(|entry| entry.0.starts_with(prefix)).cloned().collect();
    if below.is_empty() {
        return *b"quorate/state-tree/v1/empty-node";
    }
    if below.len() <= 32 {
        let mut hasher = blake3::Hasher::new_keyed(b"quorate/state-tree/v1/leaf-pairs");
        for (_, key, value) in below {
            hasher.update(&key.0).update(&value.0);
        }
        return *hasher.finalize().as_bytes();
    }
    let mut row: Vec<Digest> =
        "0123456789abcdef".chars().map(|digit| specified(&below, &format!("{prefix}{digit}"))).collect();
    while row.len() > 1 {
        row = row
            .chunks(2)
            .map(|two| {
                let mut hasher = blake3::Hasher::new_keyed(b"quorate/state-tree/v1/inner-pair");
                *hasher.update(&two[0]).update(&two[1]).finalize().as_bytes()
            })
            .collect();
    }
    row[0]
}

/// Keys spread over the tree, and keys ground together at several depths.
fn any_key() -> impl Strategy<Value = KeyHash> {
    prop_oneof![
        2 => (0..2_000u64).prop_map(|i| KeyHash::of(&i.to_le_bytes())),
        2 => (prop_oneof![Just(2_usize), Just(9), Just(61), Just(62)], 0..=255u8)
            .prop_map(|(shared, i)| ground(shared, i)),
        1 => any::<[u8; 32]>().prop_map(KeyHash),
    ]
}

/// A batch of changes, one in three a deletion.
fn any_batch(most: usize) -> impl Strategy<Value = Vec<Change>> {
    let value = prop_oneof![1 => Just(None), 2 => any::<u8>().prop_map(|v| Some(ValueHash([v; 32])))];
    proptest::collection::vec((any_key(), value), 0..most)
}

fn apply(content: &mut Content, changes: &[Change]) {
    for (key, value) in changes {
        match value {
            Some(value) => content.insert(*key, *value),
            None => content.remove(key),
        };
    }
}
