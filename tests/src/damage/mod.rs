//! Damage: power that goes at any write, and bytes that rot in any file, against a ledger whose truth is known.
//!
//! ```text
//!  story ──► told to a ledger ──► cut off at a write ──► what the power left ──► opened ──► equals the truth
//!                  └──► a folder ──► one place damaged ──► opened and read ──► the truth, or an error
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `story.rs` | what is done to a ledger: bodies, executions, commits, slices, checkpoints, ends of epochs |
//! | `writer.rs` | a story told for the first time |
//! | `actors.rs` | accounts, assets and entries of a story |
//! | `truth.rs` | what a reader must find at each height |
//! | `store.rs`, `note.rs` | a store that loses power beside a simulated disk |
//! | `image.rs` | crash images, each made from its number |
//! | `rot/` | a data folder with one damaged place |

mod actors;
mod image;
mod note;
mod rot;
mod store;
mod story;
mod truth;
mod writer;

pub use image::{Images, Tally};
pub use rot::{Folder, Harm, Mend, Probe, Verdict};
pub use story::{Failure, Plan, Step, Story};
pub use truth::{Trouble, Truth};
