//! What replicas say to each other.
//!
//! | file | what |
//! | --- | --- |
//! | `mod.rs` | the messages and what of each is signed |
//! | `sealed.rs` | a block with its hash |
//! | `compact.rs` | a proposal that names its transactions |
//! | `view_change.rs` | ViewChange, NewView and the anchor that follows from them (R18–R25) |
//! | `newest.rs` | the question of a restarted replica, and its answer (R47) |
//! | `verify.rs` | the checks after which a message is [`Verified`] |
//!
//! Every signature covers `domain ‖ chain id ‖ payload`. The signer is a seat of the epoch's set; whoever
//! passes a message on need not be its signer (R34).

mod compact;
#[cfg(test)]
pub(crate) mod fixture;
mod newest;
mod sealed;
#[cfg(test)]
mod tests;
mod verify;
mod view_change;

pub use compact::CompactProposal;
pub use newest::{Newest, NewestSigned, Recall};
pub use sealed::SealedBlock;
pub use verify::{EpochContext, Invalid, Verified, verify, verify_by};
pub(crate) use view_change::Highest;
pub use view_change::{
    Anchor, AnchorKind, CommitClaim, KeyCertificate, NewView, NewViewContents, PrepareClaim,
    SignedViewChange, ViewChange, ViewChangeClaims,
};

use borsh::{BorshDeserialize, BorshSerialize};
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::crypto::{Domain, SecretKey};
use quorate_chain::{
    BlockHash, ChainId, CommitCertificate, Epoch, Height, Signature, TransactionId, ValidatorIndex, View,
};
use std::sync::Arc;

/// A payload with its signer and signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Signed<T> {
    /// What is said.
    pub payload: T,
    /// Who says it.
    pub signer: ValidatorIndex,
    /// Over domain, chain and payload.
    pub signature: Signature,
}

/// What a primary signs of a block that it proposes; the header's hash binds the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ProposalClaim {
    /// Epoch of the proposal.
    pub epoch: Epoch,
    /// View of the proposal.
    pub view: View,
    /// Height of the block.
    pub height: Height,
    /// The block.
    pub block: BlockHash,
}

/// A block proposed by the primary of its view.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    /// Epoch of the proposal.
    pub epoch: Epoch,
    /// View of the proposal.
    pub view: View,
    /// The block with all its transactions.
    pub block: SealedBlock,
    /// Of the primary of (epoch, view), over the [`ProposalClaim`].
    pub signature: Signature,
}

impl Proposal {
    /// What the signature covers.
    #[must_use]
    pub fn claim(&self) -> ProposalClaim {
        ProposalClaim {
            epoch: self.epoch,
            view: self.view,
            height: self.block.height(),
            block: self.block.hash(),
        }
    }

    /// What was signed, without the block.
    #[must_use]
    pub fn signed_claim(&self, primary: ValidatorIndex) -> Signed<ProposalClaim> {
        Signed { payload: self.claim(), signer: primary, signature: self.signature }
    }
}

/// Orders the asks of one validator: by the start of its process, then by sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct AskCounter {
    /// Which start of the process, counted durably.
    pub start: u64,
    /// Which ask since then.
    pub sequence: u64,
}

/// "I want view `target`" — or, with `target` = the own view, "I no longer want another" (R26).
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Ask {
    /// Epoch of the views.
    pub epoch: Epoch,
    /// The view asked for.
    pub target: View,
    /// Which ask of this validator it is; the highest counts.
    pub counter: AskCounter,
}

/// "This primary keeps a transaction waiting" (R39).
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Suspect {
    /// Epoch of the view.
    pub epoch: Epoch,
    /// The view whose primary is suspected.
    pub view: View,
    /// The transaction that waits.
    pub transaction: TransactionId,
}

/// Where a replica is (R33, R34).
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Status {
    /// Its epoch.
    pub epoch: Epoch,
    /// The view that it has entered last.
    pub view: View,
    /// Its committed tip.
    pub tip: Height,
    /// The tip's block.
    pub tip_block: BlockHash,
    /// The highest height that it has prepared.
    pub prepared: Height,
}

/// Everything that goes over a consensus stream. The discriminants never change meaning.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Message {
    /// PBFT's pre-prepare.
    Proposal(Arc<Proposal>) = 1,
    /// First vote.
    Prepare(Signed<PrepareVote>) = 2,
    /// Second vote.
    Commit(Signed<CommitVote>) = 3,
    /// Wish for a view, or its withdrawal.
    Ask(Signed<Ask>) = 4,
    /// What a replica knows at the end of its view.
    ViewChange(Arc<ViewChange>) = 5,
    /// Start of a view.
    NewView(Arc<NewView>) = 6,
    /// Where the sender is.
    Status(Signed<Status>) = 7,
    /// A commit certificate, which proves itself.
    Certificate(Arc<CommitCertificate>) = 8,
    /// A primary keeps a transaction waiting.
    Suspect(Signed<Suspect>) = 9,
    /// A restarted replica asks what it signed.
    Recall(Signed<Recall>) = 10,
    /// Answer to that.
    Newest(Arc<Signed<Newest>>) = 11,
}

