//! The smallest part of a plan that still fails (delta debugging: Zeller, Hildebrandt, TSE'02).
//!
//! It works on the plan's JSON, so that it knows every field that a plan has or will have: it leaves out whole
//! fields, then entries of lists, and halves times. It never puts one node in another's place, and never makes
//! a plan that no network could bear out of one that it must.

use quorate_tests::sim::Plan;
use serde_json::Value;

/// Where something is in a JSON value.
type Path = Vec<Step>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Entry(usize),
}

struct Shrinker<G, F> {
    replicas: usize,
    /// Whether the plan must succeed by the number of its faulty nodes.
    bearable: bool,
    /// The smallest one so far.
    best: Value,
    go_on: G,
    fails: F,
}

/// The smallest plan found that still fails; the plan itself if none is.
pub(crate) fn shrink(
    plan: &Plan,
    replicas: usize,
    go_on: impl FnMut() -> bool,
    fails: impl FnMut(&Plan) -> bool,
) -> Plan {
    let Ok(best) = serde_json::to_value(plan) else { return plan.clone() };
    let bearable = plan.is_bearable(replicas);
    let mut shrinker = Shrinker { replicas, bearable, best, go_on, fails };
    loop {
        let before = shrinker.best.clone();
        shrinker.leave_out_fields();
        shrinker.leave_out_entries();
        shrinker.shorten_times();
        if shrinker.best == before || !(shrinker.go_on)() {
            return serde_json::from_value(shrinker.best).unwrap_or_else(|_| plan.clone());
        }
    }
}

impl<G: FnMut() -> bool, F: FnMut(&Plan) -> bool> Shrinker<G, F> {
    /// Takes a smaller plan if it can be run and still fails.
    fn accept(&mut self, candidate: Value) -> bool {
        if candidate == self.best || !(self.go_on)() {
            return false;
        }
        let Ok(mut plan) = serde_json::from_value::<Plan>(candidate) else { return false };
        plan.faults.sort_by_key(|(at, _)| *at);
        let sound = plan.check(self.replicas).is_ok();
        let fair = !self.bearable || plan.is_bearable(self.replicas);
        if !sound || !fair || !(self.fails)(&plan) {
            return false;
        }
        serde_json::to_value(plan).is_ok_and(|smaller| {
            let taken = smaller != self.best;
            self.best = smaller;
            taken
        })
    }

    /// Whole fields, which then have their usual values.
    fn leave_out_fields(&mut self) {
        let keys: Vec<String> =
            self.best.as_object().into_iter().flat_map(|fields| fields.keys().cloned()).collect();
        for key in keys {
            let mut candidate = self.best.clone();
            if candidate.as_object_mut().is_some_and(|fields| fields.remove(&key).is_some()) {
                self.accept(candidate);
            }
        }
    }

    /// Entries of lists: halves, then quarters, down to single ones.
    fn leave_out_entries(&mut self) {
        for path in paths(&self.best, &|value, _| value.is_array()) {
            let mut size = entries(&self.best, &path).div_ceil(2);
            while size > 0 {
                let mut from = 0;
                while from < entries(&self.best, &path) {
                    let mut candidate = self.best.clone();
                    if let Some(Value::Array(list)) = at(&mut candidate, &path) {
                        list.drain(from..list.len().min(from + size));
                    }
                    // What has moved into its place is tried next.
                    if !self.accept(candidate) {
                        from += size;
                    }
                }
                size /= 2;
            }
        }
    }

    /// Times: nothing, then half and half again.
    fn shorten_times(&mut self) {
        let is_time = |value: &Value, path: &Path| {
            let key = path.iter().rev().find_map(|step| match step {
                Step::Key(key) => Some(key),
                Step::Entry(_) => None,
            });
            // A number right in that list is when a fault begins.
            let of_time = key.is_some_and(|key| key.ends_with("_ms") || key == "faults");
            of_time && value.as_i64().is_some_and(|time| time != 0)
        };
        for path in paths(&self.best, &is_time) {
            if self.set_time(&path, |_| 0) {
                continue;
            }
            while self.set_time(&path, |time| time / 2) {}
        }
    }

    fn set_time(&mut self, path: &Path, shorter: fn(i64) -> i64) -> bool {
        let mut candidate = self.best.clone();
        if let Some(value) = at(&mut candidate, path) {
            *value = shorter(value.as_i64().unwrap_or_default()).into();
        }
        self.accept(candidate)
    }
}

