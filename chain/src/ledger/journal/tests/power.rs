//! Power loss at every point of generated workloads.

use proptest::prelude::*;

use super::super::PowerLoss;
use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append(usize),
    Sync,
    Reopen,
    Prune,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => prop_oneof![0..80_usize, 400..600_usize, 0..2048_usize].prop_map(Step::Append),
        3 => Just(Step::Sync),
        1 => Just(Step::Reopen),
        1 => Just(Step::Prune),
    ];
    prop::collection::vec(step, 1..40)
}

/// What a run knows: the records it appended, and how many are acknowledged.
#[derive(Debug, Default)]
struct Known {
    bytes: Vec<usize>,
    acknowledged: usize,
    pruned: Position,
}

/// Runs until the steps or the power end.
fn run(disk: &MemDisk, steps: &[Step], known: &mut Known) -> Result<(), Error> {
    let (mut journal, recovered) = open(disk)?;
    known.bytes.truncate(recovered.records as usize);
    known.acknowledged = known.bytes.len();
    for step in steps {
        match step {
            Step::Append(bytes) => {
                let index = known.bytes.len() as u64;
                // Even an append that answers an error may be there after a crash.
                known.bytes.push(*bytes);
                journal.append(index as u8, &payload(index, *bytes))?;
            }
            Step::Sync => {
                journal.sync()?;
                known.acknowledged = known.bytes.len();
            }
            Step::Prune => {
                let end = journal.end();
                known.pruned = end;
                journal.prune_before(end)?;
            }
            Step::Reopen => {
                drop(journal);
                let (again, recovered) = open(disk)?;
                prop_assert_recovered(&recovered, known);
                journal = again;
                known.acknowledged = known.bytes.len();
            }
        }
    }
    Ok(())
}

fn prop_assert_recovered(recovered: &Recovered, known: &Known) {
    assert_eq!(recovered.records, known.bytes.len() as u64);
    assert_eq!(recovered.torn_tail, None);
}

/// After a crash: all that was acknowledged, nothing that was not appended.
fn check(disk: &MemDisk, known: &mut Known) {
    let (journal, recovered) = open(disk).unwrap();
    let records = recovered.records as usize;
    assert!(records >= known.acknowledged, "{records} of {} acknowledged", known.acknowledged);
    assert!(records <= known.bytes.len(), "{records} of {} appended", known.bytes.len());
    assert!(journal.first() <= Position::start_of(known.pruned.segment.max(1)));
    let mut next = None;
    for entry in journal.scan(journal.first()) {
        let entry = entry.unwrap();
        assert!(next.is_none_or(|next| next == entry.sequence));
        let index = entry.sequence - 1;
        assert_eq!(entry.kind, index as u8);
        assert_eq!(entry.payload, payload(index, known.bytes[index as usize]));
        next = Some(entry.sequence + 1);
    }
    assert!(next.is_none_or(|next| next == recovered.records + 1));
    known.bytes.truncate(records);
    known.acknowledged = records;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// The power goes in the middle of an operation, twice, the second time perhaps within recovery.
    #[test]
    fn what_was_acknowledged_survives_and_nothing_is_invented(
        steps in steps(),
        cut in 0..120_u64,
        cut_again in 0..12_u64,
        killed_only: bool,
        go_on: bool,
        seed: u64,
    ) {
        let disk = MemDisk::new(seed);
        let mut known = Known::default();
        disk.cut_power_after(Some(cut));
        let _ = run(&disk, &steps, &mut known);
        disk.power_loss(if killed_only { PowerLoss::Keep } else { PowerLoss::Tear { seed } });
        disk.cut_power_after(Some(cut_again));
        let acknowledged = known.acknowledged;
        if let Ok((journal, recovered)) = open(&disk) {
            known.bytes.truncate(recovered.records as usize);
            known.acknowledged = known.bytes.len();
            prop_assert!(known.acknowledged >= acknowledged);
            drop(journal);
        }
        if go_on {
            disk.power_loss(PowerLoss::Keep);
            run(&disk, &steps[..steps.len().min(4)], &mut known).unwrap();
        }
        disk.power_loss(PowerLoss::Tear { seed: seed ^ 1 });
        check(&disk, &mut known);
        // It goes on.
        run(&disk, &steps, &mut known).unwrap();
        disk.power_loss(PowerLoss::Drop);
        check(&disk, &mut known);
    }

    /// A killed process loses nothing it appended.
    #[test]
    fn a_killed_process_loses_nothing(steps in steps(), seed: u64) {
        let disk = MemDisk::new(seed);
        let mut known = Known::default();
        run(&disk, &steps, &mut known).unwrap();
        disk.power_loss(PowerLoss::Keep);
        known.acknowledged = known.bytes.len();
        check(&disk, &mut known);
    }
}

