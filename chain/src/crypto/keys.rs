//! Secret keys, and which public keys may be registered.

use super::domain::{Domain, signed_bytes};
use crate::ids::{ChainId, PublicKey, Signature};
use borsh::BorshSerialize;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

/// Why a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no point of the curve, or not its one canonical encoding.
    #[error("not the canonical encoding of an ed25519 public key")]
    NotCanonical,
    /// A point of small order: anyone can sign for it.
    #[error("a weak ed25519 public key (small order)")]
    Weak,
}

/// An ed25519 secret key; erased from memory when dropped.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// From its 32-byte seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// A new one from the operating system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(SigningKey::generate(&mut rand::rng()))
    }

    /// The seed, for the key file; erased when dropped.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// Its public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs tag ‖ chain id ‖ borsh(payload). Deterministic: the same bytes give the same signature.
    pub fn sign<T: BorshSerialize + ?Sized>(&self, domain: Domain, chain: ChainId, payload: &T) -> Signature {
        Signature(self.0.sign(&signed_bytes(domain, chain, payload)).to_bytes())
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(for {})", self.public())
    }
}

/// Whether a key may be registered for an account or a validator.
///
/// # Errors
/// When it is not a canonical point encoding or is of small order.
pub fn check_registrable(key: PublicKey) -> Result<(), KeyError> {
    let parsed = VerifyingKey::from_bytes(&key.0).map_err(|_| KeyError::NotCanonical)?;
    if parsed.to_edwards().compress().to_bytes() != key.0 {
        return Err(KeyError::NotCanonical);
    }
    if parsed.is_weak() { Err(KeyError::Weak) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_and_non_canonical_keys_are_refused() {
        assert_eq!(check_registrable(SecretKey::from_seed(&[1; 32]).public()), Ok(()));
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(check_registrable(PublicKey(identity)), Err(KeyError::Weak));
        // y = p + 1: the identity again, encoded above the field's modulus.
        let mut above = [0xff; 32];
        above[0] = 0xee;
        above[31] = 0x7f;
        assert_eq!(check_registrable(PublicKey(above)), Err(KeyError::NotCanonical));
        assert_eq!(check_registrable(PublicKey([2; 32])), Err(KeyError::NotCanonical));
    }
}
