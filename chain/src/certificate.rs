//! Votes and the certificates that a quorum of them makes; offline verification (R1, R2).

use crate::block::{BlockResult, Header};
use crate::codec::List;
use crate::crypto::{Domain, SignatureCheck, signed_bytes, strict};
use crate::ids::{BlockHash, ChainId, Epoch, Height, PublicKey, ResultHash, Signature, ValidatorIndex, View};
use crate::validator::{VALIDATORS_MAX, ValidatorSet};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Most headers between a block without a certificate of its own and the one that proves it (R22).
pub const PATH_HEADERS_MAX: usize = 256;

/// Payload of a Prepare vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct PrepareVote {
    /// Epoch of the vote.
    pub epoch: Epoch,
    /// View of the vote.
    pub view: View,
    /// Height of the block.
    pub height: Height,
    /// The block.
    pub block: BlockHash,
}

/// Payload of a Commit vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct CommitVote {
    /// Epoch of the vote.
    pub epoch: Epoch,
    /// View of the vote.
    pub view: View,
    /// Height of the block.
    pub height: Height,
    /// The block.
    pub block: BlockHash,
    /// What the signer's execution of the block gave.
    pub result: ResultHash,
}

/// Who signed, and the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct ValidatorSignature {
    /// Seat in the epoch's set.
    pub validator: ValidatorIndex,
    /// Over the vote.
    pub signature: Signature,
}

/// Signatures of distinct validators in ascending order of their indices.
pub type Signatures = List<ValidatorSignature, 1, VALIDATORS_MAX>;

/// q Prepares of one epoch, view and block (P).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PreparedCertificate {
    /// What all signed.
    pub vote: PrepareVote,
    /// Who signed it.
    pub signatures: Signatures,
}

/// q Commits of one epoch, view, block and result (C): proves a block and the state after it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct CommitCertificate {
    /// Epoch of the votes.
    pub epoch: Epoch,
    /// View of the votes.
    pub view: View,
    /// Height of the block.
    pub height: Height,
    /// The block.
    pub block_hash: BlockHash,
    /// Its result.
    pub result_hash: ResultHash,
    /// Who signed it.
    pub signatures: Signatures,
}

/// Why a certificate or a proof is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Fewer signatures than a quorum.
    #[error("{found} signatures, a quorum is {quorum}")]
    BelowQuorum {
        /// How many there are.
        found: usize,
        /// How many are needed.
        quorum: usize,
    },
    /// Repeated, unordered or unknown signers.
    #[error("the signers are not distinct validators in ascending order")]
    Signers,
    /// A signature that does not hold.
    #[error("the signature of validator {0} does not hold")]
    Signature(ValidatorIndex),
    /// The certificate is for another block, result or epoch than the one to be proven.
    #[error("the certificate is for another {0}")]
    Other(&'static str),
    /// The headers do not lead from the block to the certified one.
    #[error("the path of headers is broken at height {0}")]
    Path(Height),
}

fn verify_signatures<T: BorshSerialize>(
    set: &ValidatorSet,
    chain: ChainId,
    domain: Domain,
    vote: &T,
    signatures: &[ValidatorSignature],
    holds: SignatureCheck,
) -> Result<(), CertificateError> {
    if !signatures.is_sorted_by(|a, b| a.validator < b.validator) {
        return Err(CertificateError::Signers);
    }
    let quorum = set.quorum().q();
    if signatures.len() < quorum {
        return Err(CertificateError::BelowQuorum { found: signatures.len(), quorum });
    }
    let bytes = signed_bytes(domain, chain, vote);
    for one in signatures {
        let key: PublicKey = set.get(one.validator).ok_or(CertificateError::Signers)?.consensus;
        if !holds(key, &bytes, &one.signature) {
            return Err(CertificateError::Signature(one.validator));
        }
    }
    Ok(())
}

impl PreparedCertificate {
    /// Checks signers and signatures against the set of its epoch (which the caller has chosen by
    /// `vote.epoch`).
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify(&self, set: &ValidatorSet, chain: ChainId) -> Result<(), CertificateError> {
        self.verify_by(set, chain, strict)
    }

    /// The same, with another check of signatures.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify_by(
        &self,
        set: &ValidatorSet,
        chain: ChainId,
        holds: SignatureCheck,
    ) -> Result<(), CertificateError> {
        verify_signatures(set, chain, Domain::Prepare, &self.vote, &self.signatures, holds)
    }
}

impl CommitCertificate {
    /// Of one vote and the signatures on it; neither is checked.
    #[must_use]
    pub const fn new(vote: CommitVote, signatures: Signatures) -> Self {
        let CommitVote { epoch, view, height, block, result } = vote;
        Self { epoch, view, height, block_hash: block, result_hash: result, signatures }
    }

