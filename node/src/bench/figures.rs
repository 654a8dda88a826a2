//! What a run comes to, as text and as JSON.

use super::hostile::Hostilities;
use super::peak::{Step, judge};
use super::processes::Usage;
use super::tally::Account;
use super::timeline::Timeline;
use crate::cli::table;
use serde_json::{Value, json};
use std::time::Duration;

/// A run's figures.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    /// Transactions due each second.
    pub(super) rate: u32,
    /// How long they became due.
    pub(super) duration: Duration,
    /// Until everything was settled, or the run was stopped.
    pub(super) elapsed: Duration,
    /// Whether it was stopped early.
    pub(super) interrupted: bool,
    /// What became of the transactions.
    pub(super) account: Account,
    /// How long they took.
    pub(super) timeline: Timeline,
    /// Blocks that held some of them.
    pub(super) blocks: u64,
    /// Handed over, second by second.
    pub(super) submitted: Vec<u64>,
    /// What clients that mean harm sent.
    pub(super) hostilities: Hostilities,
    /// What the processes used.
    pub(super) usages: Vec<(String, Usage)>,
}

impl Figures {
    /// Commits seen while transactions became due, by the length of that time.
    pub(super) fn committed_per_s(&self) -> f64 {
        self.timeline.in_time as f64 / self.timeline.window().as_secs_f64().max(0.001)
    }

    /// The same without the first second, in whole seconds; 0 of a run that has no more.
    pub(super) fn steady_per_s(&self) -> f64 {
        let whole = usize::try_from(self.timeline.window().as_secs()).unwrap_or(usize::MAX);
        let seconds: Vec<_> = self.timeline.seconds.iter().take(whole).skip(1).collect();
        seconds.iter().map(|second| second.committed as f64).sum::<f64>() / seconds.len().max(1) as f64
    }

    /// Processor time of this program for each submitted transaction, µs; signing was before.
    fn own_cpu_us(&self) -> f64 {
        let own = self
            .usages
            .iter()
            .find(|(name, _)| name == "bench")
            .map_or(Duration::ZERO, |(_, usage)| usage.cpu);
        own.as_secs_f64() * 1e6 / self.account.submitted.max(1) as f64
    }

    /// For people.
    pub(super) fn text(&self, steps: &[Step]) -> String {
        let (account, all) = (&self.account, &self.timeline.all);
        let ms = |percent| format!("{:.1} ms", all.percentile_ms(percent));
        let mut rows = vec![
            ("offered", format!("{} tx/s for {:.0} s", self.rate, self.duration.as_secs_f64())),
            ("committed", format!("{:.1} tx/s, in {} blocks", self.committed_per_s(), self.blocks)),
            ("latency", "from when a transaction was due until its commit was seen".to_owned()),
            ("  p50", ms(50.0)),
            ("  p90", ms(90.0)),
            ("  p99", ms(99.0)),
            ("  p99.9", ms(99.9)),
            ("  max", format!("{:.1} ms", all.max_ms())),
            (
                "submitted",
                format!(
                    "{} = {} committed + {} rejected + {} lost",
                    account.submitted,
                    account.committed,
                    account.rejected(),
                    account.lost
                ),
            ),
        ];
        rows.extend(
            account.rejected.iter().map(|(reason, count)| ("  rejected", format!("{count} {reason}"))),
        );
        let mut more = |name, count: u64, what: &str| {
            if count > 0 {
                rows.push((name, format!("{count} {what}")));
            }
        };
        more("  failed", account.failed, "of the committed had no effect: their receipts say why");
        more("  retried", account.retried, "times a transaction was handed over once more");
        more("  moved", account.moved, "times a connection turned to another node");
        more("not sent", account.unsent, "were due and not sent; the latencies leave them out");
        more("lost", account.lost, "were not seen in a block; the latencies leave them out");
        let Hostilities { sent, taken, refused, turned_away } = self.hostilities;
        if sent > 0 {
            rows.push((
                "hostile",
                format!(
                    "{sent} = {taken} waiting behind a gap + {refused} refused + {turned_away} turned away"
                ),
            ));
        }
        let usage = |(name, usage): &(String, Usage)| {
            format!("{:3.0} % of a core, {:.0} MiB  {name}", usage.cpu_mean(), usage.rss_max())
        };
        rows.extend(self.usages.iter().map(|one| ("process", usage(one))));
        if !self.usages.is_empty() {
            rows.push(("generator", format!("{:.1} µs of processor time a transaction", self.own_cpu_us())));
        }
        if self.interrupted {
            rows.push(("stopped", format!("after {:.1} s", self.elapsed.as_secs_f64())));
        }
        let mut text = peak_text(steps);
        text += &table(&rows);
        text
    }

