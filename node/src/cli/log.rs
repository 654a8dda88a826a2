//! What a node logs, and how that changes while it runs: at SIGUSR1 it reads `log` of its config.toml again.

use crate::config::ConfigFile;
use crate::error::NodeError;
use std::path::PathBuf;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

/// The log of this process.
pub(super) struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
    /// What it is unless config.toml says something.
    first: String,
}

fn parse(text: &str) -> Result<EnvFilter, NodeError> {
    EnvFilter::try_new(text).map_err(|error| NodeError::Usage(format!("log filter {text:?}: {error}")))
}

impl Log {
    /// Starts it.
    ///
    /// # Errors
    /// When the filter is none, or this process logs already.
    pub(super) fn start(settings: &ConfigFile) -> Result<Self, NodeError> {
        let first = settings.log().to_owned();
        let (filtered, filter) = reload::Layer::new(parse(&first)?);
        let text = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let json = settings.log_json.unwrap_or(false);
        let text = if json { text.json().boxed() } else { text.with_ansi(false).boxed() };
        let started = tracing_subscriber::registry().with(filtered).with(text).try_init();
        started.map_err(|error| NodeError::Usage(format!("cannot start the log: {error}")))?;
        Ok(Self { filter, first })
    }

    /// Reads config.toml again at every signal; what it says then goes before the flags, as it is newer. A file that
    /// cannot be read changes nothing.
    pub(super) async fn follow(self, mut signals: Signal, home: PathBuf) {
        while signals.recv().await.is_some() {
            let home = home.clone();
            let read = tokio::task::spawn_blocking(move || ConfigFile::load(&home)).await;
            let Ok(read) = read else { return };
            let text = read.map(|file| file.log.unwrap_or_else(|| self.first.clone()));
            let changed = text.and_then(|text| Ok((parse(&text)?, text)));
            match changed {
                Ok((filter, text)) => match self.filter.reload(filter) {
                    Ok(()) => tracing::info!(log = text, "what is logged has changed"),
                    Err(error) => tracing::error!(%error, "cannot change what is logged"),
                },
                Err(error) => tracing::error!(%error, "what is logged stays as it is"),
            }
        }
    }
}

/// Listens from now on.
///
/// # Errors
/// When the system refuses.
pub(super) fn signals() -> Result<Signal, NodeError> {
    signal(SignalKind::user_defined1()).map_err(NodeError::system("cannot listen for signals"))
}
