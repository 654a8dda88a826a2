//! A run as one HTML page that needs nothing else: tables, and plots as SVG (`plot.rs`).

mod plot;

use super::Options;
use super::figures::Figures;
use super::network::Network;
use super::peak::Step;
use maud::{DOCTYPE, PreEscaped, html};
use plot::Plot;

const STYLE: &str = include_str!("style.css");
/// The percentiles of the plot of latencies.
const PERCENTILES: [f64; 13] =
    [0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99, 100.0];

/// The page.
pub(super) fn page(options: &Options, network: &Network, best: &Figures, steps: &[Step]) -> String {
    let mix: Vec<_> = options.mix.iter().map(|kind| kind.name()).collect();
    let about = format!(
        "chain {}, {} nodes, {} accounts, {}, payload {} bytes",
        network.chain,
        network.nodes.len(),
        options.accounts,
        mix.join(", "),
        options.payload
    );
    render(&about, best, steps)
}

fn render(about: &str, best: &Figures, steps: &[Step]) -> String {
    let plots = [throughput(best), latencies(best), percentiles(best)];
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "quorate bench" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "quorate bench" }
                p { (about) }
                pre { (best.text(steps)) }
                @if !steps.is_empty() { (rates(steps).markup()) }
                @for plot in plots { (plot.markup()) }
                @if !best.usages.is_empty() { (processors(best).markup()) (memory(best).markup()) }
            }
        }
    };
    markup.into_string()
}

fn by_second(values: impl Iterator<Item = f64>) -> Vec<(f64, f64)> {
    (1..).map(f64::from).zip(values).collect()
}

fn throughput(figures: &Figures) -> Plot {
    let submitted = by_second(figures.submitted.iter().map(|count| *count as f64));
    let committed = by_second(figures.timeline.seconds.iter().map(|second| second.committed as f64));
    Plot::new("Throughput", "second", "tx/s").with("submitted", submitted).with("committed", committed)
}

fn latencies(figures: &Figures) -> Plot {
    let seconds = &figures.timeline.seconds;
    let p50 = by_second(seconds.iter().map(|second| second.p50_ms));
    let p99 = by_second(seconds.iter().map(|second| second.p99_ms));
    Plot::new("Latency of the commits of each second", "second", "ms").with("p50", p50).with("p99", p99)
}

/// The axis has as much room for each further nine.
fn percentiles(figures: &Figures) -> Plot {
    let nines = |percent: f64| -((100.0 - percent).max(0.001) / 100.0).log10();
    let points = PERCENTILES.map(|percent| (nines(percent), figures.timeline.all.percentile_ms(percent)));
    let plot = Plot::new("Latency by percentile", "percentile", "ms").with("latency", points.to_vec());
    plot.with_ticks(
        [0.0, 50.0, 90.0, 99.0, 99.9, 99.99].map(|percent| (nines(percent), format!("{percent} %"))).to_vec(),
    )
}

fn processors(figures: &Figures) -> Plot {
    let plot = Plot::new("Processor time", "second", "% of a core");
    figures
        .usages
        .iter()
        .fold(plot, |plot, (name, usage)| plot.with(name, by_second(usage.cpu_percent.iter().copied())))
}

fn memory(figures: &Figures) -> Plot {
    let plot = Plot::new("Resident memory", "second", "MiB");
    figures
        .usages
        .iter()
        .fold(plot, |plot, (name, usage)| plot.with(name, by_second(usage.rss_mib.iter().copied())))
}

fn rates(steps: &[Step]) -> Plot {
    let mut points: Vec<_> = steps.iter().map(|step| (f64::from(step.rate), step.committed_per_s)).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let offered = points.iter().map(|(rate, _)| (*rate, *rate)).collect();
    Plot::new("Committed by offered rate", "tx/s offered", "tx/s")
        .with("offered", offered)
        .with("committed", points)
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::figures;
    use super::super::peak::judge;
    use super::*;

    #[test]
    fn a_page_needs_nothing_else_and_shows_everything() {
        let figures = figures();
        let page = render("chain <x>", &figures, &[judge(&figures)]);
        for part in
            ["Throughput", "Latency by percentile", "Processor time", "Resident memory", "Committed by"]
        {
            assert!(page.contains(part), "{part}");
        }
        assert_eq!(page.matches("<svg").count(), 6);
        assert!(page.contains("validator-&lt;0&gt;") && page.contains("chain &lt;x&gt;"), "names are text");
        for outside in ["http://", "https://", "<script", "<link", "NaN", "inf"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
