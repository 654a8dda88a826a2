//! Which libp2p protocols are spoken, and within which limits.

use crate::error::Error;
use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::allow_block_list::{self, AllowedPeers};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, MessageId, ValidationMode};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{StreamProtocol, identify, ping};
use std::io;
use std::time::Duration;

/// Longest gossip batch, bytes.
pub const GOSSIP_BATCH_BYTES_MAX: usize = 64 * 1024;
/// Longest request, bytes.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Longest response, bytes.
pub const RESPONSE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long a request may go unanswered.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// gossipsub's limit covers a whole RPC, not one message: twice the batch, or a full batch never arrives.
const GOSSIP_RPC_BYTES_MAX: usize = 2 * GOSSIP_BATCH_BYTES_MAX;
/// Batches that wait for one peer; at the full size 4 MiB.
const GOSSIP_QUEUE_MAX: usize = 64;
/// How often peers are told of batches that they may lack.
const GOSSIP_HEARTBEAT: Duration = Duration::from_millis(500);
/// Peers told at each heartbeat.
const GOSSIP_LAZY_PEERS: usize = 6;
/// Requests under way with one peer.
const REQUESTS_MAX: usize = 32;
/// Connections that have not finished their handshake.
const PENDING_CONNECTIONS_MAX: u32 = 64;
/// A peer that restarts may connect before its dead connection is noticed.
const CONNECTIONS_PER_PEER_MAX: u32 = 2;
/// All connections.
const CONNECTIONS_MAX: u32 = 512;
/// A peer that does not answer for so long is disconnected.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a peer is pinged.
const PING_EVERY: Duration = Duration::from_secs(5);

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) allowed: allow_block_list::Behaviour<AllowedPeers>,
    limits: connection_limits::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(crate) gossip: gossipsub::Behaviour,
    pub(crate) requests: request_response::Behaviour<BytesCodec>,
    pub(crate) streams: libp2p_stream::Behaviour,
}

/// The names of a chain's protocols: chains never mix.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) topic: IdentTopic,
    pub(crate) direct: StreamProtocol,
    requests: StreamProtocol,
    identify: String,
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
            .with_max_concurrent_streams(REQUESTS_MAX);
        let protocols = [(names.requests.clone(), ProtocolSupport::Full)];
        Ok(Self {
            allowed: allow_block_list::Behaviour::default(),
            limits: connection_limits::Behaviour::new(limits),
            identify: identify::Behaviour::new(identify::Config::new(names.identify.clone(), key.public())),
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
fn gossip(names: &Names) -> Result<gossipsub::Behaviour, Error> {
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
        .heartbeat_interval(GOSSIP_HEARTBEAT)
        .connection_handler_queue_len(GOSSIP_QUEUE_MAX)
        .max_transmit_size(GOSSIP_RPC_BYTES_MAX)
        .build()
        .map_err(|error| setup(&error))?;
    let mut gossip = gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, config).map_err(|e| setup(&e))?;
    gossip.subscribe(&names.topic).map_err(|error| setup(&error))?;
    Ok(gossip)
}

/// Requests and responses are bytes up to the end of their stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct BytesCodec;

async fn read_all<T: AsyncRead + Unpin + Send>(io: &mut T, max: usize) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    // One more than allowed shows that there is more.
    io.take(max as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.len() > max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than allowed"));
    }
    Ok(bytes.into())
}

async fn write_all<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: &[u8]) -> io::Result<()> {
    io.write_all(bytes).await?;
    io.close().await
}

impl request_response::Codec for BytesCodec {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Bytes;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_all(io, REQUEST_BYTES_MAX).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_all(io, RESPONSE_BYTES_MAX).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Bytes) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_all(io, &request).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, response: Bytes) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_all(io, &response).await
    }
}
