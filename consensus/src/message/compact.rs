//! A proposal that names its transactions instead of carrying them: who has them already makes it whole.

use super::verify::{EpochContext, Invalid, Judge, Verified};
use super::{Message, Proposal, ProposalClaim, SealedBlock};
use borsh::{BorshDeserialize, BorshSerialize};
use quorate_chain::block::BLOCK_TRANSACTIONS_MAX;
use quorate_chain::codec::List;
use quorate_chain::crypto::Domain;
use quorate_chain::{Block, Epoch, Header, ShortId, Signature, Transaction, View};
use std::sync::Arc;

/// A [`Proposal`] with the short ids of its block's transactions, in their order. The header binds what they stand
/// for, so a wrong one costs the block that it would be, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CompactProposal {
    /// Epoch of the proposal.
    pub epoch: Epoch,
    /// View of the proposal.
    pub view: View,
    /// The block's header.
    pub header: Header,
    /// Which transactions it has.
    pub transactions: List<ShortId, 0, BLOCK_TRANSACTIONS_MAX>,
    /// That of the proposal.
    pub signature: Signature,
}

impl CompactProposal {
    /// A proposal without its transactions; `None` if it has too many, which no decoded one has.
    #[must_use]
    pub fn of(proposal: &Proposal) -> Option<Self> {
        let Proposal { epoch, view, block, signature } = proposal;
        let ids = block.block().transactions.iter().map(|transaction| transaction.id().short()).collect();
        Some(Self {
            epoch: *epoch,
            view: *view,
            header: block.header().clone(),
            transactions: List::new(ids).ok()?,
            signature: *signature,
        })
    }

    fn claim(&self) -> ProposalClaim {
        let Self { epoch, view, header, .. } = self;
        ProposalClaim { epoch: *epoch, view: *view, height: header.height, block: header.hash() }
    }

    /// Checks it against its epoch, as [`super::verify`] checks the proposal.
    ///
    /// # Errors
    /// Says what does not hold; [`Invalid::Epoch`] is no fault of the sender.
    pub fn verify(self, context: &EpochContext) -> Result<Verified<Self>, Invalid> {
        let judge = context.judge();
        check_proposal(&self.claim(), &self.header, &self.signature, &judge)?;
        Ok(Verified::vouched(self))
    }
}

/// What the signature of a proposal must cover.
pub(super) fn check_proposal(
    claim: &ProposalClaim,
    header: &Header,
    signature: &Signature,
    context: &Judge<'_>,
) -> Result<(), Invalid> {
    context.in_epoch(claim.epoch)?;
    if header.epoch != claim.epoch {
        return Err(Invalid::Contradiction("the block is of another epoch than its proposal"));
    }
    let primary = context.set.primary(claim.epoch, claim.view);
    context.signed(Domain::Proposal, primary, claim, signature)
}

impl Verified<CompactProposal> {
    /// The proposal with these transactions; `None` if they are not those that the header binds.
    #[must_use]
    pub fn whole(&self, transactions: Vec<Transaction>) -> Option<Verified<Message>> {
        let header = self.get().header.clone();
        self.of_block(SealedBlock::new(Block { header, transactions: List::new(transactions).ok()? })?)
    }

    /// The proposal of this block; `None` if it is another block's.
    #[must_use]
    pub fn of_block(&self, block: SealedBlock) -> Option<Verified<Message>> {
        let CompactProposal { epoch, view, header, signature, .. } = self.get();
        if block.header() != header {
            return None;
        }
        let proposal = Proposal { epoch: *epoch, view: *view, block, signature: *signature };
        // Its signature is over the header, and has been checked.
        Some(Verified::vouched(Message::Proposal(Arc::new(proposal))))
    }
}
