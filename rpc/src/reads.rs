//! Ledger reads: they block, so they run on the runtime's blocking threads, so many at once.

use crate::errors::ApiError;
use quorate_chain::ledger::Reader;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The door to the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Reads {
    reader: Reader,
    turns: Arc<Semaphore>,
}

impl Reads {
    pub(crate) fn new(reader: Reader, reads_max: usize) -> Self {
        Self { reader, turns: Arc::new(Semaphore::new(reads_max)) }
    }

    /// Runs `read` when it is its turn. The turn lasts until `read` ends, even if nobody waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else {
            return Err(ApiError::Stopping);
        };
        let reader = self.reader.clone();
        let task = tokio::task::spawn_blocking(move || {
            let answer = read(&reader);
            drop(turn);
            answer
        });
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a read of the ledger panicked");
            Err(ApiError::Internal)
        })
    }
}
