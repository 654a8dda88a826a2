//! A block whose transactions are known to be those that its header binds, with its hash at hand.

use borsh::io::{Read, Result as IoResult, Write};
use borsh::{BorshDeserialize, BorshSerialize};
use quorate_chain::codec::invalid;
use quorate_chain::{Block, BlockHash, Header, Height};
use std::sync::Arc;

/// A clone is a counted reference.
#[derive(Clone, Debug)]
pub struct SealedBlock {
    hash: BlockHash,
    block: Arc<Block>,
}

impl SealedBlock {
    /// `None` when the transactions are not those that the header binds.
    #[must_use]
    pub fn new(block: Block) -> Option<Self> {
        block.is_bound().then(|| Self { hash: block.hash(), block: Arc::new(block) })
    }

    /// The header's hash.
    #[must_use]
    pub const fn hash(&self) -> BlockHash {
        self.hash
    }

    /// The block's height.
    #[must_use]
    pub fn height(&self) -> Height {
        self.block.header.height
    }

    /// The block's header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.block.header
    }

    /// The block.
    #[must_use]
    pub const fn block(&self) -> &Arc<Block> {
        &self.block
    }
}

impl PartialEq for SealedBlock {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for SealedBlock {}

impl BorshSerialize for SealedBlock {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        self.block.serialize(writer)
    }
}

impl BorshDeserialize for SealedBlock {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let block = Block::deserialize_reader(reader)?;
        Self::new(block).ok_or_else(|| invalid("the transactions do not fit the header"))
    }
}
