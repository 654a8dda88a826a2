//! Signatures of the simulated validators: the real ones, or keyed hashes in their place, for speed. Both
//! follow from signer and payload alone.

use quorate_chain::codec::encode;
use quorate_chain::crypto::SecretKey;
use quorate_chain::validator::fixture::consensus_key;
use quorate_chain::{ChainId, Signature, ValidatorIndex};
use quorate_consensus::message::{NewView, Proposal, ProposalClaim, Signed, ViewChange};
use quorate_consensus::{Message, Unsigned};
use std::sync::Arc;

/// How one validator signs.
pub(super) struct Signer {
    chain: ChainId,
    index: ValidatorIndex,
    key: Option<SecretKey>,
}

impl Signer {
    pub(super) fn new(chain: ChainId, index: ValidatorIndex, real: bool) -> Self {
        Self { chain, index, key: real.then(|| consensus_key(index.0)) }
    }

    pub(super) fn sign(&self, unsigned: Unsigned) -> Message {
        match &self.key {
            Some(key) => unsigned.sign(self.chain, self.index, key),
            None => self.stamp(unsigned),
        }
    }

    fn hash<T: borsh::BorshSerialize>(&self, kind: u8, payload: &T) -> Signature {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[kind]).update(&self.index.0.to_le_bytes()).update(&encode(payload));
        let mut bytes = [0; 64];
        hasher.finalize_xof().fill(&mut bytes);
        Signature(bytes)
    }

    fn stamped<T: borsh::BorshSerialize>(&self, kind: u8, payload: T) -> Signed<T> {
        let signature = self.hash(kind, &payload);
        Signed { payload, signer: self.index, signature }
    }

    fn stamp(&self, unsigned: Unsigned) -> Message {
        match unsigned {
            Unsigned::Proposal(epoch, view, block) => {
                let claim = ProposalClaim { epoch, view, height: block.height(), block: block.hash() };
                let signature = self.hash(1, &claim);
                Message::Proposal(Arc::new(Proposal { epoch, view, block, signature }))
            }
            Unsigned::Prepare(vote) => Message::Prepare(self.stamped(2, vote)),
            Unsigned::Commit(vote) => Message::Commit(self.stamped(3, vote)),
            Unsigned::Ask(ask) => Message::Ask(self.stamped(4, ask)),
            Unsigned::ViewChange(claims, committed, prepared) => {
                let claims = self.stamped(5, claims);
                Message::ViewChange(Arc::new(ViewChange { claims, committed, prepared }))
            }
            Unsigned::NewView(contents) => {
                let signature = self.hash(6, &contents);
                Message::NewView(Arc::new(NewView { contents, signature }))
            }
            Unsigned::Status(status) => Message::Status(self.stamped(7, status)),
        }
    }
}
