//! A host from what is stored and nothing else (R14): the record of votes, the committed blocks, which execute
//! again, and the bodies above them.

use super::effects::RECENT_MAX;
use super::execution::Execution;
use super::host::Host;
use super::peers::read_block;
use super::pool::Pool;
use super::settings::WINDOW_MAX;
use super::storage::{Key, owner};
use super::{Error, Service, Settings, Storage};
use crate::message::{EpochContext, SealedBlock};
use crate::record::{DurableState, Record};
use crate::replica::{Config, Replica, Tip};
use crate::time::Now;
use quorate_chain::codec::decode;
use quorate_chain::crypto::SecretKey;
use quorate_chain::{BlockHash, Epoch, Height, ResultHash, TimestampMs, ValidatorIndex, View};
use std::collections::{BTreeMap, VecDeque};

impl<S: Service, D: Storage> Host<S, D> {
    /// Starts the host whose key this is. `service` is as it was before the first operation; it executes every
    /// committed operation again. The storage was made by [`super::storage::initialise`].
    ///
    /// # Errors
    /// When the key has no seat, the storage is not its own, cannot be read or is damaged, or the service now
    /// gives other results.
    pub fn start(
        now: Now,
        settings: Settings,
        key: SecretKey,
        storage: D,
        service: S,
    ) -> Result<Self, Error> {
        let me = settings.set.index_of(key.public()).ok_or(Error::NoSeat)?;
        match storage.get(Key::Owner)? {
            None => return Err(Error::NoRecord),
            Some(stored) if stored != owner(settings.chain, &key) => return Err(Error::OtherOwner),
            Some(_) => {}
        }
        let mut execution = Execution::new(settings.chain, settings.set.clone(), service);
        let context = EpochContext {
            chain: settings.chain,
            epoch: Epoch::ZERO,
            set: settings.set.clone(),
            start_height: Height::ZERO,
            start_block: settings.chain.genesis_block(),
            start_result: execution.start_result().hash(),
        };
        let Replayed { tip, ancestors } = replay(&storage, &context, &mut execution)?;
        let Stored { durable, records, bodies, removals } = read(&storage, tip.height)?;
        let config = config(&settings, &context, me);
        let above = bodies.values().cloned().collect();
        let recent = ancestors.iter().map(|(height, block, _)| (*block, *height)).collect();
        let (replica, effects) = Replica::start(now, config, durable.clone(), tip, ancestors, above);
        let n = settings.set.validators().len();
        let mut host = Self {
            settings,
            context,
            key,
            me,
            now,
            replica,
            execution,
            bodies,
            recent,
            pool: Pool::new(n),
            own: BTreeMap::new(),
            displaced: VecDeque::new(),
            next_ticket: 0,
            pool_changed: false,
            told_pending: false,
            told_view: View::ZERO,
            storage,
            lost: durable.lost,
            durable,
            records,
            writes: Vec::new(),
            written: (None, Vec::new()),
            removals,
            neighbours: BTreeMap::new(),
            inputs: VecDeque::new(),
            outputs: Vec::new(),
            stopped: false,
        };
        for effect in effects {
            host.carry_out(effect)?;
        }
        host.run()?;
        Ok(host)
    }
}

fn config(settings: &Settings, context: &EpochContext, me: ValidatorIndex) -> Config {
    Config {
        context: context.clone(),
        me: Some(me),
        window: settings.window.clamp(1, WINDOW_MAX),
        timeout_base_ms: settings.timeout_base_ms,
        timeout_max_ms: settings.timeout_max_ms,
        status_ms: settings.status_ms,
        max_ahead_ms: settings.max_ahead_ms,
        batch_wait_ms: settings.batch_wait_ms,
        max_idle_ms: 0,
    }
}

/// Where the committed chain ends.
struct Replayed {
    tip: Tip,
    /// The last committed blocks, the tip included.
    ancestors: VecDeque<(Height, BlockHash, ResultHash)>,
}

/// Executes all committed blocks again.
fn replay<S: Service, D: Storage>(
    storage: &D,
    context: &EpochContext,
    execution: &mut Execution<S>,
) -> Result<Replayed, Error> {
    let mut tip = Tip {
        height: context.start_height,
        block: context.start_block,
        result: context.start_result,
        timestamp_ms: TimestampMs::ZERO,
        certificate: None,
    };
    let mut ancestors = VecDeque::new();
    while let Some(stored) = read_block(storage, tip.height.next())? {
        let header = stored.block.header();
        let height = header.height;
        if (height, header.parent) != (tip.height.next(), tip.block) {
            let why = "it does not follow on the one before".into();
            return Err(Error::Damaged { what: format!("block {}", tip.height.next()), why });
        }
        let Some((result, _)) = execution.commit(&stored.block) else { return Err(Error::Diverged(height)) };
        let result = result.hash();
        if result != stored.result() {
            return Err(Error::Diverged(height));
        }
        let (block, timestamp_ms) = (stored.block.hash(), header.timestamp_ms);
        tip = Tip { height, block, result, timestamp_ms, certificate: Some(stored.certificate) };
        ancestors.push_back((height, block, result));
        if ancestors.len() > RECENT_MAX {
            ancestors.pop_front();
        }
    }
    Ok(Replayed { tip, ancestors })
}

/// What is stored beside the committed blocks.
struct Stored {
    durable: DurableState,
    records: (u64, u64),
    bodies: BTreeMap<BlockHash, SealedBlock>,
    removals: Vec<Key>,
}

fn read<D: Storage>(storage: &D, tip: Height) -> Result<Stored, Error> {
    let damaged = |key: Key, why: String| Error::Damaged { what: format!("{key:?}"), why };
    let mut stored = Stored {
        durable: DurableState::default(),
        records: (0, 0),
        bodies: BTreeMap::new(),
        removals: Vec::new(),
    };
    let mut first = None;
    for key in storage.keys()? {
        if matches!(key, Key::Owner | Key::Block(_)) {
            continue;
        }
        let bytes = storage.get(key)?.ok_or_else(|| damaged(key, "it is gone".into()))?;
        match key {
            Key::Record(number) => {
                let record: Record = decode(&bytes).map_err(|error| damaged(key, error.to_string()))?;
                stored.durable.apply(record);
                first.get_or_insert(number);
                stored.records.1 = number + 1;
            }
            Key::Body(hash) => {
                let body: SealedBlock = decode(&bytes).map_err(|error| damaged(key, error.to_string()))?;
                if body.hash() != hash {
                    return Err(damaged(key, "it is another block's".into()));
                }
                if body.height() > tip {
                    stored.bodies.insert(hash, body);
                } else {
                    stored.removals.push(key);
                }
            }
            Key::Owner | Key::Block(_) => {}
        }
    }
    stored.records.0 = first.unwrap_or(0);
    Ok(stored)
}
