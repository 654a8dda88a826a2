//! One command an instruction.

use super::{SigningArgs, bad};
use crate::error::NodeError;
use clap::{Subcommand, ValueEnum};
use quorate_chain::codec::{Bytes, List, Text};
use quorate_chain::instruction::Instruction;
use quorate_chain::state::{AccountKey, AccountStatus, AssetRules, Roles};
use quorate_chain::{AccountId, Amount, AssetId, Digest, OrganisationId};
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[derive(Debug, Subcommand)]
pub(crate) enum InstructionCommand {
    /// Move an amount of an asset to another account.
    Transfer {
        /// Who receives it.
        #[arg(long, value_name = "ADDRESS")]
        to: AccountId,
        /// How much, in indivisible units.
        #[arg(long, value_name = "N")]
        amount: u128,
        /// Of which asset [default: the native one].
        #[arg(long, value_name = "ID")]
        asset: Option<AssetId>,
        /// Text for the receiver, at most 256 bytes.
        #[arg(long, value_name = "TEXT")]
        memo: Option<String>,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Make an organisation.
    RegisterOrganisation {
        /// The identity key that stands for it.
        #[arg(long, value_name = "ID")]
        organisation: OrganisationId,
        /// What people call it.
        #[arg(long, value_name = "TEXT")]
        name: String,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Freeze, thaw or close an organisation.
    SetOrganisationStatus {
        /// Which.
        #[arg(long, value_name = "ID")]
        organisation: OrganisationId,
        /// What it is from now on.
        #[arg(long)]
        status: Status,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Make an account.
    RegisterAccount {
        /// Its first public key.
        #[arg(long, value_name = "ADDRESS")]
        address: AccountId,
        /// The organisation it acts for.
        #[arg(long, value_name = "ID")]
        organisation: Option<OrganisationId>,
        /// What it may do: admin, issuer, member, auditor.
        #[arg(long = "role", value_name = "ROLE", value_delimiter = ',', default_value = "member", value_parser = role)]
        roles: Vec<Roles>,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Set the keys that act for an account, and how much of their weight is needed.
    SetKeys {
        /// Which account [default: the acting one].
        #[arg(long, value_name = "ADDRESS")]
        address: Option<AccountId>,
        /// A key and its weight; none: the key that the account is named after.
        #[arg(long, value_name = "KEY[=WEIGHT]")]
        with: Vec<KeyArg>,
        /// The weight that signatures must reach.
        #[arg(long, value_name = "N", default_value_t = 1)]
        threshold: u16,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Set what an account may do.
    SetRoles {
        /// Which account.
        #[arg(long, value_name = "ADDRESS")]
        address: AccountId,
        /// All of its roles; none: it may not transact any more.
        #[arg(long = "role", value_name = "ROLE", value_delimiter = ',', value_parser = role)]
        roles: Vec<Roles>,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Freeze, thaw or close an account.
    SetStatus {
        /// Which account [default: the acting one].
        #[arg(long, value_name = "ADDRESS")]
        address: Option<AccountId>,
        /// What it is from now on.
        #[arg(long)]
        status: Status,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Make an asset that the acting account issues.
    CreateAsset {
        /// What people call it, at most 16 bytes.
        #[arg(long, value_name = "TEXT")]
        symbol: String,
        /// How many decimals people see.
        #[arg(long, value_name = "N", default_value_t = 0)]
        decimals: u8,
        /// What the issuer holds from the start, in indivisible units.
        #[arg(long, value_name = "N", default_value_t = 0)]
        supply: u128,
        /// The most that may ever be there at a time.
        #[arg(long, value_name = "N")]
        supply_max: Option<u128>,
        /// The issuer may make more.
        #[arg(long)]
        mintable: bool,
        /// Holders may destroy what they hold.
        #[arg(long)]
        burnable: bool,
        /// The issuer may freeze holders.
        #[arg(long)]
        freezable: bool,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Make more of an asset.
    Mint {
        /// Which asset.
        #[arg(long, value_name = "ID")]
        asset: AssetId,
        /// Who receives it.
        #[arg(long, value_name = "ADDRESS")]
        to: AccountId,
        /// How much, in indivisible units.
        #[arg(long, value_name = "N")]
        amount: u128,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Destroy what the acting account holds of an asset.
    Burn {
        /// Which asset.
        #[arg(long, value_name = "ID")]
        asset: AssetId,
        /// How much, in indivisible units.
        #[arg(long, value_name = "N")]
        amount: u128,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Stop an account from sending and receiving an asset, or let it again.
    FreezeHolder {
        /// Which asset.
        #[arg(long, value_name = "ID")]
        asset: AssetId,
        /// Whose.
        #[arg(long, value_name = "ADDRESS")]
        holder: AccountId,
        /// Let it again.
        #[arg(long)]
        thaw: bool,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Write a data entry.
    Put {
        /// The entry's key, at most 128 bytes.
        #[arg(long, value_name = "TEXT")]
        data_key: String,
        /// The entry's value as text, at most 16 KiB.
        #[arg(long, value_name = "TEXT", required_unless_present = "file")]
        value: Option<String>,
        /// The entry's value from a file.
        #[arg(long, value_name = "FILE", conflicts_with = "value")]
        file: Option<PathBuf>,
        /// The account in whose namespace the entry is [default: the acting one].
        #[arg(long, value_name = "ADDRESS")]
        namespace: Option<AccountId>,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Remove a data entry.
    Delete {
        /// The entry's key.
        #[arg(long, value_name = "TEXT")]
        data_key: String,
        /// The account in whose namespace the entry is [default: the acting one].
        #[arg(long, value_name = "ADDRESS")]
        namespace: Option<AccountId>,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Give a data entry to another account.
    Give {
        /// The entry's key.
        #[arg(long, value_name = "TEXT")]
        data_key: String,
        /// Who owns it from now on.
        #[arg(long, value_name = "ADDRESS")]
        to: AccountId,
        /// The account in whose namespace the entry is [default: the acting one].
        #[arg(long, value_name = "ADDRESS")]
        namespace: Option<AccountId>,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Record that the acting account knew a document: its digest and length go on the chain, not its content.
    Anchor {
        /// The document; its digest is BLAKE3 of its bytes.
        file: PathBuf,
        /// Text beside it, at most 1 KiB [default: the file's name].
        #[arg(long, value_name = "TEXT")]
        metadata: Option<String>,
        #[command(flatten)]
        signing: SigningArgs,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Status {
    Active,
    Frozen,
    Closed,
}

impl From<Status> for AccountStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Frozen => Self::Frozen,
            Status::Closed => Self::Closed,
        }
    }
}

/// `KEY` or `KEY=WEIGHT`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyArg(AccountKey);

impl FromStr for KeyArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, weight) = text.split_once('=').unwrap_or((text, "1"));
        let key = key.parse().map_err(|error| format!("key: {error}"))?;
        let weight = weight.parse().map_err(|error| format!("weight: {error}"))?;
        Ok(Self(AccountKey { key, weight }))
    }
}

fn role(name: &str) -> Result<Roles, String> {
    Roles::named(name).ok_or_else(|| "there are admin, issuer, member, auditor".to_owned())
}

fn all(roles: &[Roles]) -> Roles {
    roles.iter().fold(Roles::NONE, |all, role| all | *role)
}

/// Makes the instruction, given the account that acts.
pub(super) type Make = Box<dyn FnOnce(AccountId) -> Result<Instruction, NodeError>>;

fn fixed(instruction: Instruction) -> Make {
    Box::new(move |_| Ok(instruction))
}

impl InstructionCommand {
    /// How it is signed, and what it says.
    #[allow(clippy::too_many_lines, reason = "one arm an instruction")]
    pub(super) fn split(self) -> (SigningArgs, Make) {
        match self {
            Self::Transfer { to, amount, asset, memo, signing } => {
                let make = move |_| {
                    let memo = Bytes::new(memo.unwrap_or_default().into_bytes()).map_err(bad("--memo"))?;
                    let asset = asset.unwrap_or(AssetId::NATIVE);
                    Ok(Instruction::Transfer { to, asset, amount: Amount(amount), memo })
                };
                (signing, Box::new(make))
            }
            Self::RegisterOrganisation { organisation, name, signing } => {
                let make = move |_| {
                    let name = Text::new(name).map_err(bad("--name"))?;
                    Ok(Instruction::RegisterOrganisation { organisation, name })
                };
                (signing, Box::new(make))
            }
            Self::SetOrganisationStatus { organisation, status, signing } => {
                (signing, fixed(Instruction::SetOrganisationStatus { organisation, status: status.into() }))
            }
            Self::RegisterAccount { address, organisation, roles, signing } => {
                let roles = all(&roles);
                (signing, fixed(Instruction::RegisterAccount { account: address, organisation, roles }))
            }
            Self::SetKeys { address, with, threshold, signing } => {
                let make = move |account| {
                    let mut keys: Vec<_> = with.into_iter().map(|key| key.0).collect();
                    keys.sort_unstable_by_key(|key| key.key);
                    let keys = List::new(keys).map_err(bad("--with"))?;
                    Ok(Instruction::SetAccountKeys { account: address.unwrap_or(account), keys, threshold })
                };
                (signing, Box::new(make))
            }
            Self::SetRoles { address, roles, signing } => {
                (signing, fixed(Instruction::SetAccountRoles { account: address, roles: all(&roles) }))
            }
            Self::SetStatus { address, status, signing } => {
                let make = move |account| {
                    let account = address.unwrap_or(account);
                    Ok(Instruction::SetAccountStatus { account, status: status.into() })
                };
                (signing, Box::new(make))
            }
            Self::CreateAsset {
                symbol,
                decimals,
                supply,
                supply_max,
                mintable,
                burnable,
                freezable,
                signing,
            } => {
                let rules = AssetRules { mint: mintable, burn: burnable, freeze: freezable };
                let make = move |_| {
                    let symbol = Text::new(symbol).map_err(bad("--symbol"))?;
                    let (supply, supply_max) = (Amount(supply), supply_max.map(Amount));
                    Ok(Instruction::CreateAsset { symbol, decimals, rules, supply_max, supply })
                };
                (signing, Box::new(make))
            }
            Self::Mint { asset, to, amount, signing } => {
                (signing, fixed(Instruction::Mint { asset, to, amount: Amount(amount) }))
            }
            Self::Burn { asset, amount, signing } => {
                (signing, fixed(Instruction::Burn { asset, amount: Amount(amount) }))
            }
            Self::FreezeHolder { asset, holder, thaw, signing } => {
                (signing, fixed(Instruction::FreezeHolder { asset, holder, frozen: !thaw }))
            }
            Self::Put { data_key, value, file, namespace, signing } => {
                let make = move |account| {
                    let value = match file {
                        Some(path) => std::fs::read(&path).map_err(NodeError::file("read", &path))?,
                        None => value.unwrap_or_default().into_bytes(),
                    };
                    let (key, value) =
                        (data_key_bytes(data_key)?, Bytes::new(value).map_err(bad("the value"))?);
                    Ok(Instruction::PutData { namespace: namespace.unwrap_or(account), key, value })
                };
                (signing, Box::new(make))
            }
            Self::Delete { data_key, namespace, signing } => {
                let make = move |account| {
                    let key = data_key_bytes(data_key)?;
                    Ok(Instruction::DeleteData { namespace: namespace.unwrap_or(account), key })
                };
                (signing, Box::new(make))
            }
            Self::Give { data_key, to, namespace, signing } => {
                let make = move |account| {
                    let key = data_key_bytes(data_key)?;
                    Ok(Instruction::TransferData { namespace: namespace.unwrap_or(account), key, to })
                };
                (signing, Box::new(make))
            }
            Self::Anchor { file, metadata, signing } => (signing, Box::new(move |_| anchor(&file, metadata))),
        }
    }
}

fn data_key_bytes(
    text: String,
) -> Result<Bytes<{ quorate_chain::instruction::DATA_KEY_BYTES_MAX }>, NodeError> {
    Bytes::new(text.into_bytes()).map_err(bad("--data-key"))
}

/// Hashes the document piece by piece: it may be longer than memory.
fn anchor(path: &Path, metadata: Option<String>) -> Result<Instruction, NodeError> {
    let mut hasher = blake3::Hasher::new();
    let hashed = std::fs::File::open(path).and_then(|file| hasher.update_reader(file).map(|_| ()));
    hashed.map_err(NodeError::file("read", path))?;
    let name = || path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let metadata = Bytes::new(metadata.unwrap_or_else(name).into_bytes()).map_err(bad("--metadata"))?;
    Ok(Instruction::AnchorDocument {
        digest: Digest(*hasher.finalize().as_bytes()),
        size: hasher.count(),
        metadata,
    })
}
