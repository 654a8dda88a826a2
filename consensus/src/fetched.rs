//! What others answer to a request proves itself, or is refused: anybody may be asked.

use crate::message::{EpochContext, SealedBlock, Verified};
use quorate_chain::certificate::{CertificateError, PATH_HEADERS_MAX};
use quorate_chain::codec::List;
use quorate_chain::crypto::{SignatureCheck, strict};
use quorate_chain::{Block, BlockHash, CommitCertificate, Header, Height};

/// A block as it comes: with headers up to the one that its certificate is for (R22).
pub type Claimed = (Block, List<Header, 0, PATH_HEADERS_MAX>, CommitCertificate);

/// A block and the certificate that proves it, for [`Input::Certified`](crate::Input::Certified).
pub type Certified = (SealedBlock, Verified<CommitCertificate>);

/// Why an answer is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// Not the block that was asked for.
    #[error("a block of height {found} instead of {expected}")]
    Height {
        /// What came.
        found: Height,
        /// What should have come.
        expected: Height,
    },
    /// Another body than the header's.
    #[error("a block whose transactions do not fit its header")]
    Body,
    /// The headers lead nowhere.
    #[error("headers that do not follow each other")]
    Path,
    /// The certificate proves something else.
    #[error("a certificate for another block")]
    Other,
    /// The certificate does not hold.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
}

/// Checks blocks that were asked for from a height on. Blocks of later epochs are left for the next answer,
/// which is checked when their epoch has begun.
///
/// # Errors
/// Says what is not proven; none of the blocks is to be used then.
pub fn certified(
    blocks: impl IntoIterator<Item = Claimed>,
    from: Height,
    context: &EpochContext,
) -> Result<Vec<Certified>, Unproven> {
    certified_by(blocks, from, context, strict)
}

/// The same, with another check of signatures.
///
/// # Errors
/// Says what is not proven; none of the blocks is to be used then.
pub fn certified_by(
    blocks: impl IntoIterator<Item = Claimed>,
    from: Height,
    context: &EpochContext,
    holds: SignatureCheck,
) -> Result<Vec<Certified>, Unproven> {
    let mut expected = from;
    let mut checked = Vec::new();
    for (block, path, certificate) in blocks {
        if certificate.epoch > context.epoch {
            break;
        }
        if block.header.height != expected || certificate.epoch != context.epoch {
            return Err(Unproven::Height { found: block.header.height, expected });
        }
        let block = SealedBlock::new(block).ok_or(Unproven::Body)?;
        let certified = path.iter().try_fold(block.hash(), |parent, child| {
            (child.parent == parent).then(|| child.hash()).ok_or(Unproven::Path)
        })?;
        if certified != certificate.block_hash {
            return Err(Unproven::Other);
        }
        certificate.verify_by(&context.set, context.chain, holds)?;
        expected = expected.next();
        checked.push((block, Verified::vouched(certificate)));
    }
    Ok(checked)
}

/// The body that was asked for, if this is it.
#[must_use]
pub fn body(block: Block, asked: BlockHash) -> Option<SealedBlock> {
    SealedBlock::new(block).filter(|block| block.hash() == asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_chain::block::transactions_root;
    use quorate_chain::certificate::{CommitVote, fixture::commit_certificate};
    use quorate_chain::validator::fixture::validator_set;
    use quorate_chain::{ChainId, Epoch, ResultHash, TimestampMs, ValidatorIndex, View};
    use std::sync::Arc;

    const CHAIN: ChainId = ChainId([1; 32]);

    fn context() -> EpochContext {
        EpochContext {
            chain: CHAIN,
            epoch: Epoch(0),
            set: Arc::new(validator_set(4)),
            start_height: Height(0),
            start_block: CHAIN.genesis_block(),
            start_result: ResultHash([0; 32]),
        }
    }

    fn block(height: u64, parent: BlockHash) -> Block {
        let header = Header {
            version: 1,
            height: Height(height),
            epoch: Epoch(0),
            parent,
            timestamp_ms: TimestampMs(height),
            transactions_root: transactions_root(&[]),
            transaction_count: 0,
            parent_result: ResultHash([2; 32]),
            proposer: ValidatorIndex(0),
        };
        Block { header, transactions: List::default() }
    }

    fn certificate(of: &Block, signers: &[u16]) -> CommitCertificate {
        let (height, block) = (of.header.height, of.hash());
        let vote = CommitVote { epoch: Epoch(0), view: View(0), height, block, result: ResultHash([3; 32]) };
        commit_certificate(CHAIN, vote, signers)
    }

    #[test]
    fn r22_only_what_was_asked_for_and_proves_itself_is_taken() {
        let first = block(5, BlockHash([4; 32]));
        let second = block(6, first.hash());
        let proof = certificate(&second, &[0, 1, 2]);
        let path = || List::new(vec![second.header.clone()]).unwrap();
        let one = || (first.clone(), path(), proof.clone());
        let two = || (second.clone(), List::default(), proof.clone());
        let check = |blocks: Vec<Claimed>, from| {
            certified(blocks, Height(from), &context()).map(|blocks| blocks.len())
        };
        assert_eq!(check(vec![one(), two()], 5), Ok(2));
        assert_eq!(check(Vec::new(), 5), Ok(0));
        let other_height = |found, expected| Err(Unproven::Height { found: Height(found), expected });
        assert_eq!(check(vec![two()], 5), other_height(6, Height(5)));
        assert_eq!(check(vec![one(), one()], 5), other_height(5, Height(6)));
        assert_eq!(check(vec![(first.clone(), List::default(), proof.clone())], 5), Err(Unproven::Other));
        let astray = List::new(vec![second.header.clone(), second.header.clone()]).unwrap();
        assert_eq!(check(vec![(first.clone(), astray, proof.clone())], 5), Err(Unproven::Path));
        let few = (second.clone(), List::default(), certificate(&second, &[0, 1]));
        assert!(matches!(check(vec![few], 6), Err(Unproven::Certificate(_))));
        let mut unbound = second.clone();
        unbound.header.transaction_count = 1;
        assert_eq!(check(vec![(unbound, List::default(), proof.clone())], 6), Err(Unproven::Body));
        let later = CommitCertificate { epoch: Epoch(1), ..proof.clone() };
        assert_eq!(check(vec![two(), (block(7, second.hash()), List::default(), later)], 6), Ok(1));
    }

    #[test]
    fn r34_another_body_is_refused() {
        let (one, other) = (block(5, BlockHash([4; 32])), block(6, BlockHash([4; 32])));
        assert!(body(one.clone(), one.hash()).is_some());
        assert!(body(other, one.hash()).is_none());
    }
}
