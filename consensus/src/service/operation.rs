//! An operation as a transaction: one data entry with the operation as its value, signed by its host.

use quorate_chain::codec::{Bytes, DecodeError};
use quorate_chain::crypto::SecretKey;
use quorate_chain::instruction::{DATA_VALUE_BYTES_MAX, Instruction};
use quorate_chain::transaction::{ChainTag, TransactionBody};
use quorate_chain::{
    AccountId, ChainId, Height, Nonce, PublicKey, Transaction, ValidatorIndex, ValidatorSet,
};

/// Longest operation, bytes.
pub const OPERATION_BYTES_MAX: usize = DATA_VALUE_BYTES_MAX;

/// An operation and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operation<'a> {
    /// The host that signed it.
    pub(super) host: ValidatorIndex,
    /// Its place among that host's operations.
    pub(super) nonce: Nonce,
    /// What the service is given.
    pub(super) bytes: &'a [u8],
}

/// Signs an operation.
///
/// # Errors
/// When it is too long.
pub(super) fn sign(
    operation: &[u8],
    nonce: Nonce,
    chain: ChainId,
    key: &SecretKey,
) -> Result<Transaction, DecodeError> {
    let account = AccountId::from(key.public());
    let value = Bytes::new(operation.to_vec())?;
    let put = Instruction::PutData { namespace: account, key: Bytes::default(), value };
    let body = TransactionBody::new(chain, account, nonce, vec![put])?;
    Transaction::sign(body, chain, &[key])
}

/// The operation that a transaction carries; `None` if it is not of the form that [`sign`] gives. The
/// signature itself is not checked.
pub(super) fn read<'a>(
    transaction: &'a Transaction,
    set: &ValidatorSet,
    chain: ChainId,
) -> Option<Operation<'a>> {
    let body = transaction.body();
    let [step] = &body.instructions[..] else { return None };
    let Instruction::PutData { namespace, key, value } = &step.instruction else { return None };
    let host = PublicKey(body.account.0);
    let plain = body.chain == ChainTag::from(chain)
        && step.actor.is_none()
        && *namespace == body.account
        && key.is_empty()
        && body.valid_until == Height::ZERO
        && body.sponsor.is_none()
        && transaction.signers().eq([host]);
    let host = set.index_of(host).filter(|_| plain)?;
    Some(Operation { host, nonce: body.nonce, bytes: value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_chain::validator::fixture::{consensus_key, validator_set};

    const CHAIN: ChainId = ChainId([1; 32]);

    #[test]
    fn an_operation_survives_its_journey_and_nothing_else_is_one() {
        let (set, key) = (validator_set(4), consensus_key(2));
        let signed = sign(b"put a 1", Nonce(7), CHAIN, &key).unwrap();
        assert!(signed.verify_signatures(CHAIN));
        let expected = Operation { host: ValidatorIndex(2), nonce: Nonce(7), bytes: b"put a 1" };
        assert_eq!(read(&signed, &set, CHAIN), Some(expected));
        assert_eq!(read(&signed, &set, ChainId([2; 32])), None);
        assert_eq!(read(&signed, &validator_set(2), CHAIN), None, "not a host's key");
        let other = |change: fn(&mut TransactionBody)| {
            let mut body = signed.body().clone();
            change(&mut body);
            read(&Transaction::sign(body, CHAIN, &[&key]).unwrap(), &set, CHAIN).map(|o| o.nonce)
        };
        assert_eq!(other(|_| {}), Some(Nonce(7)));
        assert_eq!(other(|body| body.valid_until = Height(9)), None);
        assert_eq!(other(|body| body.sponsor = Some(body.account)), None);
        let cosigned = Transaction::sign(signed.body().clone(), CHAIN, &[&key, &consensus_key(1)]).unwrap();
        assert_eq!(read(&cosigned, &set, CHAIN), None);
        assert!(sign(&[0; OPERATION_BYTES_MAX], Nonce(0), CHAIN, &key).is_ok());
        assert!(sign(&[0; OPERATION_BYTES_MAX + 1], Nonce(0), CHAIN, &key).is_err());
    }
}
