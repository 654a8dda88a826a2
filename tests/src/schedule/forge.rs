//! What a Byzantine validator says: anything it can sign with its own key, and whatever can be made of all
//! signatures that exist, all of which it sees.

use super::executor::{chained, transfer};
use super::letter::{Kind, of};
use super::stage::Stage;
use crate::forge;
use quorate_chain::block::{PROTOCOL_VERSION, transactions_root};
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::codec::List;
use quorate_chain::validator::fixture::consensus_key;
use quorate_chain::{
    Block, BlockHash, CommitCertificate, Header, PreparedCertificate, ResultHash, TimestampMs, Transaction,
    ValidatorIndex, View,
};
use quorate_consensus::message::{Ask, AskCounter, Newest, NewestSigned, Status, ViewChange};
use quorate_consensus::{EpochContext, Message, SealedBlock, Unsigned};
use std::sync::Arc;

fn index(seat: usize) -> ValidatorIndex {
    ValidatorIndex(u16::try_from(seat).unwrap_or(u16::MAX))
}

impl Stage {
    /// The latest epoch that an honest validator is in.
    fn context(&self) -> EpochContext {
        let contexts = self.actors.values().map(|actor| &actor.context);
        contexts.max_by_key(|context| context.epoch).unwrap_or(&self.setup.context).clone()
    }

    /// A Byzantine validator signs this; it has one key for all epochs.
    fn forge(&mut self, seat: usize, unsigned: Unsigned) -> Message {
        assert!(!self.actors.contains_key(&seat), "the honest sign what their cores say");
        let signer = index(seat);
        let message = unsigned.sign(self.setup.context.chain, signer, &consensus_key(signer.0));
        self.checker.signed(seat, false, &message);
        message
    }

    /// These validators hear it now.
    pub fn tell(&mut self, to: &[usize], from: usize, message: &Message) {
        for seat in to {
            self.note(|| format!("{from} ⇒ {seat}  by hand"));
            self.hear(*seat, from, message.clone());
        }
    }

    /// It goes into the mail to these validators.
    pub(super) fn send(&mut self, from: usize, to: &[usize], message: &Message) {
        for seat in to {
            self.mail_to(from, *seat, super::letter::Content::Message(message.clone()));
        }
    }

    /// Where time flows, it says this to these validators again and again.
    pub fn keeps_saying(&mut self, from: usize, to: &[usize], message: Message) {
        self.repeated.push((from, to.to_vec(), message));
    }

    /// A Prepare of a Byzantine validator.
    pub fn forge_prepare(&mut self, seat: usize, view: u64, block: &SealedBlock) -> Message {
        let (epoch, height) = (block.header().epoch, block.height());
        let vote = PrepareVote { epoch, view: View(view), height, block: block.hash() };
        self.forge(seat, Unsigned::Prepare(vote))
    }

    /// A Commit of a Byzantine validator, with the right result.
    pub fn forge_commit(&mut self, seat: usize, view: u64, block: &SealedBlock) -> Message {
        let (epoch, height, result) = (block.header().epoch, block.height(), self.result_of(block.hash()));
        let vote = CommitVote { epoch, view: View(view), height, block: block.hash(), result };
        self.forge(seat, Unsigned::Commit(vote))
    }

    /// A proposal of a Byzantine primary.
    pub fn forge_proposal(&mut self, seat: usize, view: u64, block: &SealedBlock) -> Message {
        self.forge(seat, Unsigned::Proposal(block.header().epoch, View(view), block.clone()))
    }

    /// A Byzantine primary has these validators prepare its block and signs a Commit of its own: what the
    /// others may sign then makes a C.
    pub fn forge_round(&mut self, primary: usize, view: u64, block: &SealedBlock, with: &[usize]) {
        let (proposal, prepare) =
            (self.forge_proposal(primary, view, block), self.forge_prepare(primary, view, block));
        self.tell(with, primary, &proposal);
        self.tell(with, primary, &prepare);
        self.run(&of(&[Kind::Prepare]).view(view).among(with));
        self.forge_commit(primary, view, block);
    }

    /// An Ask of a Byzantine validator.
    pub fn forge_ask(&mut self, seat: usize, target: u64, sequence: u64) -> Message {
        let (epoch, counter) = (self.context().epoch, AskCounter { start: 1, sequence });
        self.forge(seat, Unsigned::Ask(Ask { epoch, target: View(target), counter }))
    }

    /// A Status of a Byzantine validator: in this view, with the tip of that honest one.
    pub fn forge_status(&mut self, seat: usize, view: u64, like: usize) -> Message {
        let tip = self.replica(like).tip().clone();
        let epoch = self.epoch(like);
        let (view, tip, tip_block) = (View(view), tip.height, tip.block);
        self.forge(seat, Unsigned::Status(Status { epoch, view, tip, tip_block, prepared: tip }))
    }

