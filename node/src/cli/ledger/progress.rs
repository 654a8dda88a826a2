//! How far a tool is, on standard error: a bar on a terminal, else a line every few seconds. Ctrl-C stops it.

use super::super::{Output, interrupt};
use crate::error::NodeError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quorate_chain::ledger::tools::{Progress, Stage};
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// How often a bar is drawn where nothing can be told.
const TICK_EVERY: Duration = Duration::from_millis(200);

/// Shows progress and hears the signals that ask to stop.
pub(super) struct Meter {
    kind: Kind,
    stage: Option<Stage>,
    stop: Arc<AtomicBool>,
}

enum Kind {
    Bar(ProgressBar),
    Lines { last: Instant },
    Silent,
}

impl Meter {
    /// From now on the first Ctrl-C, or SIGTERM, stops the tool at its next step. The second one ends the program at
    /// once, for a tool that waits for its input: what is on the disk is as after a crash, which it survives.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn new(output: Output) -> Result<Self, NodeError> {
        let kind = if output.is_json() {
            Kind::Silent
        } else if std::io::stderr().is_terminal() {
            Kind::Bar(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()))
        } else {
            Kind::Lines { last: Instant::now() }
        };
        let stop = Arc::new(AtomicBool::new(false));
        interrupt::listen(Arc::clone(&stop))?;
        Ok(Self { kind, stage: None, stop })
    }

    /// Removes the bar, so that the answer stands alone.
    pub(super) fn clear(&self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }

    fn begin(bar: &ProgressBar, stage: Stage, total: u64) {
        let (name, unit) = words(stage);
        let template = match (total, unit) {
            (0, _) => "{spinner} {msg}: {human_pos} {elapsed}",
            (_, Unit::Bytes) => "{msg} [{wide_bar}] {binary_bytes}/{binary_total_bytes} {eta}",
            (_, _) => "{msg} [{wide_bar}] {human_pos}/{human_len} {eta}",
        };
        // A style that does not parse leaves the plain one.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.reset();
        bar.set_message(name);
        if total == 0 { bar.enable_steady_tick(TICK_EVERY) } else { bar.disable_steady_tick() }
    }
}

#[derive(Clone, Copy)]
enum Unit {
    Bytes,
    Blocks,
    Entries,
}

/// What a stage does, and what its steps are.
const fn words(stage: Stage) -> (&'static str, Unit) {
    match stage {
        Stage::Journal => ("reading the journal", Unit::Bytes),
        Stage::Store => ("reading the store, entries", Unit::Entries),
        Stage::Rebuild => ("making state and indexes again", Unit::Blocks),
        Stage::Export => ("exporting blocks", Unit::Blocks),
        Stage::Archive => ("reading the archive", Unit::Bytes),
        Stage::Import => ("importing", Unit::Bytes),
    }
}

/// A line of progress.
fn line(stage: Stage, done: u64, total: u64) -> String {
    let (name, unit) = words(stage);
    let say = |count| match unit {
        Unit::Bytes => super::bytes(count),
        Unit::Blocks => format!("{count} blocks"),
        Unit::Entries => count.to_string(),
    };
    match total {
        0 if done == 0 => name.to_owned(),
        0 => format!("{name}: {}", say(done)),
        _ => format!("{name}: {} of {}", say(done), say(total)),
    }
}

impl Progress for Meter {
    fn at(&mut self, stage: Stage, done: u64, total: u64) -> ControlFlow<()> {
        let is_new = self.stage.replace(stage) != Some(stage);
        match &mut self.kind {
            Kind::Bar(bar) => {
                if is_new {
                    Self::begin(bar, stage, total);
                }
                bar.set_length(total.max(done));
                bar.set_position(done);
            }
            Kind::Lines { last } => {
                if is_new || last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    eprintln!("{}", line(stage, done, total));
                }
            }
            Kind::Silent => {}
        }
        if self.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_units() {
        assert_eq!(line(Stage::Journal, 1 << 20, 3 << 20), "reading the journal: 1.00 MiB of 3.00 MiB");
        assert_eq!(line(Stage::Export, 5, 10), "exporting blocks: 5 blocks of 10 blocks");
        assert_eq!(line(Stage::Store, 4096, 0), "reading the store, entries: 4096");
        assert_eq!(line(Stage::Rebuild, 0, 0), "making state and indexes again");
    }

    #[test]
    fn a_signal_stops_at_the_next_step() {
        let mut meter = Meter { kind: Kind::Silent, stage: None, stop: Arc::default() };
        assert_eq!(meter.at(Stage::Import, 1, 2), ControlFlow::Continue(()));
        meter.stop.store(true, Ordering::Relaxed);
        assert_eq!(meter.at(Stage::Import, 1, 2), ControlFlow::Break(()));
    }
}
