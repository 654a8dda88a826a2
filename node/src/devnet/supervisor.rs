//! Watches the validators: reports the dead, starts them again when asked, stops all at the end.

use super::child::Validator;
use super::control::{self, Answer, Request};
use super::folder::Folder;
use super::manifest::{Manifest, load_genesis};
use super::plan::Plan;
use super::readiness::{self, Report};
use super::words;
use crate::cli::{Output, stop_signals};
use crate::error::NodeError;
use futures::future::{join_all, select_all};
use quorate_genesis::Genesis;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

/// How long validators may take to stop before they are killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a validator that is to be started again may still be dying.
const DYING_TIMEOUT: Duration = Duration::from_secs(2);

/// All that runs.
pub(super) struct Supervisor<'a> {
    folder: &'a Folder,
    plan: Plan,
    genesis: Genesis,
    output: Output,
    program: PathBuf,
    validators: Vec<Validator>,
    control: UnixListener,
    ready: bool,
}

impl<'a> Supervisor<'a> {
    /// Starts all validators; must be called inside a runtime.
    pub(super) fn start(folder: &'a Folder, plan: Plan, output: Output) -> Result<Self, NodeError> {
        let genesis = load_genesis(folder)?;
        let program = std::env::current_exe().map_err(NodeError::system("cannot find this program"))?;
        let control = control::listen(folder.absolute())?;
        let mut validators = Vec::new();
        for index in plan.indices() {
            let validator = Validator::start(&program, folder.absolute(), index)?;
            output.progress(&format!(
                "{}: process {}, log {}",
                Plan::name(index),
                validator.pid(),
                folder.given().join(Plan::name(index)).join("node.log").display()
            ));
            validators.push(validator);
        }
        let supervisor = Self { folder, plan, genesis, output, program, validators, control, ready: false };
        supervisor.manifest().write(folder)?;
        Ok(supervisor)
    }

    fn manifest(&self) -> Manifest {
        Manifest::new(&self.genesis, self.folder, self.plan, &self.validators)
    }

    /// Watches until it is told to stop or too few validators start; then all have ended.
    pub(super) async fn run(mut self) -> Result<(), NodeError> {
        let watched = self.watch().await;
        control::close(self.folder.absolute());
        self.stop().await;
        watched
    }

    async fn watch(&mut self) -> Result<(), NodeError> {
        let mut stop = std::pin::pin!(stop_signals()?.received());
        let mut reports = readiness::watch(self.plan).map_err(NodeError::system("cannot start a thread"))?;
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                (index, status) = first_ended(&mut self.validators) => self.on_ended(index, &status)?,
                Some(report) = next(&mut reports) => self.on_report(report)?,
                connection = self.control.accept() => {
                    let (stream, _) = connection.map_err(NodeError::system("the control socket failed"))?;
                    self.on_connection(stream).await?;
                }
            }
        }
    }

    fn on_report(&mut self, report: Report) -> Result<(), NodeError> {
        match report {
            Report::Waiting(ready) => {
                let (all, quorum) = (self.plan.validators, self.plan.quorum());
                self.output.progress(&format!("{ready} of {all} validators are ready, {quorum} are needed"));
                Ok(())
            }
            Report::Ready => {
                self.ready = true;
                let manifest = self.manifest();
                let explorer = manifest.validators.first().map(|seat| format!("{}/explorer", seat.rpc));
                let json = json!({ "event": "ready", "explorer": explorer, "devnet": manifest });
                self.output.answer(&words::ready(&manifest, self.folder), &json)
            }
        }
    }

    /// A dead validator is the user's to start again, unless the rest cannot even begin.
    fn on_ended(&self, index: u16, status: &str) -> Result<(), NodeError> {
        let name = Plan::name(index);
        let restart = words::restart(self.folder, index);
        let text = format!("{name} ended ({status}); start it again with: {restart}");
        self.output.answer(
            &text,
            &json!({ "event": "ended", "index": index, "status": status, "restart": restart }),
        )?;
        let running = self.validators.iter().filter(|validator| validator.is_running()).count();
        if self.ready || running >= self.plan.quorum() {
            return Ok(());
        }
        let validator = self.validators.get(usize::from(index));
        let (log, tail) = validator.map(|v| (v.log(), v.log_tail())).unwrap_or_default();
        Err(NodeError::Devnet(format!(
            "{name} ended ({status}) before the devnet was ready, and too few are left; {} ends with:\n{}",
            log.display(),
            tail.trim_end()
        )))
    }

    async fn on_connection(&mut self, mut stream: UnixStream) -> Result<(), NodeError> {
        let answer = match control::read(&mut stream).await {
            Some(Request::Restart(index)) => self.restart(index).await?,
            None => Answer::Refused("the request was not understood".to_owned()),
        };
        control::answer(&mut stream, &answer).await;
        Ok(())
    }

    async fn restart(&mut self, index: u16) -> Result<Answer, NodeError> {
        let Some(validator) = self.validators.get_mut(usize::from(index)) else {
            let last = self.plan.validators - 1;
            return Ok(Answer::Refused(format!("there is no validator {index}; the last is {last}")));
        };
        // Who has just killed it may ask before its end has been seen.
        if validator.is_running() && tokio::time::timeout(DYING_TIMEOUT, validator.ended()).await.is_err() {
            let pid = validator.pid();
            return Ok(Answer::Refused(format!("{} is running (process {pid})", Plan::name(index))));
        }
        if let Err(error) = validator.start_again(&self.program) {
            return Ok(Answer::Refused(error.to_string()));
        }
        let pid = validator.pid();
        self.manifest().write(self.folder)?;
        let text = format!("{} runs again (process {pid})", Plan::name(index));
        self.output.answer(&text, &json!({ "event": "restarted", "index": index, "pid": pid }))?;
        Ok(Answer::Started { pid, plan: self.plan })
    }

    async fn stop(&mut self) {
        self.output.progress("stopping");
        self.validators.iter().for_each(Validator::terminate);
        let running = self.validators.iter_mut().filter(|validator| validator.is_running());
        let ended = join_all(running.map(Validator::ended));
        if tokio::time::timeout(STOP_TIMEOUT, ended).await.is_err() {
            for validator in self.validators.iter_mut().filter(|validator| validator.is_running()) {
                self.output
                    .progress(&format!("{} does not stop and is killed", Plan::name(validator.index())));
                validator.kill().await;
            }
        }
    }
}

/// The first validator that ends; waits for ever when none runs.
async fn first_ended(validators: &mut [Validator]) -> (u16, String) {
    select_all(validators.iter_mut().map(|validator| Box::pin(validator.ended()))).await.0
}

/// The next report; waits for ever after the last.
async fn next(reports: &mut mpsc::Receiver<Report>) -> Option<Report> {
    match reports.recv().await {
        Some(report) => Some(report),
        None => std::future::pending().await,
    }
}
