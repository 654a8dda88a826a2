//! The calls, one function each; every door comes here.

use crate::config::ServerConfig;
use crate::errors::ApiError;
use crate::reads::Reads;
use crate::shapes::{
    AccountView, BlockView, CommitView, Health, HealthStatus, Status, TransactionAnswer, Validators,
};
use crate::view::{NodeStatus, NodeView};
use quorate_chain::execution::work_left;
use quorate_chain::ledger::{CommittedBlock, LedgerError, Reader, StateAt, Tip};
use quorate_chain::state::StateReader;
use quorate_chain::{AccountId, Height, TransactionId};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Which block: a height, or the latest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum At {
    #[default]
    Latest,
    Height(Height),
}

impl FromStr for At {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let bad = |_| ApiError::BadParameters(format!("{text:?} is neither a height nor \"latest\""));
        text.parse().map(|height| Self::Height(Height(height))).map_err(bad)
    }
}

/// In JSON: a number, `"latest"` or null.
impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = <Value as Deserialize>::deserialize(deserializer)?;
        match (&value, value.as_u64(), value.as_str()) {
            (Value::Null, _, _) | (_, _, Some("latest")) => Ok(Self::Latest),
            (_, Some(height), _) => Ok(Self::Height(Height(height))),
            _ => Err(serde::de::Error::custom("a height is a number or \"latest\"")),
        }
    }
}

/// What the doors share; a clone shares all of it.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) view: NodeView,
    pub(crate) reads: Reads,
    /// Requests that may wait for a commit.
    pub(crate) waiting: Arc<Semaphore>,
    pub(crate) check_timeout: Duration,
    pub(crate) commit_timeout: Duration,
    genesis: Arc<RawValue>,
}

impl Api {
    /// # Errors
    /// When the genesis document is not JSON.
    pub(crate) fn new(config: &ServerConfig, view: NodeView) -> Result<Self, serde_json::Error> {
        Ok(Self {
            reads: Reads::new(view.reader.clone(), config.reads_max),
            waiting: Arc::new(Semaphore::new(config.waiting_max)),
            check_timeout: config.check_timeout,
            commit_timeout: config.commit_timeout,
            genesis: RawValue::from_string(view.genesis_json.to_string())?.into(),
            view,
        })
    }

    pub(crate) fn node(&self) -> NodeStatus {
        self.view.status.borrow().clone()
    }

    pub(crate) fn health(&self) -> Health {
        let node = self.node();
        match node.halted {
            Some(reason) => Health { status: HealthStatus::Halted, reason: Some(reason) },
            None if node.catching_up => {
                let reason = "the node lacks committed blocks and is fetching them".to_owned();
                Health { status: HealthStatus::CatchingUp, reason: Some(reason) }
            }
            None if node.record_lost.is_some() => {
                Health { status: HealthStatus::RecordLost, reason: node.record_lost }
            }
            None => Health { status: HealthStatus::Ok, reason: None },
        }
    }

    pub(crate) fn status(&self) -> Status {
        self.status_at(&self.view.reader.tip())
    }

    pub(crate) fn status_at(&self, tip: &Tip) -> Status {
        let node = self.node();
        Status {
            chain_id: self.view.reader.chain(),
            name: self.view.name.to_string(),
            version: self.view.version.to_owned(),
            build: self.view.build.to_owned(),
            height: tip.height,
            block_hash: tip.block,
            result_hash: tip.result.hash(),
            state_root: tip.result.state_root,
            timestamp_ms: tip.timestamp_ms,
            epoch: node.epoch,
            view: node.view,
            primary: node.primary,
            validator: node.me,
            voting: node.voting,
            catching_up: node.catching_up,
            halted: node.halted,
            record_lost: node.record_lost,
            peers: node.peers.len(),
            mempool_transactions: node.mempool_transactions,
        }
    }

    pub(crate) fn genesis(&self) -> Box<RawValue> {
        (*self.genesis).to_owned()
    }

    pub(crate) fn validators(&self) -> Validators {
        let tip = self.view.reader.tip();
        Validators::new(tip.height.next(), tip.epoch, &tip.validators)
    }

    pub(crate) async fn block(&self, at: At) -> Result<BlockView, ApiError> {
        self.reads.run(move |reader| find_block(reader, at).map(|block| (&*block).into())).await
    }

    pub(crate) async fn commit(&self, at: At) -> Result<CommitView, ApiError> {
        self.reads.run(move |reader| find_block(reader, at).map(|block| (&*block).into())).await
    }

    pub(crate) async fn transaction(&self, id: TransactionId) -> Result<TransactionAnswer, ApiError> {
        let read = move |reader: &Reader| match reader.transaction(id)? {
            Some(record) => Ok((&record).into()),
            None => Err(not_found(reader, format!("committed transaction {id}"))),
        };
        self.reads.run(read).await
    }

    pub(crate) async fn account(&self, address: AccountId) -> Result<AccountView, ApiError> {
        let read = move |reader: &Reader| {
            let found = reader.at_tip(|state| account_at(state, address))?;
            found.ok_or_else(|| not_found(reader, format!("account {address}")))
        };
        self.reads.run(read).await
    }
}

/// An account, and what it may spend, at one height.
fn account_at(state: &StateAt, address: AccountId) -> Result<Option<AccountView>, LedgerError> {
    let Some(record) = state.account(address)? else { return Ok(None) };
    let organisation = match record.account.organisation {
        Some(organisation) => state.organisation_entry(organisation)?,
        None => None,
    };
    let parameters = state.parameters()?;
    let left = work_left(&parameters, &record.account, organisation.as_ref(), state.tip().timestamp_ms);
    Ok(Some(AccountView::new(address, &record, left)))
}

/// The block, or why there is none.
pub(crate) fn find_block(reader: &Reader, at: At) -> Result<Arc<CommittedBlock>, ApiError> {
    let height = match at {
        At::Latest => reader.tip().height,
        At::Height(height) => height,
    };
    if height == Height::ZERO {
        // Height 0 is the genesis state, which no block made.
        return Err(not_found(reader, "block at height 0, the genesis state,".to_owned()));
    }
    reader.block(height)?.ok_or_else(|| not_found(reader, format!("block at height {height}")))
}

/// Names the height at which the node looked.
pub(crate) fn not_found(reader: &Reader, what: String) -> ApiError {
    ApiError::NotFound { what, height: reader.tip().height }
}
