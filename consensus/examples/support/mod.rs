//! A network of hosts in virtual time: delays, loss and order come from a seed, and so does everything that
//! follows.

use quorate_chain::validator::fixture::consensus_key;
use quorate_chain::{TimestampMs, ValidatorIndex};
use quorate_consensus::service::{Error, Host, Memory, Output, Reply, Service, Settings, Ticket, storage};
use quorate_consensus::{Now, Time};
use std::collections::BTreeMap;

/// Longest delay of a message, milliseconds.
const DELAY_MAX_MS: u64 = 20;
/// Messages lost, of a hundred.
const LOST_PERCENT: u64 = 5;
/// Virtual time after which a network that does nothing is given up, milliseconds.
const PATIENCE_MS: u64 = 600_000;

/// A message on its way.
struct Letter {
    from: ValidatorIndex,
    to: ValidatorIndex,
    bytes: Vec<u8>,
}

enum Machine<S> {
    Up(Box<Host<S, Memory>>),
    Down(Memory),
}

pub(crate) struct Network<S> {
    settings: Settings,
    machines: BTreeMap<ValidatorIndex, Machine<S>>,
    /// By the time of arrival, then in the order of sending.
    letters: BTreeMap<(u64, u64), Letter>,
    replies: BTreeMap<(ValidatorIndex, Ticket), Reply>,
    sent: u64,
    now_ms: u64,
    random: u64,
}

impl<S: Service> Network<S> {
    /// Starts a host on every seat, each with a new disk.
    pub(crate) fn start(settings: &Settings, service: &S, seed: u64) -> Result<Self, Error> {
        let mut network = Self {
            settings: settings.clone(),
            machines: BTreeMap::new(),
            letters: BTreeMap::new(),
            replies: BTreeMap::new(),
            sent: 0,
            now_ms: 0,
            random: seed,
        };
        for seat in settings.set.indices() {
            let mut disk = Memory::default();
            storage::initialise(&mut disk, settings.chain, &consensus_key(seat.0))?;
            network.machines.insert(seat, Machine::Down(disk));
            network.restart(seat, service)?;
        }
        Ok(network)
    }

    /// The hosts that are up.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (ValidatorIndex, &Host<S, Memory>)> {
        self.machines.iter().filter_map(|(seat, machine)| match machine {
            Machine::Up(host) => Some((*seat, host.as_ref())),
            Machine::Down(_) => None,
        })
    }

    /// Who leads the highest view.
    pub(crate) fn primary(&self) -> Option<ValidatorIndex> {
        self.hosts().max_by_key(|(_, host)| host.view()).map(|(_, host)| host.primary())
    }

    /// Virtual time, milliseconds.
    pub(crate) const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Stops a host; its disk stays.
    pub(crate) fn kill(&mut self, seat: ValidatorIndex) {
        if let Some(Machine::Up(host)) = self.machines.remove(&seat) {
            self.machines.insert(seat, Machine::Down(host.into_storage()));
        }
    }

    /// Starts a host that is down from its disk. `service` is as it was before the first operation.
    pub(crate) fn restart(&mut self, seat: ValidatorIndex, service: &S) -> Result<(), Error> {
        if let Some(Machine::Down(disk)) = self.machines.remove(&seat) {
            let (settings, key) = (self.settings.clone(), consensus_key(seat.0));
            let host = Host::start(self.now(), settings, key, disk, service.clone())?;
            self.machines.insert(seat, Machine::Up(Box::new(host)));
        }
        self.collect(seat);
        Ok(())
    }

    /// Submits an operation to a host that is up, and lets time pass until its reply is there.
    pub(crate) fn execute(&mut self, at: ValidatorIndex, operation: &[u8]) -> Result<Option<Reply>, Error> {
        let now = self.now();
        let Some(Machine::Up(host)) = self.machines.get_mut(&at) else { return Ok(None) };
        let ticket = host.submit(now, operation)?;
        self.collect(at);
        self.run_until(|network| network.replies.contains_key(&(at, ticket)))?;
        Ok(self.replies.remove(&(at, ticket)))
    }

    /// Lets time pass until the condition holds; false if it never does.
    pub(crate) fn run_until(&mut self, holds: impl Fn(&Self) -> bool) -> Result<bool, Error> {
        let end_ms = self.now_ms + PATIENCE_MS;
        while !holds(self) {
            let deadlines = self.hosts().filter_map(|(seat, host)| Some((host.deadline()?.0, seat)));
            let deadline = deadlines.min();
            let arrival = self.letters.first_key_value().map(|((at_ms, _), _)| *at_ms);
            let tick = deadline.filter(|(due_ms, _)| arrival.is_none_or(|at_ms| *due_ms < at_ms));
            let Some(at_ms) = tick.map(|(due_ms, _)| due_ms).or(arrival) else { return Ok(false) };
            self.now_ms = self.now_ms.max(at_ms);
            if self.now_ms > end_ms {
                return Ok(false);
            }
            match tick {
                Some((_, seat)) => self.tick(seat)?,
                None => self.deliver()?,
            }
        }
        Ok(true)
    }

    fn now(&self) -> Now {
        Now { time: Time(self.now_ms), clock: TimestampMs(self.now_ms) }
    }

    fn tick(&mut self, seat: ValidatorIndex) -> Result<(), Error> {
        let now = self.now();
        if let Some(Machine::Up(host)) = self.machines.get_mut(&seat) {
            host.tick(now)?;
        }
        self.collect(seat);
        Ok(())
    }

    fn deliver(&mut self) -> Result<(), Error> {
        let now = self.now();
        let Some((_, Letter { from, to, bytes })) = self.letters.pop_first() else { return Ok(()) };
        if let Some(Machine::Up(host)) = self.machines.get_mut(&to) {
            host.receive(now, from, &bytes)?;
        }
        self.collect(to);
        Ok(())
    }

    /// Puts what a host gives out on its way.
    fn collect(&mut self, from: ValidatorIndex) {
        let Some(Machine::Up(host)) = self.machines.get_mut(&from) else { return };
        for output in host.outputs() {
            match output {
                Output::Broadcast(bytes) => {
                    let all = self.settings.set.indices();
                    all.filter(|to| *to != from).for_each(|to| self.post(from, to, bytes.clone()));
                }
                Output::Send(to, bytes) => self.post(from, to, bytes),
                Output::Reply(reply) => drop(self.replies.insert((from, reply.ticket), *reply)),
                Output::Committed(_) => {}
                Output::Alarm(alarm) => println!("host {from}: {alarm:?}"),
            }
        }
    }

    fn post(&mut self, from: ValidatorIndex, to: ValidatorIndex, bytes: Vec<u8>) {
        if self.below(100) < LOST_PERCENT {
            return;
        }
        let at_ms = self.now_ms + 1 + self.below(DELAY_MAX_MS);
        self.sent += 1;
        self.letters.insert((at_ms, self.sent), Letter { from, to, bytes });
    }

    /// A number below `end` (splitmix64).
    fn below(&mut self, end: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
