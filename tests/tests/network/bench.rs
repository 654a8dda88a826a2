//! `quorate bench` on real nodes, and what many transactions at once show of them.

use crate::devnet::Devnet;
use crate::program::{fail, succeed};
use serde_json::Value;
use std::fs;

/// Due each second: enough for blocks of more transactions than are sent with their proposal.
const RATE: &str = "600";

/// What a node's metrics say of one name with its labels.
fn metric(base: &str, name: &str) -> u64 {
    let mut answer = ureq::get(&format!("{base}/metrics")).call().unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or(0)
}

/// Each transaction is committed or refused, the report says so, and blocks were filled from the pools.
#[test]
fn a_load_is_accounted_for_and_proposals_name_its_transactions() {
    let mut devnet = Devnet::start(4);
    let (dir, report) = (devnet.dir(), devnet.beside("report.html"));
    let (dir, report) = (dir.to_str().unwrap(), report.to_str().unwrap());
    let load = ["bench", "--network", dir, "--rate", RATE, "--accounts", "100", "--clients", "4", "--json"];
    for mix in ["transfer", "data,atomic"] {
        let more = ["--duration", "3", "--mix", mix, "--report", report, "--hostile", "1"];
        let said: Value = serde_json::from_str(&succeed(&[&load[..], &more].concat())).unwrap();
        let number = |name: &str| said[name].as_u64().unwrap_or_else(|| panic!("{name}: {said}"));
        assert_eq!(number("lost"), 0, "{said}");
        assert_eq!(number("committed") + number("rejected"), number("submitted"), "{said}");
        assert!(number("committed") > 0 && said["p50_ms"].as_f64() <= said["p99_ms"].as_f64(), "{said}");
        // Clients that mean harm are heard, and cost the others nothing but time.
        assert!(said["hostile"]["refused"].as_u64() > Some(0), "{said}");
        let page = fs::read_to_string(report).unwrap();
        assert!(page.contains("<svg") && !page.contains("http"), "it needs nothing else");
    }
    let bases = devnet.manifest().validators.into_iter().map(|seat| seat.rpc);
    let filled = |base: String| metric(&base, "quorate_compact_proposals_total{outcome=\"Filled\"}");
    assert!(bases.map(filled).sum::<u64>() > 0, "no proposal was filled from a pool");
    devnet.chain().check_all_blocks();
    devnet.stop();
    assert!(
        fail(&[&load[..], &["--duration", "1"]].concat()).contains("no node answers"),
        "a network that has stopped"
    );
}
