//! 10. Stuffing (R6), on the real ledger.
//!
//! Z is primary. Block 5 holds a client's transaction; Z puts it into block 9 again. Were that block valid, the
//! index would say that the transaction is in block 9, and its receipt there would be the one that counts; in
//! this ledger, whose execution leaves nonces to R6, the client would even have paid twice.

use quorate_chain::{Amount, Height, Transaction};
use quorate_consensus::SealedBlock;
use quorate_tests::schedule::{PAYEE, Setup, Slip, Stage, all};

const Z: usize = 0;
const A: usize = 1;
const B: usize = 2;
const D: usize = 3;

/// Nonce of the transaction of block 5.
const NONCE: u64 = 4;

fn propose(stage: &mut Stage, parent: Option<&SealedBlock>, transaction: Transaction) -> SealedBlock {
    let block = stage.make_block(Z, parent, 0, vec![transaction]);
    let proposal = stage.forge_proposal(Z, 0, &block);
    stage.tell(&[A, B, D], Z, &proposal);
    stage.run(&all());
    block
}

fn schedule(slips: &[Slip]) -> Stage {
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).with_ledger().slips(slips));
    let mut parent = None;
    for height in 1..=8 {
        let transaction = stage.fresh_transaction();
        parent = Some(propose(&mut stage, parent.as_ref(), transaction));
        assert!(stage.all_at(height));
    }
    let old = stage.transaction(NONCE);
    propose(&mut stage, parent.as_ref(), old);
    stage
}

/// Where the index says that the transaction is, and how much was paid in all.
fn recorded(stage: &Stage, seat: usize) -> (Height, Amount) {
    let reader = stage.reader(seat).expect("a ledger");
    let transaction = stage.transaction(NONCE);
    let record = reader.transaction(transaction.id()).expect("readable").expect("committed");
    let payee = reader.account(PAYEE).expect("readable").expect("paid");
    (record.height, payee.balances.iter().map(|(_, held)| held.amount).next().expect("paid"))
}

#[test]
fn r6_a_block_with_an_old_transaction_is_invalid() {
    let mut stage = schedule(&[]);
    assert!(!stage.is_certified(9), "nobody prepares it");
    assert_eq!([A, B, D].map(|seat| recorded(&stage, seat)), [(Height(5), Amount(8)); 3]);
    assert_eq!(stage.heal(20), Ok(()), "the next primary does better");
    assert_eq!([A, B, D].map(|seat| recorded(&stage, seat)), [(Height(5), Amount(9)); 3]);
    assert_eq!(stage.violations(), []);
}

#[test]
fn r6_the_client_pays_twice_if_every_block_is_valid() {
    let stage = schedule(&[Slip::AllValid]);
    assert!(stage.all_at(9));
    assert_eq!(recorded(&stage, A), (Height(9), Amount(9)), "eight transactions, nine payments");
}
