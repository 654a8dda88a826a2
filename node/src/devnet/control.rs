//! The socket of a running devnet: one request a connection, JSON on one line each way.

use super::manifest::Manifest;
use super::plan::Plan;
use super::readiness;
use crate::cli::Output;
use crate::error::NodeError;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

/// Longest line, bytes.
const LINE_BYTES_MAX: u64 = 4096;
/// How long the other end may take to write or read a line.
pub(super) const LINE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the devnet may take to answer: it may be waiting for another connection, or for a process to end.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a validator that was started may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What the devnet is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// To start the validator of this index, which has died.
    Restart(u16),
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// The process that was started.
    Started {
        /// Its id.
        pid: u32,
        /// The devnet's ports.
        plan: Plan,
    },
    /// Why it was not.
    Refused(String),
}

fn socket_path(dir: &Path) -> PathBuf {
    dir.join("devnet.sock")
}

/// Listens in a folder that this process has locked, so a socket that is there is a dead one's.
pub(super) fn listen(dir: &Path) -> Result<UnixListener, NodeError> {
    let path = socket_path(dir);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(NodeError::file("delete", &path)(error));
        }
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(NodeError::file("listen on", &path))?;
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&path, private).map_err(NodeError::file("protect", &path))?;
    Ok(listener)
}

/// Removes the socket: nobody listens any more.
pub(super) fn close(dir: &Path) {
    // It is removed before the next devnet listens in any case.
    let _ = std::fs::remove_file(socket_path(dir));
}

/// Reads one request; `None` if what comes is none, or does not come in time.
pub(super) async fn read(stream: &mut tokio::net::UnixStream) -> Option<Request> {
    let mut line = String::new();
    let mut reader = tokio::io::BufReader::new(stream.take(LINE_BYTES_MAX));
    let read = tokio::time::timeout(LINE_TIMEOUT, reader.read_line(&mut line)).await;
    read.ok()?.ok()?;
    serde_json::from_str(&line).ok()
}

/// Answers a request; who does not read the answer goes without.
pub(super) async fn answer(stream: &mut tokio::net::UnixStream, answer: &Answer) {
    if let Ok(json) = serde_json::to_string(answer) {
        let line = json + "\n";
        let _ = tokio::time::timeout(LINE_TIMEOUT, stream.write_all(line.as_bytes())).await;
    }
}

/// `quorate devnet --restart`: returns once the validator answers clients.
///
/// # Errors
/// When no devnet runs on the folder, the validator has not died, or does not start.
pub(crate) fn restart(dir: &Path, index: u16, output: Output) -> Result<(), NodeError> {
    let (pid, plan) = match ask(dir, Request::Restart(index))? {
        Answer::Started { pid, plan } => (pid, plan),
        Answer::Refused(why) => return Err(NodeError::Devnet(why)),
    };
    let node = readiness::client(plan, index)?;
    let deadline = Instant::now() + START_TIMEOUT;
    while node.status().is_err() {
        let current = Manifest::load(dir)?.validators.into_iter().find(|seat| seat.index == index);
        let gone = current.is_none_or(|seat| seat.pid != pid);
        if gone || Instant::now() >= deadline {
            let log = dir.join(Plan::name(index)).join("node.log");
            let name = Plan::name(index);
            let text =
                format!("{name} was started (process {pid}), but does not answer; see {}", log.display());
            return Err(NodeError::Devnet(text));
        }
        std::thread::sleep(ASK_EVERY);
    }
    let text = format!("{} runs again (process {pid})", Plan::name(index));
    output.answer(&text, &json!({ "index": index, "pid": pid, "rpc": plan.url(index) }))
}

fn ask(dir: &Path, request: Request) -> Result<Answer, NodeError> {
    let path = socket_path(dir);
    let mut stream = UnixStream::connect(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            NodeError::Devnet(format!("no devnet is running on {}", dir.display()))
        }
        _ => NodeError::file("connect to", &path)(error),
    })?;
    let talk = || -> std::io::Result<Answer> {
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.write_all((serde_json::to_string(&request)? + "\n").as_bytes())?;
        let mut line = String::new();
        BufReader::new(stream.take(LINE_BYTES_MAX)).read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    };
    talk().map_err(NodeError::file("ask the devnet at", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_short_json() {
        assert_eq!(serde_json::to_string(&Request::Restart(2)).unwrap(), r#"{"restart":2}"#);
        let plan = Plan { version: 1, validators: 32, base_port: 65_000 };
        let answer = serde_json::to_string(&Answer::Started { pid: u32::MAX, plan }).unwrap();
        assert!(answer.len() < usize::try_from(LINE_BYTES_MAX).unwrap());
    }

    #[test]
    fn without_a_devnet_it_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let error = restart(dir.path(), 0, Output::new(false)).unwrap_err().to_string();
        assert!(error.contains("no devnet is running"), "{error}");
    }
}
