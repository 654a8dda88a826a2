//! A text must say exactly what is understood of it: a misspelt field must not be a field that is missing.

use crate::GenesisError;
use serde_json::Value;

/// Compares a text's JSON with what was read from it, written again. Spaces, the order of fields and absent
/// optional fields (`null` or not there) make no difference.
pub(crate) fn check(said: &Value, understood: &Value) -> Result<(), GenesisError> {
    match difference("document", said, understood) {
        Some((place, what)) => Err(GenesisError::NotExact { place, what }),
        None => Ok(()),
    }
}

fn difference(place: &str, said: &Value, understood: &Value) -> Option<(String, String)> {
    match (said, understood) {
        (Value::Object(a), Value::Object(b)) => {
            let at = |key: &str| format!("{place}.{key}");
            let absent = |key: &&String, object: &serde_json::Map<_, Value>| {
                object.get(key.as_str()).is_none_or(Value::is_null)
            };
            if let Some(key) = a.keys().find(|key| !absent(key, a) && absent(key, b)) {
                return Some((at(key), "there is no such field".to_owned()));
            }
            if let Some(key) = b.keys().find(|key| !absent(key, b) && absent(key, a)) {
                return Some((at(key), "the field is missing".to_owned()));
            }
            a.iter().find_map(|(key, value)| difference(&at(key), value, b.get(key).unwrap_or(&Value::Null)))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(i, (a, b))| difference(&format!("{place}[{i}]"), a, b))
        }
        _ if said == understood => None,
        _ => Some((place.to_owned(), format!("{said} should be written as {understood}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_named_by_place() {
        let understood = json!({"a": [{"b": 1}, {"b": "7"}], "c": null});
        let place = |said: Value| difference("d", &said, &understood).map(|(place, _)| place);
        assert_eq!(place(json!({"a": [{"b": 1}, {"b": "7"}]})), None);
        assert_eq!(place(json!({"a": [{"b": 1}, {"b": "07"}]})).as_deref(), Some("d.a[1].b"));
        assert_eq!(place(json!({"a": [{"b": 1}, {"b": "7", "x": 1}]})).as_deref(), Some("d.a[1].x"));
        assert_eq!(place(json!({"a": [{}, {"b": "7"}]})).as_deref(), Some("d.a[0].b"));
        assert_eq!(place(json!({"a": [{"b": 1}]})).as_deref(), Some("d.a"));
    }
}
