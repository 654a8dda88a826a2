//! Data entries and documents.

use super::*;
use ExecutionError as E;

fn name() -> Bytes<128> {
    Bytes::new(b"deed".to_vec()).unwrap()
}

fn put(namespace: u8, value: &[u8]) -> Instruction {
    Instruction::PutData { namespace: id(namespace), key: name(), value: Bytes::new(value.to_vec()).unwrap() }
}

fn delete(namespace: u8) -> Instruction {
    Instruction::DeleteData { namespace: id(namespace), key: name() }
}

fn give(namespace: u8, to: u8) -> Instruction {
    Instruction::TransferData { namespace: id(namespace), key: name(), to: id(to) }
}

fn anchor(digest: u8) -> Instruction {
    Instruction::AnchorDocument {
        digest: Digest([digest; 32]),
        size: 7,
        metadata: Bytes::new(b"pdf".to_vec()).unwrap(),
    }
}

fn entry(state: &Memory) -> Option<crate::state::DataEntry> {
    match state.get(&StateKey::Data(id(1), name())).unwrap() {
        Some(StateValue::Data(entry)) => Some(entry),
        _ => None,
    }
}

fn state_bytes(state: &Memory) -> [u64; 2] {
    [1, 2].map(|i| account(state, i).quota.state_bytes)
}

#[test]
fn data_is_its_owner_s_and_first_the_namespace_s() {
    let mut state = state();
    let steps = vec![
        (2, put(1, b"b")),
        (1, delete(1)),
        (1, put(1, b"a")),
        (2, put(1, b"b")),
        (2, delete(1)),
        (2, give(1, 2)),
        (1, give(1, 99)),
        (1, give(1, 2)),
        (1, put(1, b"c")),
        (2, put(1, b"dd")),
        (2, delete(1)),
        (2, put(1, b"e")),
    ];
    let expected = [
        Err(E::NotDataOwner),
        Err(E::UnknownData),
        Ok(()),
        Err(E::NotDataOwner),
        Err(E::NotDataOwner),
        Err(E::NotDataOwner),
        Err(E::UnknownAccount),
        Ok(()),
        Err(E::NotDataOwner),
        Ok(()),
        Ok(()),
        Err(E::NotDataOwner),
    ];
    assert_eq!(each(&mut state, steps[..10].to_vec()), expected[..10]);
    let found = entry(&state).unwrap();
    assert_eq!(
        (found.owner, found.payer, &found.value[..], found.height),
        (id(2), id(2), &b"dd"[..], Height(5))
    );
    assert_eq!(each(&mut state, steps[10..].to_vec()), expected[10..]);
    assert_eq!((entry(&state), state_bytes(&state)), (None, [0, 0]));
}

#[test]
fn whoever_wrote_it_pays_until_another_writes() {
    let mut state = state();
    assert_eq!(each(&mut state, vec![(1, put(1, &[0; 100]))]), [Ok(())]);
    let [held, none] = state_bytes(&state);
    assert!((150..300).contains(&held) && none == 0, "{held}");
    assert_eq!(each(&mut state, vec![(1, give(1, 2))]), [Ok(())]);
    assert_eq!(state_bytes(&state), [held, 0], "nobody fills another's quota");
    assert_eq!(each(&mut state, vec![(2, put(1, &[0; 90]))]), [Ok(())]);
    assert_eq!(state_bytes(&state), [0, held - 10]);
}

#[test]
fn a_document_is_anchored_once_by_each() {
    let mut state = state();
    let steps = vec![(1, anchor(7)), (1, anchor(7)), (2, anchor(7))];
    assert_eq!(each(&mut state, steps), [Ok(()), Err(E::DocumentExists), Ok(())]);
    let Some(StateValue::Document(document)) =
        state.get(&StateKey::Document(id(1), Digest([7; 32]))).unwrap()
    else {
        panic!("no document");
    };
    assert_eq!((document.size, document.height, document.timestamp_ms), (7, Height(5), TimestampMs(1001)));
}
