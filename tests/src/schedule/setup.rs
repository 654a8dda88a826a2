//! What a stage is made of, and the mistakes that are made on it.

use quorate_chain::validator::fixture::validator_set;
use quorate_chain::{ChainId, Epoch, Height, ResultHash, ValidatorSet};
use quorate_consensus::{Config, EpochContext, Mistake};
use std::sync::Arc;

/// The first time-out of a view unless a schedule says otherwise, milliseconds.
pub(super) const TIMEOUT_BASE_MS: u64 = 1_000;
/// How often things are sent again, milliseconds.
pub(super) const STATUS_MS: u64 = 100;

/// A mistake of a driver, made by every honest validator of the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    /// R12: the record that a view was entered is not written.
    ForgetsEntered,
    /// R12: of the NewView by which the view was entered only a hash is kept.
    KeepsNewViewHashOnly,
    /// R10: a body is said to be durable and is not.
    BodyNotDurable,
    /// R10, R11: what is written is said to be durable before it is.
    AnswersBeforeSync,
    /// R6: every block is said to be valid.
    AllValid,
    /// R46: the old key goes as soon as the next epoch starts.
    ErasesOldKeyEarly,
    /// R45: started from the record of an old epoch, it enters the next one without the record of that.
    ForgetsLaterRecord,
    /// R18: messages are taken in unverified, so that a mistake may be made by all alike.
    Unverified,
}

/// The block at this height ends epoch 0 (R45).
#[derive(Clone, Debug)]
pub struct EpochEnd {
    /// Its height.
    pub height: Height,
    /// The validators of epoch 1.
    pub next: ValidatorSet,
}

/// What a stage is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    pub(super) context: EpochContext,
    pub(super) byzantine: Vec<usize>,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) slips: Vec<Slip>,
    pub(super) epoch_end: Option<EpochEnd>,
    pub(super) timeout_base_ms: u64,
    pub(super) timeout_max_ms: u64,
    pub(super) latency_ms: u64,
    /// What each wall clock is ahead, milliseconds, by seat; 0 where left out.
    pub(super) skew_ms: Vec<i64>,
    pub(super) with_ledger: bool,
}

impl Setup {
    /// `n` validators with the well-known keys of [`quorate_chain::validator::fixture`].
    #[must_use]
    pub fn of(n: u16) -> Self {
        let chain = ChainId([4; 32]);
        let context = EpochContext {
            chain,
            epoch: Epoch::ZERO,
            set: Arc::new(validator_set(n)),
            start_height: Height::ZERO,
            start_block: chain.genesis_block(),
            start_result: ResultHash([2; 32]),
        };
        Self {
            context,
            byzantine: Vec::new(),
            mistakes: Vec::new(),
            slips: Vec::new(),
            epoch_end: None,
            timeout_base_ms: TIMEOUT_BASE_MS,
            timeout_max_ms: 64 * TIMEOUT_BASE_MS,
            latency_ms: 1,
            skew_ms: Vec::new(),
            with_ledger: false,
        }
    }

    /// This seat does only what the script says.
    #[must_use]
    pub fn byzantine(mut self, seat: usize) -> Self {
        self.byzantine.push(seat);
        self
    }

    /// All honest cores make these mistakes.
    #[must_use]
    pub fn mistakes(mut self, mistakes: &[Mistake]) -> Self {
        self.mistakes = mistakes.to_vec();
        self
    }

    /// All honest drivers make these mistakes.
    #[must_use]
    pub fn slips(mut self, slips: &[Slip]) -> Self {
        self.slips = slips.to_vec();
        self
    }

    /// The block at this height ends epoch 0.
    #[must_use]
    pub fn epoch_ends(mut self, end: EpochEnd) -> Self {
        self.epoch_end = Some(end);
        self
    }

    /// First and largest time-out, milliseconds.
    #[must_use]
    pub const fn timeouts(mut self, base_ms: u64, max_ms: u64) -> Self {
        (self.timeout_base_ms, self.timeout_max_ms) = (base_ms, max_ms);
        self
    }

    /// How long a message takes where time flows, milliseconds, at least 1.
    #[must_use]
    pub const fn latency(mut self, ms: u64) -> Self {
        self.latency_ms = ms;
        self
    }

    /// What the wall clocks are ahead, milliseconds, by seat.
    #[must_use]
    pub fn clocks_ahead(mut self, skew_ms: &[i64]) -> Self {
        self.skew_ms = skew_ms.to_vec();
        self
    }

    /// Blocks are executed and validated by the real ledger, in memory.
    #[must_use]
    pub fn with_ledger(mut self) -> Self {
        self.with_ledger = true;
        self
    }

    pub(super) fn n(&self) -> usize {
        self.context.set.validators().len()
    }

    pub(super) fn config(&self, context: EpochContext, me: Option<u16>) -> Config {
        Config {
            context,
            me: me.map(quorate_chain::ValidatorIndex),
            window: 4,
            timeout_base_ms: self.timeout_base_ms,
            timeout_max_ms: self.timeout_max_ms,
            status_ms: STATUS_MS,
            max_ahead_ms: 100,
            batch_wait_ms: 0,
            max_idle_ms: 0,
        }
    }
}
