//! The first opening of a store that a crash left, in a process of its own: what the store's engine may do
//! there on damaged files (panic, hang, take all memory) then harms nobody.

use quorate_chain::ledger::SledStore;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The hidden command that looks.
pub(crate) const COMMAND: &str = "probe-store";
/// Address space of the process that looks, bytes.
const ADDRESS_SPACE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Memory for its pages, bytes.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// How long it may take: recovering many gigabytes takes minutes.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often it is looked whether it has ended.
const POLL: Duration = Duration::from_millis(10);

/// Opens the store in `folder`, in this process, within limits. Its end is the answer.
///
/// # Errors
/// Why it does not open.
pub(crate) fn look(folder: &Path) -> Result<(), String> {
    let bytes = Some(ADDRESS_SPACE_BYTES_MAX);
    let limit = Rlimit { current: bytes, maximum: bytes };
    setrlimit(Resource::As, limit).map_err(|error| format!("cannot limit the memory: {error}"))?;
    SledStore::open(folder, CACHE_BYTES).map(drop).map_err(|error| error.to_string())
}

/// Has another process look.
///
/// # Errors
/// Why the store must be made again.
pub(super) fn probe(folder: &Path) -> Result<(), String> {
    // Without a process there is nobody to look, which says nothing about the store.
    let nobody = |error: io::Error| tracing::warn!(%error, "cannot look at the store in another process");
    let Ok(program) = std::env::current_exe().map_err(nobody) else { return Ok(()) };
    let mut command = Command::new(program);
    command.arg(COMMAND).arg(folder).stdin(Stdio::null()).stdout(Stdio::null());
    let Ok(child) = command.spawn().map_err(nobody) else { return Ok(()) };
    match wait(child, PATIENCE) {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("a process that opened it ended with {status}")),
        Err(why) => Err(why),
    }
}

fn wait(mut child: Child, patience: Duration) -> Result<ExitStatus, String> {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if began.elapsed() < patience => std::thread::sleep(POLL),
            Ok(None) => {
                // It may have ended this very moment.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("a process that opened it did not end within {patience:?}"));
            }
            Err(error) => return Err(format!("cannot tell what became of a process: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_does_not_end_is_ended() {
        let sleeping = Command::new("sleep").arg("1000").spawn().unwrap();
        assert!(wait(sleeping, Duration::from_millis(1)).unwrap_err().contains("did not end"));
        let failing = Command::new("false").spawn().unwrap();
        assert!(!wait(failing, PATIENCE).unwrap().success());
    }
}
