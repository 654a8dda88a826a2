//! The fuzz targets as plain tests: on their committed corpora, each with a fixed number of mutations.
//!
//! ```text
//! cargo test -p quorate-tests --test fuzz                                  what every run of the tests does
//! QUORATE_WRITE_CORPUS=1 cargo test --release -p quorate-tests --test fuzz write   makes the corpora anew
//! QUORATE_FUZZ=replica_step QUORATE_FUZZ_RUNS=1000000 \
//!     cargo test --release -p quorate-tests --test fuzz campaign -- --ignored --nocapture
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test program")]

use quorate_tests::fuzz::{self, CORPUS_BYTES_MAX, CORPUS_FILES_MAX, Novelty, Reach, TARGETS};
use quorate_tests::sim::Random;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Longest input that mutation makes, bytes.
const INPUT_BYTES_MAX: usize = 8 * 1024;

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// The committed inputs of a target, in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = folder(target);
    let listed = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Numbers that lie at the edge of something.
const EDGES: [u64; 8] = [0, 1, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX];

/// One input from another: a few bytes changed, cut, doubled, or taken from a third.
fn mutate(input: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        let length = random.below(16) as usize;
        let end = (at + length).min(bytes.len());
        match random.below(8) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let doubled = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, doubled));
            }
            2 => {
                let new: Vec<_> = (0..length).map(|_| random.next() as u8).collect();
                drop(bytes.splice(at..end, new));
            }
            3 => {
                let from = random.below(other.len() as u64 + 1) as usize;
                drop(bytes.splice(at.., other[from..].to_vec()));
            }
            4 => {
                let edge = EDGES[random.below(EDGES.len() as u64) as usize].to_le_bytes();
                let length = (1 << random.below(4)).min(bytes.len() - at);
                bytes[at..at + length].copy_from_slice(&edge[..length]);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= if random.chance(50) { 1 << random.below(8) } else { random.next() as u8 };
                }
            }
        }
    }
    bytes.truncate(INPUT_BYTES_MAX);
    bytes
}

/// Runs a target; on a panic says by which bytes.
fn run(name: &str, target: fn(&[u8]), input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        panic!("{name} fails on {} bytes: {input:?}", input.len());
    }
}

/// Every input of the corpus, and `mutations` of each.
fn check(names: &[&str], mutations: u64) {
    for (name, target) in TARGETS.iter().filter(|(name, _)| names.contains(name)) {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "{name} has no corpus");
        let mut random = Random::new(name.len() as u64);
        for (place, input) in inputs.iter().enumerate() {
            run(name, *target, input);
            for _ in 0..mutations {
                let other = &inputs[random.below(inputs.len() as u64) as usize];
                run(name, *target, &mutate(input, other, &mut random));
            }
            assert!(input.len() <= CORPUS_BYTES_MAX && place < CORPUS_FILES_MAX, "{name} is not small");
        }
    }
}

#[test]
fn decoders() {
    check(&["chain_value", "evidence", "message", "record", "transaction"], 60);
    check(&["hostile_lengths"], 0);
}

#[test]
fn proofs() {
    check(&["certificates", "list_proof", "state_proof"], 60);
}

#[test]
fn instructions() {
    check(&["instructions"], 40);
}

#[test]
fn files() {
    check(&["archive"], 4);
    check(&["journal", "ledger"], 20);
    check(&["genesis_document", "member_files"], 60);
}

#[test]
fn replicas() {
    check(&["replica_step"], 40);
}

#[test]
fn replicas_with_real_signatures() {
    check(&["replica_verified"], 4);
}

#[test]
fn replicas_heal() {
    check(&["replica_heals"], 20);
}

#[test]
fn replicas_are_deterministic() {
    check(&["replica_twice"], 20);
}

#[test]
fn every_target_has_a_wrapper_and_a_corpus() {
    let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let listed = |folder: &str| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(listed("corpus"), names);
    assert_eq!(listed("fuzz_targets"), names);
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/Cargo.toml")).unwrap();
    for name in names {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is no binary");
    }
}

/// The scripts lead where faults are: views of the fourth, epochs, restarts, double signatures.
#[test]
fn the_corpus_reaches_what_matters() {
    let reached = corpus("replica_step").iter().map(|input| fuzz::replica_reach(input)).fold(
        Reach::default(),
        |most, run| Reach {
            height: most.height.max(run.height),
            view: most.view.max(run.view),
            epoch: most.epoch.max(run.epoch),
            evidence: most.evidence.max(run.evidence),
            restarts: most.restarts.max(run.restarts),
            byzantine_views: most.byzantine_views.max(run.byzantine_views),
        },
    );
    println!("{reached:?}");
    assert!(reached.height >= 5 && reached.view >= 3 && reached.epoch >= 1, "{reached:?}");
    assert!(reached.evidence >= 1 && reached.restarts >= 2 && reached.byzantine_views >= 1, "{reached:?}");
}

/// Writes the first corpora if asked for; what is there otherwise is left alone.
#[test]
fn write_corpus() {
    if std::env::var_os("QUORATE_WRITE_CORPUS").is_none() {
        return;
    }
    for (name, target) in TARGETS {
        let folder = folder(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (place, seed) in fuzz::seeds(name).iter().enumerate() {
            assert!(seed.len() <= CORPUS_BYTES_MAX, "{name} {place} has {} bytes", seed.len());
            run(name, target, seed);
            std::fs::write(folder.join(format!("seed-{place:02}")), seed).unwrap();
        }
    }
}

/// A long search: `QUORATE_FUZZ` names the target, `QUORATE_FUZZ_RUNS` says how many executions, and
/// `QUORATE_FUZZ_SEED` where to begin. Scripts of replicas that did something new are mutated further.
#[test]
#[ignore = "takes minutes; see the top of this file"]
fn campaign() {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let name = std::env::var("QUORATE_FUZZ").unwrap_or_else(|_| "replica_step".to_owned());
    let (runs, seed) = (number("QUORATE_FUZZ_RUNS", 1_000_000), number("QUORATE_FUZZ_SEED", 1));
    let target = TARGETS.iter().find(|(other, _)| *other == name).expect("a target").1;
    let (mut pool, mut random, mut seen) = (corpus(&name), Random::new(seed), Novelty::default());
    let (begun, mut told) = (Instant::now(), Duration::ZERO);
    for number in 1..=runs {
        // What was found last is tried more often.
        let back = random.below(1 + random.clone().below(pool.len() as u64)) as usize;
        let other = &pool[random.below(pool.len() as u64) as usize];
        let input = mutate(&pool[pool.len() - 1 - back], other, &mut random);
        let mut is_new = false;
        let outcome = catch_unwind(AssertUnwindSafe(|| match name.as_str() {
            "replica_step" => is_new = fuzz::replica_is_new(&input, &mut seen),
            _ => target(&input),
        }));
        assert!(outcome.is_ok(), "{name} fails in execution {number}: {input:?}");
        if is_new {
            pool.push(input);
        }
        if begun.elapsed() >= told + Duration::from_secs(30) || number == runs {
            told = begun.elapsed();
            println!("{number} executions, {} kinds of steps, {} inputs, {told:?}", seen.len(), pool.len());
        }
    }
}
