//! What Byzantine validators can make of certificates and view changes: the simulator's, the schedules' and the
//! fuzz targets' liars share it.

use quorate_chain::codec::List;
use quorate_chain::{CommitCertificate, Epoch, PreparedCertificate, View};
use quorate_consensus::message::{KeyCertificate, NewViewContents, ViewChange, ViewChangeClaims};
use quorate_consensus::{EpochContext, Unsigned};
use std::sync::Arc;

/// A ViewChange that claims these certificates; without a C it claims the start of the epoch.
pub(crate) fn view_change(
    context: &EpochContext,
    target: View,
    committed: Option<CommitCertificate>,
    prepared: Option<PreparedCertificate>,
) -> Unsigned {
    let claims = ViewChangeClaims::of(context, target, committed.as_ref(), prepared.as_ref());
    Unsigned::ViewChange(claims, committed, prepared)
}

/// The NewView that follows from these ViewChanges, ascending by validator: with proof of the highest key (C
/// before P) and of the highest C. `None` if they are too many for one.
pub(crate) fn new_view(epoch: Epoch, view: View, changes: &[Arc<ViewChange>]) -> Option<NewViewContents> {
    let committed = |v: &Arc<ViewChange>| {
        let c = v.committed.clone()?;
        Some(((c.view, c.height, true, c.block_hash), KeyCertificate::Committed(c)))
    };
    let prepared = |v: &Arc<ViewChange>| {
        let p = v.prepared.clone()?;
        Some(((p.vote.view, p.vote.height, false, p.vote.block), KeyCertificate::Prepared(p)))
    };
    let keys = changes.iter().flat_map(|v| [committed(v), prepared(v)]).flatten();
    let key = keys.max_by_key(|(key, _)| *key).map_or(KeyCertificate::EpochStart, |(_, key)| key);
    let highest = changes.iter().filter_map(|v| v.committed.as_ref()).max_by_key(|c| (c.height, c.view));
    let view_changes = List::new(changes.iter().map(|change| change.claims.clone()).collect()).ok()?;
    Some(NewViewContents { epoch, view, view_changes, key, committed: highest.cloned() })
}