impl Message {
    /// Epoch of what it says.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        match self {
            Self::Proposal(proposal) => proposal.epoch,
            Self::Prepare(vote) => vote.payload.epoch,
            Self::Commit(vote) => vote.payload.epoch,
            Self::Ask(ask) => ask.payload.epoch,
            Self::ViewChange(view_change) => view_change.claims.payload.epoch,
            Self::NewView(new_view) => new_view.contents.epoch,
            Self::Status(status) => status.payload.epoch,
            Self::Certificate(certificate) => certificate.epoch,
            Self::Suspect(suspect) => suspect.payload.epoch,
            Self::Recall(recall) => recall.payload.epoch,
            Self::Newest(newest) => newest.payload.recall.epoch,
        }
    }

    /// Whether only its signer sends it. A driver passes such a message on to the core only if it came from
    /// there, so that nobody can use up what a validator is owed with its old messages (R30).
    #[must_use]
    pub const fn is_first_hand(&self) -> bool {
        match self {
            Self::Ask(_) | Self::Status(_) | Self::Suspect(_) | Self::Recall(_) | Self::Newest(_) => true,
            Self::Proposal(_)
            | Self::Prepare(_)
            | Self::Commit(_)
            | Self::ViewChange(_)
            | Self::NewView(_)
            | Self::Certificate(_) => false,
        }
    }

    /// Whose signature is on it; `None` for a certificate, which many have signed.
    #[must_use]
    pub fn signer(&self, context: &EpochContext) -> Option<ValidatorIndex> {
        Some(match self {
            Self::Proposal(proposal) => context.set.primary(proposal.epoch, proposal.view),
            Self::Prepare(vote) => vote.signer,
            Self::Commit(vote) => vote.signer,
            Self::Ask(ask) => ask.signer,
            Self::ViewChange(view_change) => view_change.claims.signer,
            Self::NewView(n) => context.set.primary(n.contents.epoch, n.contents.view),
            Self::Status(status) => status.signer,
            Self::Suspect(suspect) => suspect.signer,
            Self::Recall(recall) => recall.signer,
            Self::Newest(newest) => newest.signer,
            Self::Certificate(_) => return None,
        })
    }
}

/// A message before it is signed; the driver signs it with the consensus key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// A proposal of this block.
    Proposal(Epoch, View, SealedBlock),
    /// A Prepare vote.
    Prepare(PrepareVote),
    /// A Commit vote.
    Commit(CommitVote),
    /// A wish for a view.
    Ask(Ask),
    /// A ViewChange: the claims are signed, the certificates attached.
    ViewChange(ViewChangeClaims, Option<CommitCertificate>, Option<quorate_chain::PreparedCertificate>),
    /// A NewView.
    NewView(NewViewContents),
    /// A status.
    Status(Status),
    /// A suspicion.
    Suspect(Suspect),
    /// A question after a restart.
    Recall(Recall),
    /// An answer to another's.
    Newest(Box<Newest>),
}

impl Unsigned {
    /// Signs as validator `signer`. The same payload always gives the same bytes (R37).
    #[must_use]
    pub fn sign(self, chain: ChainId, signer: ValidatorIndex, key: &SecretKey) -> Message {
        fn signed<T: BorshSerialize>(
            payload: T,
            domain: Domain,
            chain: ChainId,
            signer: ValidatorIndex,
            key: &SecretKey,
        ) -> Signed<T> {
            let signature = key.sign(domain, chain, &payload);
            Signed { payload, signer, signature }
        }
        match self {
            Self::Proposal(epoch, view, block) => {
                let claim = ProposalClaim { epoch, view, height: block.height(), block: block.hash() };
                let signature = key.sign(Domain::Proposal, chain, &claim);
                Message::Proposal(Arc::new(Proposal { epoch, view, block, signature }))
            }
            Self::Prepare(vote) => Message::Prepare(signed(vote, Domain::Prepare, chain, signer, key)),
            Self::Commit(vote) => Message::Commit(signed(vote, Domain::Commit, chain, signer, key)),
            Self::Ask(ask) => Message::Ask(signed(ask, Domain::Ask, chain, signer, key)),
            Self::ViewChange(claims, committed, prepared) => {
                let claims = signed(claims, Domain::ViewChange, chain, signer, key);
                Message::ViewChange(Arc::new(ViewChange { claims, committed, prepared }))
            }
            Self::NewView(contents) => {
                let signature = key.sign(Domain::NewView, chain, &contents);
                Message::NewView(Arc::new(NewView { contents, signature }))
            }
            Self::Status(status) => Message::Status(signed(status, Domain::Status, chain, signer, key)),
            Self::Suspect(suspect) => Message::Suspect(signed(suspect, Domain::Suspect, chain, signer, key)),
            Self::Recall(recall) => Message::Recall(signed(recall, Domain::Recall, chain, signer, key)),
            Self::Newest(newest) => {
                Message::Newest(Arc::new(signed(*newest, Domain::Newest, chain, signer, key)))
            }
        }
    }
}

/// What goes out: something to be signed first, or something signed by whomever that is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// To be signed by the own key; a copy comes back as an input.
    Own(Unsigned),
    /// Passed on as it is.
    Signed(Message),
}
