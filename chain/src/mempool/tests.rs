//! Order, fairness and bounds of the pool.

use super::*;
use crate::codec::Bytes;
use crate::crypto::SecretKey;
use crate::ids::{Amount, AssetId, ChainId};
use crate::instruction::Instruction;
use crate::transaction::TransactionBody;

const NOW: TimestampMs = TimestampMs(1_000);

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
    Mempool::new(Limits {
        transactions_max: 8,
        bytes_max: 1 << 20,
        per_account_max: 4,
        gapped_max: 3,
        age_max_ms: 100,
    })
}

fn nonces(batch: &[Transaction]) -> Vec<u64> {
    batch.iter().map(|t| t.body().nonce.0).collect()
}

#[test]
fn accounts_take_turns_and_nonces_keep_their_order() {
    let mut pool = small();
    for nonce in [2, 0, 1] {
        pool.insert(transaction(1, nonce, 0), Nonce(0), NOW).unwrap();
    }
    pool.insert(transaction(2, 0, 0), Nonce(0), NOW).unwrap();
    pool.insert(transaction(3, 1, 0), Nonce(0), NOW).unwrap();
    let batch = pool.batch(Height(1), 100, 1 << 20, |_| Some(Nonce(0)), |_| true);
    assert_eq!(nonces(&batch), [0, 0, 1, 2], "one of each account first; a gap waits");
    let first = pool.batch(Height(1), 1, 1 << 20, |_| Some(Nonce(0)), |_| true)[0].body().account;
    assert_eq!(first, batch[0].body().account, "it stands first in the line");
    assert!(pool.batch(Height(1), 100, 10, |_| Some(Nonce(0)), |_| true).is_empty(), "bytes are bounded");
    let includable = |nonce: u64, admitted: bool| {
        let found = pool.includable(Height(1), move |_| Some(Nonce(nonce)), move |_| admitted);
        found.map(Transaction::id).collect::<Vec<_>>()
    };
    assert_eq!(includable(0, true), [transaction(1, 0, 0).id(), transaction(2, 0, 0).id()]);
    assert_eq!(includable(2, true), [transaction(1, 2, 0).id()]);
    assert_eq!(includable(2, false), []);
    assert_eq!(includable(3, true), []);
    pool.committed(Height(1), &batch[..1]);
    let second = pool.batch(Height(2), 1, 1 << 20, |_| Some(Nonce(0)), |_| true)[0].body().account;
    assert_ne!(first, second, "and then last");
}

#[test]
fn r38_the_first_of_each_account_stands_in_line() {
    let mut pool = small();
    let oldest = |pool: &Mempool, next: [u64; 3]| {
        let next = move |id: AccountId| {
            (1..=3u8)
                .find(|from| transaction(*from, 0, 0).body().account == id)
                .map(|from| Nonce(next[usize::from(from) - 1]))
        };
        let found = pool.includable(Height(1), next, |_| true).map(Transaction::id);
        found.collect::<Vec<_>>()
    };
    for (from, nonce) in [(3, 1), (3, 0), (1, 0), (2, 0), (2, 1)] {
        pool.insert(transaction(from, nonce, 0), Nonce(0), NOW).unwrap();
    }
    let [one, two, three] = [1, 2, 3].map(|from| transaction(from, 0, 0).id());
    assert_eq!(oldest(&pool, [0; 3]), [three, one, two]);
    pool.committed(Height(1), &[transaction(3, 0, 0), transaction(2, 0, 0)]);
    let [second, third] = [2, 3].map(|from| transaction(from, 1, 0).id());
    assert_eq!(oldest(&pool, [0, 1, 1]), [one, third, second], "who was served is last");
    pool.excuse(one);
    pool.excuse(two);
    assert!(pool.is_excused(one) && !pool.is_excused(two), "that one is gone");
    pool.committed(Height(2), &[transaction(1, 0, 0)]);
    assert!(!pool.is_excused(one), "nothing is kept of what has left");
    assert_eq!(oldest(&pool, [1; 3]), [third, second]);
    assert_eq!(pool.line.len(), 2);
}

