//! The network, the service and the disks of these tests.

use crate::message::Message;
use crate::record::Record;
use crate::service::storage::{Key, initialise};
use crate::service::wire::Wire;
use crate::service::{Alarm, Error, Host, Memory, Output, Reply, Service, Settings, Storage, Ticket};
use crate::time::{Now, Time};
use quorate_chain::certificate::PrepareVote as Vote;
use quorate_chain::codec::{decode, encode};
use quorate_chain::validator::fixture::{consensus_key, validator_set};
use quorate_chain::{ChainId, Height, TimestampMs, ValidatorIndex, View};
use std::collections::{BTreeMap, VecDeque};
use std::io;

pub(super) const CHAIN: ChainId = ChainId([3; 32]);
/// Virtual milliseconds after which a test gives up.
const PATIENCE_MS: u64 = 1_000_000;

/// Keeps all operations; replies with the place of each. An empty operation is not valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) operations: Vec<Vec<u8>>,
    /// Mixed into the digest: a service that is not the others'.
    pub(super) quirk: u8,
}

impl Service for Log {
    fn validate(&self, operation: &[u8]) -> bool {
        !operation.is_empty()
    }

    fn execute(&mut self, operation: &[u8]) -> Vec<u8> {
        self.operations.push(operation.to_vec());
        encode(&(self.operations.len() as u64 - 1))
    }

    fn digest(&self) -> [u8; 32] {
        // At height 0 all agree.
        let quirk = if self.operations.is_empty() { 0 } else { self.quirk };
        *blake3::hash(&encode(&(&self.operations, quirk))).as_bytes()
    }
}

/// A disk that loses power in the middle of a put, if told to.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) memory: Memory,
    pub(super) puts: usize,
    /// At which put, and which of its entries are there afterwards (bits).
    pub(super) fails: Option<(usize, u64)>,
}

impl Storage for Disk {
    fn put(&mut self, entries: &[(Key, Vec<u8>)]) -> io::Result<()> {
        self.puts += 1;
        let Some((_, kept)) = self.fails.filter(|(at, _)| *at == self.puts) else {
            return self.memory.put(entries);
        };
        for (_, entry) in entries.iter().enumerate().filter(|(place, _)| kept >> (place % 64) & 1 == 1) {
            self.memory.put(std::slice::from_ref(entry))?;
        }
        Err(io::Error::other("power failure"))
    }

    fn get(&self, key: Key) -> io::Result<Option<Vec<u8>>> {
        self.memory.get(key)
    }

    fn remove(&mut self, keys: &[Key]) -> io::Result<()> {
        self.memory.remove(keys)
    }

    fn keys(&self) -> io::Result<Vec<Key>> {
        self.memory.keys()
    }
}

pub(super) type TestHost = Host<Log, Disk>;
/// Whether a message from one seat to another arrives.
pub(super) type Weather = fn(u16, u16, &Wire) -> bool;

pub(super) struct Net {
    pub(super) settings: Settings,
    pub(super) hosts: Vec<Option<TestHost>>,
    pub(super) disks: Vec<Option<Disk>>,
    letters: VecDeque<(u16, u16, Vec<u8>)>,
    pub(super) weather: Weather,
    pub(super) now_ms: u64,
    pub(super) replies: BTreeMap<(u16, Ticket), Reply>,
    pub(super) alarms: Vec<(u16, Alarm)>,
    /// S4: what each seat has signed for each slot.
    signed: BTreeMap<(ValidatorIndex, &'static str, View, Height), Vec<u8>>,
    /// Messages sent, of all kinds, for tests that need examples.
    pub(super) seen: Vec<Vec<u8>>,
}

impl Net {
    pub(super) fn new(n: u16) -> Self {
        let mut settings = Settings::new(CHAIN, validator_set(n));
        settings.window = 4;
        let mut net = Self {
            settings,
            hosts: (0..n).map(|_| None).collect(),
            disks: (0..n).map(|_| None).collect(),
            letters: VecDeque::new(),
            weather: |_, _, _| true,
            now_ms: 0,
            replies: BTreeMap::new(),
            alarms: Vec::new(),
            signed: BTreeMap::new(),
            seen: Vec::new(),
        };
        for seat in 0..n {
            let mut disk = Disk::default();
            initialise(&mut disk, CHAIN, &consensus_key(seat)).unwrap();
            net.disks[usize::from(seat)] = Some(disk);
            net.start(seat).unwrap();
        }
        net
    }

