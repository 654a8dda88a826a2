//! What the chain starts from.

use crate::block::BlockResult;
use crate::codec::Text;
use crate::ids::{Amount, AssetId, ChainId, Epoch, StateRoot, TimestampMs};
use crate::parameters::Parameters;
use crate::receipt::receipts_root;
use crate::state::tree::{Error, Tree};
use crate::state::{Asset, AssetRules, StateKey, StateValue, value_hash};
use crate::validator::ValidatorSet;
use std::collections::BTreeMap;

/// What people call the native asset.
const NATIVE_SYMBOL: &str = "UNIT";

/// The state at height 0, as the genesis document describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisState {
    /// Hash of the document.
    pub chain: ChainId,
    /// Its time: every block's is later.
    pub timestamp_ms: TimestampMs,
    /// The first epoch's validators.
    pub validators: ValidatorSet,
    /// Every entry, parameters, validators and their seated keys included.
    pub entries: BTreeMap<StateKey, StateValue>,
}

impl GenesisState {
    /// Adds the entries that every genesis has to those of its accounts: parameters, validators, and the native
    /// asset, of which there is as much as its accounts hold.
    #[must_use]
    pub fn new(
        chain: ChainId,
        timestamp_ms: TimestampMs,
        validators: ValidatorSet,
        parameters: Parameters,
        mut entries: BTreeMap<StateKey, StateValue>,
    ) -> Self {
        entries.insert(StateKey::Asset(AssetId::NATIVE), StateValue::Asset(native_asset(&entries)));
        entries.insert(StateKey::Parameters, StateValue::Parameters(parameters));
        let set = StateValue::Validators(Epoch::ZERO, validators.clone());
        entries.insert(StateKey::Validators, set);
        for validator in validators.validators() {
            entries.insert(StateKey::Seated(validator.consensus), StateValue::Seated(Epoch::ZERO));
        }
        Self { chain, timestamp_ms, validators, entries }
    }

    /// What the first block's header and every proof start from.
    ///
    /// # Errors
    /// When two keys have one hash, which nobody can bring about.
    pub fn result(&self) -> Result<BlockResult, Error> {
        let mut pairs: Vec<_> =
            self.entries.iter().map(|(key, value)| (key.hash(), value_hash(key, value))).collect();
        pairs.sort_unstable();
        Ok(BlockResult {
            state_root: StateRoot(Tree::build(pairs)?.root()),
            receipts_root: receipts_root(&[]),
            next_set_hash: self.validators.hash(),
        })
    }
}

/// The asset that genesis hands out: nobody makes more of it or destroys it. The document has been checked for
/// accounts that hold more than an amount can be.
fn native_asset(entries: &BTreeMap<StateKey, StateValue>) -> Asset {
    let supply = entries.values().fold(0u128, |supply, value| match value {
        StateValue::Account(account) => supply.saturating_add(account.balance.0),
        _ => supply,
    });
    let supply = Amount(supply);
    let (symbol, rules) = (Text::literal(NATIVE_SYMBOL), AssetRules::default());
    Asset { issuer: None, symbol, decimals: 0, rules, supply_max: Some(supply), supply }
}
