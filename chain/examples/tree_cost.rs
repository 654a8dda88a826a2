//! Prints what the partition tree costs: µs per updated key, a full build, and the size of proofs.
//!
//! `cargo run --release -p quorate-chain --example tree_cost`

use quorate_chain::codec::encode;
use quorate_chain::state::tree::{Error, KeyHash, LeafSource, Pair, Prefix, Tree, ValueHash};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Keys changed by a block of 2,000 transfers.
const UPDATES: u64 = 4_000;
const ROUNDS: u64 = 20;

/// All pairs in ascending order.
struct Sorted(Vec<Pair>);

impl LeafSource for Sorted {
    fn leaf(&self, prefix: &Prefix) -> Result<Vec<Pair>, Error> {
        let (first, last) = prefix.range();
        let from = self.0.partition_point(|pair| pair.0 < first);
        Ok(self.0[from..].iter().take_while(|pair| pair.0 <= last).copied().collect())
    }
}

fn pair(i: u64) -> Pair {
    (KeyHash::of(&i.to_le_bytes()), ValueHash([7; 32]))
}

/// A block's changes: keys spread over all, new values.
fn block(round: u64, keys: u64) -> BTreeMap<KeyHash, Option<ValueHash>> {
    let value = Some(ValueHash([round as u8; 32]));
    (0..UPDATES).map(|i| (pair((round * UPDATES + i).wrapping_mul(7_919) % keys).0, value)).collect()
}

fn per_key(total: Duration) -> f64 {
    total.as_secs_f64() * 1e6 / (ROUNDS * UPDATES) as f64
}

fn main() -> Result<(), Error> {
    println!("keys      build ms  stored µs/key  loaded µs/key  evict µs/key  prove µs  proof bytes");
    for keys in [200_000, 1_000_000] {
        let mut sorted: Vec<Pair> = (0..keys).map(pair).collect();
        sorted.sort_unstable();
        let store = Sorted(sorted);
        let start = Instant::now();
        let base = Tree::build(store.0.iter().copied())?;
        let build = start.elapsed();

        let (mut stored, mut loaded, mut evicted) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        let all = (0..keys).map(|i| (pair(i).0, Some(ValueHash([0; 32])))).collect();
        let mut warm = base.update(&store, &all)?;
        for round in 1..=ROUNDS {
            let changes = block(round, keys);
            let start = Instant::now();
            let next = base.update(&store, &changes)?;
            stored += start.elapsed();
            let start = Instant::now();
            let given_back = next.evict(&next, changes.keys().copied());
            evicted += start.elapsed();
            assert_eq!(given_back.root(), next.root());
            let start = Instant::now();
            warm = warm.update(&store, &changes)?;
            loaded += start.elapsed();
        }
        let start = Instant::now();
        let mut bytes = 0;
        for i in 0..UPDATES {
            bytes += encode(&base.prove(&store, &pair(i).0)?).len() as u64;
        }
        println!(
            "{keys:<9} {:<9.1} {:<14.2} {:<14.2} {:<13.2} {:<9.2} {}",
            build.as_secs_f64() * 1e3,
            per_key(stored),
            per_key(loaded),
            per_key(evicted),
            start.elapsed().as_secs_f64() * 1e6 / UPDATES as f64,
            bytes / UPDATES,
        );
    }
    Ok(())
}
