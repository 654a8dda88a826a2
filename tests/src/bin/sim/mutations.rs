//! The search for every known mistake, as a table.

use crate::arguments::Arguments;
use quorate_tests::sim::{Mutation, TABLE_HEAD, hunt, table_row};
use std::process::ExitCode;
use std::time::Instant;

/// Looks for every mutation, or the one that is named, by guided runs.
pub(crate) fn find(arguments: &Arguments) -> ExitCode {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = true;
    println!("{TABLE_HEAD}");
    for mutation in Mutation::ALL.into_iter().filter(|m| arguments.mutation.is_none_or(|one| one == *m)) {
        let started = Instant::now();
        let found = hunt(mutation, arguments.runs(), arguments.jobs.unwrap_or(cores));
        let spent = (arguments.runs(), started.elapsed().as_secs_f64());
        println!("{}", table_row(mutation, found.as_ref(), spent));
        all &= found.is_some();
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
