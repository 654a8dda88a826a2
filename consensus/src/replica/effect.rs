//! What goes into the replica and what comes out.

use crate::evidence::Evidence;
use crate::message::{EpochContext, Message, Outgoing, SealedBlock, Signed, Unsigned, Verified};
use crate::record::{PersistId, Record};
use quorate_chain::certificate::CommitVote;
use quorate_chain::{
    BlockHash, CommitCertificate, Epoch, Header, Height, ResultHash, Transaction, TransactionId,
    ValidatorIndex, View,
};

/// What the driver calls a peer, which need not have a seat in this epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer(pub u64);

/// Which transactions wait that the next block could hold (R32).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pending {
    /// None.
    #[default]
    Nothing,
    /// Some.
    Some {
        /// The one that has waited longest, beside those for which no primary is suspected any more (R40); `None`
        /// when only such wait.
        oldest: Option<TransactionId>,
        /// Whether they fill a block.
        full: bool,
    },
}

impl Pending {
    /// The one for which a primary may be suspected.
    pub(super) const fn oldest(self) -> Option<TransactionId> {
        match self {
            Self::Nothing => None,
            Self::Some { oldest, .. } => oldest,
        }
    }

    /// Whether what waits fills a block.
    pub(super) const fn is_full(self) -> bool {
        matches!(self, Self::Some { full: true, .. })
    }
}

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
        /// Whether it changed the validator set or a key: then it is the last block of its epoch (R45).
        ends_epoch: bool,
    },
    /// Transactions for a child of `parent`, asked for by [`Effect::RequestBatch`]; they may be none.
    Batch {
        /// Whose child.
        parent: BlockHash,
        /// In order.
        transactions: Vec<Transaction>,
    },
    /// Which transactions wait; told when it changes, and again after each commit.
    Pending(Pending),
    /// The block that was committed at this height could have held more (R38); told before [`Self::Pending`] is
    /// told after the commit.
    Room(Height),
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
    /// The block that ended the epoch is committed and its certificate durable: the next epoch (R45).
    EpochStarted {
        /// The next epoch, its set, and the block that it starts from.
        context: EpochContext,
        /// The own seat in it.
        me: Option<ValidatorIndex>,
    },
    /// The wire to a validator is new: what was sent to it before may be lost (R33). A hint; its absence costs
    /// time and nothing else.
    Connected(ValidatorIndex),
    /// The wire to a validator is gone: what it sent last may have reached some validators only (R33). A hint
    /// as well.
    Disconnected(ValidatorIndex),
    /// This peer has sent something of another epoch (R46).
    OtherEpoch {
        /// Who.
        peer: Peer,
        /// Of which epoch.
        epoch: Epoch,
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
    Sign(Unsigned),
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
    /// Send the oldest waiting transactions to all validators (R33, R38).
    RelayTransactions {
        /// This one before all others, if it still waits.
        first: Option<TransactionId>,
    },
    /// From now on this transaction is not the oldest of [`Pending`], as long as it waits: so many primaries had no
    /// use for it that one of them must have had a reason (R40).
    Excuse(TransactionId),
    /// The view has dropped this block: its tentative execution may go, its body stays (R23).
    Discard(BlockHash),
    /// This peer is in an earlier epoch: send it the C that ended that one (R46).
    ShowEpochEnd {
        /// Who.
        peer: Peer,
        /// The epoch that it is in.
        epoch: Epoch,
    },
    /// This peer is in a later epoch: fetch certified blocks from it (R46).
    SyncWithPeer {
        /// Who.
        peer: Peer,
    },
    /// Enough others have reached this epoch: what was kept of the one before may go (R46).
    ReleaseOldEpoch(OldEpoch),
    /// Others showed something newer than the own vote record: it is not whole. Nothing is signed with this
    /// key any more; the replica follows as an observer (R47).
    RecordLost(Lost),
    /// A validator has signed contradicting things (R37).
    Evidence(Evidence),
    /// Validators have committed one block with so many results that none can reach a quorum (R37): their
    /// votes, for an alarm. The replica goes on; repair of whoever is wrong ends it.
    ResultsDiffer(Vec<Signed<CommitVote>>),
    /// The replica has stopped voting (R36).
    Halted(Halt),
}

/// What was kept of the epoch before (R46).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldEpoch {
    /// f+1 others are in this epoch: its blocks and certificates can be had from an honest one.
    Data,
    /// q are in this epoch: the old consensus key may be erased.
    Key,
}

/// What showed that the vote record is not whole (R47).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("others hold a {what} of view {view} signed with this key that the vote record does not know of")]
pub struct Lost {
    /// View of what was signed.
    pub view: View,
    /// What it was.
    pub what: &'static str,
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
