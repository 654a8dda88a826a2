//! One block after the other through a ledger in a folder: validity, execution, root, journal, store.

use crate::meter::{MarkedDisk, Marks, Moment, Span, timed};
use crate::setup::{CHAIN, Traffic, genesis, id};
use crate::table::{Budget, Table};
use crate::{Options, proofs};
use quorate_chain::certificate::fixture::commit_certificate;
use quorate_chain::codec::List;
use quorate_chain::execution::execute_block;
use quorate_chain::ledger::fixture::{commit_vote, next_block};
use quorate_chain::ledger::{GenesisState, Ledger, LedgerOptions, Opened, SledStore};
use quorate_chain::receipt::receipts_root;
use quorate_chain::{Block, Transaction};
use std::path::Path;
use std::sync::Arc;

pub(crate) const ROWS: [&str; 12] = [
    "validity, without signatures",
    "execution",
    "validity and execution",
    "state root and overlay",
    "receipts root",
    "body into the journal",
    "journal, append and sync of the commit",
    "showing the commit",
    "write-behind into the store",
    "checkpoint",
    "reopen after a checkpoint",
    "reopen without one",
];

/// Entries of a slice.
const SLICE: usize = 128;
/// Blocks that are written into the store together: a node that is busy collects more.
const BATCH: usize = 8;

/// What the stages of one block took.
#[derive(Default)]
struct Stages {
    validity: Span,
    execution: Span,
    root: Span,
    receipts: Span,
    body: Span,
    journal: Span,
    between: Span,
}

/// Without threads of its own, so that the writing behind can be told from the rest.
fn open(folder: &Path, genesis: &GenesisState, marks: &Marks, options: &Options) -> Opened {
    let settings = LedgerOptions { background: false, ..options.ledger() };
    let store = SledStore::open(&folder.join("state"), settings.cache_bytes / 2).unwrap();
    let disk = Arc::new(MarkedDisk(marks.clone()));
    settings.open_with(disk, &folder.join("journal/chain"), Box::new(store), genesis).unwrap()
}

/// Writes all that the store lacks.
fn write_behind(ledger: &Ledger) {
    while ledger.write_behind(SLICE).unwrap() {}
}

/// The block through every stage, as a node does it.
fn pass(ledger: &mut Ledger, block: &Block, marks: &Marks) -> Stages {
    let (valid, validity) = timed(|| ledger.validate(block, |_| true));
    valid.unwrap();
    let ((), body) = timed(|| {
        ledger.append_body(block).unwrap();
        ledger.sync().unwrap();
    });
    let parent = ledger.tip().block;
    let execute = |ledger: &Ledger| {
        let parameters = ledger.parameters_at(parent).unwrap();
        execute_block(&ledger.reader_at(parent).unwrap(), parameters, block).unwrap()
    };
    // Executed twice beforehand: what comes after the second time, in the ledger, finds the same in caches.
    let (executed, execution) = timed(|| execute(ledger));
    let (_, again) = timed(|| execute(ledger));
    let (_, receipts) = timed(|| receipts_root(&executed.receipts));
    let (result, whole) = timed(|| ledger.execute(block).unwrap());
    let vote = commit_vote(&block.header, result.hash());
    let certificate = commit_certificate(CHAIN, vote, &[0, 1, 2]);
    marks.take();
    let start = Moment::now();
    ledger.commit(block.hash(), List::default(), certificate).unwrap();
    let end = Moment::now();
    let synced = marks.take().unwrap_or(start);
    let root = whole.less(again).less(receipts);
    let (journal, between) = (start.until(synced), synced.until(end));
    Stages { validity, execution, root, receipts, body, journal, between }
}

fn show(table: &mut Table, stages: &[Stages], stores: &[Span], transfers: usize) {
    let mut row = |name: &str, part: fn(&Stages) -> Span, budget| {
        let spans: Vec<_> = stages.iter().map(|stages| part(stages).per(transfers)).collect();
        table.times(name, &spans, budget);
    };
    row(ROWS[0], |s| s.validity, Budget::None);
    row(ROWS[1], |s| s.execution, Budget::None);
    let both = |s: &Stages| Span {
        wall_us: s.validity.wall_us + s.execution.wall_us,
        cpu_us: s.validity.cpu_us + s.execution.cpu_us,
    };
    row(ROWS[2], both, Budget::Cpu(3.0));
    row(ROWS[3], |s| s.root, Budget::Cpu(4.0));
    row(ROWS[4], |s| s.receipts, Budget::None);
    row(ROWS[5], |s| s.body, Budget::None);
    row(ROWS[6], |s| s.journal, Budget::Wall(2.0));
    row(ROWS[7], |s| s.between, Budget::None);
    let stores: Vec<_> = stores.iter().map(|span| span.per(BATCH * transfers)).collect();
    table.times(ROWS[8], &stores, Budget::Cpu(13.0));
}

/// Commits a block without measuring it.
fn commit_next(ledger: &mut Ledger, transactions: Vec<Transaction>) {
    let block = next_block(ledger, transactions);
    quorate_chain::ledger::fixture::commit(ledger, &block, &[0, 1, 2]).unwrap();
    write_behind(ledger);
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    let (rounds, transfers) = (options.warm_up + options.blocks, options.transfers);
    let full = genesis((0..options.accounts).map(id));
    let mut traffic = Traffic::new(options.active());
    let folder = options.temporary();
    let marks = Marks::default();
    let (mut opened, span) = timed(|| open(folder.path(), &full, &marks, options));
    eprintln!("made {} entries in {:.1} s", full.entries.len(), span.wall_us / 1e6);
    let entries = full.entries.len() as f64;
    drop(full);
    // Reopening does not read the accounts of genesis; a chain grows them by transactions.
    let small = genesis(std::iter::empty());
    let (mut stages, mut stores) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let block = next_block(&opened.ledger, traffic.next(transfers));
        let one = pass(&mut opened.ledger, &block, &marks);
        if round >= options.warm_up {
            stages.push(one);
        }
        if (round + 1).is_multiple_of(BATCH) {
            let ((), store) = timed(|| write_behind(&opened.ledger));
            if round >= options.warm_up {
                stores.push(store);
            }
        }
    }
    table.values("entries in the state", "", vec![entries], Budget::None);
    show(table, &stages, &stores, transfers);
    if options.wants(&proofs::ROWS) {
        proofs::run(options, table, &opened.reader);
    }
    let ((), checkpoint) = timed(|| opened.ledger.checkpoint().unwrap());
    let seconds = |span: Span| vec![span.wall_us / 1e6];
    table.values(&format!("{}, {rounds} blocks", ROWS[9]), "s", seconds(checkpoint), Budget::None);
    drop(opened);
    if options.wants(&ROWS[10..]) {
        let (mut opened, span) = timed(|| open(folder.path(), &small, &marks, options));
        assert_eq!(opened.report.replayed, 0);
        table.values(ROWS[10], "s", seconds(span), Budget::None);
        // So that there is something to replay.
        commit_next(&mut opened.ledger, traffic.next(transfers));
        drop(opened);
        let (opened, span) = timed(|| open(folder.path(), &small, &marks, options));
        assert_eq!(opened.report.replayed, 1);
        table.values(&format!("{}, one block to replay", ROWS[11]), "s", seconds(span), Budget::None);
    }
}
