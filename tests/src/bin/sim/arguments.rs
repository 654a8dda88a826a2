//! The command line, and the command that repeats a run.

use clap::Parser;
use quorate_tests::sim::{Mutation, Plan, Scenario, Settings, plan_of};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Every so many seeds one runs with real signatures, verified as a node would.
const VERIFIED_EVERY: u64 = 16;

/// Runs in which each known mistake is to be found.
const GUIDED_RUNS: u64 = 20_000;

/// A seeded network of nodes in virtual time.
#[derive(Parser)]
pub(crate) struct Arguments {
    /// How many seeds to run; 100 if no time is given.
    #[arg(long, conflicts_with = "time")]
    seeds: Option<u64>,
    /// How long to run seeds: 30s, 10m, 1h.
    #[arg(long = "for", value_name = "TIME", value_parser = duration, conflicts_with = "seed")]
    time: Option<Duration>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) from: u64,
    /// Run just this one, twice, and compare.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Run it with the plan in this file, as it is printed for a failure.
    #[arg(long, value_name = "FILE", requires = "seed")]
    plan: Option<PathBuf>,
    /// Print it as a sequence diagram, and do not shrink it.
    #[arg(long, requires = "seed")]
    pub(crate) trace: bool,
    /// What happens; `list` names all.
    #[arg(long, value_parser = scenario, default_value = "random")]
    pub(crate) scenario: Scenario,
    /// Validators, 4 to 100; 4 to 10 in turn if left out.
    #[arg(long, value_parser = clap::value_parser!(u64).range(4..=100))]
    replicas: Option<u64>,
    /// Heights in flight; 1, 4 and 8 in turn if left out.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=64))]
    window: Option<u64>,
    /// Nodes that are off, beside those of the plan.
    #[arg(long, default_value_t = 0)]
    silent: usize,
    /// Make a known mistake on purpose; the run must find it.
    #[arg(long, value_parser = mutation)]
    pub(crate) mutation: Option<Mutation>,
    /// Look for every known mistake, or the one that is named, in as many guided runs as it takes, and print the
    /// table; 20,000 runs each at most if no number is given.
    #[arg(long, conflicts_with_all = ["seed", "time"])]
    pub(crate) mutations: bool,
    /// How long to look for a smaller plan that breaks the same rule; 0s for not at all.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    pub(crate) shrink_for: Duration,
    /// Seeds that run at once; all cores if left out.
    #[arg(long)]
    pub(crate) jobs: Option<usize>,
    /// Print the totals as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

fn mutation(name: &str) -> Result<Mutation, String> {
    let names = || Mutation::ALL.map(Mutation::name).join(", ");
    Mutation::named(name).ok_or_else(|| format!("one of {}", names()))
}

fn scenario(name: &str) -> Result<Scenario, String> {
    let names =
        || Scenario::all().map(|one| format!("  {}: {}", one.name, one.about)).collect::<Vec<_>>().join("\n");
    Scenario::named(name).ok_or_else(|| format!("one of\n{}", names()))
}

