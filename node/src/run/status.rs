//! What rpc shows of the node.

use super::core::CoreStatus;
use super::executor::Progress;
use quorate_chain::{PublicKey, ValidatorIndex};
use quorate_p2p::Network;
use quorate_rpc::{NodeStatus, PeerInfo};
use std::time::Duration;
use tokio::sync::watch;

/// How often the list of peers in the status is renewed.
const STATUS_EVERY: Duration = Duration::from_millis(250);

/// Gathers the status that rpc shows.
pub(super) struct StatusTask {
    pub(super) network: Network,
    pub(super) core_status: watch::Receiver<CoreStatus>,
    pub(super) progress: watch::Receiver<Progress>,
    pub(super) catching_up: watch::Receiver<bool>,
}

impl StatusTask {
    /// Starts; what is shown is renewed until the core is gone.
    pub(super) fn start(self) -> watch::Receiver<NodeStatus> {
        let (status, shown) = watch::channel(NodeStatus::default());
        tokio::spawn(self.run(status));
        shown
    }

    async fn run(mut self, status: watch::Sender<NodeStatus>) {
        let mut renew = tokio::time::interval(STATUS_EVERY);
        loop {
            let now = self.gather();
            status.send_if_modified(|shown| {
                let modified = *shown != now;
                *shown = now;
                modified
            });
            tokio::select! {
                _ = renew.tick() => {}
                changed = self.core_status.changed() => if changed.is_err() { return },
                changed = self.catching_up.changed() => if changed.is_err() { return },
            }
        }
    }

    fn gather(&self) -> NodeStatus {
        let core = self.core_status.borrow().clone();
        let peers = self.network.connected().into_iter().map(|key| PeerInfo {
            network: PublicKey(key.0),
            validator: core
                .validators
                .iter()
                .position(|validator| *validator == key)
                .and_then(|index| u16::try_from(index).ok())
                .map(ValidatorIndex),
        });
        NodeStatus {
            epoch: core.epoch,
            view: core.view,
            primary: core.primary,
            me: core.me,
            voting: core.voting,
            catching_up: *self.catching_up.borrow(),
            halted: core.halted,
            record_lost: core.record_lost,
            peers: peers.collect(),
            mempool_transactions: self.progress.borrow().waiting,
        }
    }
}
