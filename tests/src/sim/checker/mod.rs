//! What must never happen, checked over everything that anybody signed and sent, whether it arrived or not
//! (S1–S6), epoch by epoch. One wrong signature of an honest node is a violation; what a node with an old disk
//! signs again counts for all that it signed (R47).

#[cfg(test)]
mod tests;

mod complaints;
mod theorem;

use self::complaints::Complaints;
use super::clients::{self, CHAIN};
use super::fault::Nodes;
use super::roster::Roster;
use super::signing::check;
use crate::slot::Slot;
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::codec::encode;
use quorate_chain::crypto::SignatureCheck;
use quorate_chain::{
    BlockHash, CommitCertificate, Epoch, Header, Height, ResultHash, TransactionId, ValidatorIndex,
    ValidatorSet, View,
};
use quorate_consensus::{Message, SealedBlock};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something that must never happen has happened; the text starts with the invariant's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

/// A view of an epoch; later ones are greater.
type Term = (Epoch, View);

/// A block of which a C can be formed, and the lowest term of such a C.
#[derive(Clone, Copy, Debug)]
struct Certified {
    block: BlockHash,
    result: ResultHash,
    term: Term,
}

/// Watches every signature and every commit of a run. Signers are a bit each.
pub(super) struct Checker {
    /// Validators of each epoch.
    sets: Vec<Arc<ValidatorSet>>,
    /// How somebody who knows only the set verifies certificates.
    holds: SignatureCheck,
    signed: BTreeMap<(Epoch, ValidatorIndex, Slot), [u8; 64]>,
    /// The highest target of each seat's ViewChanges.
    left: BTreeMap<(Epoch, ValidatorIndex), View>,
    complaints: Complaints,
    prepares: BTreeMap<PrepareVote, Nodes>,
    commits: BTreeMap<CommitVote, Nodes>,
    /// Whose signatures on a Commit have been verified; one validator's are all the same (R37).
    verified: BTreeMap<CommitVote, Nodes>,
    /// Every P that anyone could form.
    prepared: BTreeMap<(Term, Height), BlockHash>,
    /// The anchors of each view on which an honest node started; a primary that lies may sign several.
    anchors: BTreeMap<Term, BTreeSet<(Height, BlockHash)>>,
    /// Every C that anyone could form.
    certified: BTreeMap<Height, Certified>,
    /// Height and parent of every block that was proposed.
    blocks: BTreeMap<BlockHash, (Height, BlockHash)>,
    committed: BTreeMap<Height, (BlockHash, ResultHash)>,
    /// Where each transaction was committed.
    executed: BTreeMap<TransactionId, Height>,
}

fn violation<T>(text: String) -> Result<T, Violation> {
    Err(Violation(text))
}

/// A value that tells a message that fills a slot from others that could.
fn fingerprint(message: &Message) -> [u8; 64] {
    match message {
        Message::Proposal(p) => p.signature.0,
        Message::Prepare(v) => v.signature.0,
        Message::Commit(v) => v.signature.0,
        Message::Ask(a) => a.signature.0,
        Message::NewView(n) => n.signature.0,
        other => {
            // Sent again byte for byte, with its certificates (R12).
            let mut bytes = [0; 64];
            blake3::Hasher::new().update(&encode(other)).finalize_xof().fill(&mut bytes);
            bytes
        }
    }
}

impl Checker {
    pub(super) fn new(roster: &Roster, verify: bool) -> Self {
        Self {
            sets: (0..=roster.last().0).map(|epoch| Arc::clone(roster.set(Epoch(epoch)))).collect(),
            holds: check(verify),
            signed: BTreeMap::new(),
            left: BTreeMap::new(),
            complaints: Complaints::default(),
            prepares: BTreeMap::new(),
            commits: BTreeMap::new(),
            verified: BTreeMap::new(),
            prepared: BTreeMap::new(),
            anchors: BTreeMap::new(),
            certified: BTreeMap::new(),
            blocks: BTreeMap::new(),
            committed: BTreeMap::new(),
            executed: BTreeMap::new(),
        }
    }

    fn set(&self, epoch: Epoch) -> Result<&Arc<ValidatorSet>, Violation> {
        self.sets.get(epoch.0 as usize).ok_or_else(|| Violation(format!("S6: there is no epoch {epoch}")))
    }

