//! A replicated key-value service on real sockets and real files: four hosts in threads, TCP on the loopback,
//! one of them stopped and started again from its folder, and peers that are not what they say.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

use borsh::{BorshDeserialize, BorshSerialize};
use quorate_chain::certificate::PrepareVote;
use quorate_chain::codec::{decode, encode};
use quorate_chain::crypto::{Domain, SecretKey, verify_strict};
use quorate_chain::validator::fixture::{consensus_key, validator_set};
use quorate_chain::{BlockHash, ChainId, Epoch, Height, Signature, TimestampMs, ValidatorIndex, View};
use quorate_consensus::service::storage::{Key, initialise};
use quorate_consensus::service::{
    Host, MESSAGE_BYTES_MAX, Output, Reply, Service, Settings, Storage, Ticket,
};
use quorate_consensus::{Message, Now, Time, Unsigned};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

const CHAIN: ChainId = ChainId([8; 32]);
const N: u16 = 4;
/// How long a condition is waited for: far longer than it ever takes.
const PATIENCE: Duration = Duration::from_secs(120);
/// Frames that wait for a peer; more are dropped, as a network may.
const QUEUE_MAX: usize = 1024;

#[derive(BorshSerialize, BorshDeserialize)]
enum Operation {
    Put(String, String),
    Get(String),
    Delete(String),
}

/// Every operation replies with the value that the key had before.
#[derive(Clone, Default)]
struct KeyValue(BTreeMap<String, String>);

impl Service for KeyValue {
    fn validate(&self, operation: &[u8]) -> bool {
        decode::<Operation>(operation).is_ok()
    }

    fn execute(&mut self, operation: &[u8]) -> Vec<u8> {
        let before = match decode(operation) {
            Ok(Operation::Put(key, value)) => self.0.insert(key, value),
            Ok(Operation::Get(key)) => self.0.get(&key).cloned(),
            Ok(Operation::Delete(key)) => self.0.remove(&key),
            Err(_) => None,
        };
        encode(&before)
    }

    fn digest(&self) -> [u8; 32] {
        *blake3::hash(&encode(&self.0)).as_bytes()
    }
}

/// A folder with a file for each entry.
struct Folder(PathBuf);

impl Folder {
    fn path(&self, key: Key) -> PathBuf {
        self.0.join(match key {
            Key::Owner => "owner".to_owned(),
            Key::Record(number) => format!("record-{number}"),
            Key::Body(hash) => format!("body-{hash}"),
            Key::Block(height) => format!("block-{height}"),
        })
    }
}

impl Storage for Folder {
    fn put(&mut self, entries: &[(Key, Vec<u8>)]) -> io::Result<()> {
        for (key, value) in entries {
            let path = self.path(*key);
            let unfinished = path.with_extension("unfinished");
            let mut file = File::create(&unfinished)?;
            file.write_all(value)?;
            file.sync_all()?;
            fs::rename(unfinished, path)?;
        }
        File::open(&self.0)?.sync_all()
    }

    fn get(&self, key: Key) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(key)) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn remove(&mut self, keys: &[Key]) -> io::Result<()> {
        keys.iter().try_for_each(|key| fs::remove_file(self.path(*key)))
    }

    fn keys(&self) -> io::Result<Vec<Key>> {
        let mut keys = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let record = name.strip_prefix("record-").and_then(|number| number.parse().ok());
            let body = name.strip_prefix("body-").and_then(|hash| hash.parse().ok());
            keys.extend(record.map(Key::Record).or(body.map(Key::Body)));
        }
        keys.sort_unstable();
        Ok(keys)
    }
}

fn write_frame(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(&u32::try_from(bytes.len()).unwrap().to_be_bytes())?;
    stream.write_all(bytes)
}

fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MESSAGE_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Opens a connection: whoever accepts it sends a challenge, which the other signs.
fn connect(to: SocketAddr, seat: ValidatorIndex, key: &SecretKey) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    let challenge = read_frame(&mut stream)?;
    let signature = key.sign(Domain::CardPossession, CHAIN, &challenge);
    write_frame(&mut stream, &encode(&(seat, signature)))?;
    Ok(stream)
}

/// The other end of that: who it is.
fn accept(stream: &mut TcpStream, settings: &Settings) -> Option<ValidatorIndex> {
    static CHALLENGES: AtomicU64 = AtomicU64::new(0);
    let challenge = CHALLENGES.fetch_add(1, Ordering::Relaxed).to_be_bytes().to_vec();
    write_frame(stream, &challenge).ok()?;
    let (seat, signature) = decode::<(ValidatorIndex, Signature)>(&read_frame(stream).ok()?).ok()?;
    let key = settings.set.get(seat)?.consensus;
    verify_strict(key, Domain::CardPossession, CHAIN, &challenge, &signature).then_some(seat)
}

