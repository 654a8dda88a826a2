//! What happens to one place of a folder.

use super::folder::Folder;
use crate::sim::Random;
use std::fmt;
use std::path::PathBuf;

const SECTOR_BYTES: u64 = 512;
/// Of a hundred places, so many are in the zeros behind the last byte of a file.
const BEHIND_PERCENT: u64 = 3;

/// Damage to one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Harm {
    /// One bit is another.
    Bit {
        /// The file.
        file: PathBuf,
        /// Which byte of it.
        offset: u64,
        /// Which bit of the byte.
        bit: u8,
    },
    /// One byte is another.
    Byte {
        /// The file.
        file: PathBuf,
        /// Which byte of it.
        offset: u64,
        /// What is flipped in it; not zero.
        mask: u8,
    },
    /// A sector reads as zeros.
    Sector {
        /// The file.
        file: PathBuf,
        /// Which sector.
        sector: u64,
    },
    /// The end of a file is missing.
    Truncated {
        /// The file.
        file: PathBuf,
        /// What is left.
        length: u64,
    },
    /// Two files have each other's name.
    Swapped(PathBuf, PathBuf),
}

impl Harm {
    /// The harm of a number: of a hundred 70 flip a bit, 10 change a byte, 10 zero a sector, 6 cut a file, 4 swap two.
    #[must_use]
    pub fn of(number: u64, folder: &Folder) -> Self {
        let mut random = Random::new(number);
        let kind = random.below(100);
        let files: Vec<_> = folder.0.iter().filter(|(_, content)| content.length > 0).collect();
        let [one, other] = random.two_of(files.len());
        let (file, content) = (files[one].0.clone(), files[one].1);
        let behind = content.length - content.bytes.len() as u64;
        let offset = if content.bytes.is_empty() || behind > 0 && random.chance(BEHIND_PERCENT) {
            content.bytes.len() as u64 + random.below(behind)
        } else {
            random.below(content.bytes.len() as u64)
        };
        match kind {
            0..70 => Self::Bit { file, offset, bit: random.below(8) as u8 },
            70..80 => Self::Byte { file, offset, mask: random.between(1, 255) as u8 },
            80..90 => Self::Sector { file, sector: offset / SECTOR_BYTES },
            90..96 => Self::Truncated { file, length: offset },
            _ => Self::Swapped(file, files[other].0.clone()),
        }
    }

    /// Whether it can look like a loss of power: what was there reads as if it had never been written.
    #[must_use]
    pub const fn can_look_unwritten(&self) -> bool {
        matches!(self, Self::Sector { .. } | Self::Truncated { .. } | Self::Swapped(..))
    }

    /// The kind's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bit { .. } => "bit",
            Self::Byte { .. } => "byte",
            Self::Sector { .. } => "sector",
            Self::Truncated { .. } => "truncated",
            Self::Swapped(..) => "swapped",
        }
    }

    /// The folder after it.
    #[must_use]
    pub fn done_to(&self, folder: &Folder) -> Folder {
        let mut folder = folder.clone();
        match self {
            Self::Bit { file, offset, bit } => flip(&mut folder, file, *offset, 1 << bit),
            Self::Byte { file, offset, mask } => flip(&mut folder, file, *offset, *mask),
            Self::Sector { file, sector } => {
                if let Some(content) = folder.0.get_mut(file) {
                    let bytes = content.bytes.iter_mut().skip((sector * SECTOR_BYTES) as usize);
                    bytes.take(SECTOR_BYTES as usize).for_each(|byte| *byte = 0);
                }
            }
            Self::Truncated { file, length } => {
                if let Some(content) = folder.0.get_mut(file) {
                    content.bytes.truncate(*length as usize);
                    content.length = *length;
                }
            }
            Self::Swapped(one, other) => {
                if let (Some(first), Some(second)) = (folder.0.remove(one), folder.0.remove(other)) {
                    folder.0.insert(one.clone(), second);
                    folder.0.insert(other.clone(), first);
                }
            }
        }
        folder
    }
}

fn flip(folder: &mut Folder, file: &PathBuf, offset: u64, mask: u8) {
    let Some(content) = folder.0.get_mut(file) else { return };
    let offset = offset as usize;
    if content.bytes.len() <= offset {
        content.bytes.resize(offset + 1, 0);
    }
    content.bytes[offset] ^= mask;
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bit { file, offset, bit } => write!(f, "bit {bit} of byte {offset} of {}", file.display()),
            Self::Byte { file, offset, mask } => {
                write!(f, "byte {offset} of {}, by {mask:#04x}", file.display())
            }
            Self::Sector { file, sector } => write!(f, "sector {sector} of {} zeroed", file.display()),
            Self::Truncated { file, length } => write!(f, "{} cut to {length} bytes", file.display()),
            Self::Swapped(one, other) => write!(f, "{} and {} swapped", one.display(), other.display()),
        }
    }
}
