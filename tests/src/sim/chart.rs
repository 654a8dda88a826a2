//! A run as a sequence diagram in text: one lane a node, the time on the left, what it means on the right.

use std::fmt::Write as _;

/// More lanes than these do not fit on a screen: then there are only words.
const LANES_MAX: usize = 16;
/// Columns from one lane to the next.
const LANE_WIDTH: usize = 5;

/// What a line shows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    /// A message arrives.
    Arrow(usize, usize),
    /// A node commits a block.
    Commit(usize),
    /// A node's process ends.
    Crash(usize),
    /// A node's process starts.
    Start(usize),
    /// Something else at a node.
    At(usize),
    /// Something that concerns all.
    All,
}

/// The lanes of a run.
pub(super) struct Chart {
    lanes: usize,
}

impl Chart {
    pub(super) const fn new(lanes: usize) -> Self {
        Self { lanes }
    }

    /// Names of the lanes, and what the signs mean.
    pub(super) fn header(&self) -> Vec<String> {
        let mut names = String::from("       ms  ");
        if self.lanes <= LANES_MAX {
            for lane in 0..self.lanes {
                let _ = write!(names, "{lane:<LANE_WIDTH$}");
            }
        }
        vec!["│ runs   ┊ is down   ● commits   ✕ ends   ▲ starts   ○ else".into(), names]
    }

    /// One line; `up` says whose process runs.
    pub(super) fn line(&self, time_ms: u64, mark: Mark, text: &str, up: impl Fn(usize) -> bool) -> String {
        let lanes = if self.lanes <= LANES_MAX { self.lanes(mark, up) } else { words(mark) };
        format!("{time_ms:>9}  {lanes}  {text}")
    }

    fn lanes(&self, mark: Mark, up: impl Fn(usize) -> bool) -> String {
        let mut cells = vec![' '; self.lanes * LANE_WIDTH - LANE_WIDTH + 1];
        for lane in 0..self.lanes {
            cells[lane * LANE_WIDTH] = if up(lane) { '│' } else { '┊' };
        }
        match mark {
            Mark::Arrow(from, to) => {
                let (left, right) = (from.min(to) * LANE_WIDTH, from.max(to) * LANE_WIDTH);
                for cell in &mut cells[left..=right] {
                    *cell = if *cell == ' ' { '─' } else { '┼' };
                }
                let signs = if from < to { ('├', '►') } else { ('┤', '◄') };
                (cells[from * LANE_WIDTH], cells[to * LANE_WIDTH]) = signs;
            }
            Mark::Commit(node) => cells[node * LANE_WIDTH] = '●',
            Mark::Crash(node) => cells[node * LANE_WIDTH] = '✕',
            Mark::Start(node) => cells[node * LANE_WIDTH] = '▲',
            Mark::At(node) => cells[node * LANE_WIDTH] = '○',
            Mark::All => {}
        }
        cells.into_iter().collect()
    }
}

fn words(mark: Mark) -> String {
    match mark {
        Mark::Arrow(from, to) => format!("{from:>3} ► {to:<3}"),
        Mark::Commit(node) => format!("{node:>3} ●    "),
        Mark::Crash(node) => format!("{node:>3} ✕    "),
        Mark::Start(node) => format!("{node:>3} ▲    "),
        Mark::At(node) => format!("{node:>3} ○    "),
        Mark::All => "         ".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_go_from_lane_to_lane() {
        let chart = Chart::new(4);
        let line = |mark| chart.line(12, mark, "x", |node| node != 1);
        assert_eq!(line(Mark::Arrow(0, 2)), "       12  ├────┼────►    │  x");
        assert_eq!(line(Mark::Arrow(3, 2)), "       12  │    ┊    ◄────┤  x");
        assert_eq!(line(Mark::Commit(3)), "       12  │    ┊    │    ●  x");
        assert_eq!(line(Mark::All), "       12  │    ┊    │    │  x");
        assert_eq!(Chart::new(100).line(1, Mark::Arrow(5, 99), "x", |_| true), "        1    5 ► 99   x");
    }
}