    /// The vote that all signers signed.
    #[must_use]
    pub const fn vote(&self) -> CommitVote {
        CommitVote {
            epoch: self.epoch,
            view: self.view,
            height: self.height,
            block: self.block_hash,
            result: self.result_hash,
        }
    }

    /// Checks signers and signatures against the set of its epoch (which the caller has chosen by `epoch`).
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify(&self, set: &ValidatorSet, chain: ChainId) -> Result<(), CertificateError> {
        self.verify_by(set, chain, strict)
    }

    /// The same, with another check of signatures.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify_by(
        &self,
        set: &ValidatorSet,
        chain: ChainId,
        holds: SignatureCheck,
    ) -> Result<(), CertificateError> {
        verify_signatures(set, chain, Domain::Commit, &self.vote(), &self.signatures, holds)
    }
}

/// A header, its result and what proves both: a certificate for it, or for a descendant together with the
/// headers up to that (R22: each child's header binds its parent's hash and result).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct CertifiedHeader {
    /// The header to be proven.
    pub header: Header,
    /// The result to be proven.
    pub result: BlockResult,
    /// Headers after it, ascending, up to the certified one; empty if it has its own certificate.
    pub path: List<Header, 0, PATH_HEADERS_MAX>,
    /// The certificate of the last header.
    pub commit: CommitCertificate,
}

impl CertifiedHeader {
    /// Proves header and result to whoever knows the set of the header's epoch; no other input is trusted.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify(&self, epoch: Epoch, set: &ValidatorSet, chain: ChainId) -> Result<(), CertificateError> {
        if self.header.epoch != epoch {
            return Err(CertificateError::Other("epoch"));
        }
        check_path(&self.header, self.result.hash(), &self.path, &self.commit)?;
        self.commit.verify(set, chain)
    }
}

/// Checks that `path` leads from a header with this result to what `commit` certifies (R22), all in one epoch.
/// Signatures are not checked.
pub(crate) fn check_path(
    header: &Header,
    result: ResultHash,
    path: &[Header],
    commit: &CommitCertificate,
) -> Result<(), CertificateError> {
    let (mut block, mut result, mut height) = (header.hash(), result, header.height);
    if commit.epoch != header.epoch {
        return Err(CertificateError::Other("epoch"));
    }
    for (position, child) in path.iter().enumerate() {
        let follows = child.height == height.next() && child.parent == block && child.epoch == header.epoch;
        if !follows || child.parent_result != result {
            return Err(CertificateError::Path(child.height));
        }
        (block, height) = (child.hash(), child.height);
        // The last one's result is the certificate's; the ones between are bound by their children.
        result = path.get(position + 1).map_or(commit.result_hash, |next| next.parent_result);
    }
    if commit.height != height || commit.block_hash != block {
        return Err(CertificateError::Other("block"));
    }
    if commit.result_hash == result { Ok(()) } else { Err(CertificateError::Other("result")) }
}

/// Certificates by the well-known keys of [`crate::validator::fixture`], for tests of this and other crates.
pub mod fixture {
    use super::{CommitCertificate, CommitVote, ValidatorSignature};
    use crate::codec::List;
    use crate::crypto::Domain;
    use crate::ids::{ChainId, ValidatorIndex};
    use crate::validator::fixture::consensus_key;

