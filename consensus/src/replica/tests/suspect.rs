//! A primary that keeps transactions waiting, or is not heard of: R39, R41.

use super::fixture::*;
use crate::Unsigned;
use crate::message::Suspect;
use crate::replica::Phase;
use quorate_chain::{TransactionId, View};

fn suspect(view: u64) -> Unsigned {
    Unsigned::Suspect(Suspect { epoch: EPOCH, view: View(view), transaction: WAITING })
}

#[test]
fn r39_r41_a_timer_for_transactions_suspects_once_and_asks_for_nothing() {
    let mut rig = Rig::new(1, 1);
    rig.step(pending());
    rig.wait(TIMEOUT_MS / 2);
    assert_eq!(rig.wait(TIMEOUT_MS / 2), [sent(suspect(0))]);
    assert_eq!(rig.replica.phase(), Phase::Normal, "without muting");
    let again = rig.wait(TIMEOUT_MS);
    assert!(!again.contains(&sent(suspect(0))), "at most one a view: {again:?}");
    let resent = rig.wait(STATUS_MS);
    assert!(resent.contains(&sent(suspect(0))), "R29: {resent:?}");
    assert!(!resent.contains(&sent(ask(1, 1, 0))), "{resent:?}");
}

#[test]
fn r39_a_timer_that_ran_for_a_block_asks() {
    let mut rig = Rig::new(1, 1);
    rig.step(pending());
    rig.wait(100);
    rig.accept(&first(0, 1));
    rig.wait(TIMEOUT_MS / 2);
    assert_eq!(rig.wait(TIMEOUT_MS / 2), [sent(ask(1, 1, 0))]);
}

#[test]
fn r39_at_q_suspects_a_replica_asks_as_if_its_timer_had_expired() {
    let mut rig = Rig::new(1, 1);
    assert_eq!(rig.say(0, suspect(0)), []);
    assert_eq!(rig.say(2, suspect(0)), []);
    let other =
        Unsigned::Suspect(Suspect { epoch: EPOCH, view: View(0), transaction: TransactionId([6; 32]) });
    assert_eq!(rig.say(3, other), [sent(ask(1, 1, 0))], "whatever the transaction");
    assert_eq!(rig.replica.phase(), Phase::Normal);
}

#[test]
fn r39_an_ask_counts_beside_suspects() {
    // Schedule 16: one ask, two suspects.
    let mut rig = Rig::new(1, 1);
    assert_eq!(rig.say(3, ask(1, 1, 0)), []);
    assert_eq!(rig.say(2, suspect(0)), []);
    assert_eq!(rig.say(1, suspect(0)), [sent(ask(1, 1, 0))]);
}

#[test]
fn r39_suspects_of_another_view_do_not_count() {
    let mut rig = Rig::new(1, 1);
    for from in [0, 2, 3] {
        assert_eq!(rig.say(from, suspect(4)), []);
    }
    rig.enter(&new_view_of(1, None, None));
    for from in [0, 2, 3] {
        assert_eq!(rig.say(from, suspect(0)), []);
    }
}

#[test]
fn an_idle_network_asks_when_nothing_is_heard_of_the_primary() {
    let mut rig = Rig::new(1, 1);
    let heard = |rig: &mut Rig| rig.say(0, status(0, None, 0));
    for _ in 0..20 {
        rig.wait(STATUS_MS);
        assert_eq!(heard(&mut rig), []);
    }
    let asked = |rig: &mut Rig| rig.wait(STATUS_MS).contains(&sent(ask(1, 1, 0)));
    let asks: Vec<bool> = (0..12).map(|_| asked(&mut rig)).collect();
    assert_eq!(asks.iter().position(|asked| *asked), Some(11), "three Statuses did not come");
    assert_eq!(rig.replica.phase(), Phase::Normal);
}

/// With W = 1 two blocks with room are enough, twice. Those that come from sync count as well: a primary that floods the
/// network with empty blocks must not escape whoever it keeps behind.
#[test]
fn r38_blocks_that_come_late_count_as_well() {
    let passes_over = |live: bool| {
        let mut rig = Rig::new(1, 1);
        rig.step(pending());
        let mut seen = Vec::new();
        for block in &blocks(12) {
            if live {
                rig.accept(block);
            }
            rig.commit(block, &c(0, block));
            rig.now.time = rig.now.time + TIMEOUT_MS / 4;
            seen.extend(rig.step(crate::Input::Room(block.height())));
            seen.extend(rig.step(pending()));
        }
        seen.retain(|effect| *effect == relayed(Some(WAITING)) || *effect == sent(suspect(0)));
        seen
    };
    for live in [true, false] {
        assert_eq!(passes_over(live), [relayed(Some(WAITING)), sent(suspect(0))], "live: {live}");
    }
}
