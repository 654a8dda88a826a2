//! Blocks of an archive into a ledger: each is proven, executed and compared before it is committed.

use super::format::ArchivedBlock;
use super::reader::ArchiveReader;
use crate::ids::{BlockHash, Height};
use crate::ledger::error::LedgerError;
use crate::ledger::tools::error::ToolError;
use crate::ledger::tools::link::{Link, Proof};
use crate::ledger::tools::{Progress, Stage, tell};
use crate::ledger::{Ledger, Tip};
use std::io::Read;

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Blocks of the archive that the ledger had already.
    pub skipped: u64,
    /// Blocks that were committed.
    pub committed: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// The ledger's tip afterwards.
    pub tip: Height,
}

/// Commits what the archive holds above the ledger's tip. `total` is the archive's length in bytes, 0 if that is
/// not known. A block is durable once it is committed: an import that ends early goes on there.
///
/// # Errors
/// [`ToolError::OtherChain`], [`ToolError::Gap`], [`ToolError::Fork`], [`ToolError::Refused`],
/// [`ToolError::Import`], [`ToolError::Archive`]. All blocks before are committed, nothing else is stored.
pub fn import<R: Read>(
    ledger: &mut Ledger,
    source: R,
    total: u64,
    progress: &mut dyn Progress,
) -> Result<Imported, ToolError> {
    let mut archive = ArchiveReader::open(source)?;
    let (expected, found) = (ledger.chain, archive.chain());
    if expected != found {
        return Err(ToolError::OtherChain { expected, found });
    }
    let next = ledger.tip().height.next();
    if archive.first() > next {
        return Err(ToolError::Gap { first: archive.first(), next });
    }
    let mut done = Imported { skipped: 0, committed: 0, transactions: 0, tip: ledger.tip().height };
    let outcome = blocks(ledger, &mut archive, total, progress, &mut done);
    if done.committed > 0 {
        // Also after an error: the next start has less to replay.
        ledger.checkpoint()?;
    }
    outcome.map(|()| done)
}

fn blocks<R: Read>(
    ledger: &mut Ledger,
    archive: &mut ArchiveReader<R>,
    total: u64,
    progress: &mut dyn Progress,
    done: &mut Imported,
) -> Result<(), ToolError> {
    // Each block binds all before it: of those that are there already only the last needs to be compared.
    let mut known: Option<(Height, BlockHash)> = None;
    loop {
        tell(progress, Stage::Import, archive.offset(), total)?;
        let next = match archive.next_block() {
            Ok(next) => next,
            Err(error) => {
                same_chain(ledger, known.take())?;
                return Err(error.into());
            }
        };
        let Some(archived) = next else { return same_chain(ledger, known) };
        let height = archived.block.header.height;
        if height <= ledger.tip().height {
            known = Some((height, archived.block.hash()));
            done.skipped += 1;
            continue;
        }
        same_chain(ledger, known.take())?;
        done.transactions += archived.block.transactions.len() as u64;
        commit(ledger, archived, archive.place())?;
        done.committed += 1;
        done.tip = height;
    }
}

/// Whether the ledger has this block too.
fn same_chain(ledger: &Ledger, known: Option<(Height, BlockHash)>) -> Result<(), ToolError> {
    let Some((height, archived)) = known else { return Ok(()) };
    let Tip { height: tip, block, .. } = ledger.tip();
    let own = if height == *tip {
        *block
    } else {
        let committed = ledger.reader().block(height)?;
        let missing = || LedgerError::Damaged { height, what: "there is no block".into() };
        committed.ok_or_else(missing)?.block.hash()
    };
    if own == archived { Ok(()) } else { Err(ToolError::Fork { height, archived, own }) }
}

fn commit(ledger: &mut Ledger, archived: ArchivedBlock, place: (u64, u64)) -> Result<(), ToolError> {
    let ArchivedBlock { block, result, certificate, path } = archived;
    let (height, (record, offset)) = (block.header.height, place);
    let proof = Proof { block: &block, result: &result, path: &path, certificate: &certificate };
    let proven = Link::tip(ledger.tip()).check(ledger.chain, &proof);
    proven.map_err(|why| ToolError::Refused { record, offset, height, why })?;
    let hash = block.hash();
    let mut take = || {
        let own = ledger.execute(&block)?.hash();
        let certified = result.hash();
        if own != certified {
            ledger.discard(hash);
            return Err(LedgerError::Diverged { height, own, certified });
        }
        ledger.commit(hash, path.clone(), certificate.clone()).map(|_| ())
    };
    take().map_err(|source| ToolError::Import { record, offset, height, source })
}
