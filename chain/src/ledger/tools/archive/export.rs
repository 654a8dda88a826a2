//! Blocks of a ledger into an archive. What does not prove itself is not handed on.

use super::format::{ArchiveWriter, ArchivedBlock, END_BYTES, HEADER_BYTES};
use super::reader::{ArchiveError, ArchiveFault, ArchiveReader};
use crate::ids::{BlockHash, Height};
use crate::ledger::error::LedgerError;
use crate::ledger::tools::error::ToolError;
use crate::ledger::tools::link::{Link, LinkError, Proof};
use crate::ledger::tools::{Progress, Stage, tell};
use crate::ledger::{GenesisState, Reader};
use crate::state::StateError;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::sync::Arc;

/// Blocks between two syncs of the archive's file: so many are written again after a power loss at most.
const SYNC_BLOCKS: u64 = 10_000;

/// Which heights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The first; the chain's first if left out.
    pub from: Option<Height>,
    /// The last; the tip if left out.
    pub to: Option<Height>,
}

/// What an export wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The archive's first height.
    pub first: Height,
    /// Its last.
    pub last: Height,
    /// Blocks that were there already.
    pub kept: u64,
    /// Blocks written now.
    pub written: u64,
    /// Length of the archive, bytes.
    pub bytes: u64,
}

/// Writes an archive of the heights in `range`.
///
/// # Errors
/// [`ToolError::Heights`]; [`ToolError::Unproven`] when a block of the own ledger does not hold; else those of
/// ledger and sink. After any of them, and when interrupted, the sink holds a valid beginning.
pub fn export<W: Write>(
    reader: &Reader,
    genesis: &GenesisState,
    sink: W,
    range: Range,
    progress: &mut dyn Progress,
) -> Result<Exported, ToolError> {
    let first = range.from.unwrap_or(Height(1));
    let last = last_height(reader, first, range)?;
    let writer = ArchiveWriter::begin(BufWriter::new(sink), reader.chain(), first).map_err(failed(0))?;
    Blocks { reader, first, last, kept: 0 }.write(writer, genesis, progress, &mut |_| Ok(()))
}

/// Goes on with the archive in `file`: what is behind its last whole block is replaced. An empty file is begun.
/// The file is synced now and then, and at the end.
///
/// # Errors
/// As [`export`]; [`ToolError::OtherChain`], [`ToolError::Fork`] and faults of the archive leave it as it is.
pub fn resume_export(
    reader: &Reader,
    genesis: &GenesisState,
    file: &mut File,
    range: Range,
    progress: &mut dyn Progress,
) -> Result<Exported, ToolError> {
    let Some(begun) = begun(reader, file, progress)? else {
        file.set_len(0).map_err(failed(0))?;
        file.rewind().map_err(failed(0))?;
        let first = range.from.unwrap_or(Height(1));
        let last = last_height(reader, first, range)?;
        let sink = BufWriter::new(&*file);
        let writer = ArchiveWriter::begin(sink, reader.chain(), first).map_err(failed(0))?;
        let blocks = Blocks { reader, first, last, kept: 0 };
        return blocks.write(writer, genesis, progress, &mut |file| file.get_ref().sync_data());
    };
    let Begun { first, blocks, bytes, key } = begun;
    let next = Height(first.0 + blocks);
    if let Some(from) = range.from.filter(|from| *from != first) {
        return Err(ToolError::Heights { from, to: next.previous(), tip: reader.tip().height });
    }
    let last = last_height(reader, first, range)?.max(next.previous());
    file.set_len(bytes).map_err(failed(bytes))?;
    file.seek(SeekFrom::Start(bytes)).map_err(failed(bytes))?;
    let writer = ArchiveWriter::go_on(BufWriter::new(&*file), key, blocks, bytes);
    let blocks = Blocks { reader, first, last, kept: blocks };
    blocks.write(writer, genesis, progress, &mut |file| file.get_ref().sync_data())
}

fn last_height(reader: &Reader, first: Height, range: Range) -> Result<Height, ToolError> {
    let tip = reader.tip().height;
    let to = range.to.unwrap_or(tip);
    // An archive of an empty chain has no blocks.
    let sound = first > Height::ZERO && to <= tip && first <= to.next();
    if sound { Ok(to) } else { Err(ToolError::Heights { from: first, to, tip }) }
}

fn failed(offset: u64) -> impl Fn(io::Error) -> ToolError {
    move |error| ArchiveError { record: 0, offset, fault: ArchiveFault::Io(error) }.into()
}

/// An archive that is there.
struct Begun {
    first: Height,
    blocks: u64,
    bytes: u64,
    key: [u8; 32],
}

