//! What hosts say to each other, and how long that may be.

use super::error::Error;
use crate::message::{Message, SealedBlock};
use borsh::{BorshDeserialize, BorshSerialize};
use quorate_chain::certificate::{PATH_HEADERS_MAX, ValidatorSignature};
use quorate_chain::codec::{List, decode, encode};
use quorate_chain::transaction::TRANSACTION_BYTES_MAX;
use quorate_chain::validator::VALIDATORS_MAX;
use quorate_chain::{BlockHash, CommitCertificate, Header, Height, ResultHash, Transaction};

/// Longest message between hosts, bytes.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Most operations of a block.
pub(super) const BLOCK_OPERATIONS_MAX: usize = 1024;
/// Most bytes of a block's operations.
pub(super) const BLOCK_BYTES_MAX: usize = 512 * 1024;
/// Most operations of one relay.
pub(super) const RELAY_OPERATIONS_MAX: usize = 256;
/// Most bytes of one relay.
pub(super) const RELAY_BYTES_MAX: usize = 128 * 1024;
/// Most blocks of one answer; the replica takes in so many above its tip.
pub(super) const SYNC_BLOCKS_MAX: usize = 16;

/// The longest proof of a block: headers and signatures, generously.
const PROOF_BYTES_MAX: usize =
    PATH_HEADERS_MAX * 256 + VALIDATORS_MAX * size_of::<ValidatorSignature>() + 1024;
const _: () = assert!(BLOCK_BYTES_MAX + 4 * BLOCK_OPERATIONS_MAX + PROOF_BYTES_MAX < MESSAGE_BYTES_MAX);
const _: () = assert!(TRANSACTION_BYTES_MAX <= RELAY_BYTES_MAX && RELAY_BYTES_MAX <= BLOCK_BYTES_MAX);

/// A committed block with what proves it; also how it is stored.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct CertifiedBlock {
    pub(super) block: SealedBlock,
    /// Headers from its child to the certified block (R22).
    pub(super) path: List<Header, 0, PATH_HEADERS_MAX>,
    pub(super) certificate: CommitCertificate,
}

impl CertifiedBlock {
    /// The result that the certificate proves of this block.
    pub(super) fn result(&self) -> ResultHash {
        self.path.first().map_or(self.certificate.result_hash, |child| child.parent_result)
    }

    /// Whether the headers lead from the block to the certified one (R22).
    pub(super) fn leads_to_certificate(&self) -> bool {
        let mut last = (self.block.height(), self.block.hash());
        for child in self.path.iter() {
            if (child.height, child.parent) != (last.0.next(), last.1) {
                return false;
            }
            last = (child.height, child.hash());
        }
        last == (self.certificate.height, self.certificate.block_hash)
    }
}

/// Everything that goes from host to host. The discriminants never change meaning.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub(super) enum Wire {
    /// Of the protocol.
    Consensus(Message) = 1,
    /// Asks for a block by its hash.
    WantBody(BlockHash) = 2,
    /// Answer to that.
    Body(SealedBlock) = 3,
    /// Asks for committed blocks above this height.
    WantBlocks(Height) = 4,
    /// Answer to that, ascending.
    Blocks(List<CertifiedBlock, 1, SYNC_BLOCKS_MAX>) = 5,
    /// Operations that wait (R33).
    Operations(List<Transaction, 1, RELAY_OPERATIONS_MAX>) = 6,
}