    /// The vote as signed by these validators, in this order.
    ///
    /// # Panics
    /// When there are no signers, or more than a set has seats.
    #[must_use]
    #[allow(clippy::expect_used)]
    pub fn commit_certificate(chain: ChainId, vote: CommitVote, signers: &[u16]) -> CommitCertificate {
        let signatures = signers.iter().map(|i| ValidatorSignature {
            validator: ValidatorIndex(*i),
            signature: consensus_key(*i).sign(Domain::Commit, chain, &vote),
        });
        CommitCertificate::new(vote, List::new(signatures.collect()).expect("1 to 128 signers"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{MerkleRoot, StateRoot, TimestampMs, ValidatorSetHash};
    use crate::validator::fixture::validator_set;

    const CHAIN: ChainId = ChainId([1; 32]);

    fn certificate(signers: &[u16], header: &Header, result: &BlockResult) -> CommitCertificate {
        let vote = CommitVote {
            epoch: header.epoch,
            view: View(0),
            height: header.height,
            block: header.hash(),
            result: result.hash(),
        };
        fixture::commit_certificate(CHAIN, vote, signers)
    }

    fn header(height: u64, parent: BlockHash, parent_result: ResultHash) -> Header {
        Header {
            version: 1,
            height: Height(height),
            epoch: Epoch(0),
            parent,
            timestamp_ms: TimestampMs(height),
            transactions_root: MerkleRoot::default(),
            transaction_count: 0,
            parent_result,
            proposer: ValidatorIndex(0),
        }
    }

    fn result(seed: u8) -> BlockResult {
        BlockResult {
            state_root: StateRoot([seed; 32]),
            receipts_root: MerkleRoot::default(),
            next_set_hash: ValidatorSetHash::default(),
        }
    }

    #[test]
    fn a_quorum_of_distinct_validators_and_nothing_less() {
        let set = validator_set(4);
        let header = header(1, CHAIN.genesis_block(), ResultHash::default());
        let check = |signers: &[u16]| certificate(signers, &header, &result(1)).verify(&set, CHAIN);
        assert_eq!(check(&[0, 1, 3]), Ok(()));
        assert_eq!(check(&[0, 1, 2, 3]), Ok(()));
        assert_eq!(check(&[0, 1]), Err(CertificateError::BelowQuorum { found: 2, quorum: 3 }));
        assert_eq!(check(&[0, 1, 1]), Err(CertificateError::Signers));
        assert_eq!(check(&[1, 0, 2]), Err(CertificateError::Signers));
        assert_eq!(check(&[0, 1, 4]), Err(CertificateError::Signers));
        let good = certificate(&[0, 1, 2], &header, &result(1));
        assert!(good.verify(&set, ChainId([2; 32])).is_err(), "another chain");
        let changes: [fn(&mut CommitCertificate); 5] = [
            |c| c.epoch = Epoch(1),
            |c| c.view = View(1),
            |c| c.height = Height(2),
            |c| c.block_hash = BlockHash([9; 32]),
            |c| c.result_hash = ResultHash([9; 32]),
        ];
        for change in changes {
            let mut changed = good.clone();
            change(&mut changed);
            assert!(matches!(changed.verify(&set, CHAIN), Err(CertificateError::Signature(_))));
        }
    }

    #[test]
    fn an_ancestor_is_proven_by_the_headers_up_to_its_descendant() {
        let set = validator_set(4);
        let first = header(1, CHAIN.genesis_block(), ResultHash::default());
        let second = header(2, first.hash(), result(1).hash());
        let third = header(3, second.hash(), result(2).hash());
        let commit = certificate(&[0, 1, 2], &third, &result(3));
        let proof = CertifiedHeader {
            header: first,
            result: result(1),
            path: List::new(vec![second.clone(), third.clone()]).unwrap(),
            commit: commit.clone(),
        };
        assert_eq!(proof.verify(Epoch(0), &set, CHAIN), Ok(()));
        let other_result = CertifiedHeader { result: result(9), ..proof.clone() };
        assert_eq!(other_result.verify(Epoch(0), &set, CHAIN), Err(CertificateError::Path(Height(2))));
        let gap = CertifiedHeader { path: List::new(vec![third.clone()]).unwrap(), ..proof.clone() };
        assert_eq!(gap.verify(Epoch(0), &set, CHAIN), Err(CertificateError::Path(Height(3))));
        let short = CertifiedHeader { path: List::new(vec![second]).unwrap(), ..proof.clone() };
        assert_eq!(short.verify(Epoch(0), &set, CHAIN), Err(CertificateError::Other("block")));
        assert_eq!(proof.verify(Epoch(1), &set, CHAIN), Err(CertificateError::Other("epoch")));
        let own = CertifiedHeader { header: third, result: result(3), path: List::default(), commit };
        assert_eq!(own.verify(Epoch(0), &set, CHAIN), Ok(()));
        let wrong = CertifiedHeader { result: result(4), ..own };
        assert_eq!(wrong.verify(Epoch(0), &set, CHAIN), Err(CertificateError::Other("result")));
    }

    #[test]
    fn the_longest_path_proves_and_a_longer_one_cannot_be() {
        let set = validator_set(4);
        let mut headers = vec![header(1, CHAIN.genesis_block(), ResultHash::default())];
        for height in 2..=PATH_HEADERS_MAX as u64 + 1 {
            let parent = headers.last().unwrap().hash();
            headers.push(header(height, parent, result(1).hash()));
        }
        let commit = certificate(&[0, 1, 2], headers.last().unwrap(), &result(1));
        let path = List::new(headers[1..].to_vec()).unwrap();
        let proof = CertifiedHeader { header: headers[0].clone(), result: result(1), path, commit };
        assert_eq!(proof.verify(Epoch(0), &set, CHAIN), Ok(()));
        assert!(List::<_, 0, PATH_HEADERS_MAX>::new(headers).is_err());
    }
}
