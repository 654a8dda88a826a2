//! What the executor has for others.

use super::super::fixture::{Chain, transactions};
use super::super::wire::{BATCH_BYTES_MAX, Batch};
use super::*;
use quorate_chain::codec::encode;

/// One that nobody listens to.
fn executor(ledger: Ledger) -> Executor {
    let (committed, progress) = (watch::channel(Height::ZERO).0, watch::channel(Progress::default()).0);
    let inserted = std::sync::mpsc::sync_channel(INSERTS_WAITING_MAX).1;
    Executor::new(ledger, None, mpsc::unbounded_channel().0, committed, progress, inserted)
}

/// With so long transactions fifteen fill a batch to the last byte.
#[test]
fn what_others_are_told_of_fits_into_a_batch() {
    let each = BATCH_BYTES_MAX / 15 - 4;
    for (longer, told) in [(0, 15), (1, 14)] {
        let mut executor = executor(Chain::open().ledger);
        let mut all = transactions(0..1, each + longer);
        all.extend(transactions(1..16, each));
        for transaction in &all {
            assert!(executor.insert_one(transaction.clone()).is_ok());
        }
        let oldest = executor.oldest(None, Duration::ZERO);
        assert_eq!(oldest, all[..told], "in their order");
        let batch = encode(&Batch::new(oldest).unwrap());
        assert!(batch.len() <= quorate_p2p::GOSSIP_BATCH_BYTES_MAX);
    }
}

#[test]
fn what_clients_brought_is_sent_again_and_what_others_sent_is_not() {
    let mut executor = executor(Chain::open().ledger);
    let all = transactions(0..40, BATCH_BYTES_MAX / 15 - 4);
    let client = |at: u64| at.is_multiple_of(2).then(|| oneshot::channel().0);
    let insertion = |(at, transaction): (u64, &Transaction)| Insertion {
        transaction: transaction.clone(),
        client: client(at),
    };
    executor.insert((0..).zip(&all).map(insertion).collect());
    let sent = executor.sent_before(Duration::ZERO, 2);
    let own: Vec<_> = all.into_iter().step_by(2).collect();
    assert_eq!(sent, [own[..15].to_vec(), own[15..].iter().chain(&own[..10]).cloned().collect()]);
    assert!(executor.sent_before(Duration::from_secs(3_600), 2).is_empty());
}