#[test]
fn what_does_not_fit_is_refused_with_its_reason() {
    let mut pool = small();
    pool.insert(transaction(1, 5, 0), Nonce(5), NOW).unwrap();
    assert_eq!(pool.insert(transaction(1, 5, 0), Nonce(5), NOW), Err(Refused::Duplicate));
    assert_eq!(pool.insert(transaction(1, 5, 7), Nonce(5), NOW), Err(Refused::NonceTaken(Nonce(5))));
    for nonce in [4, 9] {
        let refused = Refused::Nonce { expected: Nonce(5), found: Nonce(nonce), ahead_max: 4 };
        assert_eq!(pool.insert(transaction(1, nonce, 0), Nonce(5), NOW), Err(refused));
    }
    for from in 2..9 {
        pool.insert(transaction(from, 0, 0), Nonce(0), NOW).unwrap();
    }
    assert_eq!(pool.insert(transaction(9, 0, 0), Nonce(0), NOW), Err(Refused::Full));
    assert_eq!(pool.len(), 8);
}

#[test]
fn committed_and_expired_transactions_leave() {
    let mut pool = small();
    let rival = transaction(1, 1, 50);
    for t in [transaction(1, 0, 0), rival.clone(), transaction(1, 2, 0), transaction(2, 0, 6)] {
        pool.insert(t, Nonce(0), NOW).unwrap();
    }
    pool.committed(Height(5), &[transaction(1, 0, 0), transaction(1, 1, 0)]);
    assert!(!pool.contains(rival.id()), "its nonce was used by another");
    assert_eq!(pool.len(), 2);
    assert!(pool.batch(Height(7), 9, 1 << 20, |_| Some(Nonce(0)), |_| true).is_empty(), "expired at 7");
    pool.committed(Height(6), &[]);
    assert_eq!(pool.len(), 1);
    pool.committed(Height(7), &[transaction(1, 2, 0)]);
    assert!(pool.is_empty());
    assert_eq!((pool.bytes(), pool.accounts.len()), (0, 0));
}

#[test]
fn a_pool_is_filled_with_bytes_and_takes_no_more() {
    let bytes = |count| (1..=count).map(|from| transaction(from, 0, 0).bytes().len()).sum();
    let limits =
        |bytes_max| Limits { transactions_max: 8, bytes_max, per_account_max: 4, ..Limits::default() };
    for (bytes_max, last) in [(bytes(3), Ok(())), (bytes(3) - 1, Err(Refused::Full))] {
        let mut pool = Mempool::new(limits(bytes_max));
        for from in 1..3 {
            pool.insert(transaction(from, 0, 0), Nonce(0), NOW).unwrap();
        }
        assert_eq!(pool.insert(transaction(3, 0, 0), Nonce(0), NOW), last);
        assert!(pool.bytes() <= bytes_max);
    }
}

fn ids(pool: &Mempool) -> Vec<(u8, u64)> {
    let key = |from| SecretKey::from_seed(&[from; 32]).public().into();
    let name = |t: &Transaction| (1..9).find(|from| t.body().account == key(*from)).unwrap();
    pool.oldest().map(|(_, t)| (name(t), t.body().nonce.0)).collect()
}

#[test]
fn so_many_wait_for_one_that_is_missing_and_then_it_must_come_first() {
    let mut pool = small();
    for (from, nonce) in [(1, 1), (1, 2), (2, 3)] {
        pool.insert(transaction(from, nonce, 0), Nonce(0), NOW).unwrap();
    }
    assert_eq!((pool.gapped(), pool.len()), (3, 3));
    let refused = Refused::Gapped { missing: Nonce(0), found: Nonce(1) };
    assert_eq!(pool.insert(transaction(3, 1, 0), Nonce(0), NOW), Err(refused));
    assert!(pool.batch(Height(1), 9, 1 << 20, |_| Some(Nonce(0)), |_| true).is_empty());
    assert!(ids(&pool).is_empty());
    pool.insert(transaction(1, 0, 0), Nonce(0), NOW).unwrap();
    assert_eq!(pool.gapped(), 1, "those behind it have what they waited for");
    pool.insert(transaction(3, 1, 0), Nonce(0), NOW).unwrap();
    pool.insert(transaction(1, 3, 0), Nonce(0), NOW).unwrap();
    let refused = Refused::Gapped { missing: Nonce(0), found: Nonce(2) };
    pool.insert(transaction(4, 3, 0), Nonce(0), NOW).unwrap();
    assert_eq!(pool.insert(transaction(4, 2, 0), Nonce(0), NOW), Err(refused));
    // What another block settled counts as there.
    pool.committed(Height(1), &[transaction(4, 2, 0)]);
    assert_eq!(pool.gapped(), 2);
    assert_eq!(ids(&pool), [(1, 1), (1, 2), (1, 0), (1, 3), (4, 3)], "as they came");
}

