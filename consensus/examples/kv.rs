//! A replicated key-value service on four machines, of which one may fail: here the primary, half way.
//!
//! `cargo run -p quorate-consensus --example kv -- [SEED]`

mod support;

use borsh::{BorshDeserialize, BorshSerialize};
use quorate_chain::ChainId;
use quorate_chain::codec::{decode, encode};
use quorate_chain::validator::fixture::validator_set;
use quorate_consensus::service::{Service, Settings};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, BorshSerialize, BorshDeserialize)]
enum Operation {
    Put(String, String),
    Get(String),
    Delete(String),
}

/// Every operation replies with the value that the key had before.
#[derive(Clone, Default)]
struct KeyValue(BTreeMap<String, String>);

impl Service for KeyValue {
    fn validate(&self, operation: &[u8]) -> bool {
        decode::<Operation>(operation).is_ok()
    }

    fn execute(&mut self, operation: &[u8]) -> Vec<u8> {
        let before = match decode(operation) {
            Ok(Operation::Put(key, value)) => self.0.insert(key, value),
            Ok(Operation::Get(key)) => self.0.get(&key).cloned(),
            Ok(Operation::Delete(key)) => self.0.remove(&key),
            Err(_) => None,
        };
        encode(&before)
    }

    fn digest(&self) -> [u8; 32] {
        *blake3::hash(&encode(&self.0)).as_bytes()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seed = std::env::args().nth(1).map_or(Ok(7), |seed| seed.parse())?;
    let settings = Settings::new(ChainId(*blake3::hash(b"kv example").as_bytes()), validator_set(4));
    let mut network = support::Network::start(&settings, &KeyValue::default(), seed)?;
    let primary = network.primary().ok_or("no hosts")?;
    let client_of = settings.set.indices().find(|seat| *seat != primary).ok_or("only one host")?;
    for round in 0..12 {
        if round == 6 {
            println!("{:>6} ms  the primary dies", network.now_ms());
            network.kill(primary);
        }
        let key = format!("key {}", round / 3);
        let operation = match round % 3 {
            0 => Operation::Put(key, format!("value {round}")),
            1 => Operation::Get(key),
            _ => Operation::Delete(key),
        };
        let reply = network.execute(client_of, &encode(&operation))?.ok_or("no reply")?;
        let certificate = &reply.proof.block.commit;
        certificate.verify(&settings.set, settings.chain)?;
        reply.verify(&settings.set, settings.chain)?;
        let (height, view, signers) = (certificate.height, certificate.view, certificate.signatures.len());
        let before: Option<String> = decode(&reply.bytes)?;
        let proof = format!("height {height}, view {view}, certified by {signers}");
        println!("{:>6} ms  {operation:?} -> {before:?}  ({proof})", network.now_ms());
    }
    network.restart(primary, &KeyValue::default())?;
    let heights = |network: &support::Network<KeyValue>| -> BTreeSet<_> {
        network.hosts().map(|(_, host)| host.tip().height).collect()
    };
    network.run_until(|network| heights(network).len() == 1)?;
    let digests: BTreeSet<_> = network.hosts().map(|(_, host)| host.service().digest()).collect();
    println!("{:>6} ms  the dead one is back; {} digest of all four", network.now_ms(), digests.len());
    if digests.len() == 1 { Ok(()) } else { Err("the hosts do not agree".into()) }
}
