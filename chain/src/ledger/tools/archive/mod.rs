//! An archive: a chain's blocks with their certificates as one stream, which anybody with the genesis document can
//! check.
//!
//! ```text
//! header | magic (8) | version (2) | zeros (6) | chain id (32) | first height (8) | checksum (16) |
//! record | length (4) | kind (1) | zeros (3) | checksum (16) | payload |
//! end    | a record with the number of blocks |
//! ```
//!
//! Integers are little-endian. A record's checksum covers the header, the record's number, length and kind: a
//! record that is moved, or taken from another archive, does not fit. Without its end an archive is cut short;
//! every whole record before that can be used.
//!
//! | file | what |
//! | --- | --- |
//! | `format.rs` | the bytes, and [`ArchiveWriter`] |
//! | `reader.rs` | [`ArchiveReader`]: decodes what anybody wrote |
//! | `export.rs` | blocks of a ledger into an archive |
//! | `import.rs` | blocks of an archive into a ledger |

mod export;
mod format;
mod import;
mod reader;

pub use export::{Exported, Range, export, resume_export};
pub use format::{ARCHIVE_RECORD_BYTES_MAX, ARCHIVE_VERSION, ArchiveWriter, ArchivedBlock};
pub use import::{Imported, import};
pub use reader::{ArchiveError, ArchiveFault, ArchiveReader};
