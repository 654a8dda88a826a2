//! Operations and their replies, restarts, what a storage may be.

use super::net::{CHAIN, Disk, Log, Net};
use crate::service::storage::{Key, initialise};
use crate::service::{Error, Host, Memory, Service, Storage, Ticket};
use crate::time::Now;
use quorate_chain::ChainId;
use quorate_chain::codec::decode;
use quorate_chain::validator::fixture::{consensus_key, validator_set};

#[test]
fn operations_of_all_hosts_execute_once_and_in_one_order_on_all() {
    for n in [1, 2, 4, 5] {
        let mut net = Net::new(n);
        for round in 0..5u8 {
            for seat in 0..n {
                net.submit(seat, &[round, seat as u8]).unwrap();
            }
        }
        let total = 5 * usize::from(n);
        net.run_until_all_have(total);
        let order = net.operations(0).to_vec();
        assert_eq!(order.len(), total);
        for seat in 0..n {
            assert_eq!(net.operations(seat), order);
            let own: Vec<_> = order.iter().filter(|o| o[1] == seat as u8).map(|o| o[0]).collect();
            assert_eq!(own, [0, 1, 2, 3, 4], "in the order of submission");
        }
        for ((seat, Ticket(ticket)), reply) in &net.replies {
            let place: u64 = decode(&reply.bytes).unwrap();
            assert_eq!(order[place as usize], [*ticket as u8, *seat as u8]);
            assert_eq!(reply.proof.operation(), order[place as usize]);
        }
        assert_eq!(net.replies.len(), total);
        assert_eq!(net.alarms, []);
    }
}

#[test]
fn a_reply_proves_itself_and_nothing_else() {
    let mut net = Net::new(4);
    net.submit(1, b"a").unwrap();
    net.submit(1, b"b").unwrap();
    net.run_until_all_have(2);
    let set = net.settings.set.clone();
    let [a, b] = [0, 1].map(|ticket| net.replies[&(1, Ticket(ticket))].clone());
    assert_eq!(a.proof.verify(&a.bytes, &set, CHAIN), Ok(()));
    assert!(a.proof.verify(&b.bytes, &set, CHAIN).is_err(), "another reply");
    assert!(a.proof.verify(&a.bytes, &set, ChainId([4; 32])).is_err(), "another network");
    assert!(a.proof.verify(&a.bytes, &validator_set(7), CHAIN).is_err(), "another set");
    let mut forged = a.clone();
    forged.proof.transaction = b.proof.transaction.clone();
    assert!(forged.verify(&set, CHAIN).is_err(), "another operation");
    let mut forged = a;
    forged.proof.block.result.receipts_root.0[0] ^= 1;
    assert!(forged.verify(&set, CHAIN).is_err(), "another result");
}

#[test]
fn what_the_service_does_not_take_is_refused_at_once() {
    let mut net = Net::new(4);
    assert!(matches!(net.submit(0, b""), Err(Error::InvalidOperation)));
    let long = vec![1; crate::service::OPERATION_BYTES_MAX + 1];
    assert!(matches!(net.submit(0, &long), Err(Error::LongOperation(_))));
    net.submit(0, &long[1..]).unwrap();
    net.run_until_all_have(1);
}

#[test]
fn a_host_that_was_stopped_goes_on_from_its_storage_and_catches_up() {
    let mut net = Net::new(4);
    net.submit(0, b"before").unwrap();
    net.run_until_all_have(1);
    let before = net.host(3).tip().clone();
    net.crash(3);
    for count in 0..60u8 {
        let ticket = net.submit(u16::from(count) % 3, &[count]).unwrap();
        net.run_until(|net| net.replies.contains_key(&(u16::from(count) % 3, ticket)));
    }
    net.start(3).unwrap();
    assert_eq!(net.operations(3), [b"before".to_vec()], "executed again from the storage");
    assert_eq!(net.host(3).tip(), &before);
    net.run_until_all_have(61);
    net.submit(3, b"after").unwrap();
    net.run_until_all_have(62);
    assert_eq!(net.operations(3), net.operations(0));
    assert_eq!(net.alarms, []);
}

