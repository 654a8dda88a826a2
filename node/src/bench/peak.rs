//! The highest rate that a network sustains: doubled until the commits no longer follow, then narrowed down.

use super::figures::Figures;
use super::load::Bench;
use crate::error::NodeError;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Most rates that are tried.
const STEPS_MAX: usize = 16;
/// The lowest rate that is tried.
const RATE_LOWEST: u32 = 10;
/// The highest.
const RATE_HIGHEST: u32 = 1_000_000;
/// Good and bad rate are near enough when the bad one is at most so many percent above.
const NEAR_PERCENT: u32 = 6;
/// The share of the offered rate that must be committed while it is offered, percent.
const FOLLOWS_PERCENT: f64 = 97.0;

/// How long after the last instant a run may still send what was due.
const OVERTIME: Duration = Duration::from_secs(2);

/// A rate that was tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    /// Transactions due each second.
    pub(super) rate: u32,
    /// Commits each second.
    pub(super) committed_per_s: f64,
    /// Median latency, ms.
    pub(super) p50_ms: f64,
    /// 99th percentile, ms.
    pub(super) p99_ms: f64,
    /// Whether the commits followed.
    pub(super) sustained: bool,
}

/// Which rate comes next.
#[derive(Clone, Copy, Debug, Default)]
struct Search {
    good: Option<u32>,
    bad: Option<u32>,
}

impl Search {
    const fn note(&mut self, rate: u32, sustained: bool) {
        if sustained { self.good = Some(rate) } else { self.bad = Some(rate) }
    }

    /// `None` once it is known well enough.
    fn next(self) -> Option<u32> {
        match (self.good, self.bad) {
            (None, None) => None,
            (Some(good), None) => Some(good.saturating_mul(2)).filter(|rate| *rate <= RATE_HIGHEST),
            (None, Some(bad)) => Some(bad / 2).filter(|rate| *rate >= RATE_LOWEST),
            (Some(good), Some(bad)) => {
                let near = u64::from(bad) * 100 <= u64::from(good) * u64::from(100 + NEAR_PERCENT);
                (!near).then(|| good.midpoint(bad)).filter(|rate| *rate > good && *rate < bad)
            }
        }
    }
}

/// Tries rates; gives the run at the highest that was sustained, or else the run with the most commits, and all steps.
pub(super) fn find(bench: &mut Bench<'_>) -> Result<(Figures, Vec<Step>), NodeError> {
    let (mut search, mut steps, mut best) = (Search::default(), Vec::new(), None::<Figures>);
    let mut next = Some(bench.options.rate);
    while let Some(rate) = next.filter(|_| steps.len() < STEPS_MAX) {
        let tried = if steps.is_empty() { Ok(()) } else { bench.refresh() };
        let figures = match tried.and_then(|()| bench.run(rate, OVERTIME)) {
            Ok(figures) => figures,
            // Stopped between two runs: what was found so far stands.
            Err(_) if bench.stop.load(Ordering::Relaxed) && best.is_some() => break,
            Err(error) => return Err(error),
        };
        let step = judge(&figures);
        let verdict = if step.sustained { "sustained" } else { "not sustained" };
        bench.output.progress(&format!("{rate} tx/s: {:.0} committed/s, {verdict}", step.committed_per_s));
        search.note(rate, step.sustained);
        steps.push(step);
        if best.as_ref().is_none_or(|best| is_better(&figures, best)) {
            best = Some(figures);
        }
        next = search.next().filter(|_| !bench.stop.load(Ordering::Relaxed));
    }
    let best = best.ok_or_else(|| NodeError::Usage("no rate was tried".to_owned()))?;
    Ok((best, steps))
}

fn is_better(figures: &Figures, than: &Figures) -> bool {
    let rank = |figures: &Figures| (judge(figures).sustained, figures.committed_per_s());
    rank(figures) > rank(than)
}

/// Whether the commits followed: nothing is lost or refused, and what was due was committed while it was offered.
pub(super) fn judge(figures: &Figures) -> Step {
    let account = &figures.account;
    let committed_per_s = figures.committed_per_s();
    // In the first second commits lag behind by their latency, in a steady state too.
    let follows =
        committed_per_s.max(figures.steady_per_s()) >= f64::from(figures.rate) * FOLLOWS_PERCENT / 100.0;
    let clean = account.lost == 0 && account.rejected() == 0 && !figures.interrupted;
    Step {
        rate: figures.rate,
        committed_per_s,
        p50_ms: figures.timeline.all.percentile_ms(50.0),
        p99_ms: figures.timeline.all.percentile_ms(99.0),
        sustained: follows && clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates that are tried of a network that sustains `peak`.
    fn tried(from: u32, peak: u32) -> (Vec<u32>, Option<u32>) {
        let (mut search, mut rates, mut next) = (Search::default(), Vec::new(), Some(from));
        while let Some(rate) = next.filter(|_| rates.len() < STEPS_MAX) {
            rates.push(rate);
            search.note(rate, rate <= peak);
            next = search.next();
        }
        (rates, search.good)
    }

    #[test]
    fn the_peak_is_found_to_a_few_percent_within_so_many_steps() {
        for (from, peak) in [(500, 9_876), (500, 500), (5_000, 700), (10_000, 10_500), (100, 100_000)] {
            let (rates, good) = tried(from, peak);
            let good = good.unwrap();
            assert!(good <= peak && u64::from(good) * 110 >= u64::from(peak) * 100, "{peak}: {rates:?}");
            assert!(rates.len() <= STEPS_MAX, "{rates:?}");
        }
        // One that sustains nothing is not asked for ever.
        let (rates, good) = tried(500, 0);
        assert!(good.is_none() && rates.last() >= Some(&RATE_LOWEST), "{rates:?}");
        // One that sustains everything is asked up to the number of steps.
        assert_eq!(tried(10, u32::MAX).0.len(), STEPS_MAX);
    }
}
