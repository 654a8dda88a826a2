//! Domain tags: what is signed or hashed for one purpose can never be taken for another.

use crate::codec::encode_into;
use crate::ids::ChainId;
use borsh::BorshSerialize;

/// Every purpose that bytes are hashed or signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Hash: block header.
    Header,
    /// Hash: result of a block.
    Result,
    /// Hash: receipt of a transaction.
    Receipt,
    /// Hash: validator set.
    ValidatorSet,
    /// Hash: genesis document.
    Genesis,
    /// Hash: place of an entry in the state.
    StateKey,
    /// Hash: value of an entry in the state.
    StateValue,
    /// Hash: id of an asset, from issuer and symbol.
    Asset,
    /// Signature: transaction body.
    Transaction,
    /// Signature: proposal of a block by its primary.
    Proposal,
    /// Signature: Prepare vote.
    Prepare,
    /// Signature: Commit vote.
    Commit,
    /// Signature: request for a new view.
    Ask,
    /// Signature: claims of a ViewChange.
    ViewChange,
    /// Signature: NewView.
    NewView,
    /// Signature: suspicion of a primary.
    Suspect,
    /// Signature: status of a replica.
    Status,
    /// Signature: a restarted replica's question for the newest thing it signed (R47).
    Recall,
    /// Signature: what a replica says when asked for the newest thing a validator signed.
    Newest,
    /// Signature: a member's card, by its identity key.
    Card,
    /// Signature: proof of possession of the keys on a card.
    CardPossession,
    /// Signature: readiness of a new consensus key to take its seat (R46b).
    Ready,
}

impl Domain {
    /// The tag, prefix-free through its closing zero byte.
    #[must_use]
    pub const fn tag(self) -> &'static [u8] {
        match self {
            Self::Header => b"quorate/header/1\0",
            Self::Result => b"quorate/result/1\0",
            Self::Receipt => b"quorate/receipt/1\0",
            Self::ValidatorSet => b"quorate/validator-set/1\0",
            Self::Genesis => b"quorate/genesis/1\0",
            Self::StateKey => b"quorate/state-key/1\0",
            Self::StateValue => b"quorate/state-value/1\0",
            Self::Asset => b"quorate/asset/1\0",
            Self::Transaction => b"quorate/transaction/1\0",
            Self::Proposal => b"quorate/proposal/1\0",
            Self::Prepare => b"quorate/prepare/1\0",
            Self::Commit => b"quorate/commit/1\0",
            Self::Ask => b"quorate/ask/1\0",
            Self::ViewChange => b"quorate/view-change/1\0",
            Self::NewView => b"quorate/new-view/1\0",
            Self::Suspect => b"quorate/suspect/1\0",
            Self::Status => b"quorate/status/1\0",
            Self::Recall => b"quorate/recall/1\0",
            Self::Newest => b"quorate/newest/1\0",
            Self::Card => b"quorate/card/1\0",
            Self::CardPossession => b"quorate/card-possession/1\0",
            Self::Ready => b"quorate/ready/1\0",
        }
    }

    /// All of them, for the test that no two tags are equal and for the documentation.
    pub const ALL: [Self; 22] = [
        Self::Header,
        Self::Result,
        Self::Receipt,
        Self::ValidatorSet,
        Self::Genesis,
        Self::StateKey,
        Self::StateValue,
        Self::Asset,
        Self::Transaction,
        Self::Proposal,
        Self::Prepare,
        Self::Commit,
        Self::Ask,
        Self::ViewChange,
        Self::NewView,
        Self::Suspect,
        Self::Status,
        Self::Recall,
        Self::Newest,
        Self::Card,
        Self::CardPossession,
        Self::Ready,
    ];
}

/// BLAKE3 of tag ‖ borsh(value).
pub fn hash<T: BorshSerialize + ?Sized>(domain: Domain, value: &T) -> [u8; 32] {
    // One call over bytes in a row costs half of what an incremental hasher does for values this short.
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(domain.tag());
    encode_into(value, &mut bytes);
    *blake3::hash(&bytes).as_bytes()
}

/// What a signature covers: tag ‖ chain id ‖ borsh(payload). A card, made before there is a chain,
/// carries the zero chain id.
pub fn signed_bytes<T: BorshSerialize + ?Sized>(domain: Domain, chain: ChainId, payload: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(domain.tag());
    bytes.extend_from_slice(&chain.0);
    encode_into(payload, &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn tags_are_distinct_and_prefix_free() {
        let tags: BTreeSet<_> = Domain::ALL.iter().map(|d| d.tag()).collect();
        assert_eq!(tags.len(), Domain::ALL.len());
        for tag in &tags {
            assert_eq!(tag.iter().position(|b| *b == 0), Some(tag.len() - 1), "one closing zero");
        }
    }

    #[test]
    fn golden_signed_bytes() {
        let bytes = signed_bytes(Domain::Prepare, ChainId([7; 32]), &(1u64, 2u64));
        let expected = [&b"quorate/prepare/1\0"[..], &[7; 32], &1u64.to_le_bytes(), &2u64.to_le_bytes()];
        assert_eq!(bytes, expected.concat());
        assert_eq!(
            hex::encode(hash(Domain::Header, &5u8)),
            hex::encode(blake3::hash(b"quorate/header/1\0\x05").as_bytes())
        );
    }
}
