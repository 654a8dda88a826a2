//! Checks a block with nothing but the genesis document and `quorate-chain`: no node is believed.

use quorate_chain::certificate::{CertificateError, CertifiedHeader, PATH_HEADERS_MAX};
use quorate_chain::codec::List;
use quorate_chain::{
    BlockHash, BlockResult, ChainId, CommitCertificate, Epoch, Header, Height, ResultHash, TransactionId,
    ValidatorIndex, merkle,
};
use quorate_genesis::Genesis;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// A block as `block` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Answer {
    pub(crate) hash: BlockHash,
    pub(crate) header: Header,
    pub(crate) transactions: Vec<Listed>,
    pub(crate) result: ResultAnswer,
    pub(crate) commit: CommitCertificate,
    #[serde(default)]
    pub(crate) path: List<Header, 0, PATH_HEADERS_MAX>,
}

/// Of a transaction in it, the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Listed {
    pub(crate) id: TransactionId,
}

/// What it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct ResultAnswer {
    pub(crate) hash: ResultHash,
    #[serde(flatten)]
    pub(crate) content: BlockResult,
}

/// Where a chain of proven blocks has come to.
#[derive(Clone, Debug)]
pub(crate) struct Verifier<'a> {
    genesis: &'a Genesis,
    chain: ChainId,
    height: Height,
    block: BlockHash,
    result: ResultHash,
}

impl<'a> Verifier<'a> {
    /// At height 0.
    pub(crate) fn new(genesis: &'a Genesis) -> Self {
        let chain = genesis.chain_id();
        let result = genesis.to_state().result().unwrap().hash();
        Self { genesis, chain, height: Height::ZERO, block: chain.genesis_block(), result }
    }

    /// Proves the next block.
    pub(crate) fn next(&mut self, answer: &Value) -> Answer {
        let answer: Answer = serde_json::from_value(answer.clone()).unwrap();
        let Answer { hash, header, transactions, result, commit, .. } = &answer;
        assert_eq!(header.hash(), *hash);
        assert_eq!(result.content.hash(), result.hash);
        assert_eq!((header.height, header.parent), (self.height.next(), self.block));
        assert_eq!(header.parent_result, self.result);
        let ids: Vec<_> = transactions.iter().map(|transaction| transaction.id.0).collect();
        assert_eq!(ids.len(), header.transaction_count as usize);
        assert_eq!(merkle::root(&ids), header.transactions_root);
        let signers: BTreeSet<_> = commit.signatures.iter().map(|signature| signature.validator).collect();
        assert!(signers.len() >= self.genesis.validator_set().quorum().q());
        self.verify(&answer).unwrap();
        (self.height, self.block, self.result) = (header.height, *hash, result.hash);
        answer
    }

    /// Header and result, by the signatures of the genesis document's validators.
    pub(crate) fn verify(&self, answer: &Answer) -> Result<(), CertificateError> {
        let certified = CertifiedHeader {
            header: answer.header.clone(),
            result: answer.result.content,
            path: answer.path.clone(),
            commit: answer.commit.clone(),
        };
        certified.verify(Epoch::ZERO, self.genesis.validator_set(), self.chain)
    }
}

impl Answer {
    /// Who signed the certificate that proves it.
    pub(crate) fn signers(&self) -> Vec<ValidatorIndex> {
        self.commit.signatures.iter().map(|signature| signature.validator).collect()
    }
}
