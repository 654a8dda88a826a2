//! What goes into the replica and what comes out.

use crate::message::{Message, Outgoing, SealedBlock, Verified};
use crate::record::{PersistId, Record};
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::{
    BlockHash, CommitCertificate, Header, Height, ResultHash, Transaction, ValidatorIndex, View,
};
use std::sync::Arc;

use crate::message::{ProposalClaim, Signed, SignedViewChange};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A message that has passed verification, the own ones included once they are signed.
    Message(Verified<Message>),
    /// Nothing but time has passed.
    Tick,
    /// All records up to this one are durable.
    Persisted(PersistId),
    /// The body is durable.
    BodyStored(BlockHash),
    /// The verdict of R6 on a block asked for by [`Effect::Validate`].
    Validated {
        /// Which block.
        block: BlockHash,
        /// Whether it may be prepared.
        valid: bool,
    },
    /// The result of a block asked for by [`Effect::Execute`].
    Executed {
        /// Which block.
        block: BlockHash,
        /// What it gave.
        result: ResultHash,
    },
    /// Transactions for a child of `parent`, asked for by [`Effect::RequestBatch`]; they may be none.
    Batch {
        /// Whose child.
        parent: BlockHash,
        /// In order.
        transactions: Vec<Transaction>,
    },
    /// Whether a transaction waits that the next block could hold (R32).
    Pending(bool),
    /// A block that was asked for by its hash.
    Block(SealedBlock),
    /// A block from sync with a certificate that has passed verification, of it or of a descendant. The
    /// driver has checked that the headers lead from the one to the other, as in R22. Blocks come in ascending
    /// height; those more than the window and 16 heights above the tip are ignored, and asked for again.
    Certified {
        /// The block.
        block: SealedBlock,
        /// Its certificate.
        certificate: Verified<CommitCertificate>,
    },
}

/// Something to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Append to the vote journal and sync; answer [`Input::Persisted`].
    Persist(PersistId, Record),
    /// Make the body durable; answer [`Input::BodyStored`].
    StoreBody(SealedBlock),
    /// Send to every validator; an own message also comes back as an input.
    Broadcast(Outgoing),
    /// Send to one validator.
    Send(ValidatorIndex, Outgoing),
    /// Sign and feed back, send to nobody.
    Sign(crate::message::Unsigned),
    /// Choose transactions for a child of this block; answer [`Input::Batch`].
    RequestBatch {
        /// The block to build on.
        parent: BlockHash,
        /// The height of the new block.
        height: Height,
    },
    /// Check a fresh block by R6; answer [`Input::Validated`].
    Validate(SealedBlock),
    /// Execute on its parent's state, without committing; answer [`Input::Executed`]. Executions that the
    /// next commit does not build on may be dropped with it (R23).
    Execute(SealedBlock),
    /// The block is final: make certificate and effects durable. Its execution was answered before.
    Commit {
        /// The block.
        block: SealedBlock,
        /// Its certificate, or that of the last header of `path`.
        certificate: CommitCertificate,
        /// Headers from its child to the certified block (R22); empty if it has its own certificate.
        path: Vec<Header>,
    },
    /// Ask all for a block's body; answer [`Input::Block`].
    FetchBlock(BlockHash),
    /// Fetch certified blocks above the own tip, up to this height at least; answer [`Input::Certified`].
    Sync {
        /// Who said to have it.
        peer: ValidatorIndex,
        /// Its tip.
        to: Height,
    },
    /// Send the oldest waiting transactions to all validators (R33).
    RelayTransactions,
    /// A validator has signed contradicting things (R37).
    Evidence(Evidence),
    /// Validators have committed one block with so many results that none can reach a quorum (R37): their
    /// votes, for an alarm. The replica goes on; repair of whoever is wrong ends it.
    ResultsDiffer(Vec<Signed<CommitVote>>),
    /// The replica has stopped voting (R36).
    Halted(Halt),
}

/// Two things that one validator must never sign together; anybody can verify both signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Two blocks for one view and height.
    Proposals(ValidatorIndex, ProposalClaim, ProposalClaim),
    /// Two Prepares for one view and height.
    Prepares(Signed<PrepareVote>, Signed<PrepareVote>),
    /// Two Commits for one view and height.
    Commits(Signed<CommitVote>, Signed<CommitVote>),
    /// Two ViewChanges for one view.
    ViewChanges(Box<(SignedViewChange, SignedViewChange)>),
    /// Two NewViews for one view.
    NewViews(Arc<crate::message::NewView>, Arc<crate::message::NewView>),
}

/// Why a replica has stopped voting: it needs repair, not time (R36).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// A quorum certified another result than the own execution gave.
    #[error("block {block} at height {height}: own result {own}, certified {certified}")]
    Result {
        /// Where.
        height: Height,
        /// Which block.
        block: BlockHash,
        /// What the own execution gave.
        own: ResultHash,
        /// What the quorum says.
        certified: ResultHash,
    },
    /// The own committed chain is not the certified one.
    #[error("the own block at height {height} is {own}, view {view} stands on {other}")]
    Chain {
        /// Where.
        height: Height,
        /// In which view it was noticed.
        view: View,
        /// The own block.
        own: BlockHash,
        /// The other.
        other: BlockHash,
    },
}
