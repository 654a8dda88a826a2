//! What a node runs with: `HOME/config.toml` < environment `QUORATE_…` < flags.
//!
//! | file in HOME | what |
//! | --- | --- |
//! | `config.toml` | optional; the keys of [`ConfigFile`] |
//! | `genesis.json` | the genesis document, the same for all |
//! | `keys/network.json` | opens connections |
//! | `keys/consensus.json` | signs votes; without it the node is an observer |
//! | `data/` | everything that the node writes |

use crate::error::NodeError;
use quorate_chain::PublicKey;
use quorate_chain::crypto::SecretKey;
use quorate_chain::ledger::{LedgerOptions, RETAIN_STATES_MAX};
use quorate_genesis::member::is_host_port;
use quorate_genesis::{Genesis, GenesisError, KeyFile, KeyKind, vote_record};
use serde::Deserialize;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Most peers that the configuration may add.
const CONFIGURED_PEERS_MAX: usize = 256;
/// Where clients are served if nothing says otherwise: this machine only.
const RPC_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 26600);
/// Where peers are served if nothing says otherwise.
const P2P_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 26601);
/// Room that a node keeps on its disk if nothing says otherwise: some segments of the journal, and a checkpoint.
const DISK_RESERVE_BYTES: u64 = 512 * 1024 * 1024;
/// What is logged if nothing says otherwise.
const LOG: &str = "info";

/// All that a node needs to run.
#[derive(Debug)]
pub(crate) struct NodeConfig {
    /// The node's folder.
    pub(crate) home: PathBuf,
    /// What people call the node.
    pub(crate) name: String,
    /// The chain's start.
    pub(crate) genesis: Genesis,
    /// The document as it is in the file, for `genesis` over RPC.
    pub(crate) genesis_json: Arc<str>,
    /// Signs votes; `None` is an observer.
    pub(crate) consensus_key: Option<SecretKey>,
    /// Opens connections.
    pub(crate) network_key: SecretKey,
    /// Where clients are served.
    pub(crate) rpc_listen: SocketAddr,
    /// Where peers are served.
    pub(crate) p2p_listen: SocketAddr,
    /// How the ledger keeps what it keeps.
    pub(crate) ledger: LedgerOptions,
    /// Free bytes of the disk below which the node stops taking part; 0: it never looks.
    pub(crate) disk_reserve_bytes: u64,
    /// Whether what waits in the pool is kept over a restart.
    pub(crate) keep_pool: bool,
    /// Who may connect, and where they are: the genesis cards' and the configured ones, the node itself not.
    pub(crate) peers: Vec<PeerConfig>,
}

/// A peer that is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerConfig {
    /// Its network key.
    pub(crate) network: PublicKey,
    /// Where it listens, `host:port`; without it the peer has to connect itself.
    pub(crate) address: Option<String>,
}

impl FromStr for PeerConfig {
    type Err = String;

    /// `KEY@HOST:PORT`, or `KEY` alone.
    fn from_str(text: &str) -> Result<Self, String> {
        let (key, address) = match text.split_once('@') {
            Some((key, address)) => (key, Some(address.to_owned())),
            None => (text, None),
        };
        let network = key.parse().map_err(|error| format!("peer {text:?}: {error}"))?;
        match &address {
            Some(address) if !is_host_port(address) => Err(format!("peer {text:?}: not KEY@HOST:PORT")),
            _ => Ok(Self { network, address }),
        }
    }
}

/// The keys of `config.toml`; each may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigFile {
    /// What people call the node; a validator's default is the name on its card.
    pub(crate) name: Option<String>,
    /// Where clients are served, `address:port`.
    pub(crate) rpc_listen: Option<SocketAddr>,
    /// Where peers are served, `address:port`.
    pub(crate) p2p_listen: Option<SocketAddr>,
    /// Peers beside the validators of the genesis document, `KEY@HOST:PORT` or `KEY`.
    pub(crate) peers: Option<Vec<String>>,
    /// Committed heights whose state can be read.
    pub(crate) retain_states: Option<u32>,
    /// Memory for the ledger's caches, bytes.
    pub(crate) cache_bytes: Option<u64>,
    /// What is indexed: `full`, `tx` or `none`.
    pub(crate) index: Option<String>,
    /// Seconds between two walks over everything that is stored; 0: never.
    pub(crate) scrub_interval_s: Option<u64>,
    /// Free bytes of the disk below which the node stops taking part; 0: never.
    pub(crate) disk_reserve_bytes: Option<u64>,
    /// Whether what waits in the pool when the node is stopped waits again after the next start.
    pub(crate) keep_pool: Option<bool>,
    /// What is logged, as in `info,quorate=debug`.
    pub(crate) log: Option<String>,
    /// Whether the log is JSON, one object a line.
    pub(crate) log_json: Option<bool>,
}

