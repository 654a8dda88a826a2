//! What the records of the chain's journal hold. Their bytes never change meaning.

use super::error::LedgerError;
use super::journal::{self, Position};
use crate::block::{Block, BlockResult, Header};
use crate::certificate::{CommitCertificate, PATH_HEADERS_MAX};
use crate::codec::{List, decode};
use crate::ids::{BlockHash, Height};
use crate::receipt::Receipt;
use crate::state::Changes;
use borsh::{BorshDeserialize, BorshSerialize};

/// Kind of a record that holds a [`Block`].
pub(super) const BODY: u8 = 1;
/// Kind of a record that holds a [`CommitRecord`].
pub(super) const COMMIT: u8 = 2;

/// A block became final.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct CommitRecord {
    pub(super) height: Height,
    pub(super) block: BlockHash,
    /// Where its body is.
    pub(super) body: Position,
    pub(super) certificate: CommitCertificate,
    pub(super) path: List<Header, 0, PATH_HEADERS_MAX>,
    pub(super) result: BlockResult,
    pub(super) receipts: Vec<Receipt>,
    /// Every entry that it changed, by absolute value.
    pub(super) changes: Changes,
}

/// A [`CommitRecord`] whose parts are elsewhere; its bytes are the same.
#[derive(Clone, Copy, Debug, BorshSerialize)]
pub(super) struct CommitRef<'a> {
    pub(super) height: Height,
    pub(super) block: BlockHash,
    pub(super) body: Position,
    pub(super) certificate: &'a CommitCertificate,
    pub(super) path: &'a List<Header, 0, PATH_HEADERS_MAX>,
    pub(super) result: BlockResult,
    pub(super) receipts: &'a Vec<Receipt>,
    pub(super) changes: &'a Changes,
}

impl CommitRecord {
    pub(super) const fn as_ref(&self) -> CommitRef<'_> {
        let Self { height, block, body, certificate, path, result, receipts, changes } = self;
        let (height, block, body, result) = (*height, *block, *body, *result);
        CommitRef { height, block, body, certificate, path, result, receipts, changes }
    }
}

fn read<T: BorshDeserialize>(
    journal: &journal::Reader,
    position: Position,
    kind: u8,
    what: &str,
) -> Result<T, LedgerError> {
    let (found, payload) = journal.read(position)?;
    let decoded = (found == kind).then(|| decode(&payload).ok()).flatten();
    decoded.ok_or_else(|| LedgerError::Damaged {
        height: Height::ZERO,
        what: format!("the journal has no {what} at {position}"),
    })
}

pub(super) fn read_body(journal: &journal::Reader, position: Position) -> Result<Block, LedgerError> {
    read(journal, position, BODY, "block")
}

pub(super) fn read_commit(
    journal: &journal::Reader,
    position: Position,
) -> Result<CommitRecord, LedgerError> {
    read(journal, position, COMMIT, "commit")
}
