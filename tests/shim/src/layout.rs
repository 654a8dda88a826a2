// How the shadow directory is laid out; compiled into the shim and into what rebuilds a tree from its shadow.
//
//   <shadow>/inodes/<key>   durable content of a regular file
//   <shadow>/names/<key>    durable entries of a directory
//
// Content is filed by inode, names apart from it: that is how file systems lose them.

use std::fmt;

/// Durable content of files.
pub(crate) const INODES: &str = "inodes";
/// Durable entries of directories.
pub(crate) const NAMES: &str = "names";

/// What tells a file from all others, also from a later one that got its inode number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) inode: u64,
    /// Time of birth since 1970, 0 if the file system doesn't keep it.
    pub(crate) born_seconds: u64,
    pub(crate) born_nanoseconds: u32,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.inode, self.born_seconds, self.born_nanoseconds)
    }
}

impl Key {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let key = Self {
            inode: parts.next()?.parse().ok()?,
            born_seconds: parts.next()?.parse().ok()?,
            born_nanoseconds: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(key)
    }
}

/// An entry of a directory. Symbolic links and other special files are not followed through a power loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) directory: bool,
    pub(crate) key: Key,
    pub(crate) name: Vec<u8>,
}

/// `d` or `f`, key, name, ended by a zero byte each.
pub(crate) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        let kind = if entry.directory { 'd' } else { 'f' };
        out.extend_from_slice(format!("{kind} {} ", entry.key).as_bytes());
        out.extend_from_slice(&entry.name);
        out.push(0);
    }
    out
}

/// The entries of a directory; `None` if it isn't what `encode` writes.
// Only one of the two programs reads.
#[allow(dead_code)]
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == 0) {
        let mut parts = line.strip_suffix(&[0])?.splitn(3, |byte| *byte == b' ');
        let directory = match parts.next()? {
            b"d" => true,
            b"f" => false,
            _ => return None,
        };
        let key = Key::parse(std::str::from_utf8(parts.next()?).ok()?)?;
        entries.push(Entry { directory, key, name: parts.next()?.to_vec() });
    }
    Some(entries)
}
