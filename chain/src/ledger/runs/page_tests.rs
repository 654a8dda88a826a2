//! Pages and their bytes.

use super::build::Build;
use super::page::{Page, encode};
use super::*;
use crate::codec::encode as borsh;
use crate::ids::Height;
use crate::ledger::store::{MemoryStore, Store, Table};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_a_page_panic(bytes: Vec<u8>, first: Vec<u8>, key: [u8; 32]) {
        for index in Index::ALL {
            if let Some(page) = Page::decode(index, &first, bytes.clone()) {
                page.get(&key);
            }
        }
    }

    #[test]
    fn a_changed_page_keeps_its_order_or_is_refused(at in 0..600usize, byte: u8) {
        let key = |i: u8| [&[7; 31][..], &[i]].concat();
        let entries: Vec<u8> = (0..12).flat_map(|i| [&key(i)[..], &[i; 12]].concat()).collect();
        let mut bytes = encode(&entries, Some(&key(12)));
        let place = at % bytes.len();
        bytes[place] = byte;
        if let Some(page) = Page::decode(Index::Transactions, &key(0), bytes) {
            prop_assert_eq!(page.entry(0).0, key(0));
            let keys: Vec<_> = (0..page.len()).map(|at| page.entry(at).0.to_vec()).collect();
            prop_assert!(keys.is_sorted_by(|one, other| one < other));
        }
    }
}

#[test]
fn what_does_not_follow_is_refused() {
    let store = MemoryStore::default();
    let run = Run { index: Index::Hashes, first: Height(1), last: Height(2), level: 0, entries: 0 };
    let mut build = Build::new(run);
    build.push(&store, (&[5; 32], &[0; 8])).unwrap();
    for (key, value) in [(vec![5; 32], vec![1; 8]), (vec![4; 32], vec![0; 8]), (vec![6; 31], vec![0; 8])] {
        assert!(build.push(&store, (&key, &value)).is_err());
    }
    assert!(build.push(&store, (&[6; 32], &[0; 7])).is_err());
    build.push(&store, (&[6; 32], &[0; 8])).unwrap();
    assert_eq!(build.finish(&store).unwrap().entries, 2);
}

/// Whoever changes these bytes changes the format.
#[test]
fn golden_bytes() {
    let store = MemoryStore::default();
    let run = Run { index: Index::Hashes, first: Height(3), last: Height(0x0102), level: 1, entries: 0 };
    let mut build = Build::new(run);
    let entries = Index::Hashes.page_entries();
    assert_eq!(Index::ALL.map(Index::page_entries), [204, 186, 186]);
    for at in 0..=entries as u8 {
        build.push(&store, (&[at; 32], &[at; 8])).unwrap();
    }
    let run = build.finish(&store).unwrap();
    let keys = store.keys(Table::Runs);
    let name = "00".to_owned() + "0000000000000003" + "0000000000000102";
    assert_eq!(keys.iter().map(hex::encode).collect::<Vec<_>>(), [name.clone(), name + &"cc".repeat(32)]);
    let first = store.get(Table::Runs, &keys[0]).unwrap().unwrap();
    assert_eq!(first.len(), 33 + entries * 40);
    assert!(hex::encode(&first).starts_with(&format!(
        "01{}{}",
        "cc".repeat(32),
        "00".repeat(40) + &"01".repeat(40)
    )));
    let last = store.get(Table::Runs, &keys[1]).unwrap().unwrap();
    assert_eq!(hex::encode(last), "00".to_owned() + &"cc".repeat(40));
    let mut manifest = Manifest::default();
    manifest.add(run);
    let bytes =
        "01000000".to_owned() + "00" + "0300000000000000" + "0201000000000000" + "01" + "cd00000000000000";
    assert_eq!(hex::encode(borsh(&manifest)), bytes);
}
