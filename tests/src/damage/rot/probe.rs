//! The verdict about a damaged copy.

use super::folder::{Folder, read_votes, votes};
use super::harm::Harm;
use crate::damage::story::{Failure, Plan, Story};
use crate::damage::truth::Trouble;
use quorate_chain::Height;
use quorate_chain::ledger::LedgerOptions;
use std::any::Any;
use std::fmt;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Blocks in the folder.
const HEIGHT: Height = Height(200);
/// Blocks that follow when it is open again.
const MORE: u64 = 6;

/// What became of a damaged folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything reads as it was: what was damaged is not in use.
    Harmless,
    /// Opening found it, made the store again and said so; everything reads as it was.
    Repaired,
    /// Opening took it for a torn tail and said so; what is left is the truth of an earlier height. Only for harm
    /// that leaves nothing of what was written.
    Shortened,
    /// An error instead of a value, and what got it going again.
    Refused(String, Mend),
    /// A panic instead of a value, and what got it going again.
    Panicked(String, Mend),
    /// Another value than the truth, nothing said, or nothing gets it going again.
    Wrong(String),
}

/// What gets a refusing ledger going again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mend {
    /// It is started again: what was found was noted, and opening makes the store again.
    Restart,
    /// The state is moved away and made again from the journal.
    Rebuild,
    /// The chain's data is moved away and the blocks are fetched from a peer.
    Peer,
    /// It is not the ledger's: the key whose votes are damaged retires (R47).
    NewKey,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Harmless => f.write_str("harmless"),
            Self::Repaired => f.write_str("repaired"),
            Self::Shortened => f.write_str("shortened"),
            Self::Refused(why, mend) => write!(f, "refused {mend:?}: {why}"),
            Self::Panicked(why, mend) => write!(f, "panicked {mend:?}: {why}"),
            Self::Wrong(what) => write!(f, "wrong: {what}"),
        }
    }
}

/// What the probes of a campaign share.
#[derive(Debug)]
pub struct Probe {
    story: Story,
    /// Closed in peace, and as a killed process left it.
    folders: [Folder; 2],
    dir: PathBuf,
}

enum Outcome {
    Opened { rebuilt: bool, shortened: bool },
    Trouble(Trouble),
    Panic(String),
}

impl Probe {
    /// With folders that are made below `dir`, or found there as another process made them.
    ///
    /// # Errors
    /// Those of the file system and the ledger.
    pub fn new(dir: &Path) -> Result<Self, Failure> {
        let plan = Plan { seed: 4_711, heights: HEIGHT.0 + MORE, checkpoint_percent: 2, epoch_heights: 40 };
        let story = Story::write(plan)?;
        let folder = |name: &str, killed| {
            let path = dir.join(name);
            if path.exists() { Folder::load(&path) } else { made(&path, &story, killed) }
        };
        let folders = [folder("closed", false)?, folder("killed", true)?];
        Ok(Self { story, folders, dir: dir.to_path_buf() })
    }

    /// The harm of a number; odd ones are done to the folder of a killed process.
    #[must_use]
    pub fn harm(&self, number: u64) -> Harm {
        Harm::of(number, self.folder(number))
    }

    fn folder(&self, number: u64) -> &Folder {
        &self.folders[(number % 2) as usize]
    }

    /// Does the harm of a number to a copy, opens it, reads everything, and goes on.
    ///
    /// # Errors
    /// When a copy can't be made.
    pub fn run(&self, number: u64) -> Result<Verdict, Failure> {
        let harm = self.harm(number);
        let damaged = harm.done_to(self.folder(number));
        if let Some(verdict) = self.votes(number, &damaged, &harm)? {
            return Ok(verdict);
        }
        Ok(match self.attempt(number, &damaged, true, 1)? {
            Outcome::Opened { rebuilt: true, shortened: false } => Verdict::Repaired,
            Outcome::Opened { rebuilt: false, shortened: false } => Verdict::Harmless,
            Outcome::Opened { shortened: true, .. } if harm.can_look_unwritten() => Verdict::Shortened,
            Outcome::Opened { .. } => Verdict::Wrong("the tail was discarded".into()),
            Outcome::Trouble(Trouble::Wrong(what)) => Verdict::Wrong(what),
            Outcome::Trouble(Trouble::Refused(why)) => match self.mend(number, &damaged)? {
                Some(mend) => Verdict::Refused(why, mend),
                None => Verdict::Wrong(format!("nothing helps: {why}")),
            },
            Outcome::Panic(why) => match self.mend(number, &damaged)? {
                Some(mend) => Verdict::Panicked(why, mend),
                None => Verdict::Wrong(format!("nothing helps: {why}")),
            },
        })
    }

