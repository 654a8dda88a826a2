//! Rows, each a median with its bounds, and how they are printed.

use crate::Options;
use crate::meter::Span;
use serde_json::json;

/// What a row may cost, and by which clock.
#[derive(Clone, Copy)]
pub(crate) enum Budget {
    None,
    /// Processor time, µs.
    Cpu(f64),
    /// Time on the wall, µs: what waits for the disk.
    Wall(f64),
    /// The figure itself.
    Value(f64),
}

struct Row {
    name: String,
    unit: &'static str,
    /// Processor time, or the figure of a row that is no time.
    figures: Vec<f64>,
    wall: Vec<f64>,
    budget: Budget,
}

pub(crate) struct Table {
    rows: Vec<Row>,
    load_at_start: String,
}

pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// 1, 5 and 15 minutes.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        x if x >= 100.0 => format!("{value:.0}"),
        x if x >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

impl Row {
    /// The budget, and whether it is kept.
    fn verdict(&self) -> Option<(f64, bool)> {
        match self.budget {
            Budget::None => None,
            Budget::Cpu(most) | Budget::Value(most) => Some((most, median(&self.figures) <= most)),
            Budget::Wall(most) => Some((most, median(&self.wall) <= most)),
        }
    }
}

impl Table {
    pub(crate) fn new(options: &Options) -> Self {
        let load_at_start = load();
        eprintln!(
            "{} accounts, {} of them active, {} transfers a block",
            options.accounts,
            options.active(),
            options.transfers
        );
        Self { rows: Vec::new(), load_at_start }
    }

    /// A row of times, in µs.
    pub(crate) fn times(&mut self, name: &str, spans: &[Span], budget: Budget) {
        let figures: Vec<_> = spans.iter().map(|span| span.cpu_us).collect();
        let wall: Vec<_> = spans.iter().map(|span| span.wall_us).collect();
        eprintln!("{name}: {} µs", number(median(&figures)));
        self.rows.push(Row { name: name.to_owned(), unit: "µs", figures, wall, budget });
    }

    /// A row of anything else.
    pub(crate) fn values(&mut self, name: &str, unit: &'static str, figures: Vec<f64>, budget: Budget) {
        eprintln!("{name}: {} {unit}", number(median(&figures)));
        self.rows.push(Row { name: name.to_owned(), unit, figures, wall: Vec::new(), budget });
    }

    pub(crate) fn print(self, options: &Options) {
        let rows: Vec<_> = self.rows.iter().filter(|row| options.wants_row(&row.name)).collect();
        if options.json {
            let rows = rows.iter().map(|row| {
                json!({
                    "name": row.name, "unit": row.unit, "median": median(&row.figures),
                    "wall": (!row.wall.is_empty()).then(|| median(&row.wall)), "figures": row.figures,
                    "budget": row.verdict().map(|(most, _)| most), "kept": row.verdict().map(|(_, kept)| kept),
                })
            });
            let rows: Vec<_> = rows.collect();
            let (accounts, transfers) = (options.accounts, options.transfers);
            let all = json!({
                "accounts": accounts, "transfers": transfers, "blocks": options.blocks,
                "load_before": self.load_at_start, "load_after": load(), "rows": rows,
            });
            println!("{all:#}");
            return;
        }
        println!(
            "{} accounts, {} transfers a block, median of {} blocks after {}; load average {} before, {} after.",
            options.accounts,
            options.transfers,
            options.blocks,
            options.warm_up,
            self.load_at_start,
            load(),
        );
        println!("\n| what | median | least–most | on the wall | budget |\n| --- | --- | --- | --- | --- |");
        for row in rows {
            let low = row.figures.iter().copied().fold(f64::INFINITY, f64::min);
            let high = row.figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let wall = if row.wall.is_empty() { "–".to_owned() } else { number(median(&row.wall)) };
            let budget = row.verdict().map_or_else(
                || "–".to_owned(),
                |(most, kept)| format!("{} {}", number(most), if kept { "kept" } else { "**missed**" }),
            );
            println!(
                "| {} | {} {} | {}–{} | {wall} | {budget} |",
                row.name,
                number(median(&row.figures)),
                row.unit,
                number(low),
                number(high),
            );
        }
    }
}
