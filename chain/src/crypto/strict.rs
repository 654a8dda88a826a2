//! Strict verification, for votes, certificates and cards.

use super::domain::{Domain, signed_bytes};
use crate::ids::{ChainId, PublicKey, Signature};
use borsh::BorshSerialize;
use ed25519_dalek::VerifyingKey;

/// Whether a signature over these bytes holds for a key. Nodes have one, [`strict`]; the simulator has a second
/// one, for speed.
pub type SignatureCheck = fn(PublicKey, &[u8], &Signature) -> bool;

/// Whether `key` signed these bytes, by the strictest predicate there is: canonical points, none of small
/// order, cofactorless equation.
#[must_use]
pub fn strict(key: PublicKey, bytes: &[u8], signature: &Signature) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(&key.0) else { return false };
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    key.verify_strict(bytes, &signature).is_ok()
}

/// Whether `key` signed the payload for this domain and chain, by [`strict`].
pub fn verify_strict<T: BorshSerialize + ?Sized>(
    key: PublicKey,
    domain: Domain,
    chain: ChainId,
    payload: &T,
    signature: &Signature,
) -> bool {
    strict(key, &signed_bytes(domain, chain, payload), signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SecretKey;

    #[test]
    fn a_signature_holds_for_one_domain_chain_and_payload() {
        let key = SecretKey::from_seed(&[3; 32]);
        let chain = ChainId([1; 32]);
        let signature = key.sign(Domain::Prepare, chain, &5u64);
        let check =
            |domain, chain, payload: u64| verify_strict(key.public(), domain, chain, &payload, &signature);
        assert!(check(Domain::Prepare, chain, 5));
        assert!(!check(Domain::Commit, chain, 5));
        assert!(!check(Domain::Prepare, ChainId([2; 32]), 5));
        assert!(!check(Domain::Prepare, chain, 6));
        assert!(!verify_strict(PublicKey([2; 32]), Domain::Prepare, chain, &5u64, &signature));
    }
}
