//! Leaves in the store: the same tree, found damage, and giving leaves back.

use super::*;

fn loaded_leaves(node: &node::Node) -> usize {
    match node {
        node::Node::Loaded(_) => 1,
        node::Node::Inner(inner) => inner.children.iter().map(loaded_leaves).sum(),
        _ => 0,
    }
}

fn keys(changes: &[Change]) -> impl Iterator<Item = KeyHash> {
    changes.iter().map(|change| change.0)
}

#[test]
fn an_update_loads_what_it_changes_and_nothing_else() {
    let store = Store(content(5_000));
    let tree = Tree::build(pairs(&store.0)).unwrap();
    assert_eq!(loaded_leaves(&tree.root), 0);
    let same =
        updated(&tree, &store, [(pair(1).0, Some(pair(1).1)), (KeyHash::of(b"nobody"), None)]).unwrap();
    assert_eq!(loaded_leaves(&same.root), 0, "nothing changed");
    let one = updated(&tree, &store, [(pair(1).0, Some(ValueHash([0; 32])))]).unwrap();
    assert_eq!(loaded_leaves(&one.root), 1);
    assert_eq!(loaded_leaves(&tree.root), 0, "the old version is as it was");
    assert_ne!(one.root(), tree.root());
}

#[test]
fn deletions_merge_stored_leaves() {
    let mut store = Store(content(1_000));
    let tree = Tree::build(pairs(&store.0)).unwrap();
    let gone: Vec<Change> = (0..975).map(|i| (pair(i).0, None)).collect();
    let few = updated(&tree, &store, gone.iter().copied()).unwrap();
    apply(&mut store.0, &gone);
    assert_eq!(few.root(), specified_root(&store.0));
    assert!(matches!(few.node(&Prefix::ROOT), Some(Summary::Leaf { count: 25, .. })));
    assert_eq!(loaded_leaves(&few.evict(&few, keys(&gone)).root), 0);
}

#[test]
fn damage_is_found_and_named() {
    let store = Store(content(5_000));
    let tree = Tree::build(pairs(&store.0)).unwrap();
    let (key, value) = pair(77);
    let place = Prefix::of(&key, tree.prove(&store, &key).unwrap().depth());
    let mut changed = store.clone();
    changed.0.insert(key, ValueHash([0; 32]));
    let mut missing = store.clone();
    missing.0.remove(&key);
    let mut added = store.clone();
    added.0.insert(place.range().1, value);
    for damaged in [&changed, &missing, &added] {
        let named =
            |error: Option<Error>| matches!(error, Some(Error::Corrupt { prefix }) if prefix == place);
        assert!(named(tree.get(damaged, &key).err()));
        assert!(named(tree.prove(damaged, &key).err()));
        assert!(named(tree.leaf(damaged, &place).err()));
        assert!(named(updated(&tree, damaged, [(key, None)]).err()));
        // Elsewhere nothing is amiss.
        let (other, value) = (0..).map(pair).find(|(other, _)| !place.contains(other)).unwrap();
        assert_eq!(tree.get(damaged, &other).unwrap(), Some(value));
    }
    let unreadable = tree.get(&NoStore, &key).unwrap_err();
    assert!(unreadable.is_transient() && !unreadable.is_peer_fault());
}

