//! What a node's refusal of a transaction means for whoever sent it.

use quorate_rpc_client::RpcError;
use serde_json::Value;
use std::time::Duration;

/// After a refusal that says no time of its own.
const PAUSE: Duration = Duration::from_millis(200);

/// What to do with a refused transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The node has it already.
    Taken,
    /// The same bytes may be taken after this time.
    Again(Duration),
    /// Never.
    Final,
}

impl Verdict {
    /// Of what the node says.
    pub(super) fn of(error: &RpcError) -> Self {
        let number = |name: &str| error.data.get(name).and_then(Value::as_u64);
        match error.reason() {
            "duplicate" | "already_committed" => Self::Taken,
            "busy" | "pool_full" | "disk_low" => {
                Self::Again(number("retry_after").map_or(PAUSE, Duration::from_secs))
            }
            "quota_spent" => {
                number("retry_after_ms").map_or(Self::Final, |ms| Self::Again(Duration::from_millis(ms)))
            }
            // Too far ahead of the account's next nonce for the pool: those before it have to be committed first.
            "wrong_nonce" if number("found") > number("expected") => Self::Again(PAUSE),
            "stopping" | "internal" => Self::Again(PAUSE),
            _ => Self::Final,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refusal_is_final_only_where_the_same_bytes_can_never_be_taken() {
        let of = |reason: &str, mut data: Value| {
            data["reason"] = json!(reason);
            Verdict::of(&RpcError { code: 0, message: String::new(), data })
        };
        assert_eq!(of("duplicate", json!({})), Verdict::Taken);
        assert_eq!(of("already_committed", json!({ "height": 3 })), Verdict::Taken);
        assert_eq!(of("pool_full", json!({ "retry_after": 1 })), Verdict::Again(Duration::from_secs(1)));
        assert_eq!(
            of("quota_spent", json!({ "retry_after_ms": 70 })),
            Verdict::Again(Duration::from_millis(70))
        );
        assert_eq!(of("quota_spent", json!({ "retry_after_ms": null })), Verdict::Final);
        assert_eq!(of("wrong_nonce", json!({ "expected": 1, "found": 9000 })), Verdict::Again(PAUSE));
        assert_eq!(of("wrong_nonce", json!({ "expected": 9, "found": 1 })), Verdict::Final);
        assert_eq!(of("invalid_signature", json!({})), Verdict::Final);
    }
}