    /// For programs.
    pub(super) fn json(&self, steps: &[Step]) -> Value {
        let (account, all) = (&self.account, &self.timeline.all);
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        let process = |(name, usage): &(String, Usage)| {
            let (cpu, rss) = (round(usage.cpu_mean()), round(usage.rss_max()));
            json!({ "name": name, "cpu_percent_mean": cpu, "rss_mib_max": rss })
        };
        let step = |step: &Step| {
            json!({
                "rate": step.rate, "committed_per_s": round(step.committed_per_s), "p50_ms": step.p50_ms,
                "p99_ms": step.p99_ms, "sustained": step.sustained,
            })
        };
        let mut json = json!({
            "rate": self.rate,
            "duration_s": self.duration.as_secs_f64(),
            "elapsed_s": round(self.elapsed.as_secs_f64()),
            "interrupted": self.interrupted,
            "committed_per_s": round(self.committed_per_s()),
            "mean_ms": round(all.mean_ms()),
            "p50_ms": all.percentile_ms(50.0),
            "p90_ms": all.percentile_ms(90.0),
            "p99_ms": all.percentile_ms(99.0),
            "p999_ms": all.percentile_ms(99.9),
            "max_ms": all.max_ms(),
            "submitted": account.submitted,
            "committed": account.committed,
            "failed": account.failed,
            "rejected": account.rejected(),
            "rejected_by_reason": account.rejected,
            "lost": account.lost,
            "unsent": account.unsent,
            "retried": account.retried,
            "moved": account.moved,
            "blocks": self.blocks,
            "generator_cpu_us": round(self.own_cpu_us()),
            "processes": self.usages.iter().map(process).collect::<Vec<_>>(),
        });
        let Hostilities { sent, taken, refused, turned_away } = self.hostilities;
        if sent > 0 {
            json["hostile"] =
                json!({ "sent": sent, "taken": taken, "refused": refused, "turned_away": turned_away });
        }
        if !steps.is_empty() {
            json["sustained"] = json!(judge(self).sustained);
            json["steps"] = steps.iter().map(step).collect();
        }
        json
    }
}

/// The steps, and what they come to.
fn peak_text(steps: &[Step]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    let mut text = "offered, tx/s  committed, tx/s      p50, ms      p99, ms\n".to_owned();
    for step in steps {
        let verdict = if step.sustained { "sustained" } else { "not sustained" };
        let Step { rate, committed_per_s, p50_ms, p99_ms, .. } = step;
        text += &format!("{rate:13}  {committed_per_s:15.1}  {p50_ms:11.1}  {p99_ms:11.1}  {verdict}\n");
    }
    let peak = steps.iter().filter(|step| step.sustained).map(|step| step.rate).max();
    text += &match peak {
        Some(rate) => format!("\nhighest sustained rate: {rate} tx/s; the run at that rate:\n\n"),
        None => {
            "\nno rate was sustained: begin lower with --rate; the run with the most commits:\n\n".to_owned()
        }
    };
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Of 4 transactions: two committed, one refused, one lost.
    pub(crate) fn figures() -> Figures {
        let mut timeline = Timeline::new(Duration::from_secs(2));
        timeline.record(Duration::ZERO, Duration::from_millis(5));
        timeline.record(Duration::from_millis(500), Duration::from_millis(1_500));
        timeline.close_until(Duration::from_secs(2));
        let usage =
            Usage { cpu_percent: vec![10.0, 30.0], rss_mib: vec![5.0, 9.0], cpu: Duration::from_millis(400) };
        Figures {
            rate: 2,
            duration: Duration::from_secs(2),
            elapsed: Duration::from_secs(3),
            interrupted: false,
            account: Account {
                submitted: 4,
                committed: 2,
                rejected: BTreeMap::from([("expired".to_owned(), 1)]),
                lost: 1,
                ..Account::default()
            },
            timeline,
            blocks: 2,
            submitted: vec![2, 2],
            hostilities: Hostilities::default(),
            usages: vec![("validator-<0>".to_owned(), usage.clone()), ("bench".to_owned(), usage)],
        }
    }

    #[test]
    fn the_text_accounts_for_everything_with_units() {
        let text = figures().text(&[]);
        for part in [
            "4 = 2 committed + 1 rejected + 1 lost",
            "1 expired",
            "1.0 tx/s, in 2 blocks",
            "5.0 ms",
            "20 % of a core, 9 MiB",
            "100000.0 µs",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn the_json_has_the_names_that_programs_read() {
        let step = judge(&figures());
        let json = figures().json(&[step]);
        assert!(!step.sustained, "something was lost");
        assert_eq!(
            (&json["committed_per_s"], &json["rejected"], &json["lost"]),
            (&json!(1.0), &json!(1), &json!(1))
        );
        assert_eq!((&json["rejected_by_reason"]["expired"], &json["sustained"]), (&json!(1), &json!(false)));
        assert!(json["p50_ms"].as_f64() < json["p99_ms"].as_f64());
        assert_eq!(json["steps"][0]["rate"], 2);
        let sum =
            ["committed", "rejected", "lost"].map(|name| json[name].as_u64().unwrap()).iter().sum::<u64>();
        assert_eq!(json["submitted"], sum);
    }

    #[test]
    fn a_run_that_is_stopped_counts_only_the_time_that_it_had() {
        let mut stopped = figures();
        stopped.timeline.cut(Duration::from_secs(1));
        assert!((stopped.committed_per_s() - 2.0).abs() < 1e-9);
    }
}
