//! What a block must follow from, and what must prove it: for all tools the same.

use crate::block::{Block, BlockResult, Header};
use crate::certificate::{CertificateError, CertifiedHeader, CommitCertificate, PATH_HEADERS_MAX};
use crate::codec::List;
use crate::ids::{BlockHash, ChainId, Epoch, Height, ResultHash};
use crate::ledger::{GenesisState, Tip};
use crate::state::tree;
use crate::validator::ValidatorSet;
use std::sync::Arc;

/// Why a block is not the proven next one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It is of another height.
    #[error("it is of height {0}")]
    Height(Height),
    /// Its parent is another block.
    #[error("its parent is not the block before it")]
    Parent,
    /// Its header says another result of its parent.
    #[error("its header has another result of the block before it")]
    ParentResult,
    /// Its transactions are not those of its header.
    #[error("its transactions are not those that its header binds")]
    Transactions,
    /// Header, result, path or signatures do not fit.
    #[error("its certificate does not hold: {0}")]
    Certificate(#[from] CertificateError),
    /// The certified result changes the validators to a set that is not the one known of.
    #[error("the next validators are not those that its result binds")]
    NextValidators,
}

/// The block before: what the next one must follow from.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) height: Height,
    /// The block and its result; not known behind damage.
    pub(super) parent: Option<(BlockHash, ResultHash)>,
    /// Who certifies the next block; not known behind damage that may have hidden a change.
    pub(super) voters: Option<(Epoch, Arc<ValidatorSet>)>,
}

/// What is said to prove a block.
pub(super) struct Proof<'a> {
    pub(super) block: &'a Block,
    pub(super) result: &'a BlockResult,
    pub(super) path: &'a List<Header, 0, PATH_HEADERS_MAX>,
    pub(super) certificate: &'a CommitCertificate,
}

impl Link {
    pub(super) fn genesis(genesis: &GenesisState) -> Result<Self, tree::Error> {
        Ok(Self {
            height: Height::ZERO,
            parent: Some((genesis.chain.genesis_block(), genesis.result()?.hash())),
            voters: Some((Epoch::ZERO, Arc::new(genesis.validators.clone()))),
        })
    }

    pub(super) fn tip(tip: &Tip) -> Self {
        Self {
            height: tip.height,
            parent: Some((tip.block, tip.result.hash())),
            voters: Some((tip.epoch, Arc::clone(&tip.validators))),
        }
    }

    /// Whether the block is the next one, whole, and certified by the validators of its epoch (R1, R2, R22).
    /// Signatures are verified strictly. What is not known of the block before is not compared.
    pub(super) fn check(&self, chain: ChainId, proof: &Proof<'_>) -> Result<(), LinkError> {
        let header = &proof.block.header;
        if header.height != self.height.next() {
            return Err(LinkError::Height(header.height));
        }
        if let Some((block, result)) = self.parent {
            if header.parent != block {
                return Err(LinkError::Parent);
            }
            if header.parent_result != result {
                return Err(LinkError::ParentResult);
            }
        }
        if !proof.block.is_bound() {
            return Err(LinkError::Transactions);
        }
        let Some((epoch, validators)) = &self.voters else { return Ok(()) };
        let certified = CertifiedHeader {
            header: header.clone(),
            result: *proof.result,
            path: proof.path.clone(),
            commit: proof.certificate.clone(),
        };
        Ok(certified.verify(*epoch, validators, chain)?)
    }

    /// On to the block, whose result binds the next validators: `change` if it ended its epoch, else the same.
    pub(super) fn follow(
        &mut self,
        block: &Block,
        result: &BlockResult,
        change: Option<(Epoch, ValidatorSet)>,
    ) -> Result<(), LinkError> {
        self.height = block.header.height;
        self.parent = Some((block.hash(), result.hash()));
        if let Some((epoch, validators)) = change {
            self.voters = Some((epoch, Arc::new(validators)));
        }
        let wrong = |(_, set): &(Epoch, Arc<ValidatorSet>)| set.hash() != result.next_set_hash;
        if self.voters.as_ref().is_some_and(wrong) {
            self.voters = None;
            return Err(LinkError::NextValidators);
        }
        Ok(())
    }
}
