//! How the simulated world asks the fixtures, and sends what they say.

use super::scene::Scene;
use super::{Content, Fate, Fixture, Kind, Letter};
use crate::sim::chart::Mark;
use crate::sim::checker::Violation;
use crate::sim::signing::check;
use crate::sim::wire::Wire;
use crate::sim::world::{Event, World};
use quorate_chain::{Epoch, ValidatorIndex};
use quorate_consensus::message::verify_by;
use quorate_consensus::{Message, Unsigned};
use std::sync::Arc;

/// How often a Byzantine validator speaks up by itself, milliseconds.
pub(in super::super) const LIE_EVERY_MS: u64 = 120;
/// Answers that did not prove themselves, for counting.
const REFUSED_ANSWER: &str = "byzantine: refused answer";
/// What verification refused, for counting.
const REFUSED: &str = "byzantine: refused by verification";

impl World {
    pub(in super::super) fn is_byzantine(&self, node: usize) -> bool {
        self.coalition.contains(&node)
    }

    /// The node whose seat this one uses: its own, but for the second one of twins.
    pub(in super::super) fn identity(&self, node: usize) -> usize {
        self.twins.iter().find(|(_, second)| *second == node).map_or(node, |(first, _)| *first)
    }

    /// Who of a pair of twins is meant by a sender: both, or the one that is in touch with its half.
    pub(in super::super) fn of_twins(&self, from: usize, to: usize) -> [Option<usize>; 2] {
        match self.twins.iter().find(|(first, _)| *first == to) {
            Some((first, second)) if self.whole_twins => [Some(*first), Some(*second)],
            Some((_, second)) if self.hears_second(from) => [Some(*second), None],
            _ => [Some(to), None],
        }
    }

    /// Whether a node is in touch with the second ones of twins; the halves change now and then.
    fn hears_second(&self, node: usize) -> bool {
        const SAME_HALVES_MS: u64 = 1_500;
        let shift = (self.now_ms / SAME_HALVES_MS) as usize;
        (node + shift) / 2 % 2 == 1
    }

    /// Whether what one of twins sends reaches a node.
    fn is_in_touch(&self, from: usize, to: usize) -> bool {
        match self.twins.iter().find(|(first, second)| *first == from || *second == from) {
            Some((_, second)) => self.whole_twins || self.hears_second(to) == (*second == from),
            None => true,
        }
    }