/// What a host's thread is told.
enum Event {
    Frame(ValidatorIndex, Vec<u8>, Arc<TcpStream>),
    Submit(Vec<u8>, Sender<Reply>),
    Show(Sender<(Height, [u8; 32], ValidatorIndex)>),
    Stop,
}

type Addresses = Arc<Mutex<BTreeMap<u16, SocketAddr>>>;

/// A host with its sockets.
struct Machine {
    events: Sender<Event>,
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Machine {
    fn start(seat: u16, settings: &Settings, folder: &Path, addresses: &Addresses) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (events, inbox) = channel();
        let (stopped, streams) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        addresses.lock().unwrap().insert(seat, address);
        let accepting = {
            let (stopped, streams, events) = (stopped.clone(), Arc::clone(&streams), events.clone());
            let settings = settings.clone();
            std::thread::spawn(move || {
                while let Ok((stream, _)) = listener.accept() {
                    if stopped.load(Ordering::SeqCst) {
                        return;
                    }
                    streams.lock().unwrap().push(stream.try_clone().unwrap());
                    let (events, settings) = (events.clone(), settings.clone());
                    std::thread::spawn(move || receive(stream, &settings, &events));
                }
            })
        };
        let others = (0..N).filter(|other| *other != seat);
        let outboxes = others.map(|other| (other, spawn_sender(seat, other, addresses))).collect();
        let (settings, folder) = (settings.clone(), Folder(folder.to_owned()));
        let hosting = std::thread::spawn(move || host(seat, settings, folder, &inbox, &outboxes));
        Self { events, address, stopped, streams, threads: vec![accepting, hosting] }
    }

    /// Ends it as a crash would.
    fn stop(self) {
        self.events.send(Event::Stop).unwrap();
        self.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        for stream in self.streams.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }

    fn execute(&self, operation: &Operation) -> Reply {
        let (reply, replies) = channel();
        self.events.send(Event::Submit(encode(operation), reply)).unwrap();
        replies.recv_timeout(PATIENCE).unwrap()
    }

    /// Tip, digest and primary.
    fn show(&self) -> (Height, [u8; 32], ValidatorIndex) {
        let (show, shown) = channel();
        self.events.send(Event::Show(show)).unwrap();
        shown.recv_timeout(PATIENCE).unwrap()
    }
}

/// Passes on what one connection brings, until it is cut.
fn receive(mut stream: TcpStream, settings: &Settings, events: &Sender<Event>) {
    if let Some(from) = accept(&mut stream, settings) {
        let handle = Arc::new(stream.try_clone().unwrap());
        while let Ok(bytes) = read_frame(&mut stream) {
            if events.send(Event::Frame(from, bytes, Arc::clone(&handle))).is_err() {
                break;
            }
        }
    }
    drop(stream.shutdown(Shutdown::Both));
}

/// Sends to one other host, connecting anew whenever that is needed; what cannot be sent is lost.
fn spawn_sender(seat: u16, other: u16, addresses: &Addresses) -> SyncSender<Vec<u8>> {
    let (outbox, frames) = sync_channel::<Vec<u8>>(QUEUE_MAX);
    let addresses = Arc::clone(addresses);
    std::thread::spawn(move || {
        let mut stream: Option<TcpStream> = None;
        for bytes in frames {
            if stream.is_none() {
                let address = addresses.lock().unwrap().get(&other).copied();
                stream = address.and_then(|to| connect(to, ValidatorIndex(seat), &consensus_key(seat)).ok());
            }
            drop(stream.take_if(|stream| write_frame(stream, &bytes).is_err()));
        }
    });
    outbox
}

/// The thread that owns a host: the four duties of the program that embeds one.
fn host(
    seat: u16,
    settings: Settings,
    folder: Folder,
    inbox: &Receiver<Event>,
    outboxes: &BTreeMap<u16, SyncSender<Vec<u8>>>,
) {
    let origin = Instant::now();
    let now = || Now {
        time: Time(u64::try_from(origin.elapsed().as_millis()).unwrap()),
        clock: TimestampMs(u64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()),
    };
    let mut host = Host::start(now(), settings, consensus_key(seat), folder, KeyValue::default()).unwrap();
    let mut waiting: BTreeMap<Ticket, Sender<Reply>> = BTreeMap::new();
    loop {
        for output in host.outputs() {
            match output {
                Output::Broadcast(bytes) => {
                    outboxes.values().for_each(|outbox| drop(outbox.try_send(bytes.clone())));
                }
                Output::Send(to, bytes) => drop(outboxes[&to.0].try_send(bytes)),
                Output::Reply(reply) => {
                    if let Some(client) = waiting.remove(&reply.ticket) {
                        let _ = client.send(*reply);
                    }
                }
                Output::Committed(_) => {}
                Output::Alarm(alarm) => panic!("host {seat}: {alarm:?}"),
            }
        }
        let wait_ms = host.deadline().map_or(1_000, |due| due.0.saturating_sub(now().time.0));
        match inbox.recv_timeout(Duration::from_millis(wait_ms)) {
            Ok(Event::Frame(from, bytes, stream)) => {
                if let Err(error) = host.receive(now(), from, &bytes) {
                    assert!(error.is_peer_fault(), "host {seat}: {error}");
                    drop(stream.shutdown(Shutdown::Both));
                }
            }
            Ok(Event::Submit(operation, client)) => {
                waiting.insert(host.submit(now(), &operation).unwrap(), client);
            }
            Ok(Event::Show(to)) => {
                let _ = to.send((host.tip().height, host.service().digest(), host.primary()));
            }
            Ok(Event::Stop) => return,
            Err(_) => host.tick(now()).unwrap(),
        }
    }
}

