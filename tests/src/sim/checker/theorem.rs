//! The theorem of `PROTOCOL.md` §3, over everything that was signed: if a C can exist, every anchor and every P
//! of a higher view, or a later epoch, extends its block.

use super::{Checker, Term, Violation, violation};
use quorate_chain::{BlockHash, Height};
use quorate_consensus::message::Anchor;

impl Checker {
    /// An honest node starts a view from this anchor.
    pub(in super::super) fn entered(&mut self, term: Term, anchor: &Anchor) -> Result<(), Violation> {
        let (height, block) = (anchor.height, anchor.block);
        if self.anchors.entry(term).or_default().insert((height, block)) {
            return self.extends_lower_views(term, height, block, "the anchor");
        }
        Ok(())
    }

    /// Something of a view, against whatever can be certified in lower ones.
    pub(super) fn extends_lower_views(
        &self,
        term: Term,
        height: Height,
        block: BlockHash,
        what: &str,
    ) -> Result<(), Violation> {
        match self.certified.iter().rev().find(|(_, c)| c.term < term) {
            Some((at, c)) if !self.extends(height, block, *at, c.block) => {
                let (view, below) = (term.1, c.term.1);
                violation(format!(
                    "S1: {what} of view {view} at {height} does not extend the C of view {below} at {at}"
                ))
            }
            _ => Ok(()),
        }
    }

    /// A C that can be formed now, against whatever higher views have.
    pub(super) fn is_extended(
        &self,
        (epoch, view): Term,
        height: Height,
        block: BlockHash,
    ) -> Result<(), Violation> {
        let above = (epoch, view.next());
        let prepared = self.prepared.range((above, Height::ZERO)..);
        let prepared = prepared.map(|(((_, of), at), other)| ("P", *of, *at, *other));
        let anchors = self.anchors.range(above..);
        let anchors =
            anchors.flat_map(|((_, of), all)| all.iter().map(|(at, b)| ("the anchor", *of, *at, *b)));
        let mut others = prepared.chain(anchors);
        match others.find(|(_, _, at, other)| !self.extends(*at, *other, height, block)) {
            Some((what, of, at, _)) => violation(format!(
                "S1: {what} of view {of} at {at} does not extend the C of {view} at {height}"
            )),
            None => Ok(()),
        }
    }

    /// Whether the block at `height` is or descends from `ancestor` at `at`.
    fn extends(&self, height: Height, block: BlockHash, at: Height, ancestor: BlockHash) -> bool {
        let (mut height, mut block) = (height, block);
        while height > at {
            let Some((_, parent)) = self.blocks.get(&block) else { return false };
            (height, block) = (height.previous(), *parent);
        }
        height == at && block == ancestor
    }
}
