//! The double-sign guard on real disks (R47), and a primary that dies while nothing happens.

use crate::devnet::Devnet;
use crate::program::{succeed, wait_until};
use quorate_chain::ValidatorIndex;
use std::fs;
use std::path::Path;

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Blocks of which a validator that votes signs one: three others are enough for each.
const SIGNED_WITHIN: usize = 100;

/// A validator whose disk is an older copy finds that out from the others, follows, and never votes again.
#[test]
fn an_old_disk_is_noticed_and_its_key_votes_no_more() {
    const OLD: usize = 3;
    let mut devnet = Devnet::start(4);
    let chain = devnet.chain();
    let mut wallets = devnet.wallets();
    let receiver = wallets[1].address();
    let dir = devnet.dir().to_str().unwrap().to_owned();
    let restart = || succeed(&["devnet", "--dir", &dir, "--restart", &OLD.to_string()]);
    chain.transfer(0, &mut wallets[0], receiver, 1);
    devnet.kill(OLD);
    let (data, backup) = (devnet.home(OLD).join("data"), devnet.beside("backup"));
    copy_folder(&data, &backup);
    restart();
    chain.wait_until_voting();
    // What it signs from here on is not in the copy. With another one stopped it must sign.
    let signed = (0..SIGNED_WITHIN).any(|_| {
        let height = chain.transfer(0, &mut wallets[0], receiver, 1).height;
        chain.wait_for_agreement();
        let block = chain.check_all_blocks().into_iter().find(|block| block.header.height == height).unwrap();
        block.signers().contains(&ValidatorIndex(OLD as u16))
    });
    assert!(signed, "validator {OLD} votes and is in none of {SIGNED_WITHIN} certificates");
    devnet.kill(OLD);
    fs::remove_dir_all(&data).unwrap();
    copy_folder(&backup, &data);
    for start in 0..2 {
        restart();
        wait_until("it knows that its record is not whole", || {
            chain.nodes[OLD].status().is_ok_and(|status| status.record_lost.is_some())
        });
        let status = chain.nodes[OLD].status().unwrap();
        assert!(!status.voting && status.validator.is_none(), "start {start}: {status:?}");
        // While it catches up its health says that first.
        wait_until("its health says so", || {
            chain.nodes[OLD].health().is_ok_and(|health| health.status == "record_lost")
        });
        let after = chain.transfer(start, &mut wallets[0], receiver, 1).height;
        wait_until("it follows", || chain.nodes[OLD].status().is_ok_and(|status| status.height >= after));
        let blocks = chain.check_all_blocks();
        let signers = blocks.iter().filter(|b| b.header.height >= after).flat_map(|b| b.signers());
        assert!(!signers.into_iter().any(|signer| signer == ValidatorIndex(OLD as u16)));
        devnet.kill(OLD);
    }
    devnet.stop();
}

/// Nobody waits for anything, so only its silence shows that the primary is gone.
#[test]
fn a_dead_primary_of_an_idle_network_is_replaced() {
    let mut devnet = Devnet::start(4);
    let chain = devnet.chain();
    let mut wallets = devnet.wallets();
    let receiver = wallets[1].address();
    chain.transfer(0, &mut wallets[0], receiver, 1);
    let before = chain.wait_for_agreement();
    let primary = usize::from(before.primary.0);
    devnet.kill(primary);
    let others: Vec<usize> = (0..4).filter(|index| *index != primary).collect();
    wait_until("the others have left the dead primary's view", || {
        others.iter().all(|index| chain.status(*index).view > before.view)
    });
    let heights = others.iter().map(|index| chain.status(*index).height);
    assert!(heights.into_iter().all(|height| height.0 <= before.height.0 + 1), "one heartbeat at most");
    chain.transfer(others[0], &mut wallets[0], receiver, 1);
    devnet.stop();
}
