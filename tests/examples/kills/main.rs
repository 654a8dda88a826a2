//! How long commits stand still when the primary is killed under load, on real processes.
//!
//! `cargo run --release -p quorate-tests --example kills -- --kills 50`
//!
//! Clients submit transfers open-loop to all validators. Again and again the primary is killed with SIGKILL,
//! and started again once a surviving validator shows a commit of a later view. The next kill waits until it
//! votes at the tip, all are connected, and the new primary commits. At the end every acknowledged transfer is looked up on every
//! validator. Exit code 1: one is lost, or something did not come true in time.
//!
//! | file | what |
//! | --- | --- |
//! | `net.rs` | the validators' folders and processes |
//! | `load.rs` | clients that submit, and wait for acknowledgements |
//! | `round.rs` | one kill: what a surviving validator shows from then on |
//! | `report.rs` | the figures |

mod load;
mod net;
mod report;
mod round;

use clap::{Parser, value_parser};
use load::Wallet;
use net::Net;
use quorate_chain::AccountId;
use quorate_rpc_client::{Client, Committed};
use report::{Kill, Report, load_average};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// How long anything may take to come true; far above what is expected.
const DEADLINE: Duration = Duration::from_secs(120);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

type Failure = Box<dyn Error + Send + Sync>;

/// Kills the primary of a network under load, again and again, and reports how long commits stand still.
#[derive(Parser)]
struct Arguments {
    /// How many kills, one after the other.
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..))]
    kills: u32,
    /// Transfers a second, of all clients together.
    #[arg(long, default_value_t = 300, value_parser = value_parser!(u32).range(10..))]
    rate: u32,
    /// Clients, each with an account of its own.
    #[arg(long, default_value_t = 6, value_parser = value_parser!(u16).range(1..=64))]
    clients: u16,
    /// Validators, each a process.
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u16).range(4..=32))]
    validators: u16,
    /// Where to keep the validators' folders and logs; must not be there yet [default: they are removed].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The node's program [default: built from this workspace].
    #[arg(long, env = "QUORATE_PROGRAM")]
    program: Option<PathBuf>,
    /// Print one JSON object on one line instead of text.
    #[arg(long)]
    json: bool,
}

/// Whether to go on.
#[derive(Debug, Default)]
struct Run {
    halted: AtomicBool,
    ended: AtomicBool,
}

impl Run {
    /// By a signal or a failure: everything gives up at once.
    fn halt(&self) {
        self.halted.store(true, Ordering::Release);
    }

    fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }

    /// Nothing more is submitted; what has been is still acknowledged.
    fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    fn is_over(&self) -> bool {
        self.ended.load(Ordering::Acquire) || self.is_halted()
    }

    /// Looks until there is something.
    fn wait_for<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, Failure> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            self.check(what, deadline)?;
            sleep(LOOK_EVERY);
        }
    }

    /// Whether something may still be waited for.
    fn check(&self, what: &str, deadline: Instant) -> Result<(), Failure> {
        if self.is_halted() {
            return Err("stopped".into());
        }
        if Instant::now() >= deadline {
            return Err(format!("waited {DEADLINE:?} for this: {what}").into());
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let run = Arc::new(Run::default());
    let report = stop_at_signals(Arc::clone(&run)).and_then(|()| measure(&arguments, &run));
    let printed = report.and_then(|report| report.print(arguments.json).map(|()| report.lost));
    match printed {
        Ok(0) => ExitCode::SUCCESS,
        Ok(lost) => {
            eprintln!("error: {lost} acknowledged transfers are lost");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Halts at what asks a program to end.
fn stop_at_signals(run: Arc<Run>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let entered = runtime.enter();
    let [mut interrupt, mut terminate, mut hangup] =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    drop(entered);
    let wait = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => (),
                _ = terminate.recv() => (),
                _ = hangup.recv() => (),
            }
        });
        run.halt();
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait)?;
    Ok(())
}

fn measure(arguments: &Arguments, run: &Run) -> Result<Report, Failure> {
    let load_average_before = load_average();
    let wallets: Vec<_> = (0..arguments.clients).map(|_| Wallet::generate()).collect();
    let accounts: Vec<AccountId> = wallets.iter().map(Wallet::address).collect();
    let mut net = Net::start(arguments, &accounts)?;
    let nodes = net.clients()?;
    run.wait_for("every validator votes and is connected to all others", || {
        let ready = |node: &Client| node.status().is_ok_and(|s| s.voting && s.peers + 1 >= nodes.len());
        nodes.iter().all(ready).then_some(())
    })?;
    let (kills, acknowledged) = under_load(arguments, run, &mut net, &wallets)?;
    net.check_running()?;
    let lost = lost(run, &net, &acknowledged)?;
    let timeout_base_ms = net.genesis.parameters().timeout_base_ms.into();
    let load_averages = [load_average_before, load_average()];
    Ok(Report::new(kills, timeout_base_ms, acknowledged.len(), lost, load_averages))
}

/// Kills while the clients send; gives what was measured and what was acknowledged.
fn under_load(
    arguments: &Arguments,
    run: &Run,
    net: &mut Net,
    wallets: &[Wallet],
) -> Result<(Vec<Kill>, Vec<Committed>), Failure> {
    let chain = net.genesis.chain_id();
    let interval = Duration::from_secs(1) * arguments.clients.into() / arguments.rate;
    std::thread::scope(|scope| {
        let mut clients = Vec::new();
        for (number, wallet) in wallets.iter().enumerate() {
            let to = wallets[(number + 1) % wallets.len()].address();
            let nodes = net.clients()?;
            clients
                .push(scope.spawn(move || {
                    wallet.send(run, chain, to, &nodes, interval).inspect_err(|_| run.halt())
                }));
        }
        let kills = (0..arguments.kills).map(|number| {
            let kill = round::kill_primary(run, net, number)?;
            if !arguments.json {
                println!("{:>4}: {kill}", number + 1);
            }
            Ok::<_, Failure>(kill)
        });
        let kills: Result<Vec<_>, _> = kills.collect();
        match &kills {
            Ok(_) => run.end(),
            // Calls that wait for a commit end with the node that they wait for.
            Err(_) => {
                run.halt();
                net.kill_all();
            }
        }
        let mut acknowledged = Vec::new();
        for client in clients {
            acknowledged.extend(client.join().map_err(|_| "a client's thread panicked")??);
        }
        Ok((kills?, acknowledged))
    })
}

/// How many acknowledged transfers are not where they were on every validator.
fn lost(run: &Run, net: &Net, acknowledged: &[Committed]) -> Result<usize, Failure> {
    let nodes = net.clients()?;
    run.wait_for("all validators have the same tip", || {
        let tips: Vec<_> = nodes.iter().filter_map(|node| node.status().ok()).collect();
        let same = |tip: &quorate_rpc_client::Status| tip.block_hash == tips[0].block_hash;
        (tips.len() == nodes.len() && tips.iter().all(same)).then_some(())
    })?;
    let missing = std::thread::scope(|scope| {
        let look_up = |node| scope.spawn(move || load::missing(run, node, acknowledged));
        let threads: Vec<_> = nodes.iter().map(look_up).collect();
        let joined = threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?);
        joined.collect::<Result<Vec<_>, Failure>>()
    })?;
    Ok(missing.into_iter().flatten().collect::<std::collections::BTreeSet<_>>().len())
}
