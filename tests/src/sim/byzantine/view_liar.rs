//! Claims whatever it can prove, to each half something else: old certificates, or none. As primary of the new
//! view it signs two NewViews of different view changes, late ones and its own lies among them.

use super::scene::Scene;
use super::{Fate, Fixture, Letter, own};
use crate::forge;
use crate::sim::wire::Wire;
use quorate_chain::View;
use quorate_consensus::message::ViewChange;
use quorate_consensus::{Message, Unsigned};
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct ViewLiar {
    /// Views for which it has signed NewViews.
    led: BTreeSet<View>,
}

/// Claims of any certificates below the target, or of none.
fn claims(scene: &mut Scene<'_>, target: View) -> Unsigned {
    let (epoch, quorum) = (scene.context.epoch, scene.quorum());
    let prepared = scene.library.prepared(epoch, target, quorum);
    let committed = scene.library.committed(epoch, target, quorum);
    let pick = |random: &mut crate::sim::random::Random, count: usize| {
        (count > 0 && random.chance(75)).then(|| random.below(count as u64) as usize)
    };
    let prepared = pick(scene.random, prepared.len()).map(|place| prepared[place].clone());
    let committed = pick(scene.random, committed.len()).map(|place| committed[place].clone());
    forge::view_change(scene.context, target, committed, prepared)
}

impl ViewLiar {
    /// Two NewViews, each of a quorum of view changes, for a half each.
    fn two_new_views(scene: &mut Scene<'_>, target: View) -> Vec<Letter> {
        let changes = scene.library.view_changes(scene.context.epoch, target);
        let quorum = scene.quorum();
        if changes.len() < quorum {
            return Vec::new();
        }
        let some = |skip: usize| -> Vec<Arc<ViewChange>> {
            let mut some: Vec<_> =
                (0..quorum).map(|i| Arc::clone(&changes[(skip + i) % changes.len()])).collect();
            some.sort_by_key(|change| change.claims.signer);
            some
        };
        let halves = scene.halves(target.0);
        let mut letters = Vec::new();
        for (half, skip) in halves.into_iter().zip([0, changes.len() - quorum]) {
            if let Some(contents) = forge::new_view(scene.context.epoch, target, &some(skip)) {
                letters.push(own(half, Unsigned::NewView(contents)));
            }
        }
        letters
    }
}

impl Fixture for ViewLiar {
    fn fate(&mut self, _: &mut Scene<'_>, _: usize, wire: &Wire) -> Fate {
        let Wire::Consensus(message) = wire else { return Fate::Pass };
        match message.get() {
            Message::ViewChange(_) | Message::NewView(_) => Fate::Drop,
            _ => Fate::Pass,
        }
    }

    fn says(&mut self, scene: &mut Scene<'_>, message: &Message) -> Vec<Letter> {
        let Message::ViewChange(change) = message else { return Vec::new() };
        let target = change.claims.payload.target;
        scene.lies += 1;
        let halves = scene.halves(target.0);
        halves.into_iter().map(|half| own(half, claims(scene, target))).collect()
    }

    fn hears(&mut self, scene: &mut Scene<'_>, message: &Message) -> Vec<Letter> {
        let Message::ViewChange(change) = message else { return Vec::new() };
        let target = change.claims.payload.target;
        if !scene.leads(target) || self.led.contains(&target) {
            return Vec::new();
        }
        let letters = Self::two_new_views(scene, target);
        if !letters.is_empty() {
            scene.lies += 1;
            self.led.insert(target);
        }
        letters
    }

    fn idles(&mut self, scene: &mut Scene<'_>) -> Vec<Letter> {
        if !scene.random.chance(10) {
            return Vec::new();
        }
        let target = scene.view.next();
        let all = scene.honest();
        vec![own(all, claims(scene, target))]
    }
}
