//! Which libp2p protocols are spoken, and within which limits.

use crate::codec::BytesCodec;
use crate::error::Error;
use libp2p::allow_block_list::{self, AllowedPeers};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::gossipsub::{
    self, IdentTopic, MessageAuthenticity, MessageId, ValidationMode, WhitelistSubscriptionFilter,
};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{StreamProtocol, identify, ping};
use std::collections::HashSet;
use std::time::Duration;

/// Longest gossip batch, bytes.
pub const GOSSIP_BATCH_BYTES_MAX: usize = 64 * 1024;
/// How long a request may go unanswered.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// gossipsub's limit covers a whole RPC, not one message: twice the batch, or a full batch never arrives.
const GOSSIP_RPC_BYTES_MAX: usize = 2 * GOSSIP_BATCH_BYTES_MAX;
/// Batches that wait for one peer; at the full size 4 MiB.
const GOSSIP_QUEUE_MAX: usize = 64;
/// How often peers are told of batches that they may lack.
pub(crate) const GOSSIP_HEARTBEAT: Duration = Duration::from_millis(500);
/// Batches of which a peer is told, or which it is asked for, in one message. gossipsub would tell of 5,000 but
/// takes no more than 480, and gives a peer up for good after a few refusals.
const GOSSIP_IDS_MAX: usize = 1_024;
/// Bytes of one such message: 34 for each id, and the topic.
const GOSSIP_CONTROL_BYTES_MAX: usize = 64 * 1024;
/// Peers told at each heartbeat.
const GOSSIP_LAZY_PEERS: usize = 6;
/// Requests under way on one connection, both ways together.
pub(crate) const REQUESTS_PER_CONNECTION_MAX: usize = 16;
/// Connections that have not finished their handshake.
pub(crate) const PENDING_CONNECTIONS_MAX: u32 = 64;
/// A peer that restarts connects before its dead connection is noticed, and two dials may cross.
pub(crate) const CONNECTIONS_PER_PEER_MAX: u32 = 3;
/// All connections.
pub(crate) const CONNECTIONS_MAX: u32 = 512;
/// How long a peer may take to answer a ping. The first failure is free, so a dead peer is disconnected after
/// twice this and [`PING_EVERY`] at the latest.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a peer is pinged.
const PING_EVERY: Duration = Duration::from_secs(3);

const _: () = assert!(GOSSIP_RPC_BYTES_MAX >= 2 * GOSSIP_BATCH_BYTES_MAX);
const _: () = assert!(GOSSIP_IDS_MAX * 34 + 1_024 <= GOSSIP_CONTROL_BYTES_MAX);
const _: () = assert!(GOSSIP_CONTROL_BYTES_MAX <= GOSSIP_RPC_BYTES_MAX);
const _: () = assert!(PING_EVERY.as_secs() <= PING_TIMEOUT.as_secs());

/// Subscriptions to other topics are passed over: a peer cannot fill the table of topics.
type Gossip = gossipsub::Behaviour<gossipsub::IdentityTransform, WhitelistSubscriptionFilter>;

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) allowed: allow_block_list::Behaviour<AllowedPeers>,
    limits: connection_limits::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(crate) gossip: Gossip,
    pub(crate) requests: request_response::Behaviour<BytesCodec>,
    pub(crate) streams: libp2p_stream::Behaviour,
}

/// The names of a chain's protocols: chains never mix.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) topic: IdentTopic,
    pub(crate) direct: StreamProtocol,
    requests: StreamProtocol,
    pub(crate) identify: String,
}

impl Names {
    pub(crate) fn of(chain: &str) -> Result<Self, Error> {
        let protocol = |kind: &str| {
            StreamProtocol::try_from_owned(format!("/quorate/{chain}/{kind}/1"))
                .map_err(|error| Error::Setup(error.to_string()))
        };
        Ok(Self {
            topic: IdentTopic::new(format!("/quorate/{chain}/transactions/1")),
            direct: protocol("direct")?,
            requests: protocol("request")?,
            identify: format!("/quorate/{chain}/1"),
        })
    }
}

impl Behaviour {
    pub(crate) fn new(key: &Keypair, names: &Names) -> Result<Self, Error> {
        let limits = ConnectionLimits::default()
            .with_max_pending_incoming(Some(PENDING_CONNECTIONS_MAX))
            .with_max_pending_outgoing(Some(PENDING_CONNECTIONS_MAX))
            .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX))
            .with_max_established(Some(CONNECTIONS_MAX));
        let requests = request_response::Config::default()
            .with_request_timeout(REQUEST_TIMEOUT)
            .with_max_concurrent_streams(REQUESTS_PER_CONNECTION_MAX);
        let protocols = [(names.requests.clone(), ProtocolSupport::Full)];
        Ok(Self {
            allowed: allow_block_list::Behaviour::default(),
            limits: connection_limits::Behaviour::new(limits),
            // Without its cache of addresses: only the dialler says who is dialled, and where.
            identify: identify::Behaviour::new(
                identify::Config::new(names.identify.clone(), key.public()).with_cache_size(0),
            ),
            ping: ping::Behaviour::new(
                ping::Config::new().with_interval(PING_EVERY).with_timeout(PING_TIMEOUT),
            ),
            gossip: gossip(names)?,
            requests: request_response::Behaviour::with_codec(BytesCodec, protocols, requests),
            streams: libp2p_stream::Behaviour::new(),
        })
    }
}

/// Published to every peer at once, repaired by lazy gossip: in a full mesh each batch crosses each link once.
fn gossip(names: &Names) -> Result<Gossip, Error> {
    let setup = |error: &dyn std::fmt::Display| Error::Setup(error.to_string());
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::from(blake3::hash(&message.data).as_bytes().to_vec()))
        .flood_publish(true)
        .mesh_outbound_min(0)
        .mesh_n_low(0)
        .mesh_n(0)
        .mesh_n_high(0)
        .gossip_lazy(GOSSIP_LAZY_PEERS)
        .max_control_messages_sent(GOSSIP_IDS_MAX)
        .max_control_message_size(GOSSIP_CONTROL_BYTES_MAX)
        .heartbeat_initial_delay(GOSSIP_HEARTBEAT)
        .heartbeat_interval(GOSSIP_HEARTBEAT)
        .connection_handler_queue_len(GOSSIP_QUEUE_MAX)
        .max_transmit_size(GOSSIP_RPC_BYTES_MAX)
        .build()
        .map_err(|error| setup(&error))?;
    let only = WhitelistSubscriptionFilter(HashSet::from([names.topic.hash()]));
    let author = MessageAuthenticity::Anonymous;
    let mut gossip =
        Gossip::new_with_subscription_filter(author, config, only).map_err(|error| setup(&error))?;
    gossip.subscribe(&names.topic).map_err(|error| setup(&error))?;
    Ok(gossip)
}
