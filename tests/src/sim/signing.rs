//! Signatures of the simulated validators: the real ones, or hashes in their place, for speed. Both follow from
//! key and payload alone, cover the same bytes, and are verified by the same functions of chain and core.

use super::clients::CHAIN;
use super::roster::public_key;
use quorate_chain::crypto::{Domain, SecretKey, SignatureCheck, signed_bytes, strict};
use quorate_chain::validator::fixture::consensus_key;
use quorate_chain::{PublicKey, Signature, ValidatorIndex};
use quorate_consensus::message::{NewView, Proposal, ProposalClaim, Signed, ViewChange};
use quorate_consensus::{Message, Unsigned};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Signatures that a thread remembers.
const HELD_MAX: usize = 50_000;

/// How one node signs.
pub(super) struct Signer {
    real: bool,
    /// By number, made when first needed.
    keys: BTreeMap<u16, SecretKey>,
}

/// A seat and its key, for hashes: whoever has none of its own could make them too, but nobody here does.
struct Stamp(ValidatorIndex, PublicKey);

fn stamp(key: PublicKey, bytes: &[u8]) -> Signature {
    let mut signature = [0; 64];
    blake3::Hasher::new().update(&key.0).update(bytes).finalize_xof().fill(&mut signature);
    Signature(signature)
}

fn is_stamp(key: PublicKey, bytes: &[u8], signature: &Signature) -> bool {
    stamp(key, bytes) == *signature
}

/// How signatures are verified where they are real, or hashes.
pub(super) const fn check(real: bool) -> SignatureCheck {
    if real { is_strict } else { is_stamp }
}

thread_local! {
    /// Signatures that hold.
    static HELD: RefCell<BTreeSet<[u8; 32]>> = const { RefCell::new(BTreeSet::new()) };
}

/// A node's check. All that a thread verifies again it has verified once: a certificate's signatures came as
/// votes before.
fn is_strict(key: PublicKey, bytes: &[u8], signature: &Signature) -> bool {
    let mut hasher = blake3::Hasher::new();
    let one = *hasher.update(&key.0).update(&signature.0).update(bytes).finalize().as_bytes();
    HELD.with_borrow_mut(|held| {
        if held.contains(&one) {
            return true;
        }
        let holds = strict(key, bytes, signature);
        if held.len() >= HELD_MAX {
            held.clear();
        }
        holds && held.insert(one)
    })
}

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
        Stamp(seat, public_key(key)).message(unsigned)
    }
}

impl Stamp {
    fn hash<T: borsh::BorshSerialize>(&self, domain: Domain, payload: &T) -> Signature {
        stamp(self.1, &signed_bytes(domain, CHAIN, payload))
    }

    fn signed<T: borsh::BorshSerialize>(&self, domain: Domain, payload: T) -> Signed<T> {
        let signature = self.hash(domain, &payload);
        Signed { payload, signer: self.0, signature }
    }

    fn message(&self, unsigned: Unsigned) -> Message {
        match unsigned {
            Unsigned::Proposal(epoch, view, block) => {
                let claim = ProposalClaim { epoch, view, height: block.height(), block: block.hash() };
                let signature = self.hash(Domain::Proposal, &claim);
                Message::Proposal(Arc::new(Proposal { epoch, view, block, signature }))
            }
            Unsigned::Prepare(vote) => Message::Prepare(self.signed(Domain::Prepare, vote)),
            Unsigned::Commit(vote) => Message::Commit(self.signed(Domain::Commit, vote)),
            Unsigned::Ask(ask) => Message::Ask(self.signed(Domain::Ask, ask)),
            Unsigned::ViewChange(claims, committed, prepared) => {
                let claims = self.signed(Domain::ViewChange, claims);
                Message::ViewChange(Arc::new(ViewChange { claims, committed, prepared }))
            }
            Unsigned::NewView(contents) => {
                let signature = self.hash(Domain::NewView, &contents);
                Message::NewView(Arc::new(NewView { contents, signature }))
            }
            Unsigned::Status(status) => Message::Status(self.signed(Domain::Status, status)),
            Unsigned::Suspect(suspect) => Message::Suspect(self.signed(Domain::Suspect, suspect)),
            Unsigned::Recall(recall) => Message::Recall(self.signed(Domain::Recall, recall)),
            Unsigned::Newest(newest) => Message::Newest(Arc::new(self.signed(Domain::Newest, *newest))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_chain::certificate::PrepareVote;
    use quorate_chain::validator::fixture::validator_set;
    use quorate_chain::{BlockHash, Epoch, Height, ResultHash, View};
    use quorate_consensus::EpochContext;
    use quorate_consensus::message::verify_by;

    #[test]
    fn a_hash_holds_for_one_key_and_payload_as_a_signature_does() {
        let context = EpochContext {
            chain: CHAIN,
            epoch: Epoch(0),
            set: Arc::new(validator_set(4)),
            start_height: Height(0),
            start_block: CHAIN.genesis_block(),
            start_result: ResultHash([0; 32]),
        };
        let vote =
            PrepareVote { epoch: Epoch(0), view: View(2), height: Height(3), block: BlockHash([7; 32]) };
        for real in [false, true] {
            let holds = |message| verify_by(message, &context, check(real)).is_ok();
            let Message::Prepare(right) =
                Signer::new(real).sign((ValidatorIndex(1), 1), Unsigned::Prepare(vote))
            else {
                unreachable!("a Prepare becomes one")
            };
            // The second time it is remembered.
            assert!(holds(Message::Prepare(right.clone())) && holds(Message::Prepare(right.clone())));
            let mut broken = right.clone();
            broken.signature.0[7] ^= 1;
            assert!(!holds(Message::Prepare(broken)));
            assert!(!holds(Message::Prepare(Signed { signer: ValidatorIndex(2), ..right.clone() })));
            let payload = PrepareVote { height: Height(4), ..vote };
            assert!(!holds(Message::Prepare(Signed { payload, ..right })));
        }
    }
}
