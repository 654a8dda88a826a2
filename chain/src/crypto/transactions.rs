//! Transaction signatures by ZIP-215 (cofactored): the verdict of a batch is the verdict of its members.

use crate::ids::{PublicKey, Signature};
use ed25519_zebra::{Signature as ZebraSignature, VerificationKey, VerificationKeyBytes, batch};

/// One signature to check.
#[derive(Clone, Copy, Debug)]
pub struct SignedMessage<'a> {
    /// Who is said to have signed.
    pub key: PublicKey,
    /// The bytes that were signed, domain tag and chain id included.
    pub message: &'a [u8],
    /// The signature.
    pub signature: Signature,
}

/// Whether one signature is valid.
#[must_use]
pub fn verify_zip215(signed: SignedMessage<'_>) -> bool {
    VerificationKey::try_from(signed.key.0)
        .is_ok_and(|key| key.verify(&ZebraSignature::from_bytes(&signed.signature.0), signed.message).is_ok())
}

/// The verdict on each of `signed`, in order. One multi-scalar multiplication if all are valid (12–16 µs a
/// signature from 64 on, against 32 one by one); if not, halves are tried, so a bad one among many costs about as much
/// as two batches more. Where both halves have bad ones there are many, and all between them are verified one by one.
#[must_use]
pub fn verify_batch(signed: &[SignedMessage<'_>]) -> Vec<bool> {
    let mut verdicts = vec![true; signed.len()];
    if holds(signed) {
        return verdicts;
    }
    // All but this stretch is known to hold.
    let (mut from, mut to) = (0, signed.len());
    while to - from > SINGLY_MAX {
        let middle = from + (to - from) / 2;
        if holds(&signed[from..middle]) {
            from = middle;
        } else if holds(&signed[middle..to]) {
            to = middle;
        } else {
            break;
        }
    }
    for (verdict, one) in verdicts[from..to].iter_mut().zip(&signed[from..to]) {
        *verdict = verify_zip215(*one);
    }
    verdicts
}

/// Below this a batch is no faster than its members.
const SINGLY_MAX: usize = 3;

/// Whether all are valid.
fn holds(signed: &[SignedMessage<'_>]) -> bool {
    if signed.len() <= SINGLY_MAX {
        return signed.iter().all(|one| verify_zip215(*one));
    }
    let mut verifier = batch::Verifier::new();
    for one in signed {
        let key = VerificationKeyBytes::from(one.key.0);
        verifier.queue((key, ZebraSignature::from_bytes(&one.signature.0), &one.message));
    }
    verifier.verify(rand::rng()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Domain, SecretKey, signed_bytes};
    use crate::ids::ChainId;

    #[test]
    fn a_batch_agrees_with_its_members() {
        let chain = ChainId([1; 32]);
        let keys: Vec<_> = (1..=20).map(|i| SecretKey::from_seed(&[i; 32])).collect();
        let messages: Vec<_> = (0..20u64).map(|i| signed_bytes(Domain::Transaction, chain, &i)).collect();
        let signed: Vec<_> = (0..20)
            .map(|i| {
                let mut signature = keys[i].sign(Domain::Transaction, chain, &(i as u64));
                if i % 7 == 3 {
                    signature.0[40] ^= 1;
                }
                SignedMessage { key: keys[i].public(), message: &messages[i], signature }
            })
            .collect();
        let singly: Vec<_> = signed.iter().map(|one| verify_zip215(*one)).collect();
        assert_eq!(verify_batch(&signed), singly);
        // A few are verified one by one.
        for count in 0..6 {
            assert_eq!(verify_batch(&signed[..count]), singly[..count]);
        }
        assert_eq!(singly.iter().filter(|ok| !**ok).count(), 3);
        // One bad one at every place, then every stretch of them.
        for (from, to) in (0..20).flat_map(|from| (from..20).map(move |to| (from, to))) {
            let mut some = [signed[0]; 20];
            some[from..=to].fill(signed[3]);
            assert_eq!(verify_batch(&some), some.map(verify_zip215), "{from} to {to}");
        }
    }

    /// A small-order key and R with S = 0: valid by ZIP-215, alone and in a batch; never by the strict
    /// predicate. (One of the vectors of "Taming the many EdDSAs".)
    #[test]
    fn small_order_points_get_one_verdict() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        let one =
            SignedMessage { key: PublicKey(identity), message: b"any", signature: Signature(signature) };
        assert!(verify_zip215(one));
        assert_eq!(verify_batch(&[one; 8]), vec![true; 8]);
    }
}
