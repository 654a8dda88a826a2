//! What all hosts of a network agree on.

use quorate_chain::parameters::Parameters;
use quorate_chain::{ChainId, ValidatorSet};
use std::sync::Arc;

/// Largest W: heights in flight; a proof's path of headers is never longer than the chain allows.
pub(super) const WINDOW_MAX: u64 = 64;

/// The network, the same on all its hosts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names the network; every signature binds it. Hash whatever describes it: the service, its version, its
    /// first state.
    pub chain: ChainId,
    /// The hosts' consensus keys, in the order of their seats.
    pub set: Arc<ValidatorSet>,
    /// W, heights in flight: 1 to 64 (others are taken for the nearest of these).
    pub window: u64,
    /// First time-out of a view, milliseconds; a few times the time of a commit.
    pub timeout_base_ms: u64,
    /// Largest time-out, milliseconds; no smaller than the worst recovery time.
    pub timeout_max_ms: u64,
    /// How often unanswered things are sent again, milliseconds.
    pub status_ms: u64,
    /// How far a block's time may be ahead of the own clock, milliseconds.
    pub max_ahead_ms: u64,
    /// How long a primary with a block in flight waits for more operations, milliseconds.
    pub batch_wait_ms: u64,
}

impl Settings {
    /// With the times that the node uses by default.
    #[must_use]
    pub fn new(chain: ChainId, set: ValidatorSet) -> Self {
        let defaults = Parameters::default();
        Self {
            chain,
            set: Arc::new(set),
            window: defaults.window.into(),
            timeout_base_ms: defaults.timeout_base_ms.into(),
            timeout_max_ms: defaults.timeout_max_ms.into(),
            status_ms: defaults.status_ms.into(),
            max_ahead_ms: defaults.max_ahead_ms.into(),
            batch_wait_ms: defaults.batch_wait_ms.into(),
        }
    }
}
