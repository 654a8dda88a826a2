//! Writes until it is killed, and prints what it believes to be durable.
//!
//! `power_loss_writer journal|sled|sled-synced|files DIRECTORY`. The first three print a number a line, after the
//! record with that number was acknowledged; `files` prints one line when it has done its file operations.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use quorate_chain::ledger::journal::{FsDisk, Journal, Options, Owner};

/// `O_DSYNC` on Linux.
const O_DSYNC: i32 = 0o10000;
/// Records that share a sync.
const GROUP: u64 = 3;

type Done = Result<(), Box<dyn Error>>;

fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, directory] = arguments.as_slice() else {
        return Err("usage: power_loss_writer journal|sled|sled-synced|files DIRECTORY".into());
    };
    let directory = Path::new(directory);
    match mode.as_str() {
        "journal" => journal(directory),
        "sled" => sled(directory, false),
        "sled-synced" => sled(directory, true),
        "files" => files(directory),
        other => Err(format!("unknown mode {other}").into()),
    }
}

fn acknowledge(number: u64) -> Done {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{number}")?;
    Ok(out.flush()?)
}

fn journal(directory: &Path) -> Done {
    let options = Options { segment_bytes: 64 * 1024, record_bytes_max: 16 * 1024 };
    let (mut journal, _) =
        Journal::open(Arc::new(FsDisk), &directory.join("journal"), Owner::Votes([7; 16]), options)?;
    loop {
        let first = journal.next_sequence();
        for number in first..first + GROUP {
            // Sizes from empty to several sectors.
            let mut payload = number.to_le_bytes().to_vec();
            payload.resize(8 + (number * 337 % 4000) as usize, number as u8 | 1);
            journal.append(1, &payload)?;
        }
        journal.sync()?;
        for number in first..first + GROUP {
            acknowledge(number)?;
        }
    }
}

fn sled(directory: &Path, synced: bool) -> Done {
    let path = directory.join("sled");
    let database = sled::Config::new().path(&path).flush_every_ms(None).open()?;
    let own = OpenOptions::new().write(true).open(path.join("db"))?;
    let first = database.len() as u64 + 1;
    for number in first.. {
        database.insert(number.to_be_bytes(), vec![number as u8; 100])?;
        database.flush()?;
        if synced {
            own.sync_data()?;
        }
        acknowledge(number)?;
    }
    Ok(())
}

fn files(directory: &Path) -> Done {
    let make = |name: &str, content: &str, sync: bool| -> Result<File, Box<dyn Error>> {
        let mut file = File::create(directory.join(name))?;
        file.write_all(content.as_bytes())?;
        if sync {
            file.sync_data()?;
        }
        Ok(file)
    };
    make("synced", "content", true)?;
    make("unsynced", "content", false)?;
    make("old-name", "renamed", true)?;
    make("replaced", "before", true)?;
    make("removed", "still here", true)?;
    let overwritten = make("overwritten", "before", true)?;
    let cut = make("cut", "0123456789", true)?;
    let duplicated = make("duplicated", "", true)?;
    let mut direct = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(O_DSYNC)
        .open(directory.join("direct"))?;
    make("copied-from", "copy me", true)?;
    fs::create_dir(directory.join("synced-directory"))?;
    make("synced-directory/inside", "inside", true)?;
    File::open(directory.join("synced-directory"))?.sync_all()?;
    fs::copy(directory.join("copied-from"), directory.join("copied"))?;
    File::open(directory.join("copied"))?.sync_all()?;
    File::open(directory)?.sync_all()?;

    // From here on no name is durable.
    make("nameless", "content", true)?;
    fs::rename(directory.join("old-name"), directory.join("new-name"))?;
    make("replacement", "after", true)?;
    fs::rename(directory.join("replacement"), directory.join("replaced"))?;
    fs::remove_file(directory.join("removed"))?;
    fs::create_dir(directory.join("unsynced-directory"))?;
    overwritten.write_all_at(b"AFTER!", 0)?;
    cut.set_len(3)?;
    cut.set_len(6)?;
    cut.sync_all()?;
    let mut duplicate = duplicated.try_clone()?;
    duplicate.write_all(b"through a duplicate")?;
    drop(duplicate);
    duplicated.sync_data()?;
    direct.write_all(b"durable at once")?;
    acknowledge(1)?;
    loop {
        std::thread::park();
    }
}
