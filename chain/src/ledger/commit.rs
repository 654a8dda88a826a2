//! Making an executed block final.

use super::apply::{Commit, next_epoch};
use super::error::LedgerError;
use super::overlay::Overlay;
use super::reader::CommittedBlock;
use super::record::{self, CommitRef};
use super::shared::Publication;
use super::store::Applied;
use super::{Ledger, Tip};
use crate::block::Header;
use crate::certificate::{CommitCertificate, PATH_HEADERS_MAX, check_path};
use crate::codec::{List, encode};
use crate::ids::{BlockHash, Height, ResultHash};
use std::sync::Arc;

impl Ledger {
    /// Makes an executed child of the tip final. Its certificate is durable when this returns, and only then
    /// does anybody see it. The caller has verified the certificate's signatures; `path` holds the headers
    /// from the block's child to the certified block, if that is a descendant (R22).
    ///
    /// # Errors
    /// [`LedgerError::NotExecuted`], [`LedgerError::Certificate`] and [`LedgerError::Diverged`] change
    /// nothing; after the last one nothing may be voted on (R36), after any other error the node must stop.
    pub fn commit(
        &mut self,
        hash: BlockHash,
        path: List<Header, 0, PATH_HEADERS_MAX>,
        certificate: CommitCertificate,
    ) -> Result<Arc<CommittedBlock>, LedgerError> {
        let overlay = self.overlays.get(&hash).filter(|overlay| overlay.parent == self.tip.block);
        let overlay = overlay.ok_or(LedgerError::NotExecuted(hash))?;
        self.check_certified(hash, overlay, &path, &certificate)?;
        // Before anything is written: waiting here keeps the tail of what the store lacks bounded.
        self.shared.make_room()?;
        let before = self.shared.before(&overlay.version)?;
        let Some(overlay) = self.overlays.remove(&hash) else { return Err(LedgerError::NotExecuted(hash)) };
        let Overlay { version, receipts, executed, context, block, .. } = overlay;
        let record = CommitRef {
            height: block.header.height,
            block: hash,
            body: self.write_body(hash, &block)?,
            certificate: &certificate,
            path: &path,
            result: executed.result,
            receipts: &receipts,
            changes: version.changes(),
        };
        let bytes = encode(&record);
        let position = self.journal.append(record::COMMIT, &bytes)?;
        self.journal.sync()?;
        self.context = context;
        self.tip = self.tip.after(&block.header, &record);
        self.bodies.retain(|_, (at, _)| *at > record.height);
        self.scheduled.retain(|at, _| *at > record.height);
        self.shared.keep_leaves(self.version.tree(), &version);
        self.version = version.evicted();
        self.rebase_overlays(&version);
        let publication = Publication {
            commit: Commit { record, position, block: &block },
            version: &version,
            tree: self.version.tree().clone(),
            before,
            tip: self.tip.clone(),
            applied: self.applied(),
            bytes: (bytes.len() + borsh::object_length(&block).unwrap_or(0)) as u64,
        };
        self.shared.publish(publication);
        let result = executed.result;
        let committed = Arc::new(CommittedBlock { block, result, certificate, path, receipts });
        self.shared.remember(&committed);
        Ok(committed)
    }

    /// Where opening can start once the store holds everything up to the tip.
    pub(super) fn applied(&self) -> Applied {
        let end = self.journal.end();
        let scan_from = self.bodies.values().map(|(_, position)| *position).min().unwrap_or(end).min(end);
        Applied { height: self.tip.height, scan_from, index: self.shared.options.index }
    }

    /// Whether the certificate proves this child of the tip, and its result is the own one.
    fn check_certified(
        &self,
        hash: BlockHash,
        overlay: &Overlay,
        path: &[Header],
        certificate: &CommitCertificate,
    ) -> Result<(), LedgerError> {
        let header = &overlay.block.header;
        let certified = path.first().map_or(certificate.result_hash, |child| child.parent_result);
        let unfit = LedgerError::Certificate(hash);
        if check_path(header, certified, path, certificate).is_err() {
            return Err(unfit);
        }
        same_result(self.tip.height, self.tip.result.hash(), header.parent_result)?;
        same_result(header.height, overlay.executed.hash(), certified)?;
        let follows = header.height == self.tip.height.next() && header.epoch == self.tip.epoch;
        // R45: the last block of an epoch has no child in it.
        let ended_before = overlay.executed.ends_epoch && !path.is_empty();
        if follows && !ended_before { Ok(()) } else { Err(unfit) }
    }
}

/// R36.
fn same_result(height: Height, own: ResultHash, certified: ResultHash) -> Result<(), LedgerError> {
    if own == certified { Ok(()) } else { Err(LedgerError::Diverged { height, own, certified }) }
}

impl Tip {
    /// The tip after a block is committed on it.
    pub(super) fn after(&self, header: &Header, record: &CommitRef<'_>) -> Self {
        let next = next_epoch(record.changes);
        let (epoch, validators) = match next {
            Some((epoch, validators)) => (epoch, Arc::new(validators.clone())),
            None => (self.epoch, Arc::clone(&self.validators)),
        };
        Self {
            height: record.height,
            block: record.block,
            timestamp_ms: header.timestamp_ms,
            result: record.result,
            certificate: Some(record.certificate.clone()),
            ends_epoch: next.is_some(),
            epoch,
            validators,
        }
    }
}
