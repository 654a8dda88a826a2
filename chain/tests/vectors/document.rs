//! The table of domain tags in `docs/LEDGER.md` is that of the code.

use quorate_chain::crypto::Domain;

#[test]
fn the_documents_domain_tags_are_those_of_the_code() {
    let document = include_str!("../../../docs/LEDGER.md");
    let written: Vec<_> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `quorate/"))
        .filter_map(|line| line.split_once('`').map(|(tag, _)| format!("quorate/{tag}\0")))
        .collect();
    let tags: Vec<_> =
        Domain::ALL.iter().map(|domain| String::from_utf8(domain.tag().to_vec()).unwrap()).collect();
    assert_eq!(written, tags);
}
