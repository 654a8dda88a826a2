//! Lines over axes, as SVG.

use maud::{Markup, html};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 40.0;
/// Marks on an axis.
const TICKS: u32 = 5;
/// Told apart without red and green beside each other.
const COLOURS: [&str; 8] =
    ["#0969da", "#d4730b", "#6f42c1", "#1a7f5a", "#bf3989", "#8c6d1f", "#57606a", "#0f8a9d"];

/// Lines that share two axes; both begin at zero.
#[derive(Debug)]
pub(super) struct Plot {
    title: &'static str,
    across: &'static str,
    up: &'static str,
    lines: Vec<(String, Vec<(f64, f64)>)>,
    ticks: Option<Vec<(f64, String)>>,
}

impl Plot {
    /// Without lines; the axes are named with their units.
    pub(super) const fn new(title: &'static str, across: &'static str, up: &'static str) -> Self {
        Self { title, across, up, lines: Vec::new(), ticks: None }
    }

    /// With one more line.
    pub(super) fn with(mut self, name: &str, points: Vec<(f64, f64)>) -> Self {
        self.lines.push((name.to_owned(), points));
        self
    }

    /// With these marks on the lower axis instead of even ones.
    pub(super) fn with_ticks(mut self, ticks: Vec<(f64, String)>) -> Self {
        self.ticks = Some(ticks);
        self
    }

    /// The figure.
    pub(super) fn markup(&self) -> Markup {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let most_across = points().map(|(x, _)| *x).fold(0.0, f64::max).max(1.0);
        let most_up = round_up(points().map(|(_, y)| *y).fold(0.0, f64::max));
        let x = |value: f64| LEFT + value / most_across * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - value / most_up * (HEIGHT - TOP - BOTTOM);
        let even = |most: f64| (0..=TICKS).map(move |tick| most * f64::from(tick) / f64::from(TICKS));
        let across =
            self.ticks.clone().unwrap_or_else(|| even(most_across).map(|at| (at, label(at))).collect());
        let joined = |points: &[(f64, f64)]| {
            points.iter().map(|(px, py)| format!("{:.1},{:.1}", x(*px), y(*py))).collect::<Vec<_>>().join(" ")
        };
        html! {
            figure {
                figcaption { (self.title) }
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(self.title) {
                    @for at in even(most_up) {
                        line class="grid" x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y(at)) y2=(y(at)) {}
                        text x=(LEFT - 8.0) y=(y(at) + 4.0) text-anchor="end" { (label(at)) }
                    }
                    @for (at, name) in across.iter().filter(|(at, _)| *at <= most_across) {
                        text x=(x(*at)) y=(HEIGHT - BOTTOM + 18.0) text-anchor="middle" { (name) }
                    }
                    text x=(WIDTH - RIGHT) y=(HEIGHT - 4.0) text-anchor="end" { (self.across) }
                    text x=(LEFT - 8.0) y="14" text-anchor="end" { (self.up) }
                    @for (number, (name, points)) in self.lines.iter().enumerate() {
                        @let colour = COLOURS[number % COLOURS.len()];
                        polyline points=(joined(points)) stroke=(colour) {}
                        text x=(LEFT + 130.0 * number as f64) y="14" style=(format!("fill: {colour}")) { (name) }
                    }
                }
            }
        }
    }
}

/// The next number of one digit (or 25 and its like) and zeros.
fn round_up(most: f64) -> f64 {
    if most <= 0.0 {
        return 1.0;
    }
    let unit = 10_f64.powf(most.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    steps.iter().map(|step| step * unit).find(|rounded| *rounded >= most).unwrap_or(most)
}

fn label(value: f64) -> String {
    if value >= 100.0 || value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        let pairs =
            [(0.0, 1.0), (0.7, 1.0), (1.0, 1.0), (1.1, 2.0), (23.0, 25.0), (480.0, 500.0), (501.0, 1000.0)];
        for (most, end) in pairs {
            assert!((round_up(most) - end).abs() < 1e-9, "{most}: {}", round_up(most));
        }
    }

    #[test]
    fn a_line_goes_from_corner_to_corner() {
        let plot = Plot::new("t", "s", "ms").with("a", vec![(0.0, 0.0), (10.0, 5.0)]).markup().into_string();
        assert!(plot.contains("points=\"70.0,260.0 880.0,30.0\""), "{plot}");
        let empty = Plot::new("t", "s", "ms").with("a", Vec::new()).markup().into_string();
        assert!(empty.contains("<polyline") && !empty.contains("NaN"));
    }
}
