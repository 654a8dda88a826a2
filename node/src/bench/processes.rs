//! Processor time and memory of the nodes on this machine, and of this program, from `/proc`.

use super::network::Node;
use rustix::param::{clock_ticks_per_second, page_size};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A process that is looked at.
#[derive(Debug)]
struct Process {
    name: String,
    folder: PathBuf,
    last: Option<(Instant, Duration)>,
    usage: Usage,
}

/// What a process used, second by second.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// Processor time: percent of one core.
    pub(super) cpu_percent: Vec<f64>,
    /// Resident memory, MiB.
    pub(super) rss_mib: Vec<f64>,
    /// Processor time of all of it.
    pub(super) cpu: Duration,
}

impl Usage {
    /// Processor time on average, percent of one core.
    pub(super) fn cpu_mean(&self) -> f64 {
        self.cpu_percent.iter().sum::<f64>() / self.cpu_percent.len().max(1) as f64
    }

    /// The most memory, MiB.
    pub(super) fn rss_max(&self) -> f64 {
        self.rss_mib.iter().copied().fold(0.0, f64::max)
    }
}

/// All processes that are looked at.
#[derive(Debug)]
pub(super) struct Processes(Vec<Process>);

impl Processes {
    /// The nodes whose processes run here, and this program last. A number that another program has by now is left
    /// out.
    pub(super) fn new(nodes: &[Node]) -> Self {
        let of_node = |node: &Node| {
            let (pid, home) = node.process.as_ref()?;
            let folder = PathBuf::from(format!("/proc/{pid}"));
            let home = home.to_string_lossy();
            let arguments = std::fs::read(folder.join("cmdline")).ok()?;
            let is_it = arguments.split(|byte| *byte == 0).any(|argument| argument == home.as_bytes());
            is_it.then(|| Process::new(node.name.clone(), folder))
        };
        let own = Process::new("bench".to_owned(), PathBuf::from("/proc/self"));
        Self(nodes.iter().filter_map(of_node).chain([own]).collect())
    }

    /// Looks at all of them, once a second; the first time is where they begin.
    pub(super) fn sample(&mut self) {
        self.0.iter_mut().for_each(Process::sample);
    }

    /// What they used, with their names; nothing where there is no `/proc`.
    pub(super) fn usages(self) -> Vec<(String, Usage)> {
        let seen = self.0.into_iter().filter(|process| !process.usage.rss_mib.is_empty());
        seen.map(|process| (process.name, process.usage)).collect()
    }
}

impl Process {
    fn new(name: String, folder: PathBuf) -> Self {
        Self { name, folder, last: None, usage: Usage::default() }
    }

    fn sample(&mut self) {
        let now = Instant::now();
        let Some((cpu, rss_bytes)) = read(&self.folder) else { return };
        if let Some((then, before)) = self.last.replace((now, cpu)) {
            let spent = cpu.saturating_sub(before);
            let percent = 100.0 * spent.as_secs_f64() / (now - then).as_secs_f64().max(0.001);
            self.usage.cpu += spent;
            self.usage.cpu_percent.push(percent);
            self.usage.rss_mib.push(rss_bytes as f64 / f64::from(1 << 20));
        }
    }
}

/// Processor time and resident bytes.
fn read(folder: &Path) -> Option<(Duration, u64)> {
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    let statm = std::fs::read_to_string(folder.join("statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some((cpu_time(&stat, clock_ticks_per_second())?, pages * page_size() as u64))
}

/// Of `/proc/PID/stat`: its 14th and 15th fields, counted from behind the name, which may hold anything.
fn cpu_time(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).map(|field| field.parse().unwrap_or(0)).sum();
    Some(Duration::from_millis(ticks * 1000 / ticks_per_second.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_the_name() {
        let stat = "7 (a name) 1 2) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 9 9 20 0 1";
        assert_eq!(cpu_time(stat, 100), Some(Duration::from_secs(3)));
        assert_eq!(cpu_time("", 100), None);
    }

    #[test]
    fn this_program_is_always_looked_at_and_others_only_if_they_are_the_nodes() {
        let client = quorate_rpc_client::Client::new("http://127.0.0.1:1").unwrap();
        let process = Some((std::process::id(), PathBuf::from("/no/such/home")));
        let mut processes = Processes::new(&[Node { name: "other".to_owned(), client, process }]);
        processes.sample();
        processes.sample();
        let usages = processes.usages();
        let names: Vec<_> = usages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["bench"]);
        assert!(usages[0].1.rss_max() > 0.0 && usages[0].1.cpu_percent.len() == 1);
    }
}
