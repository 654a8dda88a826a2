//! The chain's parameters: set in genesis, part of the state, the same for all.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

use crate::execution::TRANSACTION_WORK_MAX;

/// Most heights that may be in flight above the committed tip.
pub const WINDOW_MAX: u16 = 64;

/// Every parameter. All times are milliseconds, all sizes bytes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Whether anybody may come in: a transfer to an account that is not there makes it, and every member may
    /// register others. Otherwise the chain is permissioned: only admins make accounts.
    pub open: bool,
    /// Most transactions of a block.
    pub block_transactions_max: u32,
    /// Most bytes of a block's transactions.
    pub block_bytes_max: u32,
    /// How far a block's time may be ahead of a validator's clock (R6).
    pub max_ahead_ms: u32,
    /// First time-out of a view; doubles with each failed view (R31).
    pub timeout_base_ms: u32,
    /// Largest time-out; no smaller than the worst recovery time.
    pub timeout_max_ms: u32,
    /// How often unanswered requests are sent again (R29).
    pub status_ms: u32,
    /// A heartbeat block after so long without transactions; 0 is never.
    pub max_idle_ms: u32,
    /// How long a primary with a block in flight waits for more transactions, at least.
    pub batch_wait_ms: u32,
    /// Heights that may be in flight above the committed tip (W).
    pub window: u16,
    /// Most work units of a block; a unit is about a microsecond of one core (see [`crate::execution::work`]).
    /// The default is a quarter of the default time-out.
    pub block_work_max: u64,
    /// Work units that an account may spend at once.
    pub account_work_max: u64,
    /// Work units that an account gets back per second of the chain's time.
    pub account_work_per_second: u64,
    /// Bytes of state that may be charged to an account.
    pub account_state_bytes_max: u64,
    /// Work units that the accounts of an organisation may spend at once, together.
    pub organisation_work_max: u64,
    /// Work units that an organisation gets back per second of the chain's time.
    pub organisation_work_per_second: u64,
    /// Bytes of state that may be charged to the accounts of an organisation, together.
    pub organisation_state_bytes_max: u64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            open: true,
            block_transactions_max: 10_000,
            block_bytes_max: 2 * 1024 * 1024,
            max_ahead_ms: 2_000,
            timeout_base_ms: 1_000,
            timeout_max_ms: 120_000,
            status_ms: 500,
            max_idle_ms: 0,
            batch_wait_ms: 2,
            window: 8,
            block_work_max: 250_000,
            account_work_max: 2_500_000,
            account_work_per_second: 1_000_000,
            account_state_bytes_max: 1 << 30,
            organisation_work_max: 10_000_000,
            organisation_work_per_second: 1_000_000,
            organisation_state_bytes_max: 1 << 34,
        }
    }
}

/// What a bound of work may be: every transaction fits in, and thousandths of it never overflow.
const WORK_RANGE: RangeInclusive<u64> = TRANSACTION_WORK_MAX..=1_000_000_000_000;
const WORK_ALLOWED: &str = "16000 to 1000000000000";

/// A parameter outside of its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parameter {name} = {value}: allowed are {allowed}")]
pub struct ParameterError {
    /// Which.
    pub name: &'static str,
    /// What it is.
    pub value: u64,
    /// What it may be.
    pub allowed: &'static str,
}

impl Parameters {
    /// # Errors
    /// Names the first parameter that is out of range.
    pub fn check(&self) -> Result<(), ParameterError> {
        let base = u64::from(self.timeout_base_ms);
        let ranges = [
            ("block_transactions_max", self.block_transactions_max.into(), 1..=20_000, "1 to 20000"),
            ("block_bytes_max", self.block_bytes_max.into(), 65_536..=3_145_728, "65536 to 3145728"),
            ("timeout_base_ms", base, 50..=600_000, "50 to 600000"),
            ("timeout_max_ms", self.timeout_max_ms.into(), base..=86_400_000, "timeout_base_ms to 86400000"),
            ("status_ms", self.status_ms.into(), 10..=60_000, "10 to 60000"),
            ("window", self.window.into(), 1..=u64::from(WINDOW_MAX), "1 to 64"),
            ("batch_wait_ms", self.batch_wait_ms.into(), 0..=1_000, "0 to 1000"),
            ("block_work_max", self.block_work_max, WORK_RANGE, WORK_ALLOWED),
            ("account_work_max", self.account_work_max, WORK_RANGE, WORK_ALLOWED),
            ("organisation_work_max", self.organisation_work_max, WORK_RANGE, WORK_ALLOWED),
        ];
        for (name, value, range, allowed) in ranges {
            if !range.contains(&value) {
                return Err(ParameterError { name, value, allowed });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX};

    #[test]
    fn defaults_are_in_range_and_others_are_named() {
        assert_eq!(Parameters::default().check(), Ok(()));
        let low = Parameters { timeout_max_ms: 5, ..Parameters::default() };
        assert_eq!(low.check().unwrap_err().name, "timeout_max_ms");
    }

    #[test]
    fn what_has_a_largest_value_may_have_it_and_no_more() {
        let full = Parameters {
            block_transactions_max: BLOCK_TRANSACTIONS_MAX as u32,
            block_bytes_max: BLOCK_BYTES_MAX as u32,
            window: WINDOW_MAX,
            ..Parameters::default()
        };
        assert_eq!(full.check(), Ok(()));
        let more: [(_, fn(&mut Parameters)); 3] = [
            ("block_transactions_max", |p| p.block_transactions_max += 1),
            ("block_bytes_max", |p| p.block_bytes_max += 1),
            ("window", |p| p.window += 1),
        ];
        for (name, change) in more {
            let mut parameters = full.clone();
            change(&mut parameters);
            assert_eq!(parameters.check().unwrap_err().name, name);
        }
    }
}
