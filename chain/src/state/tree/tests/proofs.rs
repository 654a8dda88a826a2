//! Proofs: presence, absence, size, and bytes from strangers.

use super::*;
use crate::codec::{decode, encode};

fn outcome(bytes: &[u8], root: &Digest, key: &KeyHash) -> Option<Option<ValueHash>> {
    decode::<Proof>(bytes).ok()?.verify(root, key).ok()
}

#[test]
fn every_bit_flip_is_refused_or_means_the_same() {
    let content = content(600);
    let tree = loaded(&content);
    let (present, value) = pair(5);
    let absent = KeyHash::of(b"nobody");
    for (key, meaning) in [(present, Some(value)), (absent, None)] {
        let bytes = encode(&tree.prove(&NoStore, &key).unwrap());
        assert_eq!(outcome(&bytes, &tree.root(), &key), Some(meaning));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let outcome = outcome(&flipped, &tree.root(), &key);
            assert!(outcome.is_none_or(|outcome| outcome == meaning), "bit {bit}");
        }
        for end in 0..bytes.len() {
            assert_eq!(outcome(&bytes[..end], &tree.root(), &key), None);
        }
        assert_eq!(outcome(&[&bytes[..], &[0]].concat(), &tree.root(), &key), None);
    }
}

#[test]
fn a_proof_is_about_its_place_and_its_root() {
    let tree = loaded(&content(600));
    let (key, _) = pair(5);
    let proof = tree.prove(&NoStore, &key).unwrap();
    for i in 0..600 {
        let (other, value) = pair(i);
        match proof.verify(&tree.root(), &other) {
            Ok(found) => assert_eq!(found, Some(value), "the same leaf proves all its keys"),
            Err(error) => assert!(error.is_peer_fault()),
        }
    }
    let later = updated(&tree, &NoStore, [(key, None)]).unwrap();
    assert!(matches!(proof.verify(&later.root(), &key), Err(Error::WrongRoot)));
    let gone = later.prove(&NoStore, &key).unwrap();
    assert_eq!(gone.verify(&later.root(), &key).unwrap(), None);
    assert!(matches!(gone.verify(&tree.root(), &key), Err(Error::WrongRoot)));
}

#[test]
fn the_leaf_of_another_place_proves_no_absence() {
    // Two subtrees of one shape: the way to one with the leaf of the other must not pass.
    let tree = loaded(&content(600));
    let keys: Vec<KeyHash> = (0..60).map(|i| pair(i).0).collect();
    for a in &keys {
        let proof = encode(&tree.prove(&NoStore, a).unwrap());
        for b in keys.iter().filter(|b| b.0[0] >> 4 != a.0[0] >> 4) {
            assert_eq!(outcome(&proof, &tree.root(), b), None);
        }
    }
}

#[test]
fn an_inner_node_is_no_leaf_and_a_leaf_no_inner_node() {
    // One pair of a leaf has the length of one pair of digests; a root of 33 keys has 16 such children.
    let tree = loaded(&content(33));
    let key = pair(0).0;
    let proof = tree.prove(&NoStore, &key).unwrap();
    let cut = Proof::new(Vec::new(), Vec::new()).unwrap();
    assert!(cut.verify(&tree.root(), &key).is_err());
    // Reads the two digests that make the root as the pair of a leaf.
    let Some(Summary::Inner { children, .. }) = tree.node(&Prefix::ROOT) else { panic!("inner") };
    let [upper, ..] = digest::siblings(&children, 0);
    let [lower, ..] = digest::siblings(&children, 15);
    let disguised = Proof::new(Vec::new(), vec![(KeyHash(lower), ValueHash(upper))]).unwrap();
    assert!(matches!(disguised.verify(&tree.root(), &KeyHash(lower)), Err(Error::WrongRoot)));
    assert_eq!(proof.depth(), 1);
}

