//! What comes from other hosts: verification, operations, and helping each other to catch up (R30, R33, R34).

use super::host::Host;
use super::operation;
use super::storage::Key;
use super::wire::{CertifiedBlock, MESSAGE_BYTES_MAX, SYNC_BLOCKS_MAX, Wire};
use super::{Error, Service, Storage};
use crate::message::{SealedBlock, Verified, verify};
use crate::replica::Input;
use crate::time::Time;
use quorate_chain::codec::{List, decode, encode};
use quorate_chain::{BlockHash, Epoch, Height, Transaction, ValidatorIndex};

/// Most bytes of blocks that one host is answered with in `status_ms` (R30).
pub(super) const ANSWER_BYTES_MAX: usize = 8 * MESSAGE_BYTES_MAX;

/// What is kept of another host.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Neighbour {
    /// It was asked for blocks up to this height, and has not answered.
    asked: Option<Height>,
    /// Since when its answers count, and their bytes.
    answered: (Time, usize),
}

impl<S: Service, D: Storage> Host<S, D> {
    /// Takes in one message.
    ///
    /// # Errors
    /// Says why it is refused, or that the storage failed.
    pub(super) fn on_message(&mut self, from: ValidatorIndex, bytes: &[u8]) -> Result<(), Error> {
        if from == self.me || self.settings.set.get(from).is_none() {
            return Err(Error::Stranger(from));
        }
        match Wire::from_bytes(bytes)? {
            Wire::Consensus(message) => {
                // R30: an old one, sent again by another, would use up what its signer is owed.
                if message.is_first_hand() && message.signer(&self.context) != Some(from) {
                    return Err(Error::SecondHand(from));
                }
                self.inputs.push_back(Input::Message(verify(message, &self.context)?));
            }
            Wire::WantBody(hash) => return self.show_body(from, hash),
            Wire::Body(block) => self.inputs.push_back(Input::Block(block)),
            Wire::WantBlocks(above) => return self.show_blocks(from, above),
            Wire::Blocks(blocks) => return self.on_blocks(from, blocks.into_inner()),
            Wire::Operations(operations) => return self.on_operations(&operations),
        }
        Ok(())
    }

    /// Operations that others pass on: what there is room for is checked and waits here too.
    fn on_operations(&mut self, operations: &[Transaction]) -> Result<(), Error> {
        for transaction in operations {
            let read = operation::read(transaction, &self.settings.set, self.settings.chain);
            let host = read.ok_or(Error::ForgedOperation)?.host;
            let next = self.execution.next().get(usize::from(host.0)).copied().unwrap_or_default();
            if self.pool.has_room(host, next, transaction) {
                self.execution.check(transaction)?;
                self.pool.insert(host, next, transaction.clone())?;
                self.pool_changed = true;
            }
        }
        Ok(())
    }

    /// Asks a host for the blocks above the own tip.
    pub(super) fn ask_for_blocks(&mut self, peer: ValidatorIndex, to: Height) {
        self.neighbours.entry(peer).or_default().asked = Some(to);
        self.send(peer, &Wire::WantBlocks(self.replica.tip().height));
    }

    /// Blocks that were asked for: proven one by one, then handed to the replica; and on to the next ones.
    fn on_blocks(&mut self, from: ValidatorIndex, blocks: Vec<CertifiedBlock>) -> Result<(), Error> {
        let Some(to) = self.neighbours.entry(from).or_default().asked.take() else { return Ok(()) };
        let tip = self.replica.tip().height;
        let mut last: Option<Height> = None;
        let mut inputs = Vec::new();
        for CertifiedBlock { block, path, certificate } in blocks {
            if last.is_some_and(|last| block.height() != last.next()) {
                return Err(Error::Blocks("blocks that do not follow each other"));
            }
            last = Some(block.height());
            let one_epoch = block.header().epoch == Epoch::ZERO && certificate.epoch == Epoch::ZERO;
            let certified = CertifiedBlock { block, path, certificate };
            if !one_epoch || !certified.leads_to_certificate() {
                return Err(Error::Blocks("a block without a certificate of its own or of a descendant"));
            }
            let CertifiedBlock { block, certificate, .. } = certified;
            if block.height() > tip {
                certificate.verify(&self.settings.set, self.settings.chain)?;
                inputs.push(Input::Certified { block, certificate: Verified::vouched(certificate) });
            }
        }
        self.inputs.extend(inputs);
        self.run()?;
        if self.replica.tip().height > tip && self.replica.tip().height < to {
            self.ask_for_blocks(from, to);
        }
        Ok(())
    }

    fn show_body(&mut self, to: ValidatorIndex, hash: BlockHash) -> Result<(), Error> {
        let body = match (self.bodies.get(&hash), self.recent.get(&hash)) {
            (Some(body), _) => Some(body.clone()),
            (None, Some(height)) => self.stored_block(*height)?.map(|stored| stored.block),
            (None, None) => None,
        };
        if let Some(body) = body.filter(|body| self.may_answer(to, body)) {
            self.send(to, &Wire::Body(body));
        }
        Ok(())
    }

    fn show_blocks(&mut self, to: ValidatorIndex, above: Height) -> Result<(), Error> {
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        let mut height = above.next();
        while height <= self.replica.tip().height && blocks.len() < SYNC_BLOCKS_MAX {
            let Some(stored) = self.stored_block(height)? else { break };
            bytes += encode(&stored).len();
            // One block always fits (`wire.rs`); the frame around them takes a few bytes.
            if bytes + 16 > MESSAGE_BYTES_MAX || !self.may_answer(to, &stored.block) {
                break;
            }
            blocks.push(stored);
            height = height.next();
        }
        if let Ok(blocks) = List::new(blocks) {
            self.send(to, &Wire::Blocks(blocks));
        }
        Ok(())
    }

    /// R30: within a budget of bytes for each host and `status_ms`.
    fn may_answer(&mut self, to: ValidatorIndex, block: &SealedBlock) -> bool {
        let length: usize = block.block().transactions.iter().map(|t| t.bytes().len() + 4).sum();
        let (since, bytes) = &mut self.neighbours.entry(to).or_default().answered;
        if *since + self.settings.status_ms <= self.now.time {
            (*since, *bytes) = (self.now.time, 0);
        }
        *bytes += length + 1024;
        *bytes <= ANSWER_BYTES_MAX
    }

    pub(super) fn stored_block(&self, height: Height) -> Result<Option<CertifiedBlock>, Error> {
        read_block(&self.storage, height)
    }
}

/// A committed block as it is stored.
///
/// # Errors
/// When the storage fails or the entry is not a block.
pub(super) fn read_block<D: Storage>(storage: &D, height: Height) -> Result<Option<CertifiedBlock>, Error> {
    let Some(bytes) = storage.get(Key::Block(height))? else { return Ok(None) };
    let damaged = |why: String| Error::Damaged { what: format!("block {height}"), why };
    decode(&bytes).map(Some).map_err(|error| damaged(error.to_string()))
}
