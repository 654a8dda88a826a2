//! A devnet in a temporary folder.

use crate::chain::{Chain, client};
use crate::program::{command, is_alive, send, signal_node, wait_for, wait_until};
use crate::wallet::Wallet;
use quorate_chain::{AccountId, ChainId};
use quorate_genesis::Genesis;
use rustix::process::Signal;
use serde::Deserialize;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where ports are looked for: below those that the system hands out by itself.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// Ports that belong to one devnet, its observers included.
const PORTS_EACH: u16 = 20;
/// How much of a log is shown when a test fails, bytes.
const LOG_TAIL_BYTES: usize = 4_000;

/// One devnet at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Of `devnet.json`; another field, or one less, is a change of its form.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) chain_id: ChainId,
    pub(crate) validators: Vec<Seat>,
    pub(crate) accounts: Vec<Account>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seat {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) rpc: String,
    pub(crate) p2p: String,
    pub(crate) home: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) address: AccountId,
    pub(crate) key_file: PathBuf,
}

/// A devnet and its folder; everything ends when it is dropped.
pub(crate) struct Devnet {
    folder: tempfile::TempDir,
    pub(crate) base_port: u16,
    validators: u16,
    running: Option<Child>,
    _turn: MutexGuard<'static, ()>,
}

impl Devnet {
    /// Starts one and waits until every validator votes.
    pub(crate) fn start(validators: u16) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let mut devnet = Self { folder, base_port: free_ports(), validators, running: None, _turn: turn };
        devnet.start_again();
        devnet
    }

    /// Starts it on the folder as it is, after it was stopped or killed.
    pub(crate) fn start_again(&mut self) {
        assert!(self.running.is_none());
        let output = File::create(self.output_path()).unwrap();
        let mut command = command();
        command.arg("devnet").arg("--dir").arg(self.dir());
        command.args(["--base-port", &self.base_port.to_string()]);
        command.args(["--validators", &self.validators.to_string()]);
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let child = self.running.insert(command.spawn().unwrap());
        let path = self.folder.path().join("output");
        wait_until("the devnet is ready", || {
            let output = fs::read_to_string(&path).unwrap();
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "the devnet ended ({ended:?}):\n{output}");
            output.lines().last().is_some_and(|line| line.starts_with("ready"))
        });
        self.chain().wait_until_voting();
    }

    /// The devnet's folder, with all links of its path followed.
    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("net")
    }

    /// A place for other files.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn output_path(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    /// What the command has printed.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(self.output_path()).unwrap()
    }

    /// A port of this devnet's range that no validator has.
    pub(crate) fn spare_port(&self, number: u16) -> u16 {
        let first = 2 * self.validators;
        assert!(first + number < PORTS_EACH);
        self.base_port + first + number
    }

    pub(crate) fn home(&self, index: usize) -> PathBuf {
        self.dir().join(format!("validator-{index}"))
    }

    pub(crate) fn manifest(&self) -> Manifest {
        serde_json::from_str(&fs::read_to_string(self.dir().join("devnet.json")).unwrap()).unwrap()
    }

    /// The validators as a client sees them.
    pub(crate) fn chain(&self) -> Chain {
        let ports = (0..self.validators).map(|index| self.base_port + 2 * index);
        let genesis = Genesis::load(&self.dir().join("genesis.json")).unwrap();
        Chain { genesis, nodes: ports.map(client).collect() }
    }

    /// The demo accounts.
    pub(crate) fn wallets(&self) -> Vec<Wallet> {
        let manifest = self.manifest();
        let wallet = |account: &Account| Wallet::load(&account.key_file, manifest.chain_id);
        manifest.accounts.iter().map(wallet).collect()
    }

    /// Sends a validator's process a signal.
    pub(crate) fn signal(&self, index: usize, signal: Signal) {
        let Seat { pid, home, .. } = &self.manifest().validators[index];
        signal_node(*pid, home, signal);
    }

    /// Kills one validator's process and waits for its end.
    pub(crate) fn kill(&self, index: usize) {
        self.signal(index, Signal::KILL);
        let pid = self.manifest().validators[index].pid;
        wait_until("the validator is dead", || !is_alive(pid));
    }

    /// Kills all validators at once, and then the devnet's own process: were that first, they would stop by
    /// themselves.
    pub(crate) fn kill_all(&mut self) {
        let seats = self.manifest().validators;
        for seat in &seats {
            signal_node(seat.pid, &seat.home, Signal::KILL);
        }
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        for seat in &seats {
            wait_until("the validator is dead", || !is_alive(seat.pid));
        }
    }

    /// Stops it as Ctrl-C does.
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.running.take() else { return };
        send(child.id(), Signal::TERM);
        let status = wait_for("the devnet stops", || child.try_wait().unwrap());
        assert!(status.success(), "{status}:\n{}", self.output());
        assert!(self.manifest().validators.iter().all(|seat| !is_alive(seat.pid)));
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show(&self.output_path());
            (0..self.validators.into()).for_each(|index| show(&self.home(index).join("node.log")));
        }
        if let Some(mut child) = self.running.take() {
            // No unwrap: a second panic would hide the first.
            let text = fs::read_to_string(self.dir().join("devnet.json")).unwrap_or_default();
            if let Ok(manifest) = serde_json::from_str::<Manifest>(&text) {
                manifest.validators.iter().for_each(|seat| signal_node(seat.pid, &seat.home, Signal::KILL));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Prints the end of a log.
fn show(path: &Path) {
    let bytes = fs::read(path).unwrap_or_default();
    let tail = &bytes[bytes.len().saturating_sub(LOG_TAIL_BYTES)..];
    eprintln!("--- the end of {}:\n{}", path.display(), String::from_utf8_lossy(tail));
}

/// The first of [`PORTS_EACH`] ports that are all free. Other test runs on this machine start elsewhere.
fn free_ports() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let places = (PORTS.end - PORTS.start) / PORTS_EACH;
    let start = u16::try_from(std::process::id() % u32::from(places)).unwrap();
    wait_for("free ports", || {
        let place = (start + TAKEN.fetch_add(1, Ordering::Relaxed) % places) % places;
        let first = PORTS.start + place * PORTS_EACH;
        let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        (first..first + PORTS_EACH).all(is_free).then_some(first)
    })
}