    /// The highest height that anybody committed.
    pub(super) fn height(&self) -> Height {
        self.committed.last_key_value().map_or(Height::ZERO, |(height, _)| *height)
    }

    /// Who has complained of which view.
    pub(super) const fn complaints(&self) -> &Complaints {
        &self.complaints
    }

    /// A seat has signed a message and sends it.
    pub(super) fn signed(
        &mut self,
        seat: ValidatorIndex,
        message: &Message,
        honest: bool,
    ) -> Result<(), Violation> {
        self.complaints.note(seat, message);
        let Some(slot) = Slot::of(message) else { return Ok(()) };
        let bytes = fingerprint(message);
        if let Message::Proposal(p) = message {
            self.blocks.insert(p.block.hash(), (p.block.height(), p.block.header().parent));
        }
        let key = (message.epoch(), seat, slot);
        match self.signed.insert(key, bytes) {
            Some(known) if known == bytes => Ok(()),
            Some(_) if honest => {
                let (epoch, seat, slot) = key;
                violation(format!("S4: validator {seat} of epoch {epoch} signed two payloads for {slot:?}"))
            }
            _ => self.first_signed(seat, message, honest),
        }
    }

    fn first_signed(
        &mut self,
        seat: ValidatorIndex,
        message: &Message,
        honest: bool,
    ) -> Result<(), Violation> {
        match message {
            Message::ViewChange(v) => {
                let left = self.left.entry((message.epoch(), seat)).or_default();
                *left = v.claims.payload.target.max(*left);
                Ok(())
            }
            Message::Prepare(vote) => {
                self.still_in((vote.payload.epoch, vote.payload.view), seat, honest)?;
                self.prepare(seat, vote.payload)
            }
            Message::Commit(vote) => {
                self.still_in((vote.payload.epoch, vote.payload.view), seat, honest)?;
                self.commit(seat, vote.payload)
            }
            _ => Ok(()),
        }
    }

    /// R13: no vote in a view for whose end a ViewChange was sent.
    fn still_in(&self, (epoch, view): Term, seat: ValidatorIndex, honest: bool) -> Result<(), Violation> {
        match self.left.get(&(epoch, seat)) {
            Some(left) if honest && *left > view => violation(format!(
                "R13: validator {seat} of epoch {epoch} votes in view {view} after its ViewChange for {left}"
            )),
            _ => Ok(()),
        }
    }

    fn prepare(&mut self, seat: ValidatorIndex, vote: PrepareVote) -> Result<(), Violation> {
        let quorum = self.set(vote.epoch)?.quorum().q();
        let signers = self.prepares.entry(vote).or_default();
        *signers |= 1 << seat.0;
        if (signers.count_ones() as usize) < quorum {
            return Ok(());
        }
        let PrepareVote { epoch, view, height, block } = vote;
        let term = (epoch, view);
        match self.prepared.insert((term, height), block) {
            Some(other) if other == block => return Ok(()),
            Some(_) => return violation(format!("S1: two P of view {view} and height {height}")),
            None => {}
        }
        self.extends_lower_views(term, height, block, "P")
    }

    fn commit(&mut self, seat: ValidatorIndex, vote: CommitVote) -> Result<(), Violation> {
        let quorum = self.set(vote.epoch)?.quorum().q();
        let signers = self.commits.entry(vote).or_default();
        *signers |= 1 << seat.0;
        if (signers.count_ones() as usize) < quorum {
            return Ok(());
        }
        let CommitVote { epoch, view, height, block, result } = vote;
        let mut one = Certified { block, result, term: (epoch, view) };
        if let Some(known) = self.certified.get(&height) {
            if known.block != block {
                return violation(format!("S1: two blocks can be certified at height {height}"));
            }
            if known.result != result {
                return violation(format!("S2: two results can be certified at height {height}"));
            }
            if known.term <= one.term {
                return Ok(());
            }
            one.term = (epoch, view);
        }
        self.certified.insert(height, one);
        self.is_extended((epoch, view), height, block)
    }

