//! Why a document, card or key file is refused.

use crate::KeyKind;
use quorate_chain::codec::DecodeError;
use quorate_chain::crypto::KeyError;
use quorate_chain::parameters::ParameterError;
use quorate_chain::validator::ValidatorError;
use quorate_chain::{AccountId, OrganisationId, PublicKey};
use std::path::{Path, PathBuf};

/// Why a document, card or key file is refused, or could not be made.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// A file could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another error, with the file that it is in.
    #[error("{}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<Self>,
    },
    /// Not JSON, or not of the right form.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// The text says more or less than what can be understood of it.
    #[error("{place}: {what}")]
    NotExact {
        /// Where, as in `parameters.window`.
        place: String,
        /// What is wrong there.
        what: String,
    },
    /// Longer than a document may be.
    #[error("longer than the {max} bytes that are allowed")]
    TooLong {
        /// How long it may be.
        max: usize,
    },
    /// A version that this program does not know.
    #[error("document version {0}; this program knows version 1")]
    Version(u32),
    /// More accounts than a document may have.
    #[error("{count} accounts, at most {max} are allowed")]
    Accounts {
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// Two accounts of one address.
    #[error("the account {0} occurs twice")]
    DuplicateAccount(AccountId),
    /// An account's address is no sound key.
    #[error("the account {address}: {source}")]
    Address {
        /// Which account.
        address: AccountId,
        /// What is wrong with it.
        source: KeyError,
    },
    /// An account's keys and threshold cannot act.
    #[error(
        "the account {address}: its keys must ascend, each with a weight above 0, and reach a threshold above 0"
    )]
    Keys {
        /// Which account.
        address: AccountId,
    },
    /// Nobody could ever register an account.
    #[error(
        "the chain is permissioned (`open` is false) and has no admin: give an account without organisation the \
         role `admin`, or nobody can ever register another one"
    )]
    NoAdmin,
    /// An account of an organisation that is no member's.
    #[error("the account {address} is of organisation {organisation}, which is no member's")]
    UnknownOrganisation {
        /// Which account.
        address: AccountId,
        /// Its organisation.
        organisation: OrganisationId,
    },
    /// All balances together do not fit into an amount.
    #[error("the sum of all balances is above 2^128 - 1")]
    SupplyOverflow,
    /// Two members of one name.
    #[error("two members are called {0:?}")]
    DuplicateName(String),
    /// A card that asks to start as recovering.
    #[error("the card of {0:?} has `recovering`: nobody recovers at genesis")]
    Recovering(String),
    /// An address that nobody can be reached at.
    #[error("{name:?} has the address {address:?}, which is not HOST:PORT")]
    HostPort {
        /// Whose.
        name: String,
        /// What it has.
        address: String,
    },
    /// A card or the set of all is unsound.
    #[error(transparent)]
    Validator(#[from] ValidatorError),
    /// A parameter is out of its range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A text is too long, empty, or has control characters.
    #[error("{what}: {source}")]
    Text {
        /// Which text.
        what: &'static str,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// Others than its owner can read a key file.
    #[error(
        "{} can be read by others (mode {mode:03o}), so its key may be known to them; if it is not: chmod 600 {}",
        path.display(), path.display()
    )]
    KeyReadable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key of one kind where another is needed.
    #[error("{} holds a key of kind {found}, needed is one of kind {expected}", path.display())]
    KeyKind {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: KeyKind,
        /// What is needed.
        expected: KeyKind,
    },
    /// The public key in the file is not that of the secret key in it.
    #[error("{}: the secret key is not that of {public}", path.display())]
    KeyMismatch {
        /// The file.
        path: PathBuf,
        /// The public key that it names.
        public: PublicKey,
    },
    /// A key file with a vote record that it must not have, or without the one it must have.
    #[error("{}: `vote_record` belongs into the file of a consensus key, and only there", path.display())]
    KeyVoteRecord {
        /// The file.
        path: PathBuf,
    },
    /// A key would be overwritten.
    #[error("{} is there already; keys are never overwritten", path.display())]
    KeyExists {
        /// The file.
        path: PathBuf,
    },
    /// The journal of a new vote record could not be made.
    #[error("cannot make the vote record: {0}")]
    VoteJournal(#[from] quorate_chain::ledger::journal::Error),
    /// The consensus key has no vote record in this folder, or only a part of one (R47).
    #[error(
        "the vote record {} is missing: this consensus key may have voted in a folder that is lost, and must \
         never vote again (R47). Put the folder back as it was, or have a new key take the seat; to follow \
         the chain without voting, move keys/consensus.json away", path.display()
    )]
    VoteRecordMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The vote record in this folder is another key's (R47).
    #[error(
        "the vote record {} was not made with this consensus key: the key may have voted elsewhere, and must \
         not vote here (R47)", path.display()
    )]
    VoteRecordOther {
        /// The record.
        path: PathBuf,
    },
}

impl GenesisError {
    /// For `map_err` after an operation on `path`.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { action, path: path.to_owned(), source }
    }

    /// For `map_err`: names the file that the error is in.
    pub(crate) fn in_file(self, path: &Path) -> Self {
        Self::InFile { path: path.to_owned(), source: Box::new(self) }
    }
}
