//! Roots: the specification, golden values, and that history leaves no trace.

use super::*;

#[test]
fn golden_roots() {
    let root = |n| hex::encode(loaded(&content(n)).root());
    assert_eq!(Tree::default().root(), EMPTY);
    assert_eq!(root(0), hex::encode(b"quorate/state-tree/v1/empty-node"));
    assert_eq!(root(1), "a990aaf347a5f02ea3975c94e22ee8ec231015a23728c64b9a075ccabcf5aa62");
    assert_eq!(root(32), "565562c09ca81bffad1906a183b31632e9fcb06fa8d7b07db2f6f11c08cb4595");
    assert_eq!(root(33), "3c91d3bb318957a03926ecee355cef9643f3763296d353e14ff799039bf869c8");
    assert_eq!(root(1_000), "5b0eb41b74d7e4c12f719ed7ed268f0d2282a4f26683488331c7564a0266faf4");
    let ground = (0..40).map(|i| (ground(60, i), ValueHash([i; 32]))).collect();
    assert_eq!(
        hex::encode(loaded(&ground).root()),
        "c9ed668c8d5cc75b01e4f7eb2e0591528214c06df4d4b6049767cd02a2dc79ec"
    );
}

#[test]
fn one_key_above_a_leaf_splits_it_and_its_deletion_joins_it_again() {
    let full = loaded(&content(32));
    assert!(matches!(full.node(&Prefix::ROOT), Some(Summary::Leaf { count: 32, .. })));
    let (key, value) = pair(32);
    let split = updated(&full, &NoStore, [(key, Some(value))]).unwrap();
    assert!(matches!(split.node(&Prefix::ROOT), Some(Summary::Inner { count: 33, .. })));
    let joined = updated(&split, &NoStore, [(key, None)]).unwrap();
    assert_eq!(joined.node(&Prefix::ROOT), full.node(&Prefix::ROOT));
    let emptied = updated(&joined, &NoStore, (0..32).map(|i| (pair(i).0, None))).unwrap();
    assert_eq!((emptied.root(), emptied.is_empty()), (EMPTY, true));
}

#[test]
fn keys_ground_into_one_subtree_go_as_deep_as_they_must_and_no_deeper() {
    // 16 × 16 keys below 62 nibbles: inner nodes at depths 0 to 62, leaves of 16 keys at 63.
    let deepest: Content = (0..=255).map(|i| (ground(62, i), ValueHash([i; 32]))).collect();
    let tree = loaded(&deepest);
    assert_eq!(tree.root(), specified_root(&deepest));
    assert_eq!(tree.prove(&NoStore, &ground(62, 7)).unwrap().depth(), 63);
    assert_eq!(Tree::build(pairs(&deepest)).unwrap().root(), tree.root());
    let few = updated(&tree, &NoStore, (32..=255).map(|i| (ground(62, i), None))).unwrap();
    assert!(matches!(few.node(&Prefix::ROOT), Some(Summary::Leaf { count: 32, .. })), "63 levels are gone");
}

#[test]
fn nodes_are_seen_where_they_are_and_nowhere_else() {
    let content = content(2_000);
    let tree = loaded(&content);
    let mut leaves = Vec::new();
    let mut places = vec![Prefix::ROOT];
    while let Some(place) = places.pop() {
        let summary = tree.node(&place).unwrap();
        assert_eq!(summary, crate::codec::decode(&crate::codec::encode(&summary)).unwrap());
        match &summary {
            Summary::Inner { children, .. } => {
                assert_eq!(tree.leaf(&NoStore, &place).unwrap(), None);
                for nibble in 0..16 {
                    let child = place.child(nibble).unwrap();
                    assert_eq!(tree.node(&child).unwrap().digest(), children[usize::from(nibble)]);
                    places.push(child);
                }
            }
            _ => {
                let pairs = tree.leaf(&NoStore, &place).unwrap().unwrap();
                assert_eq!(pairs.len() as u64, summary.count());
                assert_eq!(leaf_digest(&pairs), Some(summary.digest()));
                assert!(tree.node(&place.child(0).unwrap()).is_none());
                leaves.extend(pairs);
            }
        }
    }
    leaves.sort();
    assert!(pairs(&content).eq(leaves));
    assert_eq!(tree.node(&Prefix::ROOT).unwrap().digest(), tree.root());
    assert_eq!(tree.node(&Prefix::ROOT).unwrap().count(), tree.len());
}