    /// A node has committed a block: its certificate must be of votes that were cast, of the block or of a
    /// descendant to which the headers lead (R22), all of the block's epoch.
    pub(super) fn committed(
        &mut self,
        node: usize,
        (block, result): (&SealedBlock, ResultHash),
        certificate: &CommitCertificate,
        path: &[Header],
    ) -> Result<(), Violation> {
        let (height, hash) = (block.height(), block.hash());
        check_path(node, (block, result), certificate, path)?;
        self.check_certificate(node, certificate)?;
        match self.committed.insert(height, (hash, result)) {
            Some((other, _)) if other != hash => {
                violation(format!("S1: node {node} committed another block at height {height}"))
            }
            Some((_, other)) if other != result => {
                violation(format!("S2: node {node} has another result at height {height}"))
            }
            Some(_) => Ok(()),
            None => self.first_committed(block),
        }
    }

    /// S6: distinct validators of its epoch, a quorum of them, and all of them cast this vote.
    fn check_certificate(&mut self, node: usize, certificate: &CommitCertificate) -> Result<(), Violation> {
        let set = Arc::clone(self.set(certificate.epoch)?);
        let cast = self.commits.get(&certificate.vote()).copied().unwrap_or(0);
        let distinct = certificate.signatures.is_sorted_by(|a, b| a.validator < b.validator);
        let genuine = certificate.signatures.iter().all(|s| cast >> s.validator.0 & 1 == 1);
        let height = certificate.height;
        if !distinct || !genuine || certificate.signatures.len() < set.quorum().q() {
            return violation(format!("S6: node {node} committed {height} by a certificate nobody made"));
        }
        let signers = certificate.signatures.iter().fold(0, |all: Nodes, s| all | 1 << s.validator.0);
        let known = self.verified.entry(certificate.vote()).or_default();
        if signers & !*known != 0 {
            *known |= signers;
            let verified = certificate.verify_by(&set, CHAIN, self.holds);
            return verified
                .map_err(|error| Violation(format!("S6: certificate of height {height}: {error}")));
        }
        Ok(())
    }

    /// S5: each transaction is a client's, and is executed once.
    fn first_committed(&mut self, block: &SealedBlock) -> Result<(), Violation> {
        for transaction in block.block().transactions.iter() {
            let id = transaction.id();
            if !clients::is_authentic(id) {
                return violation(format!("S5: transaction {id} is nobody's"));
            }
            if let Some(before) = self.executed.insert(id, block.height()) {
                let again = block.height();
                return violation(format!("S5: transaction {id} is executed at {before} and at {again}"));
            }
        }
        Ok(())
    }

    /// S3: whatever could be certified by anyone is what was committed.
    pub(super) fn certified_is_committed(&self) -> Result<(), Violation> {
        for (height, (hash, _)) in &self.committed {
            if self.certified.get(height).is_some_and(|certified| certified.block != *hash) {
                return violation(format!(
                    "S3: another block was certified at the committed height {height}"
                ));
            }
        }
        Ok(())
    }

    /// S1, S3: whoever ends at this tip has every block that anybody committed: each header binds its parent.
    pub(super) fn is_tip(&self, node: usize, height: Height, block: BlockHash) -> Result<(), Violation> {
        match self.committed.last_key_value() {
            Some((last, (hash, _))) if (*last, *hash) != (height, block) => {
                violation(format!("S3: node {node} lacks the committed block at height {last}"))
            }
            _ => Ok(()),
        }
    }
}

fn check_path(
    node: usize,
    (block, result): (&SealedBlock, ResultHash),
    certificate: &CommitCertificate,
    path: &[Header],
) -> Result<(), Violation> {
    let (height, epoch) = (block.height(), block.header().epoch);
    let mut last = (block.header(), block.hash(), Some(result));
    for header in path {
        let bound = last.2.is_none_or(|result| header.parent_result == result);
        if header.parent != last.1 || header.epoch != epoch || !bound {
            return violation(format!("S6: broken path at {} of node {node}", header.height));
        }
        last = (header, header.hash(), None);
    }
    let fits = (certificate.epoch, certificate.height, certificate.block_hash)
        == (epoch, last.0.height, last.1)
        && last.2.is_none_or(|result| certificate.result_hash == result);
    if fits {
        Ok(())
    } else {
        violation(format!("S6: node {node} committed {height} by another block's certificate"))
    }
}