    /// The vote journal is no part of the ledger: it reads as it was, or says that it does not.
    fn votes(&self, number: u64, damaged: &Folder, harm: &Harm) -> Result<Option<Verdict>, Failure> {
        let copy = self.copy(number, damaged)?;
        let read = caught(|| read_votes(&copy));
        fs::remove_dir_all(&copy)?;
        Ok(match read {
            Ok(Ok(Ok(count))) if count == votes() => None,
            Ok(Ok(Ok(_))) if harm.can_look_unwritten() => Some(Verdict::Shortened),
            Ok(Ok(Ok(count) | Err(count))) => {
                Some(Verdict::Wrong(format!("only {count} votes are as they were")))
            }
            Ok(Err(error)) => Some(Verdict::Refused(error.to_string(), Mend::NewKey)),
            Err(panic) => Some(Verdict::Panicked(panic, Mend::NewKey)),
        })
    }

    fn mend(&self, number: u64, damaged: &Folder) -> Result<Option<Mend>, Failure> {
        let rebuilt = damaged.without("state");
        let fetched = rebuilt.without("journal/chain").without("chain");
        let (restart, rebuild, peer) =
            ((Mend::Restart, damaged, 2), (Mend::Rebuild, &rebuilt, 1), (Mend::Peer, &fetched, 1));
        for (mend, folder, starts) in [restart, rebuild, peer] {
            let whole = mend != Mend::Peer;
            if matches!(self.attempt(number, folder, whole, starts)?, Outcome::Opened { .. }) {
                return Ok(Some(mend));
            }
        }
        Ok(None)
    }

    /// Opens a copy of the folder so many times, reads everything, goes on and reads it again; what the last time
    /// came to. `whole`: all heights must be there.
    fn attempt(&self, number: u64, folder: &Folder, whole: bool, starts: usize) -> Result<Outcome, Failure> {
        let copy = self.copy(number, folder)?;
        for _ in 1..starts {
            let _ = caught(|| self.open_and_read(&copy, whole));
        }
        let outcome = caught(|| self.open_and_read(&copy, whole));
        // What a panicking store still holds must not fail this.
        let _ = fs::remove_dir_all(&copy);
        Ok(match outcome {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(trouble)) => Outcome::Trouble(trouble),
            Err(panic) => Outcome::Panic(panic),
        })
    }

    fn open_and_read(&self, copy: &Path, whole: bool) -> Result<Outcome, Trouble> {
        let mut opened = options().open(copy, &self.story.genesis)?;
        let height = opened.ledger.tip().height;
        let shortened = whole && height < HEIGHT;
        if shortened && opened.report.torn_tail.is_none() {
            return Err(Trouble::Wrong(format!("height {height} and no word of it")));
        }
        self.story.truth.check(&opened.ledger)?;
        self.story.tell_rest(&mut opened.ledger)?;
        if opened.ledger.tip().height != self.story.truth.height() {
            return Err(Trouble::Wrong("it did not go on to the end".into()));
        }
        self.story.truth.check(&opened.ledger)?;
        while opened.ledger.scrub()? {}
        opened.ledger.checkpoint()?;
        Ok(Outcome::Opened { rebuilt: opened.report.rebuilt.is_some(), shortened })
    }

    fn copy(&self, number: u64, folder: &Folder) -> Result<PathBuf, Failure> {
        let copy = self.dir.join(format!("copy-{number}"));
        let _ = fs::remove_dir_all(&copy);
        folder.write(&copy)?;
        Ok(copy)
    }
}

fn made(path: &Path, story: &Story, killed: bool) -> Result<Folder, Failure> {
    // What a killed process leaves is read while the ledger is open; it is put down as it was then.
    let folder = Folder::make(path, story, HEIGHT, killed)?;
    fs::remove_dir_all(path)?;
    folder.write(path)?;
    Ok(folder)
}

/// Without threads of its own, so that a number always comes to the same.
pub(super) fn options() -> LedgerOptions {
    LedgerOptions { background: false, ..LedgerOptions::default() }
}

/// What a call gives, or the message of its panic.
fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into())).unwrap_or_default()
    })
}
