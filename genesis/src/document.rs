//! The genesis document: who the members are, what the accounts hold, how the chain behaves.
//!
//! Its JSON is for people. The chain id is the hash of its content (the borsh form of what was read), so
//! spaces and the order of fields make no difference, and nothing else can differ under one id.

use crate::error::GenesisError;
use crate::member::is_host_port;
use crate::{exact, files};
use borsh::BorshSerialize;
use quorate_chain::codec::{List, Text};
use quorate_chain::crypto::{Domain, check_registrable, hash};
use quorate_chain::ledger::GenesisState;
use quorate_chain::parameters::Parameters;
use quorate_chain::state::{
    ACCOUNT_KEYS_MAX, Account, AccountKey, Organisation, Roles, StateKey, StateValue, check_keys,
};
use quorate_chain::validator::{Card, NAME_BYTES_MAX};
use quorate_chain::{AccountId, Amount, ChainId, OrganisationId, PublicKey, TimestampMs, ValidatorSet};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

/// The version of the document's form.
pub const VERSION: u32 = 1;
/// Most accounts of a document.
pub const ACCOUNTS_MAX: usize = 50_000;
/// Longest document, bytes of JSON.
pub const DOCUMENT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// An account that the chain starts with.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisAccount {
    /// What people call it; says nothing to the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<NAME_BYTES_MAX>>,
    /// Its first public key.
    pub address: AccountId,
    /// What it holds of the native asset.
    pub balance: Amount,
    /// The member's organisation that it acts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<OrganisationId>,
    /// What it may do.
    #[serde(default = "member", skip_serializing_if = "is_member")]
    pub roles: Roles,
    /// The keys that act for it, ascending; none: the one that it is named after.
    #[serde(default, skip_serializing_if = "no_keys")]
    pub keys: List<AccountKey, 0, ACCOUNT_KEYS_MAX>,
    /// The weight that a transaction's signatures must reach.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub threshold: u16,
}

const fn member() -> Roles {
    Roles::MEMBER
}

fn is_member(roles: &Roles) -> bool {
    *roles == Roles::MEMBER
}

fn no_keys(keys: &[AccountKey]) -> bool {
    keys.is_empty()
}

const fn one() -> u16 {
    1
}

const fn is_one(threshold: &u16) -> bool {
    *threshold == 1
}

impl GenesisAccount {
    /// A member without organisation, with the key that it is named after.
    #[must_use]
    pub fn member(address: AccountId, balance: Amount) -> Self {
        Self {
            name: None,
            address,
            balance,
            organisation: None,
            roles: Roles::MEMBER,
            keys: List::default(),
            threshold: 1,
        }
    }

    /// Its entry in the state at height 0.
    fn entry(&self) -> Account {
        let account = Account::new(self.organisation, self.roles);
        Account { balance: self.balance, keys: self.keys.clone(), threshold: self.threshold, ..account }
    }

    fn check(&self) -> Result<(), GenesisError> {
        let address = self.address;
        let unsound = |source| GenesisError::Address { address, source };
        check_registrable(PublicKey(address.0)).map_err(unsound)?;
        self.keys.iter().try_for_each(|key| check_registrable(key.key)).map_err(unsound)?;
        check_keys(&self.keys, self.threshold).map_err(|_| GenesisError::Keys { address })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    name: Text<NAME_BYTES_MAX>,
    timestamp_ms: TimestampMs,
    members: Vec<Card>,
    accounts: Vec<GenesisAccount>,
    parameters: Parameters,
}

/// A document that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    document: Document,
    validators: ValidatorSet,
    chain: ChainId,
}

impl Genesis {
    /// Joins members' cards, in the order of the validators' indices, with accounts and parameters.
    ///
    /// # Errors
    /// Names the first thing that is unsound.
    pub fn merge(
        cards: Vec<Card>,
        accounts: Vec<GenesisAccount>,
        parameters: Parameters,
        name: &str,
        timestamp_ms: TimestampMs,
    ) -> Result<Self, GenesisError> {
        let name =
            Text::new(name).map_err(|source| GenesisError::Text { what: "the chain's name", source })?;
        Self::check(Document { version: VERSION, name, timestamp_ms, members: cards, accounts, parameters })
    }

    /// Reads a document.
    ///
    /// # Errors
    /// When it is not JSON, says more or less than the fields of a document, or something in it is unsound.
    pub fn from_json(json: &str) -> Result<Self, GenesisError> {
        if json.len() > DOCUMENT_BYTES_MAX {
            return Err(GenesisError::TooLong { max: DOCUMENT_BYTES_MAX });
        }
        let document: Document = serde_json::from_str(json)?;
        if document.version != VERSION {
            return Err(GenesisError::Version(document.version));
        }
        exact::check(&serde_json::from_str(json)?, &serde_json::to_value(&document)?)?;
        Self::check(document)
    }