    /// The answer of a Byzantine validator that saw a restarted one sign nothing (R47).
    ///
    /// # Panics
    /// When the restarted one asks nothing.
    pub fn forge_newest(&mut self, seat: usize, asker: usize) -> Message {
        let recall = self.checker.recall(asker).expect("it asked");
        let newest = Newest { asker: index(asker), recall, seen: NewestSigned::default() };
        self.forge(seat, Unsigned::Newest(Box::new(newest)))
    }

    /// A ViewChange of a Byzantine validator that claims this.
    pub fn forge_view_change(
        &mut self,
        seat: usize,
        target: u64,
        committed: Option<CommitCertificate>,
        prepared: Option<PreparedCertificate>,
    ) -> Arc<ViewChange> {
        let context = self.context();
        let claims = forge::view_change(&context, View(target), committed, prepared);
        match self.forge(seat, claims) {
            Message::ViewChange(view_change) => view_change,
            other => unreachable!("a ViewChange, not {other:?}"),
        }
    }

    /// The NewView that follows from these ViewChanges, given by seat in ascending order, signed by a Byzantine
    /// primary.
    ///
    /// # Panics
    /// When there are none.
    pub fn forge_new_view(&mut self, seat: usize, view: u64, from: &[Arc<ViewChange>]) -> Message {
        let epoch = from.first().expect("a ViewChange").claims.payload.epoch;
        let contents = forge::new_view(epoch, View(view), from).expect("few of them");
        self.forge(seat, Unsigned::NewView(contents))
    }

    /// The ViewChange that a validator signed for this target.
    ///
    /// # Panics
    /// When it signed none.
    #[must_use]
    pub fn view_change_of(&self, seat: usize, target: u64) -> Arc<ViewChange> {
        self.checker.view_change(seat, self.context().epoch, target).expect("signed")
    }

    /// P of a view for a block, of all signatures that exist.
    #[must_use]
    pub fn prepared(&self, view: u64, block: &SealedBlock) -> Option<PreparedCertificate> {
        self.checker.prepared(view, block.hash())
    }

    /// C of a view for a block, of all signatures that exist.
    #[must_use]
    pub fn certificate(&self, view: u64, block: &SealedBlock) -> Option<CommitCertificate> {
        self.checker.certificate(view, block.hash())
    }

    /// The certificate of a view for a block, as a message.
    ///
    /// # Panics
    /// When there are not signatures enough.
    #[must_use]
    pub fn certificate_message(&self, view: u64, block: &SealedBlock) -> Message {
        Message::Certificate(Arc::new(self.certificate(view, block).expect("signed by q")))
    }

    /// A block with these transactions on a parent (none is the start), right in everything but what the
    /// caller then changes; `mark` makes it another than its siblings.
    ///
    /// # Panics
    /// When there are too many transactions.
    pub fn make_block(
        &mut self,
        proposer: usize,
        parent: Option<&SealedBlock>,
        mark: u64,
        transactions: Vec<Transaction>,
    ) -> SealedBlock {
        let context = self.context();
        let (height, hash, time) = parent.map_or((context.start_height, context.start_block, 1), |block| {
            (block.height(), block.hash(), block.header().timestamp_ms.0)
        });
        let header = Header {
            version: PROTOCOL_VERSION,
            height: height.next(),
            epoch: context.epoch,
            parent: hash,
            timestamp_ms: TimestampMs(time + 1 + mark),
            transactions_root: transactions_root(&transactions),
            transaction_count: u32::try_from(transactions.len()).expect("few of them"),
            parent_result: self.result_of(hash),
            proposer: index(proposer),
        };
        self.make_from(header, transactions)
    }

    /// A block with this header.
    ///
    /// # Panics
    /// When the header does not bind the transactions.
    pub fn make_from(&mut self, header: Header, transactions: Vec<Transaction>) -> SealedBlock {
        let transactions = List::new(transactions).expect("few of them");
        let block = SealedBlock::new(Block { header, transactions }).expect("bound by the header");
        self.checker.made(&block);
        block
    }

    /// The transaction that a client of this stage submitted with this nonce.
    #[must_use]
    pub fn transaction(&self, nonce: u64) -> Transaction {
        transfer(self.setup.context.chain, nonce)
    }

    /// What a block gives: as an honest ledger says, or by the chain of hashes.
    fn result_of(&self, block: BlockHash) -> ResultHash {
        if block == self.setup.context.start_block {
            return self.setup.context.start_result;
        }
        let known = |actor: &super::actor::Actor| {
            actor.executor.reader()?.block_by_hash(block).ok()?.map(|committed| committed.result.hash())
        };
        if let Some(result) = self.actors.values().find_map(known) {
            return result;
        }
        let parent = self.checker.block(block).expect("made").header().parent;
        chained(self.result_of(parent), block)
    }
}
