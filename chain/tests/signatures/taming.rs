//! The twelve vectors by every single verification.

use crate::Case;
use quorate_chain::crypto::{KeyError, check_registrable, strict, verify_batch, verify_zip215};
use quorate_chain::{PublicKey, Signature};
use serde_json::Value;

/// One vector with the verdicts of the paper's table.
struct Vector {
    case: Case,
    strict: bool,
    registrable: Result<(), KeyError>,
}

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

fn vectors() -> Vec<Vector> {
    let file: Value = serde_json::from_str(include_str!("taming.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 12);
    let vector = |value: &Value| Vector {
        case: Case {
            name: format!("taming {}: {}", value["number"], value["what"]),
            key: PublicKey(bytes(&value["key"])),
            message: bytes::<32>(&value["message"]).to_vec(),
            signature: Signature(bytes(&value["signature"])),
            valid: value["zip215"].as_bool().unwrap(),
        },
        strict: value["strict"].as_bool().unwrap(),
        registrable: match value["registrable"].as_str().unwrap() {
            "sound" => Ok(()),
            "weak" => Err(KeyError::Weak),
            "not canonical" => Err(KeyError::NotCanonical),
            other => panic!("{other}"),
        },
    };
    vectors.iter().map(vector).collect()
}

pub(crate) fn cases() -> Vec<Case> {
    vectors().into_iter().map(|vector| vector.case).collect()
}

#[test]
fn each_path_gives_the_verdict_of_the_table() {
    for Vector { case, strict: expected, registrable } in vectors() {
        assert_eq!(verify_zip215(case.signed()), case.valid, "{}", case.name);
        for copies in [1, 2, 4, 33] {
            assert_eq!(verify_batch(&vec![case.signed(); copies]), vec![case.valid; copies], "{}", case.name);
        }
        assert_eq!(strict(case.key, &case.message, &case.signature), expected, "{}", case.name);
        assert_eq!(check_registrable(case.key), registrable, "{}", case.name);
    }
}

/// The column of the table is dalek's own verdict.
#[test]
fn strict_is_what_dalek_calls_strict() {
    for Vector { case, strict: expected, .. } in vectors() {
        let signature = ed25519_dalek::Signature::from_bytes(&case.signature.0);
        let key = ed25519_dalek::VerifyingKey::from_bytes(&case.key.0);
        let verdict = key.is_ok_and(|key| key.verify_strict(&case.message, &signature).is_ok());
        assert_eq!(verdict, expected, "{}", case.name);
    }
}