#[test]
fn lengths_and_order_of_strangers_are_bounded() {
    let levels = |n: u32| [n.to_le_bytes().to_vec(), vec![0; 128 * n as usize]].concat();
    let leaf = |keys: &[u8]| {
        let mut bytes = (keys.len() as u32).to_le_bytes().to_vec();
        for key in keys {
            bytes.extend([*key; 64]);
        }
        bytes
    };
    let accepted = |levels: Vec<u8>, leaf: Vec<u8>| decode::<Proof>(&[levels, leaf].concat()).is_ok();
    let all: Vec<u8> = (0..33).collect();
    assert!(accepted(levels(64), leaf(&all[..32])));
    assert_eq!([levels(64), leaf(&all[..32])].concat().len(), PROOF_BYTES_MAX);
    assert!(!accepted(levels(65), leaf(&all[..1])));
    assert!(!accepted(levels(1), leaf(&all)));
    assert!(!accepted(levels(1), leaf(&[2, 1])), "out of order");
    assert!(!accepted(levels(1), leaf(&[1, 1])), "twice");
    assert!(!accepted(vec![0xff; 4], vec![]));
    // 64 levels use up the key: the leaf can hold that key alone, and no nibble is read behind it.
    let deep = decode::<Proof>(&[levels(64), leaf(&[1])].concat()).unwrap();
    assert!(matches!(deep.verify(&EMPTY, &KeyHash([1; 32])), Err(Error::WrongRoot)));
    assert!(matches!(deep.verify(&EMPTY, &KeyHash([2; 32])), Err(Error::ForeignLeaf)));
}

/// 100,000 keys are the shape with almost the fullest leaves (24 keys on average at level 3). Ten million
/// keys differ by two levels, 256 bytes more, and at most one more for the rare fuller subtree.
#[test]
fn proofs_stay_short() {
    let content = content(100_000);
    let tree = loaded(&content);
    let (mut longest, mut deepest) = (0, 0);
    for key in content
        .keys()
        .step_by(37)
        .copied()
        .chain((0..1_000).map(|i: u64| KeyHash::of(&[&i.to_le_bytes()[..], b"x"].concat())))
    {
        let proof = tree.prove(&NoStore, &key).unwrap();
        longest = longest.max(encode(&proof).len());
        deepest = deepest.max(proof.depth());
    }
    assert!(deepest <= 4 && longest < 3_072 - 3 * 128, "{deepest} levels, {longest} bytes");
    let bytes = |levels: usize| {
        encode(&Proof::new(vec![[EMPTY; 4]; levels], (0..32).map(pair).collect()).unwrap()).len()
    };
    assert_eq!(bytes(6), 2_824);
    assert!(bytes(7) < 3_072, "ten million keys, full leaf");
    assert!(bytes(15) < 4_096, "fifteen levels, which honest keys never reach");
}

#[test]
fn golden_proof() {
    let tree = loaded(&content(40));
    let bytes = encode(&tree.prove(&NoStore, &pair(3).0).unwrap());
    assert_eq!(
        hex::encode(blake3::hash(&bytes).as_bytes()),
        "61b48f97bc94bfb244109510430b3b0c600f1187214f456e6fd9d2169c32f628"
    );
    assert_eq!(bytes[..4], [1, 0, 0, 0], "one level");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn presence_and_absence_are_proven(batch in any_batch(400), asked in proptest::collection::vec(any_key(), 1..40)) {
        let mut plain = Content::new();
        apply(&mut plain, &batch);
        let tree = loaded(&plain);
        for key in asked.iter().chain(plain.keys()) {
            let proof: Proof = decode(&encode(&tree.prove(&NoStore, key).unwrap())).unwrap();
            prop_assert_eq!(proof.verify(&tree.root(), key).unwrap(), plain.get(key).copied());
            prop_assert!(proof.verify(&EMPTY, key).is_err() || plain.is_empty());
        }
    }

    #[test]
    fn bytes_of_strangers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), key in any::<[u8; 32]>()) {
        let _ = decode::<Summary>(&bytes);
        let _ = decode::<Prefix>(&bytes);
        let mut framed = vec![1, 0, 0, 0];
        framed.extend(&bytes);
        for bytes in [bytes, framed] {
            prop_assert_eq!(outcome(&bytes, &[7; 32], &KeyHash(key)), None);
        }
    }
}