impl ConfigFile {
    /// Reads `HOME/config.toml`; a missing file says nothing.
    ///
    /// # Errors
    /// When it cannot be read, has a key that there is not, or a value of the wrong form.
    pub(crate) fn load(home: &Path) -> Result<Self, NodeError> {
        let path = home.join("config.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(NodeError::file("read", &path)(error)),
        };
        toml::from_str(&text)
            .map_err(|error| NodeError::Config { path, message: error.to_string().trim_end().to_owned() })
    }

    /// What `over` (flags and environment) says goes before what the file says.
    #[must_use]
    pub(crate) fn overridden_by(self, over: Self) -> Self {
        Self {
            name: over.name.or(self.name),
            rpc_listen: over.rpc_listen.or(self.rpc_listen),
            p2p_listen: over.p2p_listen.or(self.p2p_listen),
            peers: over.peers.or(self.peers),
            retain_states: over.retain_states.or(self.retain_states),
            cache_bytes: over.cache_bytes.or(self.cache_bytes),
            index: over.index.or(self.index),
            scrub_interval_s: over.scrub_interval_s.or(self.scrub_interval_s),
            disk_reserve_bytes: over.disk_reserve_bytes.or(self.disk_reserve_bytes),
            keep_pool: over.keep_pool.or(self.keep_pool),
            log: over.log.or(self.log),
            log_json: over.log_json.or(self.log_json),
        }
    }

    /// How the ledger keeps what it keeps.
    ///
    /// # Errors
    /// When a value is not one that can be.
    fn ledger(&self) -> Result<LedgerOptions, NodeError> {
        let mut options = LedgerOptions::default();
        if let Some(states) = self.retain_states {
            if !(2..=RETAIN_STATES_MAX).contains(&states) {
                let range = format!("retain_states = {states}: from 2 to {RETAIN_STATES_MAX} can be");
                return Err(NodeError::Usage(range));
            }
            options.retain_states = states;
        }
        if let Some(index) = &self.index {
            options.index = index.parse().map_err(NodeError::Usage)?;
        }
        options.cache_bytes = self.cache_bytes.unwrap_or(options.cache_bytes);
        options.scrub_interval = self.scrub_interval_s.map_or(options.scrub_interval, Duration::from_secs);
        Ok(options)
    }

    /// What is logged.
    pub(crate) fn log(&self) -> &str {
        self.log.as_deref().unwrap_or(LOG)
    }
}

impl NodeConfig {
    /// Where what waits in the pool is kept over a restart.
    pub(crate) fn pool_file(&self) -> PathBuf {
        self.home.join("data/pool")
    }

    /// Reads genesis document and keys of `home`; `settings` is the file with what overrides it.
    ///
    /// # Errors
    /// When a file is missing or unsound, the keys are not of one card, or a consensus key lacks its vote
    /// record (R47).
    pub(crate) fn load(home: &Path, settings: &ConfigFile) -> Result<Self, NodeError> {
        let path = home.join("genesis.json");
        let json = std::fs::read_to_string(&path).map_err(NodeError::file("read", &path))?;
        let genesis =
            Genesis::from_json(&json).map_err(|e| GenesisError::InFile { path, source: Box::new(e) })?;
        let network_key = KeyFile::load(&KeyKind::Network.path(home), KeyKind::Network)?.into_secret();
        let consensus_key = load_consensus_key(home)?;
        let card = consensus_key
            .as_ref()
            .and_then(|key| genesis.members().iter().find(|c| c.validator.consensus == key.public()));
        if let Some(card) = card.filter(|card| card.validator.network != network_key.public()) {
            return Err(NodeError::NetworkKey { seat: card.validator.name.to_string() });
        }
        let card_name = card.map(|card| card.validator.name.to_string());
        Ok(Self {
            home: home.to_owned(),
            name: settings.name.clone().or(card_name).unwrap_or_else(|| "observer".to_owned()),
            ledger: settings.ledger()?,
            disk_reserve_bytes: settings.disk_reserve_bytes.unwrap_or(DISK_RESERVE_BYTES),
            keep_pool: settings.keep_pool.unwrap_or(true),
            peers: peers(&genesis, settings, network_key.public())?,
            genesis_json: json.into(),
            consensus_key,
            network_key,
            rpc_listen: settings.rpc_listen.unwrap_or(RPC_LISTEN),
            p2p_listen: settings.p2p_listen.unwrap_or(P2P_LISTEN),
            genesis,
        })
    }
}

/// The consensus key, if there is one, once its vote record has been checked.
fn load_consensus_key(home: &Path) -> Result<Option<SecretKey>, NodeError> {
    let path = KeyKind::Consensus.path(home);
    if !path.try_exists().map_err(NodeError::file("look for", &path))? {
        return Ok(None);
    }
    let file = KeyFile::load(&path, KeyKind::Consensus)?;
    vote_record::check(home, &file)?;
    Ok(Some(file.into_secret()))
}