#[test]
fn what_was_passed_on_is_passed_on_again_in_turn_until_it_has_left() {
    let mut pool = small();
    let all: Vec<_> = (1..5).map(|from| transaction(from, 0, 0)).collect();
    for one in &all {
        pool.insert(one.clone(), Nonce(0), NOW).unwrap();
        pool.sent(one.id(), NOW);
    }
    let at = |later| TimestampMs(NOW.0 + later);
    assert!(pool.send_again(at(9), 10, 9, 1 << 20).is_empty(), "it was a moment ago");
    assert_eq!(pool.send_again(at(10), 10, 3, 1 << 20), all[..3]);
    let both = all[3].bytes().len() + all[0].bytes().len() + 8;
    assert_eq!(pool.send_again(at(25), 10, 9, both - 1), all[3..], "no room for another");
    assert_eq!(pool.send_again(at(25), 10, 9, both), all[..2]);
    pool.committed(Height(1), &all[2..3]);
    assert!(pool.send_again(at(25), 10, 9, 1 << 20).is_empty());
    assert_eq!(pool.send_again(at(35), 10, 9, 1 << 20), [all[3].clone(), all[0].clone(), all[1].clone()]);
    // Those that have left are forgotten, whatever comes.
    for _ in 0..2 * LEFT_MAX {
        pool.sent(all[2].id(), NOW);
    }
    assert!(pool.sent.len() <= 2 * pool.len() + LEFT_MAX);
}

#[test]
fn what_waits_too_long_is_given_up() {
    let mut pool = small();
    for (from, at) in [(1, 0), (2, 0), (3, 60)] {
        pool.insert(transaction(from, 0, 0), Nonce(0), TimestampMs(NOW.0 + at)).unwrap();
    }
    pool.insert(transaction(1, 1, 0), Nonce(0), TimestampMs(NOW.0 + 70)).unwrap();
    pool.committed(Height(1), &[transaction(2, 0, 0)]);
    assert!(pool.expire(TimestampMs(NOW.0 + 99)).is_empty());
    assert_eq!(pool.expire(TimestampMs(NOW.0 + 100)), [transaction(1, 0, 0)]);
    assert_eq!((pool.len(), pool.gapped()), (2, 1), "what is behind it waits for another in its place");
    pool.insert(transaction(1, 0, 5), Nonce(0), NOW).unwrap();
    assert_eq!(ids(&pool), [(3, 0), (1, 1), (1, 0)]);
    assert_eq!(pool.expire(TimestampMs(u64::MAX)).len(), 3);
    assert_eq!((pool.len(), pool.bytes(), pool.gapped(), pool.accounts.len()), (0, 0, 0, 0));
}

#[test]
fn what_has_left_takes_no_memory() {
    let mut pool = small();
    for height in 1..=3 * LEFT_MAX as u64 {
        let next = transaction(1, height - 1, 0);
        pool.insert(next.clone(), Nonce(height - 1), NOW).unwrap();
        pool.committed(Height(height), &[next]);
        assert!(pool.arrivals.len() <= LEFT_MAX + 3);
    }
    assert!(pool.is_empty() && pool.accounts.is_empty());
}

