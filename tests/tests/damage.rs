//! A share of the campaigns of `quorate_tests::damage`, in every test run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

use quorate_tests::damage::{Images, Tally};

/// Spread over all write points: a prime, so that stories and places vary.
const STRIDE: u64 = 37;
const IMAGES: u64 = 300;
/// Places that are damaged in the folder of a node.
const PLACES: &str = "200";

#[test]
fn crash_images_open_as_what_was_acknowledged_or_later() {
    let images = Images::new().unwrap();
    let mut all = Tally::default();
    for number in (0..IMAGES).map(|place| place * STRIDE) {
        let tally = images.run(number, false).unwrap_or_else(|what| panic!("{what}"));
        all = all.and(tally);
    }
    assert!(
        all.in_recovery > 0 && all.torn_tails > 0 && all.replays > 0 && all.kept_trees > 0 && all.ahead > 0,
        "{all:?}"
    );
}

/// The checks find what they are for.
#[test]
fn a_checkpoint_that_is_noted_before_it_is_durable_is_found() {
    let images = Images::new().unwrap();
    let found = (0..IMAGES).map(|place| place * STRIDE).find_map(|number| images.run(number, true).err());
    let found = found.unwrap_or_else(|| panic!("{IMAGES} images did not show it"));
    // At opening, or by the first answer that would rest on it.
    assert!(found.contains("made again") || found.contains("refused"), "{found}");
}

/// In processes of its own, as in the campaign.
#[test]
fn rot_in_any_file_is_noticed_before_its_value_is_used() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_damage"));
    let done = command.args(["rot", "--flips", PLACES]).output().unwrap();
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
