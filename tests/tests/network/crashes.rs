//! `kill -9`: of the primary, of all, of the only one.

use crate::devnet::Devnet;
use crate::load::{ACKNOWLEDGED, Load, check_nothing_lost};
use crate::program::{fail, is_alive, succeed, wait_until};
use quorate_chain::ValidatorIndex;
use rustix::process::Signal;
use std::time::Instant;

/// Primaries that are killed one after the other. The times are printed, not asserted: the machine may be busy.
const ROUNDS: usize = 2;
/// Commits in each view.
const COMMITS: usize = 12;

#[test]
fn a_killed_primary_is_replaced_and_catches_up() {
    let mut devnet = Devnet::start(4);
    let chain = devnet.chain();
    let mut wallets = devnet.wallets();
    let receiver = wallets[1].address();
    chain.transfer(0, &mut wallets[0], receiver, 1);
    let dir = devnet.dir().to_str().unwrap().to_owned();
    let mut killed = 0;
    for _ in 0..ROUNDS {
        killed = usize::from(chain.wait_for_agreement().primary.0);
        let old = devnet.manifest().validators[killed].pid;
        devnet.kill(killed);
        let dead = Instant::now();
        let others: Vec<usize> = (0..4).filter(|index| *index != killed).collect();
        chain.transfer(others[0], &mut wallets[0], receiver, 1);
        let fail_over = dead.elapsed();
        for number in 0..COMMITS {
            chain.transfer(others[number % 3], &mut wallets[0], receiver, 1);
        }
        assert_ne!(usize::from(chain.status(others[0]).primary.0), killed);
        let tip = chain.status(others[0]).height;

        succeed(&["devnet", "--dir", &dir, "--restart", &killed.to_string()]);
        let again = Instant::now();
        let new = devnet.manifest().validators[killed].pid;
        assert!(new != old && is_alive(new), "devnet.json has the process {new}, before it was {old}");
        wait_until("it has caught up", || {
            chain.nodes[killed].status().is_ok_and(|status| status.height >= tip && !status.catching_up)
        });
        let catch_up = again.elapsed();
        println!(
            "first commit {fail_over:?} after the primary's end, caught up {catch_up:?} after its start"
        );
        chain.wait_until_voting();
    }

    // With another one stopped, nothing is committed without its vote.
    let primary = usize::from(chain.wait_for_agreement().primary.0);
    let stopped = (0..4).find(|index| ![killed, primary].contains(index)).unwrap();
    devnet.signal(stopped, Signal::STOP);
    let height = chain.transfer(killed, &mut wallets[0], receiver, 1).height;
    devnet.signal(stopped, Signal::CONT);
    let blocks = chain.check_all_blocks();
    let block = blocks.iter().find(|block| block.header.height == height).unwrap();
    let voter = ValidatorIndex(u16::try_from(killed).unwrap());
    assert!(block.signers().contains(&voter), "{:?}", block.commit);

    let refused = fail(&["devnet", "--dir", &dir, "--restart", "2"]);
    assert!(refused.contains("validator-2 is running"), "{refused}");
    let refused = fail(&["devnet", "--dir", &dir, "--restart", "4"]);
    assert!(refused.contains("there is no validator 4"), "{refused}");
    devnet.stop();
    let refused = fail(&["devnet", "--dir", &dir, "--restart", "2"]);
    assert!(refused.contains("no devnet is running"), "{refused}");
}

/// S1, S4: when it goes on, its votes of the old view are of no use to anybody, and it signs nothing twice.
#[test]
fn a_paused_primary_is_replaced_and_goes_on() {
    let mut devnet = Devnet::start(4);
    let chain = devnet.chain();
    let mut wallets = devnet.wallets();
    let receiver = wallets[1].address();
    chain.transfer(0, &mut wallets[0], receiver, 1);
    let paused = usize::from(chain.wait_for_agreement().primary.0);
    devnet.signal(paused, Signal::STOP);
    let others: Vec<usize> = (0..4).filter(|index| *index != paused).collect();
    for number in 0..COMMITS {
        chain.transfer(others[number % 3], &mut wallets[0], receiver, 1);
    }
    assert_ne!(usize::from(chain.status(others[0]).primary.0), paused);
    devnet.signal(paused, Signal::CONT);
    chain.wait_for_height(chain.status(others[0]).height);
    chain.transfer(paused, &mut wallets[0], receiver, 1);
    let agreed = chain.wait_for_agreement();
    assert_ne!(usize::from(agreed.primary.0), paused);
    chain.check_all_blocks();
    for index in 0..4 {
        let evidence = devnet.home(index).join("data/evidence");
        let found = std::fs::read_dir(&evidence).map_or(0, Iterator::count);
        assert_eq!(found, 0, "{} accuses somebody", evidence.display());
    }
    devnet.stop();
}

#[test]
fn kill_all_under_load_loses_nothing_acknowledged() {
    let mut devnet = Devnet::start(4);
    let chain = devnet.chain();
    let mut wallets = devnet.wallets();
    let mut load = Load::fund(&chain, &mut wallets);
    let mut acknowledged = Vec::new();
    for _ in 0..2 {
        acknowledged.extend(load.run(&chain, ACKNOWLEDGED, || devnet.kill_all()));
        devnet.start_again();
        check_nothing_lost(&chain, &acknowledged, &mut wallets, &mut load);
    }
    chain.check_all_blocks();
    devnet.stop();
}

#[test]
fn a_chain_of_one_validator_restarts() {
    let mut devnet = Devnet::start(1);
    let chain = devnet.chain();
    let mut wallets = devnet.wallets();
    let receiver = wallets[1].address();
    let before = chain.transfer(0, &mut wallets[0], receiver, 5);
    devnet.kill_all();
    devnet.start_again();
    assert_eq!(chain.nodes[0].tx(before.id).unwrap().committed, before);
    let after = chain.transfer(0, &mut wallets[0], receiver, 5);
    assert_eq!(after.height, before.height.next());
    assert_eq!(chain.check_all_blocks().len(), 2);
    devnet.stop();
}
