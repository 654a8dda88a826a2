//! Claims whatever it can prove, to each half something else: its best certificates, or old ones, or none. In
//! some views it keeps its votes to itself, so that there are certificates that only it can show. As primary of
//! a new view it signs two NewViews with different anchors if it can, at once or long after.

use super::scene::Scene;
use super::{Fate, Fixture, Letter, own};
use crate::forge;
use crate::sim::wire::Wire;
use quorate_chain::certificate::PrepareVote;
use quorate_chain::{Epoch, Height, View};
use quorate_consensus::message::{AnchorKind, NewViewContents, ViewChange};
use quorate_consensus::{Message, Unsigned};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Percent of the views that it leads whose first NewView it keeps for later.
const HOARDED_PERCENT: u64 = 25;
/// Percent of the moments at which it signs a NewView that is late.
const LATE_PERCENT: u64 = 60;
/// Percent of the late ones that all hear, those too that are in the view.
const HEARD_PERCENT: u64 = 50;
/// How many views back it remembers.
const VIEWS_MAX: u64 = 4;
/// Every so many views its votes are for itself.
const SECRET_EVERY: u64 = 3;

/// A view that it leads.
struct Led {
    /// The NewViews that it has signed, two at most.
    said: Vec<NewViewContents>,
    /// Whether it keeps the first one for later.
    hoarded: bool,
}

#[derive(Default)]
pub(super) struct ViewLiar {
    led: BTreeMap<(Epoch, View), Led>,
}

/// Claims of certificates below the target: the best ones, or any, or none.
fn claims(scene: &mut Scene<'_>, target: View, best: bool) -> Unsigned {
    let (epoch, quorum) = (scene.context.epoch, scene.quorum());
    let mut prepared = scene.library.prepared(epoch, target, quorum);
    let mut committed = scene.library.committed(epoch, target, quorum);
    committed.sort_by_key(|c| (c.height, c.view));
    let (prepared, committed) = if best {
        (prepared.pop(), committed.pop())
    } else {
        (any(scene, &mut prepared), any(scene, &mut committed))
    };
    forge::view_change(scene.context, target, committed, prepared)
}

fn any<T>(scene: &mut Scene<'_>, all: &mut Vec<T>) -> Option<T> {
    let place = scene.random.below(all.len() as u64 + 1) as usize;
    (place < all.len()).then(|| all.swap_remove(place))
}

/// What a ViewChange claims; more is greater.
fn rank(change: &ViewChange) -> Option<(Option<View>, Height)> {
    let claims = &change.claims.payload;
    let prepared = claims.prepared.map(|p| (Some(p.view), p.height));
    prepared.max(Some((claims.committed.view, claims.committed.height)))
}

/// NewViews of the quorum that claims least, and of the one that claims most.
fn extremes(scene: &Scene<'_>, view: View) -> Vec<NewViewContents> {
    let mut changes = scene.library.view_changes(scene.context.epoch, view);
    changes.sort_by_key(|change| rank(change));
    let mut extremes = Vec::new();
    for _ in 0..2 {
        let mut some: Vec<Arc<ViewChange>> = Vec::new();
        for change in &changes {
            if some.len() < scene.quorum() && some.iter().all(|s| s.claims.signer != change.claims.signer) {
                some.push(Arc::clone(change));
            }
        }
        some.sort_by_key(|change| change.claims.signer);
        let new_view =
            (some.len() == scene.quorum()).then(|| forge::new_view(scene.context.epoch, view, &some));
        extremes.extend(new_view.flatten());
        changes.reverse();
    }
    extremes
}

