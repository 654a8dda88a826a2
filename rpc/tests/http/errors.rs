//! The documents have the errors that the code has.

use std::path::Path;

#[test]
fn the_documented_errors_are_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ERRORS.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (_, table) = document.split_once("\n\n| code").expect("a table");
    let (table, _) = table.split_once("\n\n").unwrap_or((table, ""));
    let table = format!("| code{}\n", table.trim_end());
    assert_eq!(table, quorate_rpc::error_table(), "put this table into docs/ERRORS.md");
}
