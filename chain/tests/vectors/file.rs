//! The files: compared with what was made, or written.

use serde_json::Value;
use std::path::Path;

/// Compares with the file of this name, or writes it when `QUORATE_WRITE_VECTORS` is set.
///
/// # Panics
/// When the file is another: names the first place that differs.
pub(crate) fn check(name: &str, made: &Value) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(name).with_extension("json");
    if std::env::var_os("QUORATE_WRITE_VECTORS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(made).unwrap() + "\n").unwrap();
    }
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    if let Some(difference) = difference(name, &stored, made) {
        panic!("a format has changed: {difference}");
    }
}

fn difference(place: &str, stored: &Value, made: &Value) -> Option<String> {
    match (stored, made) {
        (Value::Object(old), Value::Object(new)) => {
            let here = |key: &String| format!("{place}/{key}");
            let changed = new
                .iter()
                .find_map(|(key, value)| difference(&here(key), old.get(key).unwrap_or(&Value::Null), value));
            changed.or_else(|| old.keys().find(|key| !new.contains_key(*key)).map(here))
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            let mut both = old.iter().zip(new).enumerate();
            both.find_map(|(i, (old, new))| difference(&format!("{place}/{i}"), old, new))
        }
        _ => (stored != made).then(|| format!("{place} is {stored} in the file, and now {made}")),
    }
}
