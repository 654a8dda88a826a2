//! Power failures at every put, with any part of it done; a lost record.

use super::net::Net;
use crate::service::storage::Key;
use crate::service::{Alarm, Error, Storage};
use quorate_chain::codec::decode;

/// Runs a network in which a host loses power at its `put`-th put, `kept` of which is done, and comes back.
fn survive(seat: u16, put: usize, kept: u64) -> bool {
    let mut net = Net::new(4);
    let disk = &mut net.host(seat).storage;
    disk.fails = Some((disk.puts + put, kept));
    for count in 0..6u8 {
        let at = (seat + 1 + u16::from(count) % 3) % 4;
        let ticket = net.submit(at, &[count]).unwrap();
        net.run_until(|net| net.replies.contains_key(&(at, ticket)));
    }
    let now = net.now();
    let stopped = matches!(net.host(seat).tick(now), Err(Error::Stopped));
    if stopped {
        assert!(matches!(net.host(seat).submit(now, b"x"), Err(Error::Stopped)));
        assert_eq!(net.host(seat).deadline(), None);
        net.crash(seat);
        net.start(seat).unwrap();
    }
    net.host(seat).storage.fails = None;
    net.submit(seat, b"last").unwrap();
    net.run_until_all_have(7);
    assert_eq!(net.operations(seat), net.operations((seat + 1) % 4));
    assert_eq!(net.alarms, []);
    stopped
}

#[test]
fn power_may_fail_at_every_put_with_any_part_done() {
    for seat in [0, 3] {
        let puts = (1..).take_while(|put| survive(seat, *put, 0)).count();
        assert!(puts > 10, "{puts}");
        for put in 1..=puts {
            for kept in [0b1, 0b10, 0b101, u64::MAX] {
                assert!(survive(seat, put, kept), "put {put}");
            }
        }
    }
}

#[test]
fn a_host_with_an_old_backup_notices_and_only_follows() {
    let mut net = Net::new(4);
    net.submit(0, b"a").unwrap();
    net.run_until_all_have(1);
    net.crash(3);
    let backup = net.disks[3].clone();
    net.start(3).unwrap();
    // It is told what it signed, and votes again.
    net.run_ms(2_000);
    for operation in [b"b", b"c"] {
        net.submit(1, operation).unwrap();
        net.run_until_all_have(net.operations(0).len() + 1);
    }
    net.run_ms(2_000);
    net.crash(3);
    net.disks[3] = backup;
    net.start(3).unwrap();
    net.run_until(|net| {
        net.alarms.iter().any(|(seat, alarm)| matches!((seat, alarm), (3, Alarm::RecordLost(_))))
    });
    assert!(matches!(net.submit(3, b"x"), Err(Error::RecordLost)));
    net.submit(1, b"d").unwrap();
    net.run_until_all_have(4);
    assert_eq!(net.operations(3), net.operations(0), "it follows");
    net.crash(3);
    net.start(3).unwrap();
    assert!(matches!(net.submit(3, b"x"), Err(Error::RecordLost)), "and does not forget");
}

#[test]
fn records_are_written_anew_as_one_now_and_then() {
    let mut net = Net::new(1);
    let records = |net: &Net| {
        let disk = &net.hosts[0].as_ref().unwrap().storage;
        let keys = disk.keys().unwrap().into_iter().filter(|key| matches!(key, Key::Record(_)));
        keys.collect::<Vec<_>>()
    };
    let mut most = 0;
    let mut count = 0u32;
    while net.host(0).storage.get(Key::Record(0)).unwrap().is_some() {
        net.submit(0, &count.to_le_bytes()).unwrap();
        net.seen.clear();
        most = most.max(records(&net).len());
        count += 1;
    }
    let limit = usize::try_from(super::super::effects::SNAPSHOT_RECORDS).unwrap();
    assert!(most >= limit / 2 && most <= limit + 8, "{most}");
    assert!(records(&net).len() < 8, "{:?}", records(&net));
    net.crash(0);
    net.start(0).unwrap();
    net.submit(0, b"after").unwrap();
    net.run_until_all_have(count as usize + 1);
    assert_eq!(decode(&net.replies.last_key_value().unwrap().1.bytes), Ok(u64::from(count)));
}