    /// Lets a fixture decide something, with what it sees.
    fn ask_liar<T>(
        &mut self,
        node: usize,
        ask: impl FnOnce(&mut dyn Fixture, &mut Scene<'_>) -> T,
    ) -> Option<T> {
        let identity = self.identity(node);
        let one = &mut self.nodes[node];
        let replica = one.replica()?;
        let (epoch, view, tip) = (replica.epoch(), replica.view(), replica.tip().height);
        let seat = self.roster.seat(epoch, identity).map(|(seat, _)| seat)?;
        let clock_ms = one.now(self.now_ms).clock.0;
        let mut liar = one.liar.take()?;
        let context = &self.contexts[epoch.0 as usize];
        let mut scene = Scene {
            seat,
            context,
            view,
            tip,
            clock_ms,
            roster: &self.roster,
            coalition: &self.coalition,
            library: &self.library,
            random: &mut self.random,
            lies: 0,
        };
        let answer = ask(liar.fixture.as_mut(), &mut scene);
        let lies = scene.lies;
        if lies > 0 {
            *self.outcome.faults.entry(liar.kind.name()).or_default() += lies;
        }
        self.nodes[node].liar = Some(liar);
        Some(answer)
    }

    /// What becomes of something that a node's core sends to another.
    pub(in super::super) fn fate(&mut self, from: usize, to: usize, wire: &Wire) -> Fate {
        if !self.is_byzantine(from) {
            return Fate::Pass;
        }
        if !self.is_in_touch(from, to) {
            self.fired(Kind::Twins.name());
            return Fate::Drop;
        }
        // The same key from another node.
        if self.whole_twins && self.identity(from) != from {
            self.fired(Kind::Twins.name());
        }
        self.ask_liar(from, |fixture, scene| fixture.fate(scene, to, wire)).unwrap_or(Fate::Pass)
    }

    /// What a Byzantine node signs instead of what its core wants to.
    pub(in super::super) fn liar_signs(&mut self, node: usize, unsigned: Unsigned) -> Unsigned {
        if !self.is_byzantine(node) {
            return unsigned;
        }
        let meant = unsigned.clone();
        self.ask_liar(node, |fixture, scene| fixture.signs(scene, unsigned)).unwrap_or(meant)
    }

    /// What somebody would get of what a liar has made; `None` if verification would refuse it.
    pub(in super::super) fn as_received(&mut self, wire: Wire) -> Option<Wire> {
        let Wire::Consensus(message) = wire else { return Some(wire) };
        let message = Arc::unwrap_or_clone(message).into_inner();
        let context = self.contexts.get(message.epoch().0 as usize)?;
        let verified = verify_by(message, context, check(self.settings.verify));
        if verified.is_err() {
            self.fired(REFUSED);
        }
        verified.ok().map(|message| Wire::Consensus(Arc::new(message)))
    }

    /// What was asked for came from somebody and does not prove itself.
    pub(in super::super) fn answer_refused(&mut self, from: usize, to: usize, why: &str) {
        self.note(Mark::At(to), || format!("refuses the answer of {from}: {why}"));
        // An honest one may answer too late, when the epoch has ended.
        if self.is_byzantine(from) {
            self.fired(REFUSED_ANSWER);
        }
    }

    /// A Byzantine node's core has said something.
    pub(in super::super) fn liar_says(&mut self, node: usize, message: &Message) -> Result<(), Violation> {
        if !self.is_byzantine(node) {
            return Ok(());
        }
        self.library.learn(node, message);
        // What it only passes on gives no occasion.
        let context = &self.contexts[message.epoch().0 as usize];
        if message.signer(context) != self.own_seat(node, message.epoch()) {
            return Ok(());
        }
        let letters = self.ask_liar(node, |fixture, scene| fixture.says(scene, message));
        self.post(node, letters.unwrap_or_default())
    }

    /// A Byzantine node has heard something.
    pub(in super::super) fn liar_hears(
        &mut self,
        from: usize,
        node: usize,
        message: &Message,
    ) -> Result<(), Violation> {
        if !self.is_byzantine(node) {
            return Ok(());
        }
        self.library.learn(from, message);
        let letters = self.ask_liar(node, |fixture, scene| fixture.hears(scene, message));
        self.post(node, letters.unwrap_or_default())
    }

    /// A Byzantine node speaks up by itself, again and again.
    pub(in super::super) fn liar_idles(&mut self, node: usize) -> Result<(), Violation> {
        self.after(LIE_EVERY_MS, Event::Lie { node });
        let letters = self.ask_liar(node, |fixture, scene| fixture.idles(scene));
        self.post(node, letters.unwrap_or_default())
    }

    fn post(&mut self, node: usize, letters: Vec<Letter>) -> Result<(), Violation> {
        for Letter { to, what } in letters {
            let epoch = self.epoch(node);
            let identity = self.identity(node);
            let Some(seat) = self.roster.seat(epoch, identity) else { continue };
            let signer = &mut self.nodes[node].signer;
            let message = match what {
                Content::Known(message) => message,
                Content::Own(unsigned) => signer.sign(seat, unsigned),
                Content::Broken(unsigned) => break_signature(signer.sign(seat, unsigned)),
            };
            self.post_one(node, &to, message)?;
        }
        Ok(())
    }

    fn post_one(&mut self, node: usize, to: &[usize], message: Message) -> Result<(), Violation> {
        let Some(context) = self.contexts.get(message.epoch().0 as usize).cloned() else {
            // Nobody is in that epoch: whoever hears of it asks for blocks.
            let wire = Wire::UnknownEpoch(message.epoch());
            to.iter().for_each(|to| self.put(node, *to, wire.clone()));
            return Ok(());
        };
        let signer = message.signer(&context);
        let own = self.own_seat(node, context.epoch);
        // A node hears such a message from its signer only.
        if message.is_first_hand() && signer != own {
            return Ok(());
        }
        let Ok(verified) = verify_by(message, &context, check(self.settings.verify)) else {
            self.fired(REFUSED);
            return Ok(());
        };
        let message = verified.get();
        if let Some(seat) = signer.filter(|signer| Some(*signer) == own) {
            self.checker.signed(seat, message, false)?;
        }
        self.library.learn(node, message);
        let wire = Wire::Consensus(Arc::new(verified));
        self.note(Mark::At(node), || format!("lies: {}", wire.describe()));
        for to in to {
            self.put(node, *to, wire.clone());
        }
        Ok(())
    }

    /// The seat of a node's key in an epoch.
    pub(in super::super) fn own_seat(&self, node: usize, epoch: Epoch) -> Option<ValidatorIndex> {
        self.roster.seat(epoch, self.identity(node)).map(|(seat, _)| seat)
    }
}

/// The same with a wrong bit in its signature.
fn break_signature(mut message: Message) -> Message {
    let signature = match &mut message {
        Message::Proposal(proposal) => &mut Arc::make_mut(proposal).signature,
        Message::Prepare(vote) => &mut vote.signature,
        Message::Commit(vote) => &mut vote.signature,
        Message::Ask(ask) => &mut ask.signature,
        Message::ViewChange(change) => &mut Arc::make_mut(change).claims.signature,
        Message::NewView(new_view) => &mut Arc::make_mut(new_view).signature,
        Message::Status(status) => &mut status.signature,
        Message::Suspect(suspect) => &mut suspect.signature,
        Message::Recall(recall) => &mut recall.signature,
        Message::Newest(newest) => &mut Arc::make_mut(newest).signature,
        // It has none of its own, and nobody says it so.
        Message::Certificate(_) => return message,
    };
    signature.0[7] ^= 1;
    message
}
