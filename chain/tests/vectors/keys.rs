//! Domain tags, keys, signatures.

use crate::{CHAIN, file, key};
use quorate_chain::crypto::{Domain, SignedMessage, check_registrable, signed_bytes, strict, verify_zip215};
use quorate_chain::{PublicKey, Signature};
use serde_json::{Value, json};

/// The order of the group of signatures' scalars, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The neutral point: of small order, so that anyone can sign for it.
fn neutral() -> PublicKey {
    let mut point = [0; 32];
    point[0] = 1;
    PublicKey(point)
}

fn verdicts(name: &str, public: PublicKey, message: &[u8], signature: Signature) -> Value {
    json!({
        "name": name,
        "key": public,
        "message": hex::encode(message),
        "signature": signature,
        "strict": strict(public, message, &signature),
        "zip215": verify_zip215(SignedMessage { key: public, message, signature }),
    })
}

fn signatures() -> Vec<Value> {
    let message = signed_bytes(Domain::Prepare, CHAIN, &7u64);
    let public = key(1).public();
    let good = key(1).sign(Domain::Prepare, CHAIN, &7u64);
    let flipped = |byte: usize| {
        let mut signature = good;
        signature.0[byte] ^= 1;
        signature
    };
    let mut above = good;
    let mut carry = 0;
    for (byte, more) in above.0[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    let mut for_anyone = Signature([0; 64]);
    for_anyone.0[0] = 1;
    let other = signed_bytes(Domain::Commit, CHAIN, &7u64);
    vec![
        verdicts("as signed", public, &message, good),
        verdicts("another key", key(2).public(), &message, good),
        verdicts("another domain", public, &other, good),
        verdicts("a bit of R flipped", public, &message, flipped(3)),
        verdicts("a bit of S flipped", public, &message, flipped(40)),
        verdicts("S above the order of the group", public, &message, above),
        verdicts("a key of small order", neutral(), &message, for_anyone),
        verdicts("no point of the curve", PublicKey([2; 32]), &message, good),
    ]
}

fn registrable(name: &str, public: PublicKey) -> Value {
    json!({ "name": name, "key": public, "registrable": check_registrable(public).is_ok() })
}

#[test]
fn keys() {
    let tags: Vec<_> = Domain::ALL
        .iter()
        .map(|domain| json!({ "domain": format!("{domain:?}"), "tag": hex::encode(domain.tag()) }))
        .collect();
    let seeds: Vec<_> = [1, 2, 3, 0xff]
        .map(|seed| json!({ "seed": hex::encode([seed; 32]), "key": key(seed).public() }))
        .to_vec();
    let mut above = [0xff; 32];
    above[0] = 0xee;
    above[31] = 0x7f;
    let keys = [
        registrable("a key", key(1).public()),
        registrable("of small order", neutral()),
        registrable("not canonical", PublicKey(above)),
        registrable("no point of the curve", PublicKey([2; 32])),
    ];
    let made = json!({ "domains": tags, "seeds": seeds, "keys": keys, "signatures": signatures() });
    file::check("keys", &made);
}
