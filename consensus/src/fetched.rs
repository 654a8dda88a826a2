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
