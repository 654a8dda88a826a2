//! The tables of `docs/`: nothing is left out, no cell is empty, and whatever is named is there.
//!
//! | table | a row for each | named in it |
//! | --- | --- | --- |
//! | `RULES.tsv` | rule of `docs/PROTOCOL.md` | code, tests, schedules, mutations |
//! | `FAULTS.tsv` | fault that is survived | tests |
//! | `BOUNDS.tsv` | constant `…_MAX` and public field `…_max` | the constant, its value, tests |

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

use quorate_tests::sim::Mutation;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Crates whose bounds are in the table.
const CRATES: [&str; 6] = ["chain", "consensus", "p2p", "node", "rpc", "genesis"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All source files of a folder, as paths from the root.
fn sources(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join(folder)];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
    found
}

/// A table with its header, checked to be rectangular and full.
struct Table {
    name: &'static str,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn load(name: &'static str, header: &[&str]) -> Self {
        Self::parse(name, header, &read(name)).unwrap_or_else(|error| panic!("{error}"))
    }

    fn parse(name: &'static str, header: &[&str], text: &str) -> Result<Self, String> {
        let mut lines = text.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
        if lines.next().as_deref() != Some(&header.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>())
        {
            return Err(format!("{name}: the header is not {header:?}"));
        }
        let rows: Vec<_> = lines.collect();
        let full = |row: &Vec<String>| row.len() == header.len() && row.iter().all(|cell| is_filled(cell));
        if let Some(row) = rows.iter().find(|row| !full(row)) {
            return Err(format!("{name}: a cell is empty or missing in {row:?}"));
        }
        Ok(Self { name, rows })
    }

    /// The first cells are exactly these, each once.
    fn has_each_once(&self, expected: impl IntoIterator<Item = String>) -> Result<(), String> {
        let mut missing: BTreeSet<_> = expected.into_iter().collect();
        for row in &self.rows {
            if !missing.remove(&row[0]) {
                return Err(format!("{}: {} is there twice, or not there at all", self.name, row[0]));
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(format!("{}: {missing:?} is missing", self.name)) }
    }

    /// Every `file::function` in these columns is there.
    fn names_what_is_there(&self, columns: &[usize]) -> Result<(), String> {
        let mut files = BTreeMap::new();
        let cells = self.rows.iter().flat_map(|row| columns.iter().map(move |column| (row, &row[*column])));
        for (row, cell) in cells {
            for named in cell.split("; ").filter(|part| part.contains(".rs")) {
                let (path, name) = named.split_once("::").ok_or_else(|| format!("{named}: no name"))?;
                let text = files
                    .entry(path.to_owned())
                    .or_insert_with(|| std::fs::read_to_string(root().join(path)).unwrap_or_default());
                if !is_defined(text, name) {
                    return Err(format!("{}: {}: {named} is not there", self.name, row[0]));
                }
            }
        }
        Ok(())
    }
}

/// Not empty, nor a mere mark.
fn is_filled(cell: &str) -> bool {
    cell.trim() == cell && cell.chars().any(char::is_alphanumeric)
}

/// Whether a function, type or constant of this name is in a file.
fn is_defined(text: &str, name: &str) -> bool {
    let kinds = ["fn", "struct", "enum", "const"];
    kinds.iter().any(|kind| {
        let wanted = format!("{kind} {name}");
        text.match_indices(&wanted).any(|(at, _)| {
            let end = text[at + wanted.len()..].chars().next();
            end.is_none_or(|after| !after.is_alphanumeric() && after != '_')
        })
    })
}

const RULES: [&str; 5] = ["rule", "code", "test", "schedule", "seeds"];
const FAULTS: [&str; 5] = ["fault", "must hold", "where", "test", "last figure"];
/// How many kinds of faults there are.
const FAULTS_COUNT: usize = 34;
const BOUNDS: [&str; 4] = ["bound", "unit", "value", "test"];

fn rules() -> Vec<String> {
    let numbers = (1..=48).map(|number| format!("R{number}"));
    numbers.chain(["R46b".to_owned(), "R47b".to_owned()]).collect()
}

#[test]
fn every_rule_has_its_code_and_tests() {
    let table = Table::load("docs/RULES.tsv", &RULES);
    table.has_each_once(rules()).unwrap();
    table.names_what_is_there(&[1, 2, 3]).unwrap();
    let mutations = Mutation::ALL.map(Mutation::name);
    for row in &table.rows {
        let tests = row[2].split("; ").filter(|part| part.contains("::"));
        let numbers: Vec<_> = tests.flat_map(numbers_in).collect();
        assert!(
            numbers.is_empty() || numbers.contains(&row[0]),
            "{}: no test of {:?} is named so",
            row[0],
            row[2]
        );
        for name in row[3].split("; ").filter_map(|part| part.strip_prefix("--mutation ")) {
            assert!(mutations.contains(&name), "{}: there is no mutation {name}", row[0]);
        }
    }
}

/// The rules that a test's name begins with: `r09_r10_a_backup` is about R9 and R10.
fn numbers_in(test: &str) -> Vec<String> {
    let name = test.rsplit("::").next().unwrap_or_default();
    let number = |part: &&str| {
        let digits = part.strip_prefix('r')?.trim_start_matches('0');
        digits.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("R{digits}"))
    };
    let parts: Vec<_> = name.split('_').collect();
    parts.iter().map_while(number).collect()
}

#[test]
fn the_protocol_has_each_rule_once() {
    let text = read("docs/PROTOCOL.md");
    for rule in rules() {
        let count = text.lines().filter(|line| line.starts_with(&format!("- {rule} "))).count();
        assert_eq!(count, 1, "{rule} in docs/PROTOCOL.md");
    }
}

