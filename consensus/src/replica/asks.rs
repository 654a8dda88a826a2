//! Who wants which view: the latest ask of each validator, and the views that follow from them (R26–R28).

use crate::message::{Ask, AskCounter, SignedViewChange, Status, ViewChange};
use crate::time::Time;
use quorate_chain::{ValidatorIndex, View};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
struct Latest {
    /// The Ask with the highest counter.
    ask: Option<(AskCounter, View)>,
    /// The ViewChange with the highest target.
    view_change: Option<Arc<ViewChange>>,
    /// The highest view in its Statuses.
    status: Option<View>,
    /// Its last Status, and when it came.
    last: Option<(Status, Time)>,
    /// The highest view whose primary it suspects.
    suspects: Option<View>,
}

impl Latest {
    /// R27: the higher of its highest ViewChange's target and the target of its highest-counter Ask.
    fn target(&self) -> Option<View> {
        self.changing().max(self.asked())
    }

    fn changing(&self) -> Option<View> {
        self.view_change.as_ref().map(|v| v.claims.payload.target)
    }

    fn asked(&self) -> Option<View> {
        self.ask.map(|(_, target)| target)
    }
}

/// One entry a validator.
#[derive(Clone, Debug, Default)]
pub(super) struct Asks {
    latest: BTreeMap<ValidatorIndex, Latest>,
    #[cfg(feature = "mistakes")]
    pub(super) ask_beats_view_change: bool,
}

impl Asks {
    pub(super) fn ask(&mut self, signer: ValidatorIndex, ask: &Ask) {
        let latest = self.latest.entry(signer).or_default();
        if latest.ask.is_none_or(|(counter, _)| counter < ask.counter) {
            latest.ask = Some((ask.counter, ask.target));
        }
    }

    /// Keeps a ViewChange for a higher target; gives the kept one if another was signed for the same target.
    pub(super) fn view_change(&mut self, view_change: &Arc<ViewChange>) -> Option<SignedViewChange> {
        let latest = self.latest.entry(view_change.claims.signer).or_default();
        if let Some(known) = &latest.view_change {
            let (old, new) = (&known.claims.payload, &view_change.claims.payload);
            if old.target == new.target && old != new {
                return Some(known.claims.clone());
            }
            if old.target >= new.target {
                return None;
            }
        }
        latest.view_change = Some(Arc::clone(view_change));
        None
    }

    /// Takes in a Status; gives the one before.
    pub(super) fn status(&mut self, signer: ValidatorIndex, status: &Status, now: Time) -> Option<Status> {
        let latest = self.latest.entry(signer).or_default();
        latest.status = Some(status.view).max(latest.status);
        latest.last.replace((*status, now)).map(|(before, _)| before)
    }

    /// The last Statuses that came no earlier than `since`.
    pub(super) fn statuses(&self, since: Time) -> Vec<(ValidatorIndex, Status)> {
        let last = self.latest.iter().filter_map(|(signer, latest)| Some((*signer, latest.last?)));
        last.filter(|(_, (_, at))| *at >= since).map(|(signer, (status, _))| (signer, status)).collect()
    }

    /// R41: a validator suspects each primary once.
    pub(super) fn suspect(&mut self, signer: ValidatorIndex, view: View) {
        let suspects = &mut self.latest.entry(signer).or_default().suspects;
        *suspects = Some(view).max(*suspects);
    }

    /// R39: how many validators suspect the primary of `view`, or ask for a view above it.
    pub(super) fn against(&self, view: View, asks_count: bool) -> usize {
        let against = |l: &&Latest| l.suspects == Some(view) || asks_count && l.target() > Some(view);
        self.latest.values().filter(against).count()
    }

    fn target(&self, latest: &Latest) -> Option<View> {
        #[cfg(feature = "mistakes")]
        if self.ask_beats_view_change {
            return latest.asked().or_else(|| latest.changing());
        }
        latest.target()
    }

    /// The `count`-th highest of the validators' latest asks (R27).
    pub(super) fn nth_highest(&self, count: usize) -> Option<View> {
        let mut targets: Vec<_> = self.latest.values().filter_map(|l| self.target(l)).collect();
        targets.sort_unstable_by(|a, b| b.cmp(a));
        targets.get(count.checked_sub(1)?).copied()
    }

    /// How many validators ask for `view` or above, or are there already (R28).
    pub(super) fn at_least(&self, view: View) -> usize {
        self.latest.values().filter(|l| self.target(l).max(l.status) >= Some(view)).count()
    }

    /// The ViewChanges for exactly this view, ascending by validator.
    pub(super) fn view_changes(&self, target: View) -> Vec<Arc<ViewChange>> {
        let kept = self.latest.values().filter_map(|l| l.view_change.as_ref());
        kept.filter(|v| v.claims.payload.target == target).cloned().collect()
    }

    /// R44: certificates and claims of ViewChanges that the entered view has settled go.
    pub(super) fn enter(&mut self, view: View) {
        for latest in self.latest.values_mut() {
            if latest.view_change.as_ref().is_some_and(|v| v.claims.payload.target <= view) {
                latest.view_change = None;
            }
        }
    }
}