    pub(super) fn now(&self) -> Now {
        Now { time: Time(self.now_ms), clock: TimestampMs(self.now_ms) }
    }

    pub(super) fn host(&mut self, seat: u16) -> &mut TestHost {
        self.hosts[usize::from(seat)].as_mut().unwrap()
    }

    pub(super) fn start(&mut self, seat: u16) -> Result<(), Error> {
        self.start_as(seat, Log::default())
    }

    pub(super) fn start_as(&mut self, seat: u16, service: Log) -> Result<(), Error> {
        let disk = self.disks[usize::from(seat)].take().unwrap();
        let host = Host::start(self.now(), self.settings.clone(), consensus_key(seat), disk, service)?;
        self.hosts[usize::from(seat)] = Some(host);
        // A ticket is of one run.
        self.replies.retain(|(of, _), _| *of != seat);
        self.collect(seat);
        Ok(())
    }

    /// The process ends; what it had not sent is gone.
    pub(super) fn crash(&mut self, seat: u16) {
        let mut disk = self.hosts[usize::from(seat)].take().unwrap().into_storage();
        disk.fails = None;
        self.disks[usize::from(seat)] = Some(disk);
    }

    pub(super) fn submit(&mut self, seat: u16, operation: &[u8]) -> Result<Ticket, Error> {
        let now = self.now();
        let ticket = self.host(seat).submit(now, operation);
        self.collect(seat);
        ticket
    }

    /// Delivers what is on its way, and lets time pass when nothing is.
    pub(super) fn run_until(&mut self, mut holds: impl FnMut(&Self) -> bool) {
        let end_ms = self.now_ms + PATIENCE_MS;
        while !holds(self) {
            assert!(self.now_ms < end_ms, "it never comes to that");
            if let Some((from, to, bytes)) = self.letters.pop_front() {
                let now = self.now();
                if let Some(host) = &mut self.hosts[usize::from(to)] {
                    match host.receive(now, ValidatorIndex(from), &bytes) {
                        Ok(()) | Err(Error::Storage(_) | Error::Stopped) => {}
                        Err(error) => panic!("{to} refuses what {from} sent: {error}"),
                    }
                    self.collect(to);
                }
                continue;
            }
            let up = (0u16..).zip(&self.hosts).filter_map(|(seat, host)| Some((seat, host.as_ref()?)));
            let due = up.filter_map(|(seat, host)| Some((host.deadline()?.0, seat))).min();
            let (due_ms, seat) = due.expect("a host that is up has a deadline");
            self.now_ms = self.now_ms.max(due_ms);
            let now = self.now();
            let _ = self.host(seat).tick(now);
            self.collect(seat);
        }
    }

    pub(super) fn run_ms(&mut self, ms: u64) {
        let end_ms = self.now_ms + ms;
        self.run_until(|net| net.now_ms >= end_ms);
    }

    /// Runs until the hosts that are up have executed so many operations and stand at one tip.
    pub(super) fn run_until_all_have(&mut self, operations: usize) {
        self.run_until(|net| {
            let mut up = net.hosts.iter().flatten();
            let first = up.next().map(|host| host.tip().block);
            net.hosts
                .iter()
                .flatten()
                .all(|host| host.service().operations.len() >= operations && Some(host.tip().block) == first)
        });
    }

    pub(super) fn operations(&self, seat: u16) -> &[Vec<u8>] {
        &self.hosts[usize::from(seat)].as_ref().unwrap().service().operations
    }