mod model {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever comes and is committed: counts are those of what is there, and a batch has each account's next
        /// ones in order.
        #[test]
        fn counts_and_batches_are_right(steps in prop::collection::vec((1u8..4, 0u64..6, 0u8..3), 1..60)) {
            let mut pool = small();
            let mut next = [0u64; 4];
            for (from, nonce, what) in steps {
                let (at, one) = (usize::from(from), transaction(from, nonce, 0));
                if what == 0 && nonce == next[at] {
                    next[at] += 1;
                    pool.committed(Height(1), &[one]);
                } else {
                    let _ = pool.insert(one, Nonce(next[at]), NOW);
                }
                let all: Vec<_> = pool.ids.values().collect();
                let mut gapped = 0;
                for (account, nonce) in &all {
                    let from = (1..4).find(|i| transaction(*i, 0, 0).body().account == *account).unwrap();
                    let first = next[usize::from(from)];
                    prop_assert!(nonce.0 >= first);
                    gapped += usize::from((first..nonce.0).any(|n| !all.contains(&&(*account, Nonce(n)))));
                }
                prop_assert_eq!(pool.gapped(), gapped);
                prop_assert_eq!(pool.oldest().count(), all.len() - gapped);
                let nonces = |account| {
                    let from = (1..4).find(|i| transaction(*i, 0, 0).body().account == account).unwrap();
                    next[usize::from(from)]
                };
                let batch = pool.batch(Height(1), 9, 1 << 20, |account| Some(Nonce(nonces(account))), |_| true);
                prop_assert_eq!(batch.len(), pool.len() - gapped);
            }
        }
    }
}

/// What can't be admitted takes neither a place nor bytes from those behind it, and stands behind them once that is known.
#[test]
fn what_is_not_admitted_keeps_nobody_out() {
    let mut pool = small();
    for from in 1..=4 {
        pool.insert(transaction(from, 0, 0), Nonce(0), NOW).unwrap();
    }
    let good = transaction(4, 0, 0);
    let (id, bytes) = (good.id(), good.bytes().len());
    let admit = |one: &Transaction| one.id() == id;
    assert_eq!(pool.batch(Height(1), 1, bytes, |_| Some(Nonce(0)), admit)[..], [good]);
    let first = |pool: &Mempool| {
        pool.includable(Height(1), |_| Some(Nonce(0)), |_| true).next().map(|one| one.body().account)
    };
    let of = |from: u8| transaction(from, 0, 0).body().account;
    assert_eq!(first(&pool), Some(of(1)));
    pool.defer(&[of(1), of(2), of(3), of(9)]);
    assert_eq!(first(&pool), Some(of(4)));
    assert_eq!((pool.line.len(), pool.len()), (4, 4));
}

/// A block is filled by what could be in it, not by what waits for a nonce that is missing.
#[test]
fn what_waits_behind_a_gap_fills_no_block() {
    let mut pool = small();
    let bytes = transaction(1, 0, 0).bytes().len();
    let sum = |pool: &Mempool| {
        let queues = pool.accounts.values();
        let gapped = |queue: &Queue| {
            let all =
                (0..9).map(Nonce).filter(|nonce| *nonce >= queue.end()).filter_map(|nonce| queue.get(nonce));
            all.map(|one| one.bytes().len()).sum::<usize>()
        };
        queues.map(gapped).sum::<usize>()
    };
    for nonce in [1, 3, 2] {
        pool.insert(transaction(1, nonce, 0), Nonce(0), NOW).unwrap();
        assert!(!pool.fills(1, 1) && pool.gapped_bytes == sum(&pool));
    }
    pool.insert(transaction(1, 0, 0), Nonce(0), NOW).unwrap();
    assert!(pool.fills(4, usize::MAX) && pool.fills(9, 4 * bytes) && !pool.fills(5, 4 * bytes + 1));
    assert!(pool.remove(transaction(1, 1, 0).id()).is_some());
    assert_eq!((pool.gapped, pool.gapped_bytes), (2, sum(&pool)));
    pool.committed(Height(1), &[transaction(1, 2, 0)]);
    assert_eq!((pool.len(), pool.gapped, pool.gapped_bytes), (1, 0, 0));
    pool.insert(transaction(2, 2, 5), Nonce(0), NOW).unwrap();
    pool.committed(Height(5), &[]);
    assert_eq!((pool.gapped_bytes, pool.bytes()), (0, bytes), "expired behind its gap");
}