/// A whole number and its unit: `s`, `m` or `h`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text} is not a time like 30s, 10m or 1h");
    let (number, seconds) = [("s", 1), ("m", 60), ("h", 3_600)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or_else(wrong)?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

impl Arguments {
    /// After which seed to stop.
    pub(crate) fn end(&self) -> u64 {
        let default = if self.time.is_some() { u64::MAX } else { 100 };
        self.from.saturating_add(self.seeds.unwrap_or(default))
    }

    /// What the seeds go over, if the scenario has only so many plans.
    pub(crate) fn plans(&self) -> Option<String> {
        let plans = self.scenario.enumeration()?.plans;
        let again =
            if self.end() > plans { "; from there on they come again, with other delays" } else { "" };
        Some(format!("{} has {plans} plans, the seeds below {plans}{again}", self.scenario.name))
    }

    /// How many guided runs a known mistake is looked for.
    pub(crate) fn runs(&self) -> u64 {
        self.seeds.unwrap_or(GUIDED_RUNS)
    }

    /// When to stop, if there is a time.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.time.and_then(|time| Instant::now().checked_add(time))
    }

    /// What is to be done, for a line of progress.
    pub(crate) fn goal(&self) -> String {
        let time = self.time.map(|time| format!("{} s", time.as_secs()));
        time.unwrap_or_else(|| format!("{} seeds", self.end() - self.from))
    }

    pub(crate) fn settings(&self, seed: u64) -> Settings {
        let all = self.scenario.enumeration();
        let (replicas, window) = all.map_or_else(
            || (4 + seed as usize % 7, [1, 4, 8][(seed / 7 % 3) as usize]),
            |all| (all.replicas, all.window),
        );
        let replicas = self.replicas.map_or(replicas, |replicas| replicas as usize);
        let window = self.window.unwrap_or(window);
        Settings {
            verify: seed.is_multiple_of(VERIFIED_EVERY),
            silent: self.silent,
            mutation: self.mutation,
            ..Settings::new(replicas, window)
        }
    }

    /// The plan of a seed: what the scenario makes of it, or what the file says.
    pub(crate) fn plan(&self, seed: u64) -> Result<Plan, String> {
        let settings = self.settings(seed);
        let Some(path) = &self.plan else { return Ok(plan_of(seed, settings, self.scenario)) };
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
        let plan: Plan = serde_json::from_str(&text).map_err(|error| failed(&error))?;
        plan.check(settings.replicas).map_err(|error| failed(&error))?;
        Ok(plan)
    }

    /// The command that repeats a run.
    pub(crate) fn repeat(&self, seed: u64) -> String {
        let Settings { replicas, window, silent, mutation, .. } = self.settings(seed);
        let mut command = format!(
            "cargo run --release -p quorate-tests --bin sim -- --seed {seed} --scenario {} --replicas {replicas} \
             --window {window}",
            self.scenario.name
        );
        if silent > 0 {
            command += &format!(" --silent {silent}");
        }
        if let Some(mutation) = mutation {
            command += &format!(" --mutation {}", mutation.name());
        }
        if let Some(path) = &self.plan {
            command += &format!(" --plan {}", path.display());
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, seconds) in [("0s", 0), ("30s", 30), ("10m", 600), ("1h", 3_600), ("100h", 360_000)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "s", "30", "+3s", "-3s", "1.5h", "3 s", "3d", "10ms", "1h30m", "9999999999999999h"] {
            assert!(duration(text).is_err_and(|error| error.starts_with(text)), "{text}");
        }
    }

    #[test]
    fn seeds_or_a_time_and_one_of_them_is_enough() {
        let parse = |text: &str| Arguments::try_parse_from(text.split(' '));
        let end = |text| parse(text).ok().map(|arguments| (arguments.end(), arguments.deadline().is_some()));
        assert_eq!(end("sim"), Some((101, false)));
        assert_eq!(end("sim --seeds 7 --from 3"), Some((10, false)));
        assert_eq!(end("sim --for 10m"), Some((u64::MAX, true)));
        assert!(parse("sim --for 10m --seeds 7").is_err() && parse("sim --for 10").is_err());
        assert!(parse("sim --plan x.json").is_err() && parse("sim --trace").is_err());
    }

    #[test]
    fn an_enumeration_has_its_size_and_an_end() {
        let parse = |text: &str| Arguments::try_parse_from(text.split(' ')).unwrap();
        let given = parse("sim --scenario twins-enumerated --seeds 100000 --from 0");
        assert!((0..50).all(|seed| (given.settings(seed).replicas, given.settings(seed).window) == (4, 4)));
        assert_eq!(parse("sim --scenario twins-enumerated --replicas 7").settings(1).replicas, 7);
        assert!(given.plans().unwrap().contains("come again"));
        let first = parse("sim --scenario twins-enumerated --seeds 9 --from 0").plans();
        assert!(!first.unwrap().contains("again") && parse("sim").plans().is_none());
    }

    #[test]
    fn the_command_that_repeats_a_run_is_one() {
        let given = "sim --seeds 9 --silent 1 --mutation late-votes --scenario late-votes --window 8";
        let arguments = Arguments::try_parse_from(given.split(' ')).unwrap();
        let repeat = arguments.repeat(33);
        let (_, after) = repeat.split_once(" -- ").unwrap();
        let again = Arguments::try_parse_from(["sim"].into_iter().chain(after.split(' '))).unwrap();
        assert_eq!(again.seed, Some(33));
        assert_eq!(again.repeat(33), repeat);
        assert_eq!(format!("{:?}", again.settings(33)), format!("{:?}", arguments.settings(33)));
    }
}
