//! Crash images: a story that is cut off at some write, what the power left, and what opening makes of it.

use super::store::FragileStore;
use super::story::{Failure, Plan, Step, Story};
use crate::sim::Random;
use quorate_chain::ledger::journal::{Disk, MemDisk, Options, PowerLoss};
use quorate_chain::ledger::{LedgerError, LedgerOptions, Opened};
use quorate_chain::{BlockHash, Height};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

/// Stories that take turns.
const STORIES: u64 = 8;
/// Most losses of power on the way back, one after the other.
const AGAIN_MAX: u64 = 3;
/// Bytes of a segment that its longest record leaves free.
const SEGMENT_OVERHEAD_BYTES: u64 = 1_024;

/// What the images of a campaign have in common: the stories, each with its write points.
#[derive(Debug)]
pub struct Images {
    told: Vec<Told>,
}

#[derive(Debug)]
struct Told {
    story: Story,
    options: LedgerOptions,
    /// Changing operations of disk and store in the whole story.
    points: u64,
    /// Every body that is ever appended, committed or not.
    bodies: BTreeSet<BlockHash>,
}

/// What one image came to, or many together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Images.
    pub images: u64,
    /// Losses of power, all together.
    pub losses: u64,
    /// Of them in the middle of an opening.
    pub in_recovery: u64,
    /// Openings that discarded a torn tail.
    pub torn_tails: u64,
    /// Openings that replayed commits into the store.
    pub replays: u64,
    /// Openings that took the kept tree instead of reading the state.
    pub kept_trees: u64,
    /// Openings that found more committed than was acknowledged.
    pub ahead: u64,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            images: self.images + other.images,
            losses: self.losses + other.losses,
            in_recovery: self.in_recovery + other.in_recovery,
            torn_tails: self.torn_tails + other.torn_tails,
            replays: self.replays + other.replays,
            kept_trees: self.kept_trees + other.kept_trees,
            ahead: self.ahead + other.ahead,
        }
    }
}

impl Images {
    /// Writes the stories and counts their write points.
    ///
    /// # Errors
    /// When a story can't be written.
    pub fn new() -> Result<Self, Failure> {
        Ok(Self { told: (0..STORIES).map(Told::new).collect::<Result<_, _>>()? })
    }

    /// Write points of all stories: so many images in a row meet each once.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.told.iter().map(|told| told.points).max().unwrap_or(0) * STORIES
    }

    /// Where the image of a number is cut off.
    #[must_use]
    pub fn describe(&self, number: u64) -> String {
        let (told, point) = self.place(number);
        let (story, points) = (number % STORIES, told.points);
        format!("image {number}: story {story}, cut at operation {point} of {points}")
    }

    fn place(&self, number: u64) -> (&Told, u64) {
        let told = &self.told[(number % STORIES) as usize];
        (told, 1 + number / STORIES % told.points)
    }

    /// Makes the image of a number, and opens it; `mistaken`: with a store that notes a checkpoint first.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn run(&self, number: u64, mistaken: bool) -> Result<Tally, String> {
        let (told, point) = self.place(number);
        let disk = MemDisk::new(number);
        let mut store = FragileStore::beside(&disk);
        if mistaken {
            store = store.that_notes_first();
        }
        let mut run = Run {
            told,
            random: Random::new(number),
            store,
            disk,
            acknowledged: Acknowledged::default(),
            tally: Tally { images: 1, ..Tally::default() },
        };
        run.all(point).map_err(|what| format!("{}: {what}", self.describe(number)))?;
        Ok(run.tally)
    }
}

impl Told {
    fn new(number: u64) -> Result<Self, Failure> {
        let plan = Plan {
            seed: number,
            heights: 24 + 2 * number,
            checkpoint_percent: [20, 0, 45, 10][(number % 4) as usize],
            epoch_heights: [7, 1_000, 5][(number % 3) as usize],
        };
        let segment_bytes = [64, 96, 64, 1_024][(number % 4) as usize] * 1_024;
        let options = LedgerOptions {
            // Few: a commit waits for the store.
            lag_heights: [512, 4, 10, 6][(number % 4) as usize],
            retain_states: [32, 4][(number % 2) as usize],
            background: false,
            segments: Options { segment_bytes, record_bytes_max: segment_bytes - SEGMENT_OVERHEAD_BYTES },
            ..LedgerOptions::default()
        };
        let story = Story::write(plan)?;
        let bodies = story.steps.iter().filter_map(|step| match step {
            Step::Body(block) => Some(block.hash()),
            _ => None,
        });
        let bodies = bodies.collect();
        let mut told = Self { story, options, points: 0, bodies };
        let disk = MemDisk::new(0);
        let mut opened = told.open(&disk, &FragileStore::beside(&disk))?;
        told.story.tell_rest(&mut opened.ledger)?;
        told.points = disk.operations();
        Ok(told)
    }

    fn open(&self, disk: &MemDisk, store: &FragileStore) -> Result<Opened, LedgerError> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        self.options.open_with(disk, Path::new("/chain"), Box::new(store.clone()), &self.story.genesis)
    }
}