/// Whether the other end has closed this connection, or does so in time.
fn is_cut(mut stream: TcpStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    }
}

/// Peers whose bytes a machine must refuse; `seat` is of a host that is down.
fn intrude(machine: &Machine, seat: u16) {
    let (me, key) = (ValidatorIndex(seat), consensus_key(seat));
    let stranger = SecretKey::from_seed(&[99; 32]);
    // Neither a key without a seat nor another's name gets in.
    assert!(is_cut(connect(machine.address, me, &stranger).unwrap()));
    assert!(is_cut(connect(machine.address, ValidatorIndex(N), &stranger).unwrap()));
    let vote = |signer: u16, key: &SecretKey| {
        let block = BlockHash([1; 32]);
        let vote = PrepareVote { epoch: Epoch(0), view: View(0), height: Height(1), block };
        let message: Message = Unsigned::Prepare(vote).sign(CHAIN, ValidatorIndex(signer), key);
        [vec![1], encode(&message)].concat()
    };
    // A host of the network that sends garbage, or votes that others have not signed, is cut off.
    let (forged, of_no_seat) = (vote((seat + 1) % N, &key), vote(N, &stranger));
    for bytes in [b"garbage".to_vec(), Vec::new(), forged, of_no_seat] {
        let mut stream = connect(machine.address, me, &key).unwrap();
        write_frame(&mut stream, &bytes).unwrap();
        assert!(is_cut(stream), "{bytes:?}");
    }
    // So is one that announces more than a message may have.
    let mut stream = connect(machine.address, me, &key).unwrap();
    stream.write_all(&u32::MAX.to_be_bytes()).unwrap();
    assert!(is_cut(stream));
}

#[test]
fn a_service_on_sockets_survives_a_stopped_host_and_wrong_peers() {
    let settings = Settings::new(CHAIN, validator_set(N));
    let disk = tempfile::tempdir().unwrap();
    let folder = |seat: u16| disk.path().join(seat.to_string());
    let addresses = Addresses::default();
    let start = |seat| Machine::start(seat, &settings, &folder(seat), &addresses);
    for seat in 0..N {
        fs::create_dir(folder(seat)).unwrap();
        initialise(&mut Folder(folder(seat)), CHAIN, &consensus_key(seat)).unwrap();
    }
    let mut machines: BTreeMap<u16, Machine> = (0..N).map(|seat| (seat, start(seat))).collect();
    let execute = |machine: &Machine, operation| {
        let reply = machine.execute(&operation);
        assert_eq!(reply.proof.block.commit.verify(&settings.set, CHAIN), Ok(()));
        assert_eq!(reply.verify(&settings.set, CHAIN), Ok(()));
        decode::<Option<String>>(&reply.bytes).unwrap()
    };
    let put = |key: u16, value: &str| Operation::Put(format!("key {key}"), value.to_owned());
    let get = |key: u16| Operation::Get(format!("key {key}"));

    for seat in 0..N {
        assert_eq!(execute(&machines[&seat], put(seat, "first")), None);
    }
    assert_eq!(execute(&machines[&3], get(0)).as_deref(), Some("first"));

    let primary = machines[&0].show().2.0;
    machines.remove(&primary).unwrap().stop();
    let up: Vec<u16> = machines.keys().copied().collect();
    for seat in &up {
        assert_eq!(execute(&machines[seat], put(*seat, "second")).as_deref(), Some("first"));
        intrude(&machines[seat], primary);
    }
    let deleted = execute(&machines[&up[0]], Operation::Delete(format!("key {primary}")));
    assert_eq!(deleted.as_deref(), Some("first"));

    machines.insert(primary, start(primary));
    assert_eq!(execute(&machines[&primary], get(primary)), None, "what happened without it");
    assert_eq!(execute(&machines[&primary], get(up[2])).as_deref(), Some("second"));
    let begun = Instant::now();
    loop {
        let shown: Vec<_> = machines.values().map(|machine| (machine.show().0, machine.show().1)).collect();
        if shown.iter().all(|one| *one == shown[0]) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "they never agree: {shown:?}");
    }
    machines.into_values().for_each(Machine::stop);
}