#[test]
fn all_hosts_stopped_at_once_go_on() {
    let mut net = Net::new(4);
    for round in 0..5u8 {
        net.submit(u16::from(round) % 4, &[round]).unwrap();
        net.run_until_all_have(usize::from(round) + 1);
        (0..4).for_each(|seat| net.crash(seat));
        (0..4).for_each(|seat| net.start(seat).unwrap());
    }
    assert_eq!(net.operations(2), [[0], [1], [2], [3], [4]]);
}

#[test]
fn an_operation_on_its_way_at_a_crash_displaces_none_and_runs_once() {
    let mut net = Net::new(4);
    // The operation is signed and shown to all, but nothing is ordered yet.
    net.weather = |_, _, wire| matches!(wire, crate::service::wire::Wire::Operations(_));
    net.submit(2, b"earlier run").unwrap();
    net.run_ms(10);
    net.crash(2);
    net.start(2).unwrap();
    net.submit(2, b"this run 1").unwrap();
    let last = net.submit(2, b"this run 2").unwrap();
    net.weather = |_, _, _| true;
    net.run_until(|net| net.replies.contains_key(&(2, last)));
    net.run_until_all_have(3);
    let mut all = net.operations(0).to_vec();
    all.sort();
    assert_eq!(all, [&b"earlier run"[..], b"this run 1", b"this run 2"]);
    assert_eq!(net.replies.len(), 2, "the ticket of the earlier run went with it");
}

#[test]
fn only_the_own_whole_storage_will_do() {
    let settings = Net::new(4).settings;
    let start = |disk: Disk, seat: u16, service: Log| {
        Host::start(Now::default(), settings.clone(), consensus_key(seat), disk, service).map(|_| ())
    };
    let mut disk = Disk::default();
    assert!(matches!(start(disk.clone(), 0, Log::default()), Err(Error::NoRecord)), "R47");
    assert!(matches!(start(disk.clone(), 9, Log::default()), Err(Error::NoSeat)));
    initialise(&mut disk, CHAIN, &consensus_key(0)).unwrap();
    assert!(matches!(initialise(&mut disk, CHAIN, &consensus_key(0)), Err(Error::OtherOwner)));
    assert!(matches!(start(disk.clone(), 1, Log::default()), Err(Error::OtherOwner)));
    assert!(start(disk, 0, Log::default()).is_ok());

    let mut net = Net::new(4);
    net.submit(0, b"a").unwrap();
    net.run_until_all_have(1);
    net.crash(0);
    let disk = net.disks[0].clone().unwrap();
    let quirky = Log { quirk: 1, ..Log::default() };
    assert!(matches!(start(disk.clone(), 0, quirky), Err(Error::Diverged(_))));
    for key in disk.keys().unwrap().into_iter().filter(|key| *key != Key::Owner) {
        let mut damaged = disk.clone();
        damaged.put(&[(key, vec![0xff; 3])]).unwrap();
        assert!(matches!(start(damaged, 0, Log::default()), Err(Error::Damaged { .. })), "{key:?}");
    }
}

#[test]
fn a_service_may_be_anything_that_can_be_cloned() {
    #[derive(Clone)]
    struct Nothing;
    impl Service for Nothing {
        fn validate(&self, _: &[u8]) -> bool {
            true
        }
        fn execute(&mut self, _: &[u8]) -> Vec<u8> {
            Vec::new()
        }
        fn digest(&self) -> [u8; 32] {
            [0; 32]
        }
    }
    let settings = crate::service::Settings::new(CHAIN, validator_set(1));
    let mut disk = Memory::default();
    initialise(&mut disk, CHAIN, &consensus_key(0)).unwrap();
    let mut host = Host::start(Now::default(), settings, consensus_key(0), disk, Nothing).unwrap();
    host.submit(Now::default(), b"").unwrap();
    let executed = host.outputs().iter().any(|o| matches!(o, crate::service::Output::Reply(_)));
    assert!(executed, "one host is a quorum of itself");
}
