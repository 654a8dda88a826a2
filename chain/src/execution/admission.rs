//! Whether transactions may execute: checks without their effects.

use super::quota::{Limits, work};
use crate::ids::{AccountId, ChainId, Height, Nonce, OrganisationId, TimestampMs};
use crate::parameters::Parameters;
use crate::state::{Account, AccountStatus, Organisation, StateError, StateReader};
use crate::transaction::{ChainTag, Transaction};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

/// Why a transaction may not execute. Each has a code of its own in every answer to a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTransaction {
    /// The bytes are no transaction.
    #[error("not a transaction: {0}")]
    Encoding(String),
    /// It is made for another chain.
    #[error("the transaction is for another chain (its chain tag is {found}, this chain's is {expected})")]
    WrongChain {
        /// Tag of this chain, hex.
        expected: String,
        /// Tag in the transaction, hex.
        found: String,
    },
    /// A signature does not hold.
    #[error("a signature of the transaction does not hold")]
    Signature,
    /// There is no such account.
    #[error("there is no account {0}")]
    UnknownAccount(AccountId),
    /// The account, a party or the sponsor may not transact.
    #[error("the account {0} may not transact (it, or its organisation, is frozen or closed)")]
    Inactive(AccountId),
    /// None of the account's roles lets it transact.
    #[error("the account {0} may not transact (it has none of the roles member, issuer, admin)")]
    NoRole(AccountId),
    /// The keys that signed may not act for the account, a party or the sponsor.
    #[error("the signing keys may not act for the account {0}")]
    Unauthorised(AccountId),
    /// The nonce is not the next one.
    #[error("the nonce is {found}, the account's next is {expected}")]
    Nonce {
        /// The account's next nonce.
        expected: Nonce,
        /// The transaction's.
        found: Nonce,
    },
    /// It was valid only until a height that has passed.
    #[error("the transaction was valid until height {valid_until}, the next block is {height}")]
    Expired {
        /// Last height at which it could execute.
        valid_until: Height,
        /// Height at which it would.
        height: Height,
    },
    /// Whoever pays has spent its quota, or its organisation has.
    #[error("the account {payer}, or its organisation, has spent its quota; {}", retry(*.retry_ms))]
    Quota {
        /// The account whose quota pays.
        payer: AccountId,
        /// Milliseconds until there is enough, if nothing else is spent; `None`: never.
        retry_ms: Option<u64>,
    },
    /// The state could not be read; not the transaction's fault.
    #[error("{0}")]
    State(#[from] StateError),
}

fn retry(after: Option<u64>) -> String {
    after.map_or_else(|| "it does not come back".into(), |ms| format!("try again in {ms} ms"))
}

impl InvalidTransaction {
    /// Whether honest nodes never pass on such bytes: no state could make them valid.
    #[must_use]
    pub const fn is_peer_fault(&self) -> bool {
        matches!(self, Self::Encoding(_) | Self::WrongChain { .. } | Self::Signature)
    }
}

/// What can be checked without state and without signatures.
///
/// # Errors
/// [`InvalidTransaction::WrongChain`] or [`InvalidTransaction::Expired`].
pub fn check_form(
    transaction: &Transaction,
    chain: ChainId,
    height: Height,
) -> Result<(), InvalidTransaction> {
    let body = transaction.body();
    let expected = ChainTag::from(chain);
    if body.chain != expected {
        return Err(InvalidTransaction::WrongChain {
            expected: hex::encode(expected.0),
            found: hex::encode(body.chain.0),
        });
    }
    if body.valid_until != Height::ZERO && body.valid_until < height {
        return Err(InvalidTransaction::Expired { valid_until: body.valid_until, height });
    }
    Ok(())
}

/// Admits transactions one after the other to a block on a parent's state: authority, nonces, quotas (R6).
/// What was admitted counts for those after it.
pub struct Admission<'a, R> {
    state: &'a R,
    parameters: &'a Parameters,
    at: TimestampMs,
    accounts: Vec<(AccountId, Account)>,
    /// Places in `accounts`.
    places: HashMap<AccountId, usize>,
    organisations: HashMap<OrganisationId, Organisation>,
    work: u64,
}

/// Who is asked about a transaction, as places in `accounts`.
struct Involved {
    account: usize,
    parties: Vec<usize>,
    sponsor: Option<usize>,
}

impl Involved {
    fn all(&self) -> impl Iterator<Item = usize> + '_ {
        [self.account].into_iter().chain(self.parties.iter().copied()).chain(self.sponsor)
    }

    fn payer(&self) -> usize {
        self.sponsor.unwrap_or(self.account)
    }
}

impl<'a, R: StateReader> Admission<'a, R> {
    /// For a block of this time on this state.
    pub fn new(state: &'a R, parameters: &'a Parameters, at: TimestampMs) -> Self {
        let (accounts, places, organisations) = (Vec::new(), HashMap::new(), HashMap::new());
        Self { state, parameters, at, accounts, places, organisations, work: 0 }
    }

    /// Makes room for so many transactions.
    #[must_use]
    pub fn for_count(mut self, transactions: usize) -> Self {
        self.accounts.reserve(transactions);
        self.places.reserve(transactions);
        self
    }

    /// Work units of all that was admitted.
    #[must_use]
    pub const fn work(&self) -> u64 {
        self.work
    }

    /// Whether account, parties and sponsor may transact by these signatures, and the payer can pay; gives
    /// the account's next nonce. Every signer must act for one of them.
    ///
    /// # Errors
    /// Says who may not, or that the state could not be read.
    pub fn check(&mut self, transaction: &Transaction) -> Result<Nonce, InvalidTransaction> {
        let involved = self.involved(transaction)?;
        self.check_with(transaction, &involved, work(transaction))
    }

