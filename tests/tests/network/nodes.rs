//! Single `quorate node` processes.

use crate::program::command;
use quorate_tests::power_loss::{Loss, preload, restore};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// A node's process; it ends when this is dropped, or when the test process does.
pub(crate) struct Node {
    home: PathBuf,
    /// Follows what of the data folder is durable.
    shadow: Option<PathBuf>,
    running: Option<Child>,
}

impl Node {
    /// Starts a node.
    pub(crate) fn start(home: &Path) -> Self {
        let mut node = Self { home: home.to_owned(), shadow: None, running: None };
        node.start_again();
        node
    }

    /// Starts a node under the power-loss shim.
    pub(crate) fn start_with_shadow(home: &Path, shadow: &Path) -> Self {
        let mut node = Self { home: home.to_owned(), shadow: Some(shadow.to_owned()), running: None };
        node.start_again();
        node
    }

    fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// Starts it after it was killed.
    pub(crate) fn start_again(&mut self) {
        assert!(self.running.is_none());
        let log = OpenOptions::new().create(true).append(true).open(self.home.join("node.log")).unwrap();
        let mut command = command();
        command.arg("node").arg("--home").arg(&self.home).arg("--stop-on-stdin-eof");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        if let Some(shadow) = &self.shadow {
            preload(&mut command, &self.data(), shadow).unwrap();
        }
        self.running = Some(command.spawn().unwrap());
    }

    /// Stops it as an operator would, and waits for its end.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            drop(child.stdin.take());
            assert!(child.wait().unwrap().success());
        }
    }

    /// Sends the process to its end, without waiting for that.
    pub(crate) fn kill(&mut self) {
        if let Some(child) = &mut self.running {
            child.kill().unwrap();
        }
    }

    /// Waits for the end of the process that was killed.
    pub(crate) fn wait(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.wait().unwrap();
        }
    }

    /// Takes the power from its data folder. Without the shim nothing would count as durable since the first start.
    pub(crate) fn lose_power(&mut self, loss: Loss) {
        assert!(self.running.is_none());
        restore(&self.data(), self.shadow.as_ref().unwrap(), loss).unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
