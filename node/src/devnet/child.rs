//! A validator's process.

use super::plan::Plan;
use crate::error::NodeError;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tokio::process::{Child, ChildStdin, Command};

/// How much of the log's end is shown when a validator does not start, bytes.
const LOG_TAIL_BYTES: u64 = 1500;
/// The environment that validators share with the devnet; the rest of `QUORATE_…` is for single nodes.
const SHARED_ENVIRONMENT: [&str; 2] = ["QUORATE_LOG", "QUORATE_LOG_JSON"];

/// A validator: its folder, and its process while it runs.
#[derive(Debug)]
pub(super) struct Validator {
    index: u16,
    home: PathBuf,
    pid: u32,
    running: Option<Running>,
}

/// Standard input is held open and apart from the child, because waiting for a child closes it.
#[derive(Debug)]
struct Running {
    child: Child,
    _stdin: Option<ChildStdin>,
}

impl Validator {
    /// Starts the validator at `index`.
    pub(super) fn start(program: &Path, dir: &Path, index: u16) -> Result<Self, NodeError> {
        let mut validator = Self { index, home: dir.join(Plan::name(index)), pid: 0, running: None };
        validator.start_again(program)?;
        Ok(validator)
    }

    /// Starts the process; the one before must have ended.
    pub(super) fn start_again(&mut self, program: &Path) -> Result<(), NodeError> {
        let path = self.log();
        let log = OpenOptions::new().create(true).append(true).open(&path);
        let log = log.map_err(NodeError::file("write", &path))?;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("QUORATE_") && !SHARED_ENVIRONMENT.contains(&name.as_ref()) {
                command.env_remove(name.as_ref());
            }
        }
        command.arg("node").arg("--home").arg(&self.home).arg("--stop-on-stdin-eof");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        // Ctrl-C goes to the terminal's whole group; the devnet alone decides when its validators stop.
        command.process_group(0);
        let mut child = command.spawn().map_err(NodeError::file("start", program))?;
        self.pid = child.id().unwrap_or(self.pid);
        let _stdin = child.stdin.take();
        self.running = Some(Running { child, _stdin });
        Ok(())
    }

    /// Its index.
    pub(super) const fn index(&self) -> u16 {
        self.index
    }

    /// Its folder.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// Its last process.
    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether its process has not been seen to end.
    pub(super) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Where its log is.
    pub(super) fn log(&self) -> PathBuf {
        self.home.join("node.log")
    }

    /// Waits until its process has ended; for ever if none runs. May be dropped and called again.
    pub(super) async fn ended(&mut self) -> (u16, String) {
        let Some(running) = &mut self.running else { return std::future::pending().await };
        let status = running.child.wait().await;
        self.running = None;
        (self.index, status.map_or_else(|error| error.to_string(), describe))
    }

    /// Asks the process to stop.
    pub(super) fn terminate(&self) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.is_running()) {
            // It may have ended just now, which is what is wanted.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Ends the process.
    pub(super) async fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.child.kill().await;
        }
    }

    /// The last lines of its log.
    pub(super) fn log_tail(&self) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = std::fs::File::open(self.log())?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
            let mut bytes = Vec::new();
            file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_default()
    }
}

fn describe(status: ExitStatus) -> String {
    status.to_string()
}
