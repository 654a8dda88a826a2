//! Where a command's words go.

use crate::error::NodeError;
use quorate_rpc_client::ClientError;
use serde_json::{Value, json};
use std::io::Write;

/// Text for people or JSON for programs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read it.
    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// The command's answer in both forms; one of them is printed.
    ///
    /// # Errors
    /// When standard output is gone.
    pub(crate) fn answer(self, text: &str, json: &Value) -> Result<(), NodeError> {
        if self.json { line(&json.to_string()) } else { line(text) }
    }

    /// Something that only people want to know, on standard output.
    ///
    /// # Errors
    /// When standard output is gone.
    pub(crate) fn text(self, text: &str) -> Result<(), NodeError> {
        if self.json { Ok(()) } else { line(text) }
    }

    /// What goes on meanwhile, on standard error.
    pub(crate) fn progress(self, text: &str) {
        if !self.json {
            // Nobody has to listen.
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Why the command failed, on standard error.
    pub(crate) fn error(self, error: &NodeError) {
        let text = if self.json { error_json(error).to_string() } else { format!("error: {error}") };
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

fn line(text: &str) -> Result<(), NodeError> {
    let mut stdout = std::io::stdout().lock();
    let written = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush());
    written.map_err(NodeError::system("cannot write to standard output"))
}

fn error_json(error: &NodeError) -> Value {
    match error {
        NodeError::Client(ClientError::Rpc(rpc)) => {
            json!({ "error": { "message": rpc.message, "code": rpc.code, "reason": rpc.reason(), "data": rpc.data } })
        }
        other => json!({ "error": { "message": other.to_string() } }),
    }
}

/// Lines of `name  value`, the values under each other.
pub(crate) fn table(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned() {
        let rows = [("id", "1".to_owned()), ("height", "2".to_owned())];
        assert_eq!(table(&rows), "id      1\nheight  2\n");
    }
}
