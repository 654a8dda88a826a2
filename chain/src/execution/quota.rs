//! What a transaction costs, and the token buckets that bound what accounts and organisations may spend.
//!
//! There are no fees, so quotas guard the chain. A unit of work is about a microsecond of one core of the
//! reference machine, signature and state root included. Work comes back with the chain's time, not with its
//! heights: a chain without transactions makes no blocks.

use crate::ids::TimestampMs;
use crate::instruction::{INSTRUCTIONS_MAX, Instruction};
use crate::parameters::Parameters;
use crate::state::{Account, Organisation, Quota};
use crate::transaction::{TRANSACTION_BYTES_MAX, Transaction, WITNESSES_MAX};

/// Work of a transaction beside its witnesses and instructions.
pub const TRANSACTION_WORK: u64 = 5;
/// Work of a witness: verifying a signature in a batch.
pub const WITNESS_WORK: u64 = 15;
/// Work of checking that a key may be registered.
const KEY_WORK: u64 = 15;
/// No transaction costs more, so a bound of so much never shuts one out.
pub const TRANSACTION_WORK_MAX: u64 = 16_000;

const THOUSANDTHS: u64 = 1_000;

/// Work units of a transaction: fixed by its bytes.
#[must_use]
pub fn work(transaction: &Transaction) -> u64 {
    let steps: u64 =
        transaction.body().instructions.iter().map(|step| instruction_work(&step.instruction)).sum();
    let kib = transaction.bytes().len() as u64 / 1024;
    TRANSACTION_WORK + WITNESS_WORK * transaction.signers().count() as u64 + kib + steps
}

/// Work units of an instruction.
#[must_use]
pub fn instruction_work(instruction: &Instruction) -> u64 {
    match instruction {
        Instruction::RegisterOrganisation { .. } | Instruction::RegisterAccount { .. } => 10 + KEY_WORK,
        Instruction::SetAccountKeys { keys, .. } => 5 + KEY_WORK * keys.len() as u64,
        Instruction::CreateAsset { .. } => 10,
        Instruction::Mint { .. } | Instruction::Burn { .. } => 8,
        Instruction::Transfer { .. }
        | Instruction::SetOrganisationStatus { .. }
        | Instruction::SetAccountRoles { .. }
        | Instruction::SetAccountStatus { .. }
        | Instruction::FreezeHolder { .. }
        | Instruction::PutData { .. }
        | Instruction::DeleteData { .. }
        | Instruction::TransferData { .. }
        | Instruction::AnchorDocument { .. } => 5,
        Instruction::RequireBalance { .. }
        | Instruction::RequireData { .. }
        | Instruction::RequireHeightBelow { .. } => 2,
    }
}

// Every step the dearest, and all bytes keys beside: more than fits into a transaction.
const _: () = assert!(
    TRANSACTION_WORK
        + WITNESS_WORK * WITNESSES_MAX as u64
        + TRANSACTION_BYTES_MAX as u64 / 1024
        + INSTRUCTIONS_MAX as u64 * (10 + KEY_WORK)
        + KEY_WORK * (TRANSACTION_BYTES_MAX as u64 / 34)
        <= TRANSACTION_WORK_MAX
);

/// What a bucket holds, and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    work_max: u64,
    per_second: u64,
    pub(super) state_bytes: u64,
}

impl Limits {
    pub(super) const fn of_account(parameters: &Parameters) -> Self {
        Self {
            work_max: parameters.account_work_max,
            per_second: parameters.account_work_per_second,
            state_bytes: parameters.account_state_bytes_max,
        }
    }

    pub(super) const fn of_organisation(parameters: &Parameters) -> Self {
        Self {
            work_max: parameters.organisation_work_max,
            per_second: parameters.organisation_work_per_second,
            state_bytes: parameters.organisation_state_bytes_max,
        }
    }

    /// Thousandths that are spent at `at`, of which so many come back each millisecond as units each second.
    const fn spent(&self, quota: &Quota, at: TimestampMs) -> u64 {
        let elapsed = at.0.saturating_sub(quota.at.0);
        quota.spent.saturating_sub(self.per_second.saturating_mul(elapsed))
    }

    /// Milliseconds after `at` at which so much may be spent; 0 is now, `None` never.
    pub(super) const fn wait_ms(&self, quota: &Quota, at: TimestampMs, work: u64) -> Option<u64> {
        let wanted = self.spent(quota, at).saturating_add(work.saturating_mul(THOUSANDTHS));
        let over = wanted.saturating_sub(self.work_max.saturating_mul(THOUSANDTHS));
        if over == 0 {
            return Some(0);
        }
        if work > self.work_max || self.per_second == 0 { None } else { Some(over.div_ceil(self.per_second)) }
    }

    /// Spends.
    pub(super) const fn charge(&self, quota: &mut Quota, at: TimestampMs, work: u64) {
        quota.spent = self.spent(quota, at).saturating_add(work.saturating_mul(THOUSANDTHS));
        if at.0 > quota.at.0 {
            quota.at = at;
        }
    }
}

/// Work units that an account, and its organisation, may spend at a time.
#[must_use]
pub fn work_left(
    parameters: &Parameters,
    account: &Account,
    organisation: Option<&Organisation>,
    at: TimestampMs,
) -> u64 {
    let left =
        |limits: Limits, quota| limits.work_max.saturating_sub(limits.spent(quota, at).div_ceil(THOUSANDTHS));
    let own = left(Limits::of_account(parameters), &account.quota);
    organisation
        .map_or(own, |organisation| own.min(left(Limits::of_organisation(parameters), &organisation.quota)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { work_max: 100, per_second: 10, state_bytes: 0 };

    #[test]
    fn what_is_spent_comes_back_with_time_and_never_beyond_the_bound() {
        let mut quota = Quota::default();
        let at = TimestampMs;
        assert_eq!(LIMITS.wait_ms(&quota, at(1000), 100), Some(0));
        assert_eq!(LIMITS.wait_ms(&quota, at(1000), 101), None, "more than there ever is");
        LIMITS.charge(&mut quota, at(1000), 95);
        assert_eq!(LIMITS.wait_ms(&quota, at(1000), 5), Some(0));
        assert_eq!(LIMITS.wait_ms(&quota, at(1000), 6), Some(100));
        assert_eq!(LIMITS.wait_ms(&quota, at(1099), 6), Some(1));
        assert_eq!(LIMITS.wait_ms(&quota, at(1100), 6), Some(0));
        // Many small steps of time give back as much as a long one.
        for ms in 1001..=1100 {
            LIMITS.charge(&mut quota, at(ms), 0);
        }
        assert_eq!(LIMITS.wait_ms(&quota, at(1100), 6), Some(0));
        assert_eq!(LIMITS.wait_ms(&quota, at(1100), 7), Some(100));
        LIMITS.charge(&mut quota, at(1_000_000), 1);
        assert_eq!(quota.spent, 1000, "no credit is saved up");
        // Time that goes backwards gives nothing back.
        LIMITS.charge(&mut quota, at(5), 1);
        assert_eq!((quota.spent, quota.at), (2000, at(1_000_000)));
        let never = Limits { per_second: 0, ..LIMITS };
        assert_eq!(never.wait_ms(&quota, at(u64::MAX), 99), None);
        let huge = Limits { work_max: u64::MAX, per_second: u64::MAX, state_bytes: 0 };
        assert_eq!(huge.wait_ms(&quota, at(u64::MAX), u64::MAX), Some(0));
    }
}
