//! Signatures of the four validators: the real ones, or their seat's number in their place, for speed.

use borsh::BorshSerialize;
use quorate_chain::crypto::{Domain, SecretKey};
use quorate_chain::validator::fixture::{consensus_key, validator_set};
use quorate_chain::{ChainId, Signature, ValidatorIndex, ValidatorSet};
use quorate_consensus::message::{NewView, Proposal, Signed, ViewChange};
use quorate_consensus::{Message, Unsigned};
use std::sync::{Arc, LazyLock};

/// The chain of all runs.
pub(super) const CHAIN: ChainId = ChainId([0x51; 32]);
/// Validators of a run: one of them is Byzantine.
pub(super) const REPLICAS: usize = 4;

static KEYS: LazyLock<[SecretKey; REPLICAS]> = LazyLock::new(|| [0, 1, 2, 3].map(consensus_key));

/// The validators of every epoch.
pub(super) static SET: LazyLock<Arc<ValidatorSet>> =
    LazyLock::new(|| Arc::new(validator_set(REPLICAS as u16)));

/// How validators sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signing {
    /// Nobody checks signatures.
    Vouched,
    /// As nodes do; every message is verified before it is delivered.
    Real,
}

impl Signing {
    /// The signature of a seat.
    pub(super) fn signature<T: BorshSerialize>(self, seat: usize, domain: Domain, payload: &T) -> Signature {
        match self {
            Self::Vouched => Signature([seat as u8; 64]),
            Self::Real => KEYS[seat].sign(domain, CHAIN, payload),
        }
    }

    /// A message signed by a seat.
    pub(super) fn sign(self, seat: usize, unsigned: Unsigned) -> Message {
        let signer = ValidatorIndex(seat as u16);
        if self == Self::Real {
            return unsigned.sign(CHAIN, signer, &KEYS[seat]);
        }
        let signature = Signature([seat as u8; 64]);
        match unsigned {
            Unsigned::Proposal(epoch, view, block) => {
                Message::Proposal(Arc::new(Proposal { epoch, view, block, signature }))
            }
            Unsigned::Prepare(payload) => Message::Prepare(Signed { payload, signer, signature }),
            Unsigned::Commit(payload) => Message::Commit(Signed { payload, signer, signature }),
            Unsigned::Ask(payload) => Message::Ask(Signed { payload, signer, signature }),
            Unsigned::ViewChange(payload, committed, prepared) => {
                let claims = Signed { payload, signer, signature };
                Message::ViewChange(Arc::new(ViewChange { claims, committed, prepared }))
            }
            Unsigned::NewView(contents) => Message::NewView(Arc::new(NewView { contents, signature })),
            Unsigned::Status(payload) => Message::Status(Signed { payload, signer, signature }),
            Unsigned::Suspect(payload) => Message::Suspect(Signed { payload, signer, signature }),
            Unsigned::Recall(payload) => Message::Recall(Signed { payload, signer, signature }),
            Unsigned::Newest(newest) => {
                Message::Newest(Arc::new(Signed { payload: *newest, signer, signature }))
            }
        }
    }
}
