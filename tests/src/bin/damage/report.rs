//! Verdicts counted.

use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Places between two lines of progress.
const PROGRESS_PLACES: u64 = 500;

/// Verdicts by kind of harm.
#[derive(Debug, Default)]
pub(crate) struct Report {
    counts: BTreeMap<(String, String), u64>,
    wrong: u64,
    panicked: u64,
    all: u64,
}

impl Report {
    /// Counts a worker's line; whether it is to be told.
    pub(crate) fn add(&mut self, line: &str) -> bool {
        let mut parts = line.split('\t').skip(1);
        let (harm, verdict) = (parts.next().unwrap_or("?"), parts.next().unwrap_or("wrong"));
        let name = verdict.split(':').next().unwrap_or("wrong");
        *self.counts.entry((name.to_owned(), harm.to_owned())).or_default() += 1;
        self.all += 1;
        let (wrong, panicked) = (name == "wrong", name.starts_with("panicked"));
        self.wrong += u64::from(wrong);
        self.panicked += u64::from(panicked);
        wrong || panicked
    }

    /// A line now and then.
    pub(crate) fn progress(&self, count: u64, quiet: bool) {
        if !quiet && self.all.is_multiple_of(PROGRESS_PLACES) {
            println!("{} of {count} places, {} wrong, {} panicked", self.all, self.wrong, self.panicked);
        }
    }

    /// Whether there is a verdict for each place and none of them is wrong or a panic.
    pub(crate) const fn is_good(&self, count: u64) -> bool {
        self.all == count && self.wrong == 0 && self.panicked == 0
    }

    /// The totals.
    pub(crate) fn print(&self, count: u64, time: Duration, json: bool) {
        let seconds = time.as_secs_f64();
        let verdicts = self.verdicts();
        if json {
            let totals = json!({
                "places": count, "verdicts": verdicts, "wrong": self.wrong, "panicked": self.panicked,
                "seconds": seconds,
            });
            println!("{totals}");
            return;
        }
        for (verdict, harms) in &verdicts {
            let sum: u64 = harms.values().sum();
            let harms: Vec<_> = harms.iter().map(|(harm, number)| format!("{harm} {number}")).collect();
            println!("{sum:>7} {verdict:<18} {}", harms.join(", "));
        }
        println!("{count} places, {} wrong, {} panicked", self.wrong, self.panicked);
        println!("{seconds:.1} s, {:.1} places/s", count as f64 / seconds);
    }

    fn verdicts(&self) -> BTreeMap<&str, BTreeMap<&str, u64>> {
        let mut verdicts: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        for ((verdict, harm), number) in &self.counts {
            verdicts.entry(verdict).or_default().insert(harm, *number);
        }
        verdicts
    }
}
