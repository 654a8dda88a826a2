//! Signatures of the simulated validators: the real ones, or keyed hashes in their place, for speed. Both
//! follow from key and payload alone.

use super::clients::CHAIN;
use quorate_chain::codec::encode;
use quorate_chain::crypto::SecretKey;
use quorate_chain::validator::fixture::consensus_key;
use quorate_chain::{Signature, ValidatorIndex};
use quorate_consensus::message::{NewView, Proposal, ProposalClaim, Signed, ViewChange};
use quorate_consensus::{Message, Unsigned};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How one node signs.
pub(super) struct Signer {
    real: bool,
    /// By number, made when first needed.
    keys: BTreeMap<u16, SecretKey>,
}

/// A seat and the number of its key, for keyed hashes.
struct Stamp(ValidatorIndex, u16);

impl Signer {
    pub(super) const fn new(real: bool) -> Self {
        Self { real, keys: BTreeMap::new() }
    }

    /// Signs from a seat with the key of a number.
    pub(super) fn sign(&mut self, (seat, key): (ValidatorIndex, u16), unsigned: Unsigned) -> Message {
        if self.real {
            let key = self.keys.entry(key).or_insert_with(|| consensus_key(key));
            return unsigned.sign(CHAIN, seat, key);
        }
        Stamp(seat, key).message(unsigned)
    }
}

impl Stamp {
    fn hash<T: borsh::BorshSerialize>(&self, kind: u8, payload: &T) -> Signature {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[kind]).update(&self.1.to_le_bytes()).update(&encode(payload));
        let mut bytes = [0; 64];
        hasher.finalize_xof().fill(&mut bytes);
        Signature(bytes)
    }

    fn signed<T: borsh::BorshSerialize>(&self, kind: u8, payload: T) -> Signed<T> {
        let signature = self.hash(kind, &payload);
        Signed { payload, signer: self.0, signature }
    }

    fn message(&self, unsigned: Unsigned) -> Message {
        match unsigned {
            Unsigned::Proposal(epoch, view, block) => {
                let claim = ProposalClaim { epoch, view, height: block.height(), block: block.hash() };
                let signature = self.hash(1, &claim);
                Message::Proposal(Arc::new(Proposal { epoch, view, block, signature }))
            }
            Unsigned::Prepare(vote) => Message::Prepare(self.signed(2, vote)),
            Unsigned::Commit(vote) => Message::Commit(self.signed(3, vote)),
            Unsigned::Ask(ask) => Message::Ask(self.signed(4, ask)),
            Unsigned::ViewChange(claims, committed, prepared) => {
                let claims = self.signed(5, claims);
                Message::ViewChange(Arc::new(ViewChange { claims, committed, prepared }))
            }
            Unsigned::NewView(contents) => {
                let signature = self.hash(6, &contents);
                Message::NewView(Arc::new(NewView { contents, signature }))
            }
            Unsigned::Status(status) => Message::Status(self.signed(7, status)),
            Unsigned::Suspect(suspect) => Message::Suspect(self.signed(8, suspect)),
            Unsigned::Recall(recall) => Message::Recall(self.signed(9, recall)),
            Unsigned::Newest(newest) => Message::Newest(Arc::new(self.signed(10, *newest))),
        }
    }
}
