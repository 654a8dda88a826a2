//! A data folder in memory.

use super::probe::options;
use crate::damage::story::{Failure, Story};
use quorate_chain::Height;
use quorate_chain::ledger::journal::{FsDisk, Journal, Options, Owner};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The chain's first segment is small, so that there is a second one. That is as a node makes it.
const FIRST_SEGMENT_BYTES: u64 = 256 * 1024;
/// Votes in the vote journal.
const VOTES: u64 = 200;
/// Whose votes they are.
const OWNER: Owner = Owner::Votes([7; 16]);
const VOTES_FOLDER: &str = "journal/votes";
const CHAIN_FOLDER: &str = "journal/chain";

/// A file without the zeros at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) length: u64,
}

/// Every file of a data folder, by its path in it.
#[derive(Clone, Debug, Default)]
pub struct Folder(pub(super) BTreeMap<PathBuf, Content>);

impl Folder {
    /// A node's folder with the story up to `height`: closed in peace, or as the process left it that was killed.
    ///
    /// # Errors
    /// Those of the file system and the ledger.
    pub fn make(dir: &Path, story: &Story, height: Height, killed: bool) -> Result<Self, Failure> {
        let votes = Journal::open(Arc::new(FsDisk), &dir.join(VOTES_FOLDER), OWNER, Options::votes())?;
        write_votes(votes.0)?;
        let small = Options { segment_bytes: FIRST_SEGMENT_BYTES, record_bytes_max: FIRST_SEGMENT_BYTES / 2 };
        drop(Journal::open(
            Arc::new(FsDisk),
            &dir.join(CHAIN_FOLDER),
            Owner::Chain(story.genesis.chain),
            small,
        )?);
        let mut opened = options().open(dir, &story.genesis)?;
        story.prepare(&mut opened.ledger);
        for step in story.steps.iter().filter(|step| step.height() <= height) {
            story.tell(&mut opened.ledger, step)?;
        }
        if killed {
            return Self::load(dir);
        }
        opened.ledger.checkpoint()?;
        drop(opened);
        Self::load(dir)
    }

    /// Reads every file of a folder.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn load(dir: &Path) -> Result<Self, Failure> {
        let mut folder = Self::default();
        let mut folders = vec![dir.to_path_buf()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(&next)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let mut bytes = fs::read(&path)?;
                let length = bytes.len() as u64;
                bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
                folder.0.insert(path.strip_prefix(dir)?.to_path_buf(), Content { bytes, length });
            }
        }
        Ok(folder)
    }

    /// Writes the files into an empty folder, sparse.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, dir: &Path) -> std::io::Result<()> {
        for (path, content) in &self.0 {
            let path = dir.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let file = File::create(path)?;
            file.write_all_at(&content.bytes, 0)?;
            file.set_len(content.length)?;
        }
        Ok(())
    }

    /// Without everything below a path.
    #[must_use]
    pub(super) fn without(&self, below: &str) -> Self {
        let kept = self.0.iter().filter(|(path, _)| !path.starts_with(below));
        Self(kept.map(|(path, content)| (path.clone(), content.clone())).collect())
    }
}

fn vote(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(20)
}

fn write_votes(mut journal: Journal) -> Result<(), Failure> {
    for number in 0..VOTES {
        journal.append(1, &vote(number))?;
        journal.sync()?;
    }
    Ok(())
}

/// Reads the votes of a folder: so many of them are as they were written, or why they can't be read.
pub(super) fn read_votes(dir: &Path) -> Result<Result<u64, u64>, quorate_chain::ledger::journal::Error> {
    let (journal, _) = Journal::open(Arc::new(FsDisk), &dir.join(VOTES_FOLDER), OWNER, Options::votes())?;
    let mut good = 0;
    for entry in journal.scan(journal.first()) {
        if entry?.payload != vote(good) {
            return Ok(Err(good));
        }
        good += 1;
    }
    Ok(Ok(good))
}

/// How many votes there must be.
pub(super) const fn votes() -> u64 {
    VOTES
}
