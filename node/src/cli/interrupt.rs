//! Ctrl-C for commands that do one thing after the other.

use super::stop_signals;
use crate::error::NodeError;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Sets `stop` at the first signal, ends the program at the second.
///
/// # Errors
/// When the system refuses.
pub(crate) fn listen(stop: Arc<AtomicBool>) -> Result<(), NodeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(NodeError::system("cannot listen for signals"))?;
    let signals = {
        let _context = runtime.enter();
        stop_signals()?
    };
    let wait = move || {
        runtime.block_on(async {
            signals.received().await;
            stop.store(true, Ordering::Relaxed);
            if let Ok(again) = stop_signals() {
                again.received().await;
                exit(INTERRUPTED);
            }
        });
    };
    let spawned = std::thread::Builder::new().name("signals".into()).spawn(wait);
    spawned.map(|_| ()).map_err(NodeError::system("cannot start a thread"))
}
