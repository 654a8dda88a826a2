//! Keys that somebody ground into one subtree against keys by chance: updates and proofs. The tree alone, its
//! pairs in memory, as nobody makes 10,000 accounts whose hashes share 24 bits for a bench.

use crate::meter::{Span, timed};
use crate::table::{Budget, Table, median};
use crate::{Options, WARM_UP};
use quorate_chain::codec::encode;
use quorate_chain::state::tree::{Error, KeyHash, LeafSource, Pair, Prefix, Tree, ValueHash};
use std::collections::BTreeMap;

pub(crate) const ROWS: [&str; 7] = [
    "tree, a key by chance",
    "tree, a ground key",
    "tree, a ground key alone",
    "ground against chance, update",
    "ground against chance, update of one key",
    "ground against chance, proof size",
    "proof of a ground key",
];

const GROUND: usize = 10_000;
const CHANGED: usize = 4_000;
/// Updates of a single key in a round.
const LONE: usize = 400;

/// All pairs in ascending order, and where those with the same first two bytes begin: searching costs next to
/// nothing, so that the tree is what is measured.
struct Sorted {
    pairs: Vec<Pair>,
    starts: Vec<usize>,
}

impl Sorted {
    fn new(mut pairs: Vec<Pair>) -> Self {
        pairs.sort_unstable();
        let begin = |bytes: usize| pairs.partition_point(|pair| first_two(&pair.0) < bytes);
        let starts = (0..=0x1_0000).map(begin).collect();
        Self { pairs, starts }
    }
}

fn first_two(key: &KeyHash) -> usize {
    usize::from(u16::from_be_bytes([key.0[0], key.0[1]]))
}

impl LeafSource for Sorted {
    fn leaf(&self, prefix: &Prefix) -> Result<Vec<Pair>, Error> {
        let (first, last) = prefix.range();
        let near = &self.pairs[self.starts[first_two(&first)]..self.starts[first_two(&last) + 1]];
        let from = near.partition_point(|pair| pair.0 < first);
        Ok(near[from..].iter().take_while(|pair| pair.0 <= last).copied().collect())
    }
}

fn key(i: usize) -> KeyHash {
    KeyHash::of(&i.to_le_bytes())
}

fn ground_key(i: usize) -> KeyHash {
    let mut key = KeyHash::of(&(i + 1_000_000_000).to_le_bytes());
    key.0[..3].fill(0x5a);
    key
}

/// A new value for `count` of these keys, others each round.
fn changes(keys: &[KeyHash], round: usize, count: usize) -> BTreeMap<KeyHash, Option<ValueHash>> {
    let value = Some(ValueHash([u8::try_from(round % 250).unwrap(); 32]));
    (0..count).map(|i| (keys[(round * count + i).wrapping_mul(7_919) % keys.len()], value)).collect()
}

struct Measured {
    block: Vec<Span>,
    alone: Vec<Span>,
    bytes: f64,
}

fn measure(options: &Options, base: &Tree, store: &Sorted, keys: &[KeyHash]) -> Measured {
    let (mut block, mut alone) = (Vec::new(), Vec::new());
    for round in 0..WARM_UP + options.blocks {
        let many = changes(keys, round, CHANGED);
        let (_, span) = timed(|| base.update(store, &many).unwrap());
        let single: Vec<_> = (0..LONE).map(|i| changes(keys, round * LONE + i, 1)).collect();
        let ((), lone) = timed(|| {
            for one in &single {
                base.update(store, one).unwrap();
            }
        });
        if round >= WARM_UP {
            block.push(span.per(many.len()));
            alone.push(lone.per(LONE));
        }
    }
    let proofs = keys.iter().step_by(keys.len() / 1_000).map(|key| base.prove(store, key).unwrap());
    let sizes: Vec<_> = proofs.map(|proof| encode(&proof).len() as f64).collect();
    Measured { block, alone, bytes: sizes.iter().sum::<f64>() / sizes.len() as f64 }
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    let chance: Vec<_> = (0..2 * options.accounts).map(key).collect();
    let ground: Vec<_> = (0..GROUND).map(ground_key).collect();
    let store = Sorted::new(chance.iter().chain(&ground).map(|key| (*key, ValueHash([255; 32]))).collect());
    let base = Tree::build(store.pairs.iter().copied()).unwrap();
    let by_chance = measure(options, &base, &store, &chance);
    let by_grinding = measure(options, &base, &store, &ground);
    let ratio = |one: fn(&Measured) -> &Vec<Span>| {
        let cpu = |measured| median(&one(measured).iter().map(|span| span.cpu_us).collect::<Vec<_>>());
        vec![cpu(&by_grinding) / cpu(&by_chance)]
    };
    table.times(ROWS[0], &by_chance.block, Budget::Cpu(2.0));
    table.times(ROWS[1], &by_grinding.block, Budget::None);
    table.times("tree, a key by chance alone", &by_chance.alone, Budget::None);
    table.times(ROWS[2], &by_grinding.alone, Budget::None);
    table.values(ROWS[3], "×", ratio(|measured| &measured.block), Budget::Value(2.0));
    table.values(ROWS[4], "×", ratio(|measured| &measured.alone), Budget::Value(2.0));
    table.values(ROWS[5], "×", vec![by_grinding.bytes / by_chance.bytes], Budget::Value(2.0));
    table.values(ROWS[6], "bytes", vec![by_grinding.bytes], Budget::Value(4096.0));
}