/// The paths of all values that are looked for.
fn paths(value: &Value, wanted: &impl Fn(&Value, &Path) -> bool) -> Vec<Path> {
    let mut found = Vec::new();
    let mut waiting = vec![(Path::new(), value)];
    while let Some((path, value)) = waiting.pop() {
        let beyond = |step| path.iter().cloned().chain([step]).collect();
        match value {
            Value::Object(fields) => {
                waiting.extend(fields.iter().map(|(key, value)| (beyond(Step::Key(key.clone())), value)));
            }
            Value::Array(list) => {
                waiting.extend(list.iter().enumerate().map(|(i, value)| (beyond(Step::Entry(i)), value)));
            }
            _ => {}
        }
        if wanted(value, &path) {
            found.push(path);
        }
    }
    found
}

/// What is at a path, unless something before it was left out.
fn at<'a>(value: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Entry(i) => value.get_mut(i),
    })
}

fn entries(value: &Value, path: &[Step]) -> usize {
    let found = path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Entry(i) => value.get(i),
    });
    found.and_then(Value::as_array).map_or(0, Vec::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_tests::sim::{Fault, Mutation, Random, Scenario, Settings, plan_of, run_variant};

    /// Shrinks with a rule instead of runs; gives the plan and the number of those that were tried.
    fn shrunk(plan: &Plan, fails: impl Fn(&Plan) -> bool) -> (Plan, usize) {
        let mut tried = 0;
        let smaller = shrink(
            plan,
            7,
            || true,
            |plan| {
                tried += 1;
                fails(plan)
            },
        );
        (smaller, tried)
    }

    #[test]
    fn what_is_not_needed_is_left_out() {
        let mut random = Random::new(3);
        let crash = Fault::Crash { node: 2, down_ms: 50_000 };
        for _ in 0..20 {
            let mut plan = Plan::random(&mut random, 7, 2);
            plan.faults.insert(0, (40, crash.clone()));
            let needed = |plan: &Plan| {
                plan.faults.iter().any(|(at, fault)| {
                    matches!(fault, Fault::Crash { node: 2, down_ms } if *at >= 10 && *down_ms >= 20_000)
                })
            };
            let (smaller, tried) = shrunk(&plan, needed);
            let least = Fault::Crash { node: 2, down_ms: 25_000 };
            let heal_ms = smaller.heal_ms;
            assert_eq!(smaller, Plan { faults: vec![(10, least)], heal_ms, ..Plan::default() });
            assert!((11..=21).contains(&heal_ms), "heals after the fault, at {heal_ms} ms");
            assert!(tried < 200, "{tried} runs");
        }
    }

    #[test]
    fn a_bearable_plan_stays_bearable_and_a_sound_one_sound() {
        let mut random = Random::new(5);
        for _ in 0..50 {
            let plan = Plan::random(&mut random, 7, 2);
            let (smaller, _) = shrunk(&plan, |plan| {
                assert_eq!((plan.check(7), plan.is_bearable(7)), (Ok(()), true), "{plan:?}");
                plan.faults.len() + plan.changes.len() + plan.silent.len() >= 2
            });
            assert_eq!(smaller.faults.len() + smaller.changes.len() + smaller.silent.len(), 2);
        }
    }

    #[test]
    fn a_plan_that_cannot_be_smaller_stays_and_so_does_one_without_time() {
        let plan = Plan { heal_ms: 1, silent: vec![1], ..Plan::default() };
        assert_eq!(shrunk(&plan, |smaller| *smaller == plan).0, plan);
        assert_eq!(shrink(&plan, 7, || false, |_| true), plan);
    }

    /// A planted mistake is still found with a few of the faults.
    #[test]
    fn a_planted_mistake_needs_few_faults() {
        let random = Scenario::RANDOM;
        let settings = Settings { mutation: Mutation::named("restart-forgets-view"), ..Settings::new(4, 4) };
        let fails = |seed, plan: &Plan| {
            let violation = run_variant(seed, settings, random, plan).violation;
            violation.is_some_and(|violation| !violation.0.starts_with("L: "))
        };
        let (seed, plan) = (1..60)
            .map(|seed| (seed, plan_of(seed, settings, random)))
            .find(|(seed, plan)| plan.faults.len() >= 6 && fails(*seed, plan))
            .unwrap();
        let smaller = shrink(&plan, 4, || true, |plan| fails(seed, plan));
        assert!(fails(seed, &smaller));
        assert!(smaller.faults.len() <= 3, "{} of {}: {smaller:?}", smaller.faults.len(), plan.faults.len());
    }
}