impl Led {
    /// Signs the next NewView of its view, for one half, and votes for the anchor there. The second one has
    /// another anchor, or, when it is `late`, other ViewChanges at least.
    fn next(&mut self, scene: &mut Scene<'_>, view: View, late: bool) -> Vec<Letter> {
        let Some(mut half) = scene.halves(view.0).into_iter().nth(self.said.len()) else { return Vec::new() };
        let is_new = |new_view: &NewViewContents| {
            let same = |said: &NewViewContents| {
                if late { said == new_view } else { said.anchor() == new_view.anchor() }
            };
            !self.said.iter().any(same)
        };
        let Some(new_view) = extremes(scene, view).into_iter().find(is_new) else { return Vec::new() };
        scene.lies += self.said.len() as u64;
        if late && scene.random.chance(HEARD_PERCENT) {
            half = scene.honest();
        }
        self.said.push(new_view.clone());
        let anchor = new_view.anchor().filter(|anchor| anchor.kind == AnchorKind::Prepared);
        let mut letters = vec![own(half.clone(), Unsigned::NewView(new_view))];
        letters.extend(anchor.map(|anchor| {
            let (epoch, height, block) = (scene.context.epoch, anchor.height, anchor.block);
            own(half, Unsigned::Prepare(PrepareVote { epoch, view, height, block }))
        }));
        letters
    }
}

impl Fixture for ViewLiar {
    fn fate(&mut self, scene: &mut Scene<'_>, to: usize, wire: &Wire) -> Fate {
        let Wire::Consensus(message) = wire else { return Fate::Pass };
        let secret = |view: View| view.0 % SECRET_EVERY == 1 && !scene.coalition.contains(&to);
        match message.get() {
            Message::ViewChange(_) | Message::NewView(_) => Fate::Drop,
            Message::Prepare(vote) if secret(vote.payload.view) => Fate::Drop,
            Message::Commit(vote) if secret(vote.payload.view) => Fate::Drop,
            _ => Fate::Pass,
        }
    }

    fn says(&mut self, scene: &mut Scene<'_>, message: &Message) -> Vec<Letter> {
        let Message::ViewChange(change) = message else { return Vec::new() };
        let target = change.claims.payload.target;
        scene.lies += 1;
        let side = scene.random.below(2);
        let halves = scene.halves(side).into_iter().zip([true, false]);
        halves.map(|(half, best)| own(half, claims(scene, target, best))).collect()
    }

    fn hears(&mut self, scene: &mut Scene<'_>, message: &Message) -> Vec<Letter> {
        match message {
            Message::ViewChange(change) => {
                let (epoch, view) = (change.claims.payload.epoch, change.claims.payload.target);
                if epoch != scene.context.epoch || !scene.leads(view) {
                    return Vec::new();
                }
                let hoarded = scene.random.chance(HOARDED_PERCENT);
                let led = self.led.entry((epoch, view)).or_insert(Led { said: Vec::new(), hoarded });
                if led.hoarded { Vec::new() } else { led.next(scene, view, false) }
            }
            // Signed, and said to nobody: the coalition has it for its certificates.
            Message::Prepare(vote) if !scene.has_signed(message) => {
                vec![own(Vec::new(), Unsigned::Prepare(vote.payload))]
            }
            Message::Commit(vote) if !scene.has_signed(message) => {
                vec![own(Vec::new(), Unsigned::Commit(vote.payload))]
            }
            _ => Vec::new(),
        }
    }

    fn idles(&mut self, scene: &mut Scene<'_>) -> Vec<Letter> {
        let epoch = scene.context.epoch;
        self.led.retain(|(of, view), _| *of == epoch && view.0.saturating_add(VIEWS_MAX) >= scene.view.0);
        if !scene.random.chance(LATE_PERCENT) {
            return Vec::new();
        }
        let unfinished = self.led.iter_mut().find(|(_, led)| led.said.len() < 2);
        let late = unfinished.map_or_else(Vec::new, |((_, view), led)| led.next(scene, *view, true));
        if !late.is_empty() {
            return late;
        }
        let target = scene.view.next();
        let (all, best) = (scene.honest(), scene.random.chance(50));
        vec![own(all, claims(scene, target, best))]
    }
}
