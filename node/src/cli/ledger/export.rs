//! `quorate ledger export`.

use super::super::Output;
use super::super::output::table;
use super::progress::Meter;
use super::{HomeArgs, bytes, explain, height, locked, tell_opening};
use crate::error::NodeError;
use clap::Args;
use quorate_chain::Height;
use quorate_chain::ledger::Ledger;
use quorate_chain::ledger::tools::{Range, export, resume_export};
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    home: HomeArgs,
    /// The archive to write, or `-` for standard output. One that is there is never overwritten.
    #[arg(long, value_name = "FILE|-")]
    to: PathBuf,
    /// The first height [default: 1, or that of the archive].
    #[arg(long, value_name = "HEIGHT", value_parser = height)]
    from: Option<Height>,
    /// The last height [default: the ledger's last].
    #[arg(long, value_name = "HEIGHT", value_parser = height)]
    to_height: Option<Height>,
    /// Go on with the archive that is there, behind its last whole block.
    #[arg(long)]
    resume: bool,
}

pub(super) fn run(args: &ExportArgs, output: Output) -> Result<(), NodeError> {
    let genesis = args.home.genesis()?;
    let to_stdout = args.to.as_os_str() == "-";
    if to_stdout && args.resume {
        return Err(NodeError::Usage("standard output can't be resumed; name a file".into()));
    }
    let range = Range { from: args.from, to: args.to_height };
    let opened = Ledger::open(&args.home.data(), &genesis).map_err(locked)?;
    tell_opening(&opened.report, output);
    let mut meter = Meter::new(output)?;
    let exported = if to_stdout {
        export(&opened.reader, &genesis, std::io::stdout().lock(), range, &mut meter)
    } else {
        let mut file = open(&args.to, args.resume)?;
        resume_export(&opened.reader, &genesis, &mut file, range, &mut meter)
    };
    meter.clear();
    if exported.is_err() && !args.resume && std::fs::metadata(&args.to).is_ok_and(|file| file.len() == 0) {
        // Nothing was written into the file that was just made. That it stays would do no harm.
        let _ = std::fs::remove_file(&args.to);
    }
    let exported = exported.map_err(explain)?;
    let (first, last) = (exported.first, exported.last);
    let rows = [
        ("archive", args.to.display().to_string()),
        ("heights", format!("{first} to {last}")),
        ("blocks", format!("{} written, {} there before", exported.written, exported.kept)),
        ("length", bytes(exported.bytes)),
    ];
    if to_stdout {
        output.progress(table(&rows).trim_end());
        return Ok(());
    }
    let json = json!({
        "archive": args.to, "first_height": first, "last_height": last, "blocks_written": exported.written,
        "blocks_kept": exported.kept, "bytes": exported.bytes,
    });
    output.answer(&table(&rows), &json)
}

/// The archive's file, made unless it is to be resumed.
fn open(path: &Path, resume: bool) -> Result<File, NodeError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    if resume {
        options.create(true).truncate(false)
    } else {
        options.create_new(true)
    };
    options.open(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => NodeError::Usage(format!(
            "{} is there already; --resume goes on with it, or name another file",
            path.display()
        )),
        _ => NodeError::file("make", path)(error),
    })
}