    /// Reads a document from a file.
    ///
    /// # Errors
    /// As [`Self::from_json`], with the file's name.
    pub fn load(path: &Path) -> Result<Self, GenesisError> {
        let mut file = File::open(path).map_err(GenesisError::file("read", path))?;
        let json = files::read_text(&mut file, path, DOCUMENT_BYTES_MAX)?;
        Self::from_json(&json).map_err(|error| error.in_file(path))
    }

    /// The document for people, all parameters written out.
    ///
    /// # Errors
    /// Never for what has been checked; serde_json's type says so.
    pub fn to_json(&self) -> Result<String, GenesisError> {
        Ok(serde_json::to_string_pretty(&self.document)? + "\n")
    }

    fn check(document: Document) -> Result<Self, GenesisError> {
        let mut names = BTreeSet::new();
        for card in &document.members {
            let name = card.validator.name.to_string();
            card.verify()?;
            if card.validator.recovering {
                return Err(GenesisError::Recovering(name));
            }
            if !is_host_port(&card.address) {
                return Err(GenesisError::HostPort { name, address: card.address.to_string() });
            }
            if !names.insert(name.clone()) {
                return Err(GenesisError::DuplicateName(name));
            }
        }
        let seats = document.members.iter().map(|card| card.validator.clone()).collect();
        let validators = ValidatorSet::new(seats)?;
        document.parameters.check()?;
        check_accounts(&document)?;
        let chain = ChainId(hash(Domain::Genesis, &document));
        Ok(Self { document, validators, chain })
    }

    /// Hash of the content; every signature of the chain binds it.
    #[must_use]
    pub const fn chain_id(&self) -> ChainId {
        self.chain
    }

    /// What people call the chain.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.document.name
    }

    /// The chain's time at height 0.
    #[must_use]
    pub const fn timestamp_ms(&self) -> TimestampMs {
        self.document.timestamp_ms
    }

    /// The members' cards in the order of their indices.
    #[must_use]
    pub fn members(&self) -> &[Card] {
        &self.document.members
    }

    /// The accounts that the chain starts with.
    #[must_use]
    pub fn accounts(&self) -> &[GenesisAccount] {
        &self.document.accounts
    }

    /// The parameters that the chain starts with.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.document.parameters
    }

    /// The first epoch's validators.
    #[must_use]
    pub const fn validator_set(&self) -> &ValidatorSet {
        &self.validators
    }

    /// The state at height 0.
    #[must_use]
    pub fn to_state(&self) -> GenesisState {
        let mut entries = BTreeMap::new();
        for card in &self.document.members {
            let organisation = Organisation::new(card.validator.name.clone());
            // An organisation with several seats is called by the name of the first one.
            let key = StateKey::Organisation(card.validator.organisation);
            entries.entry(key).or_insert(StateValue::Organisation(organisation));
        }
        for account in &self.document.accounts {
            entries.insert(StateKey::Account(account.address), StateValue::Account(account.entry()));
        }
        let (validators, parameters) = (self.validators.clone(), self.document.parameters.clone());
        GenesisState::new(self.chain, self.document.timestamp_ms, validators, parameters, entries)
    }
}

fn check_accounts(document: &Document) -> Result<(), GenesisError> {
    let accounts = &document.accounts;
    if accounts.len() > ACCOUNTS_MAX {
        return Err(GenesisError::Accounts { count: accounts.len(), max: ACCOUNTS_MAX });
    }
    let organisations: BTreeSet<_> =
        document.members.iter().map(|card| card.validator.organisation).collect();
    let mut addresses = BTreeSet::new();
    let mut supply = 0u128;
    for account in accounts {
        let address = account.address;
        account.check()?;
        if !addresses.insert(address) {
            return Err(GenesisError::DuplicateAccount(address));
        }
        if let Some(organisation) = account.organisation.filter(|o| !organisations.contains(o)) {
            return Err(GenesisError::UnknownOrganisation { address, organisation });
        }
        supply = supply.checked_add(account.balance.0).ok_or(GenesisError::SupplyOverflow)?;
    }
    let admin = |a: &GenesisAccount| a.organisation.is_none() && a.roles.has(Roles::ADMIN);
    if document.parameters.open || accounts.iter().any(admin) { Ok(()) } else { Err(GenesisError::NoAdmin) }
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
