//! Who may depend on whom: what must do no I/O does not get the means to.

#![allow(clippy::unwrap_used, reason = "a test program")]

use std::collections::BTreeSet;
use std::process::Command;

/// The packages that `package` is built from, itself left out; with `direct`, only those it names itself.
fn dependencies(package: &str, direct: bool) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    cargo.args(["--package", package]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if direct {
        cargo.args(["--depth", "1"]);
    }
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    let names: BTreeSet<String> = names.map(str::to_owned).collect();
    assert!(names.contains(package), "{text}");
    names.into_iter().filter(|name| name != package).collect()
}

/// Those whose name is one of these, or begins with one of these and a dash.
fn of_families<'a>(names: &'a BTreeSet<String>, families: &[&str]) -> Vec<&'a str> {
    let is_of = |name: &str, family: &str| {
        name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let names = names.iter().map(String::as_str);
    names.filter(|name| families.iter().any(|family| is_of(name, family))).collect()
}

#[test]
fn consensus_and_chain_have_no_network_and_no_runtime() {
    const INPUT_OUTPUT: [&str; 6] = ["tokio", "libp2p", "axum", "hyper", "async-std", "mio"];
    for package in ["quorate-chain", "quorate-consensus", "quorate-genesis"] {
        let names = dependencies(package, false);
        assert_eq!(of_families(&names, &INPUT_OUTPUT), [""; 0], "{package}");
    }
    // The search can find something.
    let names = dependencies("quorate", false);
    let found = of_families(&names, &INPUT_OUTPUT);
    assert!(["tokio", "libp2p", "axum"].iter().all(|name| found.contains(name)), "{found:?}");
}

#[test]
fn consensus_has_no_storage_and_no_randomness_of_its_own() {
    let names = dependencies("quorate-consensus", true);
    assert_eq!(of_families(&names, &["sled", "rand", "getrandom"]), [""; 0]);
    let ours = of_families(&names, &["quorate"]);
    assert_eq!(ours, ["quorate-chain"]);
}

#[test]
fn each_of_our_crates_knows_only_those_it_may() {
    let allowed: [(&str, &[&str]); 6] = [
        ("quorate-chain", &[]),
        ("quorate-p2p", &[]),
        ("quorate-genesis", &["quorate-chain"]),
        ("quorate-rpc", &["quorate-chain"]),
        ("quorate-rpc-client", &["quorate-chain"]),
        ("quorate-shim", &[]),
    ];
    for (package, allowed) in allowed {
        let names = dependencies(package, false);
        assert_eq!(of_families(&names, &["quorate"]), allowed, "{package}");
    }
}

#[test]
fn the_tests_see_the_network_from_outside_only() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--edges", "normal,dev", "--prefix", "none", "--format", "{p}"]);
    let output = cargo.args(["--package", "quorate-tests"]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(text.contains("quorate-rpc-client"), "{text}");
    assert!(!text.lines().any(|line| line.starts_with("libp2p")), "{text}");
}

/// Mistakes on purpose are switched on by the tests' crate, and by nothing that a node is built from.
#[test]
fn a_node_has_no_mistakes_on_purpose() {
    let mistakes = |package: &str| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["tree", "--locked", "--edges", "normal,build,features", "--prefix", "none"]);
        let output = cargo.args(["--package", package]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        let of = |krate: &str| text.contains(&format!("quorate-{krate} feature \"mistakes\""));
        assert!(text.contains("quorate-consensus feature \"default\""), "{text}");
        [of("consensus"), of("chain")]
    };
    assert_eq!(mistakes("quorate"), [false, false]);
    // The search can find something.
    assert_eq!(mistakes("quorate-tests"), [true, true]);
}