/// Reads the archive up to its end, or to what is not whole; `None` if not even its header is.
fn begun(reader: &Reader, file: &mut File, progress: &mut dyn Progress) -> Result<Option<Begun>, ToolError> {
    let total = file.metadata().map_err(failed(0))?.len();
    file.rewind().map_err(failed(0))?;
    let mut archive = match ArchiveReader::open(BufReader::new(&*file)) {
        Err(ArchiveError { fault: ArchiveFault::Cut, .. }) if total < HEADER_BYTES as u64 => return Ok(None),
        opened => opened?,
    };
    let (expected, found) = (reader.chain(), archive.chain());
    if expected != found {
        return Err(ToolError::OtherChain { expected, found });
    }
    let mut last: Option<(Height, BlockHash)> = None;
    loop {
        tell(progress, Stage::Archive, archive.offset(), total)?;
        match archive.next_block() {
            Ok(Some(archived)) => last = Some((archived.block.header.height, archived.block.hash())),
            Ok(None) => break,
            // What a crash leaves: a record that is cut short, or whose bytes did not all reach the disk.
            Err(ArchiveError { fault: ArchiveFault::Io(error), .. }) => {
                return Err(failed(archive.offset())(error));
            }
            Err(_) => break,
        }
    }
    if let Some((height, archived)) = last {
        let own = reader.block(height)?.map(|own| own.block.hash());
        let own = own.ok_or(ToolError::Heights { from: height, to: height, tip: reader.tip().height })?;
        if own != archived {
            return Err(ToolError::Fork { height, archived, own });
        }
    }
    let (first, blocks, bytes) = (archive.first(), archive.blocks(), archive.offset());
    Ok(Some(Begun { first, blocks, bytes, key: *archive.key() }))
}

/// The blocks that are to be in the archive.
struct Blocks<'a> {
    reader: &'a Reader,
    first: Height,
    last: Height,
    /// How many of them are.
    kept: u64,
}

impl Blocks<'_> {
    fn write<W: Write>(
        &self,
        mut writer: ArchiveWriter<BufWriter<W>>,
        genesis: &GenesisState,
        progress: &mut dyn Progress,
        sync: &mut dyn FnMut(&mut BufWriter<W>) -> io::Result<()>,
    ) -> Result<Exported, ToolError> {
        let next = Height(self.first.0 + self.kept);
        let total = (self.last.0 + 1).saturating_sub(next.0);
        let mut link = self.link(genesis, next)?;
        let mut written = 0;
        while written < total {
            let height = Height(next.0 + written);
            let told = tell(progress, Stage::Export, written, total);
            let block = told.and_then(|()| self.proven(&mut link, height));
            let block = match block {
                Ok(block) => block,
                Err(error) => {
                    writer.leave().and_then(|mut sink| sync(&mut sink)).map_err(failed(0))?;
                    return Err(error);
                }
            };
            let at = writer.bytes();
            writer.block(&block).map_err(failed(at))?;
            written += 1;
            if written % SYNC_BLOCKS == 0 {
                writer.settle(sync).map_err(failed(at))?;
            }
        }
        // An interrupted progress has nothing left to stop.
        let _ = progress.at(Stage::Export, total, total);
        let (kept, first, last) = (self.kept, self.first, self.last);
        let at = writer.bytes();
        let bytes = at + END_BYTES;
        writer.end().and_then(|mut sink| sync(&mut sink)).map_err(failed(at))?;
        Ok(Exported { first, last, kept, written, bytes })
    }

    /// What the block at `next` follows from.
    fn link(&self, genesis: &GenesisState, next: Height) -> Result<Link, ToolError> {
        let mut link = Link::genesis(genesis).map_err(|error| LedgerError::from(StateError::from(error)))?;
        if next > Height(1) {
            let before = next.previous();
            let parent = self.committed(before)?;
            link.height = before;
            link.parent = Some((parent.block.hash(), parent.result.hash()));
            let voters = self.reader.validators_at(next)?;
            link.voters = voters.map(|(epoch, validators)| (epoch, Arc::new(validators)));
        }
        Ok(link)
    }

    fn committed(&self, height: Height) -> Result<Arc<crate::ledger::CommittedBlock>, ToolError> {
        let what = "there is no block".to_owned();
        Ok(self.reader.block(height)?.ok_or(LedgerError::Damaged { height, what })?)
    }

    /// The block at a height, which must hold.
    fn proven(&self, link: &mut Link, height: Height) -> Result<ArchivedBlock, ToolError> {
        let committed = self.committed(height)?;
        let archived = ArchivedBlock::of(&committed);
        let ArchivedBlock { block, result, certificate, path } = &archived;
        let unproven = |why: LinkError| ToolError::Unproven { height, why };
        link.check(self.reader.chain(), &Proof { block, result, path, certificate }).map_err(unproven)?;
        let epoch = block.header.epoch.next();
        let ends = link.voters.as_ref().is_some_and(|(_, set)| set.hash() != result.next_set_hash);
        let change = if ends { self.reader.validators_of(epoch)?.map(|set| (epoch, set)) } else { None };
        link.follow(block, result, change).map_err(unproven)?;
        Ok(archived)
    }
}
