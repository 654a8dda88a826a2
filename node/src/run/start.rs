//! What a node starts from: ledger and vote journal, and the core that follows from them.

use super::core::Clock;
use super::keep;
use super::probe::probe;
use super::votes::VoteJournal;
use crate::config::NodeConfig;
use crate::error::NodeError;
use quorate_chain::ledger::{LedgerOptions, Opened};
use quorate_chain::{Epoch, Height, Transaction};
use quorate_consensus::message::EpochContext;
use quorate_consensus::{Config, Replica, SealedBlock, Tip};
use quorate_genesis::vote_record;
use std::sync::Arc;

/// Committed heights below the tip that the core is told at start, for anchors there (R17).
const ANCESTORS: u64 = 64;

/// What is opened before the network is.
pub(super) struct Stored {
    pub(super) opened: Opened,
    pub(super) votes: VoteJournal,
    /// What waited in the pool at the last stop.
    pub(super) kept: Vec<Transaction>,
}

pub(super) fn open(config: &NodeConfig) -> Result<Stored, NodeError> {
    let data = config.home.join("data");
    let genesis = config.genesis.to_state();
    let options = LedgerOptions { probe: Some(Arc::new(probe)), ..config.ledger.clone() };
    let opened = options.open(&data, &genesis)?;
    let votes = VoteJournal::open(&data.join("journal/votes"), vote_record::owner(&config.home)?)?;
    let tip = opened.ledger.tip();
    tracing::info!(
        height = tip.height.0, block = %tip.block, replayed = opened.report.replayed,
        from_kept_tree = opened.report.from_kept_tree,
        uncommitted = opened.uncommitted.len(), "opened the ledger"
    );
    Ok(Stored { opened, votes, kept: keep::read(config) })
}

/// The epoch in which the next height is, and the own seat in it.
fn epoch_at_tip(config: &NodeConfig, opened: &Opened) -> Result<EpochContext, NodeError> {
    let tip = opened.ledger.tip();
    let genesis = config.genesis.to_state();
    let mut context = EpochContext {
        chain: genesis.chain,
        epoch: tip.epoch,
        set: Arc::clone(&tip.validators),
        start_height: Height::ZERO,
        start_block: genesis.chain.genesis_block(),
        start_result: genesis.result().map_err(|error| NodeError::Stopped(error.to_string()))?.hash(),
    };
    if tip.epoch > Epoch::ZERO {
        let last = opened.reader.epoch_end(Epoch(tip.epoch.0 - 1))?;
        let last = last.ok_or_else(|| NodeError::Stopped("the ledger lacks the end of an epoch".into()))?;
        context.start_height = last.block.header.height;
        context.start_block = last.block.hash();
        context.start_result = last.result.hash();
    }
    Ok(context)
}

/// The core, made from what is on disk and nothing else (R14), and its first effects.
pub(super) fn replica(
    config: &NodeConfig,
    stored: &Stored,
    clock: Clock,
) -> Result<(Replica, Vec<quorate_consensus::Effect>, EpochContext), NodeError> {
    let Stored { opened, votes, .. } = stored;
    let context = epoch_at_tip(config, opened)?;
    let me = config.consensus_key.as_ref().and_then(|key| context.set.index_of(key.public()));
    let parameters = opened.ledger.parameters();
    let consensus = Config {
        context: context.clone(),
        me,
        window: parameters.window.into(),
        timeout_base_ms: parameters.timeout_base_ms.into(),
        timeout_max_ms: parameters.timeout_max_ms.into(),
        status_ms: parameters.status_ms.into(),
        max_ahead_ms: parameters.max_ahead_ms.into(),
        batch_wait_ms: parameters.batch_wait_ms.into(),
        max_idle_ms: parameters.max_idle_ms.into(),
    };
    let tip = opened.ledger.tip();
    let start = Tip {
        height: tip.height,
        block: tip.block,
        result: tip.result.hash(),
        timestamp_ms: tip.timestamp_ms,
        certificate: tip.certificate.clone(),
    };
    let heights = (tip.height.0.saturating_sub(ANCESTORS)..tip.height.0).map(Height);
    let ancestors = heights.filter_map(|height| {
        let committed = opened.reader.block(height).ok()??;
        Some((height, committed.block.hash(), committed.result.hash()))
    });
    let bodies = opened.uncommitted.iter().cloned().filter_map(SealedBlock::new).collect();
    let (replica, first) = Replica::start(clock.now(), consensus, votes.state(), start, ancestors, bodies);
    Ok((replica, first, context))
}
