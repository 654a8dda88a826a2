//! The validators' folders and processes.

use crate::{Arguments, Failure};
use quorate_chain::parameters::Parameters;
use quorate_chain::{AccountId, Amount, TimestampMs};
use quorate_genesis::{Genesis, GenesisAccount, member};
use quorate_rpc_client::Client;
use std::fs::{self, OpenOptions};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What each client's account starts with.
const FUNDS: Amount = Amount(1_000_000_000_000);
/// How long an answer may take: more than a node waits for a commit.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Where ports are looked for: below those that the system hands out by itself.
const PORTS: std::ops::Range<u16> = 12_000..20_000;

/// The validators; they end when this is dropped. If this process is killed they end too, as their standard
/// input does.
pub(crate) struct Net {
    program: PathBuf,
    dir: PathBuf,
    pub(crate) genesis: Genesis,
    urls: Vec<String>,
    running: Vec<Option<Child>>,
    /// Removed when this is dropped.
    _temporary: Option<tempfile::TempDir>,
}

impl Net {
    /// Makes keys, genesis and folders, and starts the validators.
    pub(crate) fn start(arguments: &Arguments, accounts: &[AccountId]) -> Result<Self, Failure> {
        let program = arguments.program.clone().map_or_else(build, Ok)?;
        let temporary = tempfile::tempdir()?;
        let (dir, temporary) = match &arguments.dir {
            Some(dir) => (dir.clone(), None),
            None => (temporary.path().to_owned(), Some(temporary)),
        };
        let first = free_ports(2 * arguments.validators)?;
        let (mut cards, mut urls) = (Vec::new(), Vec::new());
        for index in 0..arguments.validators {
            let home = home(&dir, index.into());
            let [rpc, p2p] = [0, 1].map(|offset| format!("127.0.0.1:{}", first + 2 * index + offset));
            cards.push(member::create(&home, &format!("validator-{index}"), &p2p, None)?);
            let config = format!("rpc_listen = \"{rpc}\"\np2p_listen = \"{p2p}\"\n");
            fs::write(home.join("config.toml"), config)?;
            urls.push(format!("http://{rpc}"));
        }
        let account = |address: &AccountId| GenesisAccount::member(*address, FUNDS);
        let accounts = accounts.iter().map(account).collect();
        let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let genesis = Genesis::merge(cards, accounts, Parameters::default(), "kills", TimestampMs(now))?;
        let running = urls.iter().map(|_| None).collect();
        let mut net = Self { program, dir, genesis, urls, running, _temporary: temporary };
        for index in 0..net.urls.len() {
            fs::write(home(&net.dir, index).join("genesis.json"), net.genesis.to_json()?)?;
            net.start_one(index)?;
        }
        Ok(net)
    }

    fn start_one(&mut self, index: usize) -> Result<(), Failure> {
        let home = home(&self.dir, index);
        let log = OpenOptions::new().create(true).append(true).open(home.join("node.log"))?;
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            // How much is logged is the user's to say; the rest is for single nodes.
            if name.to_string_lossy().starts_with("QUORATE_") && name != "QUORATE_LOG" {
                command.env_remove(name);
            }
        }
        command.arg("node").arg("--home").arg(&home).arg("--stop-on-stdin-eof");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        // Ctrl-C goes to the terminal's whole group; this process alone decides when its validators stop.
        command.process_group(0);
        self.running[index] = Some(command.spawn()?);
        Ok(())
    }

    /// Sends one SIGKILL, without waiting for its end.
    pub(crate) fn kill(&mut self, index: usize) -> Result<(), Failure> {
        Ok(self.running[index].as_mut().ok_or("the validator does not run")?.kill()?)
    }

    /// Starts it after it was killed.
    pub(crate) fn start_again(&mut self, index: usize) -> Result<(), Failure> {
        if let Some(mut child) = self.running[index].take() {
            child.wait()?;
        }
        self.start_one(index)
    }

    /// # Errors
    /// When one has ended by itself.
    pub(crate) fn check_running(&mut self) -> Result<(), Failure> {
        for (index, child) in self.running.iter_mut().enumerate() {
            if let Some(status) = child.as_mut().and_then(|child| child.try_wait().transpose()) {
                let log = home(&self.dir, index).join("node.log");
                return Err(format!("validator {index} ended ({}); see {}", status?, log.display()).into());
            }
        }
        Ok(())
    }

    pub(crate) fn kill_all(&mut self) {
        let mut children: Vec<_> = self.running.iter_mut().filter_map(Option::take).collect();
        for child in &mut children {
            let _ = child.kill();
        }
        for mut child in children {
            let _ = child.wait();
        }
    }

    /// One for each validator; their connections are shared with nobody.
    pub(crate) fn clients(&self) -> Result<Vec<Client>, Failure> {
        let client = |url: &String| Client::with_timeout(url, ANSWER_TIMEOUT);
        Ok(self.urls.iter().map(client).collect::<Result<_, _>>()?)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.kill_all();
    }
}

fn home(dir: &Path, index: usize) -> PathBuf {
    dir.join(format!("validator-{index}"))
}

/// Builds the node's program in the profile of this one.
fn build() -> Result<PathBuf, Failure> {
    // target/<profile>/examples/kills
    let own = std::env::current_exe()?;
    let profile = own.parent().and_then(Path::parent).ok_or("this program is in no target folder")?;
    let target = profile.parent().ok_or("this program is in no target folder")?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "quorate", "--target-dir"]).arg(target);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    if !cargo.status()?.success() {
        return Err("cannot build the node's program".into());
    }
    Ok(profile.join("quorate"))
}

/// The first of so many that are all free; other runs on this machine start to look elsewhere.
fn free_ports(count: u16) -> Result<u16, Failure> {
    let places = (PORTS.end - PORTS.start) / count;
    let start = u16::try_from(std::process::id() % u32::from(places))?;
    let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let firsts = (0..places).map(|place| PORTS.start + (start + place) % places * count);
    let mut free = firsts.filter(|first| (*first..*first + count).all(is_free));
    Ok(free.next().ok_or("no free ports")?)
}