/// A configured address goes before the one on a card: it is newer.
fn peers(genesis: &Genesis, settings: &ConfigFile, own: PublicKey) -> Result<Vec<PeerConfig>, NodeError> {
    let texts = settings.peers.as_deref().unwrap_or_default();
    if texts.len() > CONFIGURED_PEERS_MAX {
        return Err(NodeError::Usage(format!(
            "{} peers, at most {CONFIGURED_PEERS_MAX} can be",
            texts.len()
        )));
    }
    let mut peers = Vec::new();
    for text in texts {
        let peer: PeerConfig = text.parse().map_err(NodeError::Usage)?;
        add(&mut peers, peer);
    }
    for card in genesis.members() {
        let (network, address) = (card.validator.network, Some(card.address.to_string()));
        add(&mut peers, PeerConfig { network, address });
    }
    peers.retain(|peer| peer.network != own);
    Ok(peers)
}

fn add(peers: &mut Vec<PeerConfig>, new: PeerConfig) {
    match peers.iter_mut().find(|peer| peer.network == new.network) {
        Some(known) if known.address.is_none() => known.address = new.address,
        Some(_) => {}
        None => peers.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_before_the_file_and_unknown_keys_are_named() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(ConfigFile::load(home.path()).unwrap(), ConfigFile::default());
        let path = home.path().join("config.toml");
        std::fs::write(&path, "name = \"bank\"\nrpc_listen = \"127.0.0.1:1\"\n").unwrap();
        let file = ConfigFile::load(home.path()).unwrap();
        let flags = ConfigFile { name: Some("flag".into()), ..ConfigFile::default() };
        let both = file.overridden_by(flags);
        assert_eq!((both.name.as_deref(), both.rpc_listen), (Some("flag"), "127.0.0.1:1".parse().ok()));
        std::fs::write(&path, "rcp_listen = \"127.0.0.1:1\"\n").unwrap();
        let error = ConfigFile::load(home.path()).unwrap_err().to_string();
        assert!(error.contains("rcp_listen") && error.contains("config.toml"), "{error}");
    }

    #[test]
    fn the_ledger_is_set_by_keys_with_bounds() {
        let read = |text: &str| toml::from_str::<ConfigFile>(text).unwrap().ledger();
        let options =
            read("retain_states = 7\nindex = \"tx\"\ncache_bytes = 9\nscrub_interval_s = 5").unwrap();
        assert_eq!((options.retain_states, options.cache_bytes), (7, 9));
        assert_eq!((options.index.to_string().as_str(), options.scrub_interval.as_secs()), ("tx", 5));
        assert!(read(&format!("retain_states = {RETAIN_STATES_MAX}")).is_ok());
        for refused in [RETAIN_STATES_MAX + 1, 1] {
            let error = read(&format!("retain_states = {refused}")).unwrap_err().to_string();
            assert!(error.contains("retain_states"), "{error}");
        }
        assert!(read("index = \"all\"").unwrap_err().to_string().contains("full, tx or none"));
    }

    #[test]
    fn peers_are_a_key_with_or_without_an_address() {
        let key = SecretKey::from_seed(&[1; 32]).public();
        let parsed: PeerConfig = format!("{key}@bank.example:26601").parse().unwrap();
        assert_eq!((parsed.network, parsed.address.as_deref()), (key, Some("bank.example:26601")));
        assert_eq!(key.to_string().parse(), Ok(PeerConfig { network: key, address: None }));
        assert!("bank.example:26601".parse::<PeerConfig>().is_err());
        assert!(format!("{key}@bank.example").parse::<PeerConfig>().is_err());
    }

    #[test]
    fn peers_are_configured_up_to_a_number() {
        let home = tempfile::tempdir().unwrap();
        let card = quorate_genesis::member::create(home.path(), "bank", "bank.example:26601", None).unwrap();
        let own = card.validator.network;
        let genesis = Genesis::merge(
            vec![card],
            Vec::new(),
            quorate_chain::parameters::Parameters::default(),
            "banks",
            quorate_chain::TimestampMs(1),
        )
        .unwrap();
        let configured = |count: usize| {
            let key =
                |i: usize| SecretKey::from_seed(&[(i / 256) as u8, i as u8].repeat(16).try_into().unwrap());
            let texts = (0..count).map(|i| key(i).public().to_string()).collect();
            peers(&genesis, &ConfigFile { peers: Some(texts), ..ConfigFile::default() }, own)
        };
        assert_eq!(configured(CONFIGURED_PEERS_MAX).unwrap().len(), CONFIGURED_PEERS_MAX);
        assert!(matches!(configured(CONFIGURED_PEERS_MAX + 1), Err(NodeError::Usage(_))));
    }
}
