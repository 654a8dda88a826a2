//! Decoding and signatures: what needs no state.

use crate::meter::timed;
use crate::setup::{CHAIN, signed};
use crate::table::{Budget, Table};
use crate::{Options, WARM_UP};
use quorate_chain::Transaction;
use quorate_chain::crypto::{SignedMessage, verify_batch};

pub(crate) const ROWS: [&str; 3] =
    ["decode and hash", "signatures, a block at once", "signatures, 256 at once"];

/// Transactions that ingest verifies together.
const INGEST_BATCH: usize = 256;

fn verify(transactions: &[Transaction], at_once: usize) {
    for some in transactions.chunks(at_once) {
        let messages: Vec<_> = some.iter().map(|transaction| transaction.signed_bytes(CHAIN)).collect();
        let signed: Vec<SignedMessage<'_>> = some
            .iter()
            .zip(&messages)
            .flat_map(|(transaction, message)| transaction.signed_messages(message))
            .collect();
        assert!(verify_batch(&signed).into_iter().all(|ok| ok));
    }
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    let count = options.transfers;
    let bytes: Vec<_> = signed(count).iter().map(|transaction| transaction.bytes().to_vec()).collect();
    let (mut decoding, mut block, mut ingest) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..WARM_UP + options.blocks {
        let (transactions, decoded) =
            timed(|| bytes.iter().map(|bytes| Transaction::from_bytes(bytes).unwrap()).collect::<Vec<_>>());
        let ((), at_once) = timed(|| verify(&transactions, count));
        let ((), in_parts) = timed(|| verify(&transactions, INGEST_BATCH));
        if round >= WARM_UP {
            decoding.push(decoded.per(count));
            block.push(at_once.per(count));
            ingest.push(in_parts.per(count));
        }
    }
    table.times(ROWS[0], &decoding, Budget::Cpu(2.0));
    table.times(ROWS[1], &block, Budget::Cpu(16.0));
    table.times(ROWS[2], &ingest, Budget::Cpu(16.0));
}