#[test]
fn the_tip_keeps_what_is_newer_than_the_flush() {
    let mut store = Store(content(3_000));
    let base = Tree::build(pairs(&store.0)).unwrap();
    let first: Vec<Change> = (0..40).map(|i| (pair(i).0, Some(ValueHash([1; 32])))).collect();
    let second: Vec<Change> = (20..60).map(|i| (pair(i).0, Some(ValueHash([2; 32])))).collect();
    let flushed = updated(&base, &store, first.iter().copied()).unwrap();
    let tip = updated(&flushed, &store, second.iter().copied()).unwrap();
    // Half-written: what the flush overwrites is loaded in both.
    let mut torn = store.clone();
    apply(&mut torn.0, &first[..17]);
    for i in 0..3_000 {
        flushed.get(&torn, &pair(i).0).unwrap();
        tip.get(&torn, &pair(i).0).unwrap();
    }
    apply(&mut store.0, &first);
    let evicted = tip.evict(&flushed, keys(&first));
    assert_eq!(evicted.root(), tip.root());
    assert!(loaded_leaves(&evicted.root) < loaded_leaves(&tip.root));
    for i in 0..3_000 {
        let value = if (20..60).contains(&i) { ValueHash([2; 32]) } else { store.0[&pair(i).0] };
        assert_eq!(evicted.get(&store, &pair(i).0).unwrap(), Some(value));
    }
    // A version from before the flush is not served wrongly.
    assert!(matches!(base.get(&store, &pair(0).0), Err(Error::Corrupt { .. })));
}

#[test]
fn a_leaf_changed_and_changed_back_stays_until_both_are_flushed() {
    let mut store = Store(content(3_000));
    let base = Tree::build(pairs(&store.0)).unwrap();
    let (key, _) = pair(0);
    let change = |byte| [(key, Some(ValueHash([byte; 32])))];
    let one = updated(&base, &store, change(1)).unwrap();
    let two = updated(&one, &store, change(2)).unwrap();
    let mut tip = updated(&two, &store, change(1)).unwrap();
    for (flushed, byte) in [(&one, 1), (&two, 2), (&tip.clone(), 1)] {
        apply(&mut store.0, &change(byte));
        tip = tip.evict(flushed, [key]);
        assert_eq!(tip.get(&store, &key).unwrap(), Some(ValueHash([1; 32])), "while {byte} is stored");
    }
    assert_eq!(loaded_leaves(&tip.root), 0);
}

#[test]
fn a_version_evicted_against_itself_shares_what_did_not_change() {
    let store = Store(content(3_000));
    let tree = Tree::build(pairs(&store.0)).unwrap();
    let again = tree.evict(&tree, store.0.keys().copied());
    let (node::Node::Inner(a), node::Node::Inner(b)) = (&tree.root, &again.root) else { panic!("inner") };
    assert!(std::sync::Arc::ptr_eq(a, b));
    let all = loaded(&store.0);
    assert_eq!(loaded_leaves(&all.evict_all().root), 0);
    assert_eq!(all.evict_all().root(), tree.root());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// A ledger's life: versions run ahead of the store by up to two, each flush followed by an eviction.
    #[test]
    fn stored_and_loaded_leaves_are_one_tree(
        batches in proptest::collection::vec(any_batch(120), 1..7),
        start in 0..400u64,
    ) {
        let mut store = Store(content(start));
        let mut plain = store.0.clone();
        let mut tip = Tree::build(pairs(&plain)).unwrap();
        let mut never_stored = loaded(&plain);
        let mut unflushed: Vec<(Tree, Vec<Change>)> = Vec::new();
        for batch in batches {
            tip = updated(&tip, &store, batch.iter().copied()).unwrap();
            never_stored = updated(&never_stored, &NoStore, batch.iter().copied()).unwrap();
            apply(&mut plain, &batch);
            prop_assert_eq!(tip.root(), never_stored.root());
            prop_assert_eq!(tip.root(), specified_root(&plain));
            unflushed.push((tip.clone(), batch));
            if unflushed.len() > 2 {
                let (flushed, batch) = unflushed.remove(0);
                apply(&mut store.0, &batch);
                tip = tip.evict(&flushed, keys(&batch));
            }
            for (key, value) in &plain {
                prop_assert_eq!(tip.prove(&store, key).unwrap().verify(&tip.root(), key).unwrap(), Some(*value));
            }
        }
        for (flushed, batch) in unflushed {
            apply(&mut store.0, &batch);
            tip = tip.evict(&flushed, keys(&batch));
        }
        prop_assert_eq!(&store.0, &plain);
        prop_assert_eq!(loaded_leaves(&tip.root), 0, "nothing is left in memory");
        prop_assert_eq!(tip.root(), specified_root(&plain));
    }
}
