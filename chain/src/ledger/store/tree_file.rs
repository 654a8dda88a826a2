//! The tree's digests as a checkpoint keeps them, so that opening need not read the whole state.

use super::Applied;
use crate::state::tree::Tree;
use borsh::{BorshDeserialize, BorshSerialize};
use std::io::{self, ErrorKind, Read, Write};

const MAGIC: [u8; 8] = *b"QRTTREE1";

/// A tree and the height that it is of.
///
/// Bytes: magic, height and place in the journal, the tree's own bytes, BLAKE3 of all of that. They are read
/// and written as a stream.
#[derive(Clone, Debug)]
pub struct TreeFile {
    /// The height, and where the journal is to be read from for everything later.
    pub applied: Applied,
    /// The tree after that height.
    pub tree: Tree,
}

/// Hashes what passes through.
struct Hashing<T> {
    inner: T,
    hasher: blake3::Hasher,
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.hasher.update(into.get(..read).unwrap_or_default());
        Ok(read)
    }
}

impl TreeFile {
    /// Writes it.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&self, into: impl Write) -> io::Result<()> {
        let mut into = Hashing { inner: into, hasher: blake3::Hasher::new() };
        into.write_all(&MAGIC)?;
        self.applied.serialize(&mut into)?;
        self.tree.save(&mut into)?;
        let sum = into.hasher.finalize();
        into.inner.write_all(sum.as_bytes())?;
        into.inner.flush()
    }

    /// Reads it.
    ///
    /// # Errors
    /// The reader's, and `InvalidData` when these are not the bytes that were written.
    pub fn read(from: impl Read) -> io::Result<Self> {
        let damaged = || io::Error::new(ErrorKind::InvalidData, "the file of the tree is damaged");
        let mut from = Hashing { inner: from, hasher: blake3::Hasher::new() };
        let mut magic = [0; 8];
        from.read_exact(&mut magic)?;
        if magic != MAGIC {
            return Err(damaged());
        }
        let applied = Applied::deserialize_reader(&mut from)?;
        let tree = Tree::load(&mut from)?;
        let (sum, mut found) = (from.hasher.finalize(), [0; 32]);
        from.inner.read_exact(&mut found)?;
        let ended = from.inner.read(&mut [0])? == 0;
        if sum == found && ended { Ok(Self { applied, tree }) } else { Err(damaged()) }
    }
}