    /// Sends what a host gives out, and checks it.
    pub(super) fn collect(&mut self, from: u16) {
        for output in self.host(from).outputs() {
            let (to, bytes) = match output {
                Output::Broadcast(bytes) => (None, bytes),
                Output::Send(to, bytes) => (Some(to.0), bytes),
                Output::Reply(reply) => {
                    assert_eq!(reply.verify(&self.settings.set, CHAIN), Ok(()));
                    assert_eq!(self.replies.insert((from, reply.ticket), *reply), None, "one reply");
                    continue;
                }
                Output::Committed(committed) => {
                    let proof = &committed.proof;
                    let (set, epoch) = (&self.settings.set, proof.header.epoch);
                    assert_eq!(proof.verify(epoch, set, CHAIN), Ok(()));
                    assert_eq!(proof.header.hash(), committed.block.hash());
                    continue;
                }
                Output::Alarm(alarm) => {
                    self.alarms.push((from, alarm));
                    continue;
                }
            };
            let wire: Wire = decode(&bytes).unwrap();
            self.check(from, &wire);
            for other in 0..self.hosts.len() as u16 {
                if other != from && to.is_none_or(|to| to == other) && (self.weather)(from, other, &wire) {
                    self.letters.push_back((from, other, bytes.clone()));
                }
            }
            self.seen.push(bytes);
        }
    }

    /// S4, and R10 to R12: an own vote leaves only when it and the body that it is for are stored.
    fn check(&mut self, from: u16, wire: &Wire) {
        let me = ValidatorIndex(from);
        let (kind, view, height, payload) = match wire {
            Wire::Consensus(Message::Prepare(vote)) if vote.signer == me => {
                let record = |r: &Record| matches!(r, Record::Prepare(v) if *v == vote.payload);
                assert!(self.is_recorded(from, record), "a Prepare before its record");
                let Vote { block, height, .. } = vote.payload;
                let disk = &self.hosts[usize::from(from)].as_ref().unwrap().storage;
                let stored = [Key::Body(block), Key::Block(height)].map(|key| disk.get(key).unwrap());
                assert!(stored.iter().any(Option::is_some), "a Prepare before its body");
                ("prepare", vote.payload.view, vote.payload.height, encode(&vote.payload))
            }
            Wire::Consensus(Message::Commit(vote)) if vote.signer == me => {
                let record = |r: &Record| matches!(r, Record::Commit(v, _) if *v == vote.payload);
                assert!(self.is_recorded(from, record), "a Commit before its record");
                ("commit", vote.payload.view, vote.payload.height, encode(&vote.payload))
            }
            Wire::Consensus(Message::Proposal(proposal)) => {
                let claim = proposal.claim();
                let signer = self.settings.set.primary(claim.epoch, claim.view);
                self.sign(signer, "proposal", claim.view, claim.height, encode(&claim));
                return;
            }
            Wire::Consensus(Message::ViewChange(change)) if change.claims.signer == me => {
                let claims = &change.claims.payload;
                let record = |r: &Record| matches!(r, Record::ViewChange(v) if v.claims == *claims);
                assert!(self.is_recorded(from, record), "a ViewChange before its record");
                ("view change", claims.target, Height::ZERO, encode(claims))
            }
            _ => return,
        };
        self.sign(me, kind, view, height, payload);
    }

    fn sign(&mut self, by: ValidatorIndex, kind: &'static str, view: View, height: Height, payload: Vec<u8>) {
        let first = self.signed.entry((by, kind, view, height)).or_insert_with(|| payload.clone());
        assert_eq!(*first, payload, "{by} signs two {kind}s for view {view}, height {height}");
    }

    /// Whether such a record is stored, by itself or within a snapshot.
    fn is_recorded(&self, seat: u16, is_it: impl Fn(&Record) -> bool) -> bool {
        let disk = &self.hosts[usize::from(seat)].as_ref().unwrap().storage;
        let records = disk.keys().unwrap().into_iter().rev().filter(|key| matches!(key, Key::Record(_)));
        records.map(|key| decode::<Record>(&disk.get(key).unwrap().unwrap()).unwrap()).any(|r| match &r {
            Record::Snapshot(state) => {
                state.prepares.values().any(|vote| is_it(&Record::Prepare(*vote)))
                    || state.commits.values().any(|vote| {
                        let highest = state.highest_prepared.clone();
                        highest.is_some_and(|prepared| is_it(&Record::Commit(*vote, prepared)))
                    })
                    || state.view_change.clone().is_some_and(|v| is_it(&Record::ViewChange(v)))
            }
            other => is_it(other),
        })
    }
}