    /// Admits a transaction: [`Self::check`], and its nonce is the next one. One that is refused changes
    /// nothing.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn admit(&mut self, transaction: &Transaction) -> Result<(), InvalidTransaction> {
        let (involved, work) = (self.involved(transaction)?, work(transaction));
        let (expected, found) = (self.check_with(transaction, &involved, work)?, transaction.body().nonce);
        if found != expected {
            return Err(InvalidTransaction::Nonce { expected, found });
        }
        self.accounts[involved.account].1.nonce = expected.next();
        let payer = &mut self.accounts[involved.payer()].1;
        Limits::of_account(self.parameters).charge(&mut payer.quota, self.at, work);
        let organisation = payer.organisation.and_then(|id| self.organisations.get_mut(&id));
        if let Some(organisation) = organisation {
            Limits::of_organisation(self.parameters).charge(&mut organisation.quota, self.at, work);
        }
        self.work = self.work.saturating_add(work);
        Ok(())
    }

    fn involved(&mut self, transaction: &Transaction) -> Result<Involved, InvalidTransaction> {
        let body = transaction.body();
        let parties = body.parties().into_iter().map(|id| self.place(id)).collect::<Result<_, _>>()?;
        let account = self.place(body.account)?;
        let sponsor = body.sponsor.map(|id| self.place(id)).transpose()?;
        Ok(Involved { account, parties, sponsor })
    }

    /// Where an account is that may transact.
    fn place(&mut self, id: AccountId) -> Result<usize, InvalidTransaction> {
        let vacant = match self.places.entry(id) {
            Entry::Occupied(place) => return Ok(*place.get()),
            Entry::Vacant(vacant) => vacant,
        };
        let (account, organisation) = active(self.state, id)?;
        if let Some((id, organisation)) = account.organisation.zip(organisation) {
            self.organisations.entry(id).or_insert(organisation);
        }
        self.accounts.push((id, account));
        Ok(*vacant.insert(self.accounts.len() - 1))
    }

    fn check_with(
        &self,
        transaction: &Transaction,
        involved: &Involved,
        work: u64,
    ) -> Result<Nonce, InvalidTransaction> {
        let all = || involved.all().map(|at| &self.accounts[at]);
        check_authority(transaction, all)?;
        let (payer, account) = &self.accounts[involved.payer()];
        self.check_quota(*payer, account, work)?;
        Ok(self.accounts[involved.account].1.nonce)
    }

    fn check_quota(&self, payer: AccountId, account: &Account, work: u64) -> Result<(), InvalidTransaction> {
        let own = Limits::of_account(self.parameters).wait_ms(&account.quota, self.at, work);
        let organisation = account.organisation.and_then(|id| self.organisations.get(&id));
        let shared = organisation.map_or(Some(0), |organisation| {
            Limits::of_organisation(self.parameters).wait_ms(&organisation.quota, self.at, work)
        });
        match own.zip(shared).map(|(own, shared)| own.max(shared)) {
            Some(0) => Ok(()),
            retry_ms => Err(InvalidTransaction::Quota { payer, retry_ms }),
        }
    }
}

/// An account that may transact, and its organisation.
fn active<R: StateReader>(
    state: &R,
    id: AccountId,
) -> Result<(Account, Option<Organisation>), InvalidTransaction> {
    let account = state.account_entry(id)?.ok_or(InvalidTransaction::UnknownAccount(id))?;
    if account.status != AccountStatus::Active {
        return Err(InvalidTransaction::Inactive(id));
    }
    if !account.roles.transact() {
        return Err(InvalidTransaction::NoRole(id));
    }
    let organisation = match account.organisation {
        Some(key) => match state.organisation_entry(key)? {
            Some(it) if it.status == AccountStatus::Active => Some(it),
            _ => return Err(InvalidTransaction::Inactive(id)),
        },
        None => None,
    };
    Ok((account, organisation))
}

/// Whether the signers may act for all who are involved, the transaction's account first, and each of them for one
/// of these.
fn check_authority<'a, I: Iterator<Item = &'a (AccountId, Account)>>(
    transaction: &Transaction,
    involved: impl Fn() -> I,
) -> Result<(), InvalidTransaction> {
    if let Some((id, _)) = involved().find(|(id, account)| !account.authorises(*id, transaction.signers())) {
        return Err(InvalidTransaction::Unauthorised(*id));
    }
    let known = |key| involved().any(|(id, account)| account.acts(*id, key));
    if transaction.signers().all(known) {
        Ok(())
    } else {
        Err(InvalidTransaction::Unauthorised(transaction.body().account))
    }
}

/// Whether account and parties may still act: what was admitted against the parent's state, against that of
/// its place in the block.
pub(super) fn may_still_act<R: StateReader>(
    state: &R,
    transaction: &Transaction,
) -> Result<(), InvalidTransaction> {
    let body = transaction.body();
    let mut actors = Vec::new();
    for id in [body.account].into_iter().chain(body.parties()) {
        actors.push((id, active(state, id)?.0));
    }
    let actors: Vec<_> = actors.iter().map(|(id, account)| (*id, account)).collect();
    match actors.iter().find(|(id, account)| !account.authorises(*id, transaction.signers())) {
        Some((id, _)) => Err(InvalidTransaction::Unauthorised(*id)),
        None => Ok(()),
    }
}