#[test]
fn power_loss_at_every_operation_of_one_workload() {
    let steps: Vec<Step> = (0..24)
        .flat_map(|index| {
            let tail = if index % 9 == 8 { Step::Prune } else { Step::Sync };
            [Step::Append(index * 83 % 1500), Step::Append(index * 31 % 700), tail]
        })
        .collect();
    let whole = MemDisk::new(0);
    run(&whole, &steps, &mut Known::default()).unwrap();
    for cut in 0..whole.operations() {
        for seed in 0..4 {
            let disk = MemDisk::new(0);
            let mut known = Known::default();
            disk.cut_power_after(Some(cut));
            assert!(run(&disk, &steps, &mut known).is_err());
            let loss = if seed == 0 { PowerLoss::Drop } else { PowerLoss::Tear { seed: seed * 1000 + cut } };
            disk.power_loss(loss);
            check(&disk, &mut known);
        }
    }
}

/// What a second process found, it may have acted upon: it must be durable, names included.
#[test]
fn a_kill_at_every_operation_then_a_power_loss() {
    let steps: Vec<Step> = (0..24).flat_map(|index| [Step::Append(index * 83 % 1500), Step::Sync]).collect();
    let whole = MemDisk::new(0);
    run(&whole, &steps, &mut Known::default()).unwrap();
    for (cut, goes_on) in (0..whole.operations()).flat_map(|cut| [(cut, false), (cut, true)]) {
        let disk = MemDisk::new(0);
        let mut known = Known::default();
        disk.cut_power_after(Some(cut));
        assert!(run(&disk, &steps, &mut known).is_err());
        disk.power_loss(PowerLoss::Keep);
        check(&disk, &mut known);
        if goes_on {
            // Few steps: the next new segment would sync the directory.
            run(&disk, &steps[..2], &mut known).unwrap();
        }
        disk.power_loss(PowerLoss::Drop);
        check(&disk, &mut known);
    }
}

/// The check above can fail: without the sync, acknowledged records are gone.
#[test]
fn an_unsynced_record_is_lost_with_the_power() {
    let disk = MemDisk::new(0);
    let (mut journal, _) = open(&disk).unwrap();
    append(&mut journal, 0, 100);
    disk.power_loss(PowerLoss::Drop);
    let (journal, _) = open(&disk).unwrap();
    assert_eq!(assert_prefix(&journal, &[100]), 0);
}

/// Recovered records may be in the page cache only; opening makes them durable before anyone acts on them.
#[test]
fn what_a_killed_process_left_is_durable_once_recovered() {
    let disk = MemDisk::new(0);
    let (mut journal, _) = open(&disk).unwrap();
    append(&mut journal, 0, 100);
    drop(journal);
    let (journal, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.records, 1);
    drop(journal);
    disk.power_loss(PowerLoss::Drop);
    let (journal, _) = open(&disk).unwrap();
    assert_eq!(assert_prefix(&journal, &[100]), 1);
}

#[test]
fn the_same_seed_tears_the_same_way() {
    let torn = |seed| {
        let disk = MemDisk::new(0);
        let (mut journal, _) = open(&disk).unwrap();
        for index in 0..3 {
            append(&mut journal, index, 900);
        }
        disk.power_loss(PowerLoss::Tear { seed });
        disk.contents(&segment(1)).unwrap()
    };
    assert_eq!(torn(5), torn(5));
    assert!((0..20).any(|seed| torn(seed) != torn(5)));
}