#[test]
fn a_leaf_an_inner_node_and_nothing_never_share_a_digest() {
    let value = ValueHash([2; 32]);
    let one = leaf_digest(&[(KeyHash([1; 32]), value)]).unwrap();
    assert_eq!(leaf_digest(&[]), Some(EMPTY));
    assert_ne!(one, inner_digest(&[EMPTY; 16]));
    let too_many: Vec<Pair> = (0..33).map(pair).collect();
    assert_eq!(leaf_digest(&too_many), None);
    for nibble in 0..16 {
        let mut children = [EMPTY; 16];
        let empty = inner_digest(&children);
        children[nibble] = one;
        assert_ne!(inner_digest(&children), empty);
    }
}

#[test]
fn a_build_refuses_keys_out_of_order() {
    let (a, b) = (ground(0, 1), ground(0, 2));
    let value = ValueHash([0; 32]);
    for keys in [vec![b, a], vec![a, b, b], vec![a, a]] {
        let refused = Tree::build(keys.into_iter().map(|key| (key, value)));
        assert!(matches!(refused, Err(Error::Unsorted { .. })));
    }
    let broken = Tree::try_build([Ok((a, value)), Err(Error::source(std::io::Error::other("disk")))]);
    assert!(matches!(broken, Err(Error::Source(_))));
}

#[test]
fn prefixes_have_one_form() {
    let key = KeyHash([0xab; 32]);
    let prefix = Prefix::of(&key, 3);
    assert_eq!(prefix.to_string(), "aba*");
    assert_eq!(Prefix::ROOT.child(10).and_then(|p| p.child(11)).and_then(|p| p.child(10)), Some(prefix));
    assert_eq!(Prefix::ROOT.child(16), None);
    assert_eq!(Prefix::of(&key, 64).child(0), None);
    for length in 0..=64 {
        let prefix = Prefix::of(&key, length);
        let (first, last) = prefix.range();
        assert!(prefix.contains(&key) && prefix.contains(&first) && prefix.contains(&last));
        assert!(first <= key && key <= last);
        assert_eq!(prefix.contains(&KeyHash([0xac; 32])), length < 2);
        let mut bytes = crate::codec::encode(&prefix);
        assert_eq!(crate::codec::decode::<Prefix>(&bytes), Ok(prefix));
        bytes[32] = if length == 0 { 65 } else { length as u8 - 1 };
        assert!(crate::codec::decode::<Prefix>(&bytes).is_err(), "nibbles behind the prefix, or 65");
    }
    assert!(prefix < prefix.child(0).unwrap() && Prefix::ROOT < Prefix::ROOT.child(0).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_version_has_the_root_of_its_content(
        batches in proptest::collection::vec(any_batch(150), 1..5),
    ) {
        let (mut plain, mut tree) = (Content::new(), Tree::EMPTY);
        let mut versions = Vec::new();
        for batch in &batches {
            apply(&mut plain, batch);
            tree = updated(&tree, &NoStore, batch.iter().copied()).unwrap();
            prop_assert_eq!(tree.root(), specified_root(&plain));
            prop_assert_eq!(tree.len(), plain.len() as u64);
            versions.push((tree.clone(), plain.clone()));
        }
        for (version, plain) in versions {
            prop_assert_eq!(version.root(), Tree::build(pairs(&plain)).unwrap().root());
            prop_assert!(plain.iter().all(|(k, v)| version.get(&NoStore, k).unwrap() == Some(*v)));
        }
    }

    #[test]
    fn history_leaves_no_trace(
        batch in any_batch(300),
        noise in any_batch(100),
        cuts in proptest::collection::vec(0..300usize, 0..6),
    ) {
        let mut plain = Content::new();
        apply(&mut plain, &batch);
        // Noise first, taken away again, then the content backwards in batches of any size.
        let mut tree = updated(&Tree::EMPTY, &NoStore, noise.iter().copied()).unwrap();
        tree = updated(&tree, &NoStore, noise.iter().map(|change| (change.0, None))).unwrap();
        prop_assert!(tree.is_empty());
        let listed: Vec<Change> = plain.iter().rev().map(|(k, v)| (*k, Some(*v))).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (listed.len() + 1)).collect();
        cuts.extend([0, listed.len()]);
        cuts.sort_unstable();
        for cut in cuts.windows(2) {
            tree = updated(&tree, &NoStore, listed[cut[0]..cut[1]].iter().copied()).unwrap();
        }
        prop_assert_eq!(tree.root(), loaded(&plain).root());
    }
}
