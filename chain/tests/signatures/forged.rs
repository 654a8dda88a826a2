//! Signatures made with points of small order, for any message.
//!
//! With a small-order key A and R, S = 0 holds with the cofactor: 8R + 8kA is the identity. There are 8 such
//! points and 6 more encodings of them, so 196 pairs (ZIP-215). A key with a part of small order, a·B + T, is
//! signed for by whoever knows a; the cofactor takes T away, without it the equation fails.

use crate::Case;
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use quorate_chain::crypto::{KeyError, check_registrable, strict, verify_batch, verify_zip215};
use quorate_chain::{PublicKey, Signature};
use sha2::{Digest, Sha512};
use std::collections::BTreeSet;

/// Every encoding of a point of small order: y or, where it fits into 255 bits, y + p, with either sign.
pub(crate) fn small_order() -> Vec<[u8; 32]> {
    // p + y for y = 0..=18 is 0xed + y, thirty 0xff, 0x7f.
    let above_p = |y: u8| {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xed + y;
        bytes[31] = 0x7f;
        bytes
    };
    let canonical = EIGHT_TORSION.iter().map(|point| point.compress().to_bytes());
    let candidates = canonical.chain((0..19).map(above_p)).flat_map(|bytes| {
        let mut other_sign = bytes;
        other_sign[31] ^= 0x80;
        [bytes, other_sign]
    });
    let decoded = |bytes: &[u8; 32]| CompressedEdwardsY(*bytes).decompress();
    let small = candidates.filter(|bytes| decoded(bytes).is_some_and(|point| point.is_small_order()));
    let encodings: Vec<_> = small.collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(encodings.len(), 14);
    encodings
}

/// R ‖ 0.
pub(crate) fn zero_signature(r: [u8; 32]) -> Signature {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    Signature(signature)
}

/// All pairs, over one message.
pub(crate) fn pairs() -> Vec<Case> {
    let points = small_order();
    let case = |key: [u8; 32], r: [u8; 32]| Case {
        name: format!("small order, A {} R {}", hex::encode(key), hex::encode(r)),
        key: PublicKey(key),
        message: b"any message".to_vec(),
        signature: zero_signature(r),
        valid: true,
    };
    points.iter().flat_map(|key| points.iter().map(move |r| case(*key, *r))).collect()
}

/// A key a·B + T, T the point `torsion` of small order.
pub(crate) struct MixedKey {
    a: Scalar,
    public: EdwardsPoint,
}

impl MixedKey {
    pub(crate) fn new(seed: u64, torsion: usize) -> Self {
        let a = Scalar::from(seed);
        Self { a, public: a * ED25519_BASEPOINT_POINT + EIGHT_TORSION[torsion] }
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(self.public.compress().to_bytes())
    }

    /// Holds with the cofactor; without it only where R's and A's parts of small order happen to cancel out.
    pub(crate) fn sign(&self, message: &[u8], torsion: usize) -> Signature {
        let nonce = Scalar::from(77_777_u64);
        let r = (nonce * ED25519_BASEPOINT_POINT + EIGHT_TORSION[torsion]).compress().to_bytes();
        let k = self.challenge(&r, message);
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r);
        signature[32..].copy_from_slice((nonce + k * self.a).as_bytes());
        Signature(signature)
    }

    fn challenge(&self, r: &[u8; 32], message: &[u8]) -> Scalar {
        let hash = Sha512::new().chain_update(r).chain_update(self.public().0).chain_update(message);
        Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
    }

    /// Whether the equation holds without the cofactor too.
    fn holds_without_cofactor(&self, message: &[u8], torsion: usize) -> bool {
        let nonce = Scalar::from(77_777_u64);
        let r = nonce * ED25519_BASEPOINT_POINT + EIGHT_TORSION[torsion];
        let k = self.challenge(&r.compress().to_bytes(), message);
        ((nonce + k * self.a) * ED25519_BASEPOINT_POINT - r - k * self.public).is_identity()
    }
}

/// Signatures by keys with a part of small order.
pub(crate) fn mixed() -> Vec<Case> {
    let case = |(key_torsion, r_torsion): (usize, usize)| {
        let key = MixedKey::new(1_000_003, key_torsion);
        let message = format!("mixed {key_torsion} {r_torsion}").into_bytes();
        let signature = key.sign(&message, r_torsion);
        let name = format!("mixed order, T {key_torsion} {r_torsion}");
        Case { name, key: key.public(), message, signature, valid: true }
    };
    (0..8).flat_map(|key| (0..8).map(move |r| (key, r))).map(case).collect()
}

#[test]
fn points_of_small_order_hold_by_zip215_and_never_strictly() {
    let cases = pairs();
    assert_eq!(cases.len(), 196);
    for case in &cases {
        assert!(verify_zip215(case.signed()), "{}", case.name);
        assert_eq!(verify_batch(&[case.signed(); 5]), [true; 5], "{}", case.name);
        assert!(!strict(case.key, &case.message, &case.signature), "{}", case.name);
        let refused = check_registrable(case.key);
        assert!(matches!(refused, Err(KeyError::Weak | KeyError::NotCanonical)), "{}", case.name);
    }
    let all: Vec<_> = cases.iter().map(Case::signed).collect();
    assert_eq!(verify_batch(&all), vec![true; 196]);
}

#[test]
fn a_part_of_small_order_is_taken_away_by_the_cofactor() {
    let (mut with_only, mut without) = (0, 0);
    for (case, at) in mixed().iter().zip(0..) {
        let (key_torsion, r_torsion) = (at / 8, at % 8);
        assert!(verify_zip215(case.signed()), "{}", case.name);
        assert_eq!(verify_batch(&[case.signed(); 5]), [true; 5], "{}", case.name);
        let key = MixedKey::new(1_000_003, key_torsion);
        let holds = key.holds_without_cofactor(&case.message, r_torsion);
        // R of small order alone does not occur here: the strict predicate is the equation without cofactor.
        assert_eq!(strict(case.key, &case.message, &case.signature), holds, "{}", case.name);
        *(if holds { &mut without } else { &mut with_only }) += 1;
    }
    assert!(with_only > 40 && without > 0, "{with_only} with the cofactor only, {without} without it too");
}

/// S and S + L are the same number to the equation: only the smaller one is a signature.
#[test]
fn a_scalar_above_the_order_is_refused_everywhere() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut case = mixed()[0].clone();
    let mut carry = 0_u16;
    for (byte, order) in case.signature.0[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    assert!(!verify_zip215(case.signed()));
    assert_eq!(verify_batch(&[case.signed(); 5]), [false; 5]);
    assert!(!strict(case.key, &case.message, &case.signature));
}