/// What the ledger said is done, and so must be there whatever happens.
#[derive(Debug, Default)]
struct Acknowledged {
    height: Height,
    appended: BTreeMap<BlockHash, Height>,
    synced: BTreeMap<BlockHash, Height>,
}

impl Acknowledged {
    fn done(&mut self, step: &Step) {
        match step {
            Step::Body(block) => {
                self.appended.insert(block.hash(), block.header.height);
            }
            Step::Execute(_) | Step::Write(..) | Step::Scrub(..) | Step::Checkpoint(_) => {}
            Step::Sync(_) => self.synced.append(&mut self.appended),
            Step::Commit(height) => {
                self.height = *height;
                self.synced.append(&mut self.appended);
            }
        }
    }
}

struct Run<'a> {
    told: &'a Told,
    random: Random,
    disk: MemDisk,
    store: FragileStore,
    acknowledged: Acknowledged,
    tally: Tally,
}

impl Run<'_> {
    fn all(&mut self, point: u64) -> Result<(), String> {
        self.life(point)?;
        self.lose_power();
        for _ in 0..self.random.below(AGAIN_MAX + 1) {
            // Mostly in the middle of the opening, else soon after it.
            let most = if self.random.chance(70) { 12 } else { 90 };
            let operations = 1 + self.random.below(most);
            self.life(operations)?;
            self.lose_power();
        }
        let mut opened = self.open()?.map_err(|error| format!("it does not open: {error}"))?;
        self.told
            .story
            .tell_rest(&mut opened.ledger)
            .map_err(|error| format!("it does not go on: {error}"))?;
        self.check(&opened, "at the end")?;
        self.acknowledged.height = self.told.story.truth.height();
        drop(opened);
        self.disk.power_loss(PowerLoss::Drop);
        self.store.lose_power(PowerLoss::Drop);
        self.open()?.map(|_| ()).map_err(|error| format!("it does not open again: {error}"))
    }

    /// Opens, and goes on with the story until the power goes at the n-th operation from now.
    fn life(&mut self, operations: u64) -> Result<(), String> {
        self.disk.cut_power_after(Some(operations));
        let mut opened = match self.open()? {
            Ok(opened) => opened,
            Err(error) => {
                self.tally.in_recovery += 1;
                return by_power(&error);
            }
        };
        let (ledger, story) = (&mut opened.ledger, &self.told.story);
        story.prepare(ledger);
        let from = ledger.tip().height;
        for step in story.steps.iter().filter(|step| step.height() > from) {
            match story.tell(ledger, step) {
                Ok(()) => self.acknowledged.done(step),
                Err(error) => return by_power(&error),
            }
        }
        Ok(())
    }

    fn lose_power(&mut self) {
        let loss = match self.random.below(10) {
            0..2 => PowerLoss::Drop,
            2 => PowerLoss::Keep,
            _ => PowerLoss::Tear { seed: self.random.next() },
        };
        self.disk.power_loss(loss);
        self.store.lose_power(loss);
        self.acknowledged.appended.clear();
        self.tally.losses += 1;
    }

    /// Opens what the power left; the outer error is what must never be.
    fn open(&mut self) -> Result<Result<Opened, LedgerError>, String> {
        let opened = match self.told.open(&self.disk, &self.store) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        self.tally.torn_tails += u64::from(opened.report.torn_tail.is_some());
        self.tally.replays += u64::from(opened.report.replayed > 0);
        self.tally.kept_trees += u64::from(opened.report.from_kept_tree);
        self.tally.ahead += u64::from(opened.ledger.tip().height > self.acknowledged.height);
        if let Some(why) = &opened.report.rebuilt {
            return Err(format!("the store was made again after a mere loss of power: {why}"));
        }
        self.check(&opened, "after opening")?;
        Ok(Ok(opened))
    }

    fn check(&self, opened: &Opened, when: &str) -> Result<(), String> {
        let (tip, least) = (opened.ledger.tip().height, self.acknowledged.height);
        if tip < least {
            return Err(format!("{when}: height {tip}, acknowledged was {least}"));
        }
        for block in &opened.uncommitted {
            if !self.told.bodies.contains(&block.hash()) {
                return Err(format!("{when}: body {} is of no block", block.hash()));
            }
        }
        for (hash, height) in self.acknowledged.synced.iter().filter(|(_, height)| **height > tip) {
            if !opened.uncommitted.iter().any(|block| block.hash() == *hash) {
                return Err(format!("{when}: the durable body {hash} of height {height} is gone"));
            }
        }
        self.told.story.truth.check(&opened.ledger).map_err(|trouble| format!("{when}: {trouble}"))
    }
}

/// While the power is cut, that is the only reason to fail.
fn by_power(error: &LedgerError) -> Result<(), String> {
    let text = error.to_string();
    if text.contains("simulated power loss") {
        Ok(())
    } else {
        Err(format!("failed before the loss: {text}"))
    }
}