#[test]
fn every_fault_has_its_test() {
    let table = Table::load("docs/FAULTS.tsv", &FAULTS);
    assert_eq!(table.rows.len(), FAULTS_COUNT, "the table is the list of the faults that are survived");
    table.has_each_once(table.rows.iter().map(|row| row[0].clone())).unwrap();
    table.names_what_is_there(&[3]).unwrap();
    for row in &table.rows {
        assert!(row[3].contains("::") || row[3].starts_with("comes with: "), "{}: {}", row[0], row[3]);
        assert!(row[2].split(' ').all(|place| ["D", "P", "N", "F", "Z"].contains(&place)), "{row:?}");
    }
}

/// What is not compiled into the program.
fn is_test(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    parts.contains(&"tests") || parts.contains(&"examples") || path.ends_with("tests.rs")
}

/// The bounds of a file: constants with their values, and public fields.
fn bounds_in(text: &str) -> Vec<(String, Option<String>)> {
    let code = text.split("mod tests {").next().unwrap();
    let lines: Vec<_> = code.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let public = line.strip_prefix("pub").map(|rest| match rest.split_once(") ") {
            Some((scope, rest)) if scope.starts_with('(') => rest,
            _ => rest.trim_start(),
        });
        let Some((name, rest)) = public.unwrap_or(line).split_once(':') else { continue };
        let constant = name.strip_prefix("const ").filter(|name| name.ends_with("_MAX"));
        if let Some(name) = constant {
            let whole =
                [rest].into_iter().chain(lines[at + 1..].iter().copied()).collect::<Vec<_>>().join(" ");
            let value = whole.split_once('=').and_then(|(_, value)| value.split_once(';'));
            found.push((name.to_owned(), value.map(|(value, _)| value.trim().to_owned())));
        } else if public.is_some() && name.ends_with("_max") && !name.contains(' ') {
            found.push((name.to_owned(), None));
        }
    }
    found
}

/// Every bound in the source with its value; of a field, `None`.
fn bounds() -> BTreeMap<String, Option<String>> {
    let files = CRATES.iter().flat_map(|folder| sources(folder)).filter(|path| !is_test(path));
    let of_file = |path: String| {
        let bounds = bounds_in(&read(&path));
        bounds.into_iter().map(move |(name, value)| (format!("{path}::{name}"), value))
    };
    files.flat_map(of_file).collect()
}

/// Whether a field gets this value: `value` in its own file, or `value in file`.
fn is_set(bound: &str, cell: &str) -> bool {
    let (path, name) = bound.split_once("::").unwrap();
    let (value, path) = cell.split_once(" in ").unwrap_or((cell, path));
    let text = std::fs::read_to_string(root().join(path)).unwrap_or_default();
    [",", " }"].iter().any(|end| text.contains(&format!("{name}: {value}{end}")))
}

#[test]
fn every_bound_has_its_value_and_a_test_that_fills_it() {
    let table = Table::load("docs/BOUNDS.tsv", &BOUNDS);
    let bounds = bounds();
    table.has_each_once(bounds.keys().cloned()).unwrap();
    table.names_what_is_there(&[3]).unwrap();
    for row in &table.rows {
        let right = match &bounds[&row[0]] {
            Some(value) => *value == row[2],
            None => is_set(&row[0], &row[2]),
        };
        assert!(right, "{}: the value is {:?}, not {}", row[0], bounds[&row[0]], row[2]);
        assert!(row[3].contains("::") || row[3].starts_with("no test yet: "), "{}: {}", row[0], row[3]);
    }
}

/// Each kind of error is found.
#[test]
fn the_tables_can_be_wrong() {
    let parse = |text: &str| Table::parse("t", &["a", "b"], text);
    let good = parse("a\tb\nx\ttests/tests/tables.rs::parse\n").unwrap();
    assert_eq!(good.has_each_once(["x".to_owned()]), Ok(()));
    assert_eq!(good.names_what_is_there(&[1]), Ok(()));
    for wrong in ["b\ta\n", "a\tb\nx\t\n", "a\tb\nx\n", "a\tb\nx\t-\n", "a\tb\nx\ty\tz\n", "a\tb\n\n"] {
        assert!(parse(wrong).is_err(), "{wrong:?}");
    }
    let error = |text, names: &[&str]| {
        let all = names.iter().map(|name| (*name).to_owned());
        parse(text).unwrap().has_each_once(all).unwrap_err()
    };
    assert!(error("a\tb\nx\ty\nx\ty\n", &["x"]).contains("twice"));
    assert!(error("a\tb\nx\ty\n", &["x", "z"]).contains("missing"));
    assert!(error("a\tb\nx\ty\n", &["z"]).contains("not there at all"));
    for named in ["tests/tests/tables.rs::pars", "tests/tests/table.rs::parse", "tests/tests/tables.rs"] {
        let table = parse(&format!("a\tb\nx\t{named}\n")).unwrap();
        assert!(table.names_what_is_there(&[1]).is_err(), "{named}");
    }
    let source = "pub const A_MAX: usize = 2;\nconst B_MAX: u8 =\n    3 *\n 4;\npub(super) c_max: u8,\n\
                  d_max: u8,\nfn f(e_max: u8) {}\n#[cfg(test)]\nmod tests {\nconst F_MAX: u8 = 1;\n";
    let found = bounds_in(source);
    let names: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
    assert_eq!(names, [("A_MAX", Some("2")), ("B_MAX", Some("3 * 4")), ("c_max", None)]);
    let field = "rpc/src/config.rs::batch_max";
    assert!(is_set(field, "100") && !is_set(field, "101") && !is_set(field, "100 in rpc/src/lib.rs"));
    assert_eq!(numbers_in("a/b.rs::r09_r10_a_r11"), ["R9", "R10"]);
}
