//! Order, fairness and bounds of the pool.

use super::*;
use crate::codec::Bytes;
use crate::crypto::SecretKey;
use crate::ids::{Amount, AssetId, ChainId};
use crate::instruction::Instruction;
use crate::transaction::TransactionBody;

fn transaction(from: u8, nonce: u64, valid_until: u64) -> Transaction {
    let key = SecretKey::from_seed(&[from; 32]);
    let memo = Bytes::default();
    let transfer =
        Instruction::Transfer { to: AccountId([9; 32]), asset: AssetId::NATIVE, amount: Amount(1), memo };
    let (chain, account) = (ChainId([1; 32]), key.public().into());
    let body = TransactionBody::new(chain, account, Nonce(nonce), vec![transfer]).unwrap();
    let body = TransactionBody { valid_until: Height(valid_until), ..body };
    Transaction::sign(body, chain, &[&key]).unwrap()
}

fn small() -> Mempool {
    Mempool::new(Limits { transactions_max: 8, bytes_max: 1 << 20, per_account_max: 4 })
}

fn nonces(batch: &[Transaction]) -> Vec<u64> {
    batch.iter().map(|t| t.body().nonce.0).collect()
}

#[test]
fn accounts_take_turns_and_nonces_keep_their_order() {
    let mut pool = small();
    for nonce in [2, 0, 1] {
        pool.insert(transaction(1, nonce, 0), Nonce(0)).unwrap();
    }
    pool.insert(transaction(2, 0, 0), Nonce(0)).unwrap();
    pool.insert(transaction(3, 1, 0), Nonce(0)).unwrap();
    let batch = pool.batch(Height(1), 100, 1 << 20, |_| Some(Nonce(0)));
    assert_eq!(nonces(&batch), [0, 0, 1, 2], "one of each account first; a gap waits");
    let first = pool.batch(Height(1), 1, 1 << 20, |_| Some(Nonce(0)))[0].body().account;
    let second = pool.batch(Height(1), 1, 1 << 20, |_| Some(Nonce(0)))[0].body().account;
    assert_ne!(first, second, "the next block starts behind the account served last");
    assert!(pool.batch(Height(1), 100, 10, |_| Some(Nonce(0))).is_empty(), "bytes are bounded");
    assert!(pool.includable(Height(1), |_| Some(Nonce(2)), |_| true).is_some());
    assert_eq!(pool.includable(Height(1), |_| Some(Nonce(2)), |_| false), None);
    assert_eq!(pool.includable(Height(1), |_| Some(Nonce(3)), |_| true), None);
}

#[test]
fn what_does_not_fit_is_refused_with_its_reason() {
    let mut pool = small();
    pool.insert(transaction(1, 5, 0), Nonce(5)).unwrap();
    assert_eq!(pool.insert(transaction(1, 5, 0), Nonce(5)), Err(Refused::Duplicate));
    assert_eq!(pool.insert(transaction(1, 5, 7), Nonce(5)), Err(Refused::NonceTaken(Nonce(5))));
    for nonce in [4, 9] {
        let refused = Refused::Nonce { expected: Nonce(5), found: Nonce(nonce), ahead_max: 4 };
        assert_eq!(pool.insert(transaction(1, nonce, 0), Nonce(5)), Err(refused));
    }
    for from in 2..9 {
        pool.insert(transaction(from, 0, 0), Nonce(0)).unwrap();
    }
    assert_eq!(pool.insert(transaction(9, 0, 0), Nonce(0)), Err(Refused::Full));
    assert_eq!(pool.len(), 8);
}

#[test]
fn committed_and_expired_transactions_leave() {
    let mut pool = small();
    let rival = transaction(1, 1, 50);
    for t in [transaction(1, 0, 0), rival.clone(), transaction(1, 2, 0), transaction(2, 0, 6)] {
        pool.insert(t, Nonce(0)).unwrap();
    }
    pool.committed(Height(5), &[transaction(1, 0, 0), transaction(1, 1, 0)]);
    assert!(!pool.contains(rival.id()), "its nonce was used by another");
    assert_eq!(pool.len(), 2);
    assert!(pool.batch(Height(7), 9, 1 << 20, |_| Some(Nonce(0))).is_empty(), "expired at 7");
    pool.committed(Height(6), &[]);
    assert_eq!(pool.len(), 1);
    pool.committed(Height(7), &[transaction(1, 2, 0)]);
    assert!(pool.is_empty());
    assert_eq!((pool.bytes(), pool.accounts.len()), (0, 0));
}

#[test]
fn a_pool_is_filled_with_bytes_and_takes_no_more() {
    let bytes = |count| (1..=count).map(|from| transaction(from, 0, 0).bytes().len()).sum();
    let limits = |bytes_max| Limits { transactions_max: 8, bytes_max, per_account_max: 4 };
    for (bytes_max, last) in [(bytes(3), Ok(())), (bytes(3) - 1, Err(Refused::Full))] {
        let mut pool = Mempool::new(limits(bytes_max));
        for from in 1..3 {
            pool.insert(transaction(from, 0, 0), Nonce(0)).unwrap();
        }
        assert_eq!(pool.insert(transaction(3, 0, 0), Nonce(0)), last);
        assert!(pool.bytes() <= bytes_max);
    }
}
