//! Proofs of accounts at the tip, as a client gets them.

use crate::Options;
use crate::meter::timed;
use crate::setup::{Numbers, id};
use crate::table::{Budget, Table};
use quorate_chain::codec::encode;
use quorate_chain::ledger::Reader;
use quorate_chain::state::{StateKey, value_hash};

pub(crate) const ROWS: [&str; 4] = ["proof", "proof, slowest", "proof, mean size", "proof, largest"];

const ROUNDS: usize = 9;
const PROOFS: usize = 500;

pub(crate) fn run(options: &Options, table: &mut Table, reader: &Reader) {
    let mut numbers = Numbers(99);
    let (mut spans, mut slowest, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // One in ten is of an account that is not there.
        let keys: Vec<_> = (0..PROOFS)
            .map(|i| match i % 10 {
                0 => StateKey::Account(id(usize::MAX - i)),
                _ => StateKey::Account(id(numbers.below(options.accounts))),
            })
            .collect();
        let mut worst = 0.0_f64;
        let (proofs, span) = timed(|| {
            let prove = |key| {
                let begun = std::time::Instant::now();
                let proof = reader.prove(key).unwrap();
                worst = worst.max(begun.elapsed().as_secs_f64() * 1e6);
                proof
            };
            keys.iter().map(prove).collect::<Vec<_>>()
        });
        spans.push(span.per(PROOFS));
        slowest.push(worst);
        for (key, found) in keys.iter().zip(&proofs) {
            let expected = found.value.as_ref().map(|value| value_hash(key, value));
            let root = &found.tip.result.state_root.0;
            assert_eq!(found.proof.verify(root, &key.hash()).unwrap(), expected);
            sizes.push(encode(&found.proof).len() as f64);
        }
    }
    let largest = sizes.iter().copied().fold(0.0, f64::max);
    let mean = sizes.iter().sum::<f64>() / sizes.len() as f64;
    table.times(ROWS[0], &spans, Budget::Cpu(200.0));
    table.values(ROWS[1], "µs", slowest, Budget::None);
    table.values(ROWS[2], "bytes", vec![mean], Budget::None);
    table.values(ROWS[3], "bytes", vec![largest], Budget::Value(4096.0));
}
