//! The nineteen schedules of PROTOCOL.md §4 as scripts: each passes on the right core and driver, and forks or
//! stalls once the mistake that it is about is put back. Random search misses several of them.
//!
//! | no. | schedule | rules | file | mistake put back | then |
//! | --- | --- | --- | --- | --- | --- |
//! | 1 | late commits | R19 | `s01` | P lowered at commit, anchor without floor | forks |
//! | 2 | two NewViews and a restart | R12 | `s02` | driver forgets the entered view | forks |
//! | 3 | hoarded ViewChange | R47 | `s03` | wiped replica votes unasked | forks |
//! | 4 | three views | R28 | `s04` | only ViewChanges for the exact view count | stalls |
//! | 5 | power loss of all | R10 | `s05` | bodies are not durable | stalls |
//! | 6 | the lone asker | R26 | `s06` | an expired timer silences | stands for a time-out |
//! | 7 | the vote that left late | R13 | `s07` | withheld votes are kept | found by the checker |
//! |   |   | R13 |   | the same, and the ViewChange does not name P | forks |
//! |   |   | R11 |   | driver answers before the sync | forks |
//! | 8 | old epoch, higher view | R18 | `s08` | the old C counts with its view, unverified | forks |
//! | 9 | a cap too low, a base too short | R31 | `s09` | configuration; time-out never doubles | stalls |
//! | 10 | stuffing | R6 | `s10` | driver says that every block is valid | pays twice |
//! | 11 | the stale ask | R26 | `s11` | an ask is never taken back | leaves a healthy view |
//! | 12 | the last key | R46 | `s12` | driver erases the old key at once | stalls |
//! | 13 | clocks an hour apart | R6 | `s13` | no "parent + 1 ms" | stalls |
//! | 14 | two against two | R36, R37 | `s14` | a checker that does not compare results | certifies |
//! | 15 | the picky client | R38–R41 | `s15` | who passes over, or is slow, is not suspected | is never taken |
//! |   |   | R40 |   | nothing is excused | views change for ever |
//! | 16 | one ask, two suspects | R39 | `s16` | asks do not count with Suspects | stalls |
//! | 17 | the lost NewView | R12 | `s17` | driver keeps only a hash of it | stands for a view |
//! | 18 | counters | R26, R27 | `s18` | counter restarts; an older Ask beats a ViewChange | stalls |
//! | 19 | the mute relay | R33 | `s19` | a mute replica relays nothing | stalls |
//!
//! `epoch_entered_again` is none of the nineteen; it is of a kind with 2 and 12.
//!
//! A, B and D are honest, Z is Byzantine; seats are chosen so that the right one is primary. A stall is asserted
//! over at least as many time-outs as the right variant is allowed, mostly three times as many.

#![allow(clippy::expect_used, reason = "a test program")]

mod epoch_entered_again;
mod s01_late_commits;
mod s02_two_new_views;
mod s03_hoarded_view_change;
mod s04_three_views;
mod s05_power_loss_of_all;
mod s06_lone_asker;
mod s07_vote_that_left_late;
mod s08_old_epoch;
mod s09_timeouts;
mod s10_stuffing;
mod s11_stale_ask;
mod s12_last_key;
mod s13_clocks_an_hour_apart;
mod s14_two_against_two;
mod s15_picky_client;
mod s16_one_ask_two_suspects;
mod s17_lost_new_view;
mod s18_counters;
mod s19_mute_relay;
