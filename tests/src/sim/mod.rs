//! A seeded network of nodes in virtual time: one number decides everything that happens.
//!
//! ```text
//!   seed ─► Plan (faults, set changes) ─► World: queue of events by virtual time ─► SimNode: core, executor, votes
//!                                           │  ▲ weather                               │        └─ Storage: MemDisk
//!                                           └──┴──────────── Checker ◄── signed, committed ┘
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `settings.rs` | what a run is made of beside its seed, and what became of it |
//! | `scenario.rs` | plans with a name |
//! | `known.rs` | plans of what went wrong elsewhere |
//! | `byzantine/` | validators that lie |
//! | `sound.rs` | whether a plan from elsewhere can be run |
//! | `mutation.rs` `slip.rs` | known mistakes that the checker must find; those of the driver |
//! | `random.rs` | the generator behind every choice |
//! | `fault.rs` `plan.rs` | what can go wrong; which of it happens when |
//! | `gap.rs` | faults that follow a view: messages that only some get, crashes with a message |
//! | `liar.rs` | a new primary that names a wrong certificate |
//! | `guided.rs` `hunt.rs` | plans that look for forks; the search for each known mistake |
//! | `enumerate.rs` | twins and partitions of three views, all there are |
//! | `situations.rs` | plans of one situation each, among those |
//! | `roster.rs` | who sits where in which epoch, and with which key |
//! | `weather.rs` | what the network does to a message |
//! | `storage.rs` | a node's disk: the journals of chain and votes, the store |
//! | `votes.rs` | the vote journal |
//! | `executor.rs` | ledger and pool, and the jobs that wait for them |
//! | `node.rs` | one node: its process, what is left when that ends, what is wrong with it |
//! | `signing.rs` | real signatures, or keyed hashes in their place; how they are verified |
//! | `clients.rs` | accounts and who submits transactions, again and again until they are committed |
//! | `setup.rs` | a run before it starts |
//! | `world.rs` | the clock and the queue of events: safety phase, healing, liveness phase |
//! | `liveness.rs` | how soon after healing anything, and everything, must be committed |
//! | `aftermath.rs` | what a healthy view outlives |
//! | `effects.rs` | what becomes of a core's effects |
//! | `jobs.rs` | what the executor and the vote journal do, and when it is durable |
//! | `faults.rs` | faults as they happen, crashes and starts |
//! | `wire.rs` `describe.rs` | what goes over the network, how it is taken in, in words |
//! | `chart.rs` | a run as a sequence diagram |
//! | `checker/` | what must never happen |
//!
//! A run goes through a phase with faults, is healed (all are up but those that are faulty for ever, nothing
//! is lost), and must then commit every submitted transaction everywhere within a bound. The checker sees
//! everything that anybody signed, whether or not it arrived. Cores, ledgers, pools and journals are the real
//! ones; network, clocks and disks are simulated.

mod aftermath;
mod byzantine;
mod chart;
mod checker;
mod clients;
mod describe;
mod effects;
mod enumerate;
mod executor;
mod fault;
mod faults;
mod gap;
pub mod guided;
mod hunt;
mod jobs;
mod known;
mod liar;
mod liveness;
mod mutation;
mod node;
mod plan;
mod random;
mod roster;
mod scenario;
mod settings;
mod setup;
mod signing;
mod situations;
mod slip;
mod sound;
mod storage;
mod votes;
mod weather;
mod wire;
mod world;

pub use byzantine::Kind as Byzantine;
pub use checker::Violation;
pub use enumerate::Enumeration;
pub use fault::{Fault, Nodes};
pub use gap::{Gap, Trap};
pub use hunt::{Find, TABLE_HEAD, hunt, table_row};
pub use known::NEEDED_AT_MS;
pub use mutation::Mutation;
pub use plan::Plan;
pub use random::Random;
pub use roster::SetChangePlan;
pub use scenario::Scenario;
pub use settings::{Outcome, RESUMED_TIMEOUTS, Settings, TIMEOUT_BASE_MS, TIMEOUT_MAX_MS};
pub use world::{plan_of, run, run_plan, run_scenario, run_variant};