impl Wire {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// # Errors
    /// When it is too long or no message.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(Error::LongMessage(bytes.len()));
        }
        Ok(decode(bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::operation::sign;
    use super::*;
    use crate::message::fixture::{committed, hex, signature_bytes};
    use crate::message::{Signed, Suspect};
    use quorate_chain::block::transactions_root;
    use quorate_chain::validator::fixture::consensus_key;
    use quorate_chain::{
        Block, ChainId, Epoch, Nonce, Signature, TimestampMs, TransactionId, ValidatorIndex, View,
    };

    fn header(height: u64, parent: BlockHash) -> Header {
        Header {
            version: 1,
            height: Height(height),
            epoch: Epoch(0),
            parent,
            timestamp_ms: TimestampMs(2),
            transactions_root: transactions_root(&[]),
            transaction_count: 0,
            parent_result: ResultHash([6; 32]),
            proposer: ValidatorIndex(1),
        }
    }

    fn block() -> SealedBlock {
        let header = header(3, BlockHash([5; 32]));
        SealedBlock::new(Block { header, transactions: List::default() }).unwrap()
    }

    #[test]
    fn golden_bytes() {
        let payload = Suspect { epoch: Epoch(1), view: View(3), transaction: TransactionId([8; 32]) };
        let signature = Signature([0xdd; 64]);
        let suspect = Message::Suspect(Signed { payload, signer: ValidatorIndex(2), signature });
        let suspect_hex =
            ["0109", "0100000000000000", "0300000000000000", &"08".repeat(32), "0200", &signature_bytes()];
        let operation = sign(b"put", Nonce(1), ChainId([1; 32]), &consensus_key(0)).unwrap();
        let length = u32::try_from(operation.bytes().len()).unwrap();
        let operation_hex = ["0601000000", &hex(&length.to_le_bytes()), &hex(operation.bytes())].concat();
        let block_hex = [&hex(&encode(block().header())), "00000000"].concat();
        let blocks_hex = ["0501000000", &block_hex, "00000000", &hex(&encode(&committed()))].concat();
        let certified = CertifiedBlock { block: block(), path: List::default(), certificate: committed() };
        let golden = [
            (Wire::Consensus(suspect), suspect_hex.concat()),
            (Wire::WantBody(BlockHash([7; 32])), ["02", &"07".repeat(32)].concat()),
            (Wire::Body(block()), ["03", &block_hex].concat()),
            (Wire::WantBlocks(Height(5)), "040500000000000000".into()),
            (Wire::Blocks(List::new(vec![certified]).unwrap()), blocks_hex),
            (Wire::Operations(List::new(vec![operation]).unwrap()), operation_hex),
        ];
        for (wire, bytes) in golden {
            assert_eq!(hex(&wire.to_bytes()), bytes);
            assert_eq!(Wire::from_bytes(&wire.to_bytes()).unwrap(), wire);
        }
    }

    #[test]
    fn r22_headers_lead_from_the_block_to_the_certificate_or_they_do_not() {
        let child = header(4, block().hash());
        let grandchild = header(5, child.hash());
        let certified = |path: Vec<Header>, height: u64, block_hash: BlockHash| CertifiedBlock {
            block: block(),
            path: List::new(path).unwrap(),
            certificate: CommitCertificate { height: Height(height), block_hash, ..committed() },
        };
        assert!(certified(vec![], 3, block().hash()).leads_to_certificate());
        assert!(!certified(vec![], 4, block().hash()).leads_to_certificate());
        assert!(!certified(vec![], 4, child.hash()).leads_to_certificate());
        let path = vec![child.clone(), grandchild.clone()];
        let proven = certified(path.clone(), 5, grandchild.hash());
        assert!(proven.leads_to_certificate());
        assert_eq!(proven.result(), child.parent_result);
        assert!(!certified(path, 4, child.hash()).leads_to_certificate());
        assert!(!certified(vec![grandchild.clone()], 5, grandchild.hash()).leads_to_certificate());
    }

    #[test]
    fn the_longest_proof_of_a_block_is_within_its_bytes() {
        let mut certificate = committed();
        let one = |i| ValidatorSignature { validator: ValidatorIndex(i), signature: Signature([0xdd; 64]) };
        certificate.signatures = List::new((0..VALIDATORS_MAX as u16).map(one).collect()).unwrap();
        let path = List::new(vec![header(4, block().hash()); PATH_HEADERS_MAX]).unwrap();
        let longest = CertifiedBlock { block: block(), path, certificate };
        let proof = encode(&longest).len() - encode(&block()).len();
        assert!(proof <= PROOF_BYTES_MAX && proof > PROOF_BYTES_MAX / 2, "{proof} of {PROOF_BYTES_MAX}");
    }
}
