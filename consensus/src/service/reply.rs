//! What became of operations, with proofs for whoever knows only the validator set.

use crate::message::SealedBlock;
use borsh::{BorshDeserialize, BorshSerialize};
use quorate_chain::certificate::CertificateError;
use quorate_chain::crypto::{Domain, hash};
use quorate_chain::instruction::Instruction;
use quorate_chain::merkle::MerkleProof;
use quorate_chain::{CertifiedHeader, ChainId, Epoch, Transaction, TransactionId, ValidatorSet};

/// Names a submitted operation, within one run of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What the receipts root binds of an executed operation.
pub(super) fn receipt_hash(id: TransactionId, reply: &[u8]) -> [u8; 32] {
    hash(Domain::Receipt, &(id, reply))
}

/// The operation that a transaction carries.
fn operation(transaction: &Transaction) -> &[u8] {
    match transaction.body().instructions.first().map(|step| &step.instruction) {
        Some(Instruction::PutData { value, .. }) => value,
        _ => &[],
    }
}

/// Proof that a quorum executed an operation and gave one reply.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ReplyProof {
    /// The operation, signed by the host that it was submitted to.
    pub transaction: Transaction,
    /// Its block's header and result, and the commit certificate (`block.commit`) for both.
    pub block: CertifiedHeader,
    /// The reply's place among the block's replies.
    pub receipt: MerkleProof,
}

impl ReplyProof {
    /// The operation.
    #[must_use]
    pub fn operation(&self) -> &[u8] {
        operation(&self.transaction)
    }

    /// Proves to whoever knows the hosts' keys that [`Self::operation`] was executed with this reply.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify(&self, reply: &[u8], set: &ValidatorSet, chain: ChainId) -> Result<(), CertificateError> {
        self.block.verify(Epoch::ZERO, set, chain)?;
        let receipt = receipt_hash(self.transaction.id(), reply);
        if self.receipt.verify(self.block.result.receipts_root, &receipt) {
            Ok(())
        } else {
            Err(CertificateError::Other("reply"))
        }
    }
}

/// The answer to a submitted operation, final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Which operation.
    pub ticket: Ticket,
    /// What [`Service::execute`](super::Service::execute) gave.
    pub bytes: Vec<u8>,
    /// Proof of it.
    pub proof: ReplyProof,
}

impl Reply {
    /// [`ReplyProof::verify`] of these bytes.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify(&self, set: &ValidatorSet, chain: ChainId) -> Result<(), CertificateError> {
        self.proof.verify(&self.bytes, set, chain)
    }
}

/// A committed block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The block.
    pub block: SealedBlock,
    /// Its header and result, and the commit certificate (`proof.commit`) for both.
    pub proof: CertifiedHeader,
}

impl Committed {
    /// Its operations, of all hosts, in the order of execution.
    pub fn operations(&self) -> impl Iterator<Item = &[u8]> {
        self.block.block().transactions.iter().map(operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_receipt_hash() {
        let bytes = [&b"quorate/receipt/1\0"[..], &[5; 32], &3u32.to_le_bytes(), b"yes"].concat();
        assert_eq!(receipt_hash(TransactionId([5; 32]), b"yes"), *blake3::hash(&bytes).as_bytes());
    }
}
