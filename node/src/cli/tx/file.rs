//! A transaction on its way from one signer to the next: a JSON file with the body's bytes, the signatures so far,
//! and what the body says. Who signs believes the bytes, and is shown what they say.

use super::bad;
use crate::cli::Output;
use crate::error::NodeError;
use crate::files::replace;
use quorate_chain::codec::{decode, encode};
use quorate_chain::crypto::Domain;
use quorate_chain::{ChainId, PublicKey, Signature, Transaction, TransactionBody};
use quorate_genesis::KeyFile;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A body and who has signed it.
pub(super) struct Draft {
    chain: ChainId,
    body: TransactionBody,
    signatures: BTreeMap<PublicKey, Signature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    chain_id: ChainId,
    body: String,
    signatures: BTreeMap<String, Signature>,
    /// For people; not read.
    says: Value,
}

impl Draft {
    pub(super) const fn new(chain: ChainId, body: TransactionBody) -> Self {
        Self { chain, body, signatures: BTreeMap::new() }
    }

    pub(super) fn sign(&mut self, key: &KeyFile) {
        let signature = key.secret().sign(Domain::Transaction, self.chain, &self.body);
        self.signatures.insert(key.public(), signature);
    }

    /// The transaction with the signatures that it has.
    pub(super) fn signed(&self) -> Result<Transaction, NodeError> {
        let signatures = self.signatures.iter().map(|(key, signature)| (*key, *signature)).collect();
        Transaction::with_signatures(self.body.clone(), signatures).map_err(bad("the transaction"))
    }

    fn says(&self) -> Value {
        let body = &self.body;
        json!({
            "account": body.account,
            "nonce": body.nonce,
            "valid_until": body.valid_until,
            "sponsor": body.sponsor,
            "instructions": body.instructions.to_vec(),
        })
    }
}

pub(super) fn read(path: &Path) -> Result<Draft, NodeError> {
    let text = std::fs::read_to_string(path).map_err(NodeError::file("read", path))?;
    let unsound = |message: String| NodeError::Config { path: path.to_owned(), message };
    let form: Form = serde_json::from_str(&text).map_err(|error| unsound(error.to_string()))?;
    let bytes = hex::decode(&form.body).map_err(|error| unsound(format!("body: {error}")))?;
    let body = decode(&bytes).map_err(|error| unsound(format!("body: {error}")))?;
    let mut draft = Draft::new(form.chain_id, body);
    for (key, signature) in form.signatures {
        let key = key.parse().map_err(|error| unsound(format!("signatures: {error}")))?;
        draft.signatures.insert(key, signature);
    }
    Ok(draft)
}

/// Writes the file, and says what is in it and what to do next.
pub(super) fn write(path: &Path, draft: &Draft, output: Output) -> Result<(), NodeError> {
    let form = Form {
        chain_id: draft.chain,
        body: hex::encode(encode(&draft.body)),
        signatures: draft.signatures.iter().map(|(key, signature)| (key.to_string(), *signature)).collect(),
        says: draft.says(),
    };
    let text = serde_json::to_string_pretty(&form).map_err(|error| NodeError::Usage(error.to_string()))?;
    replace(path, (text + "\n").as_bytes())?;
    show(path, draft, output)
}

/// Adds signatures; without any, shows what the file says.
pub(super) fn sign(path: &Path, keys: &[KeyFile], output: Output) -> Result<(), NodeError> {
    let mut draft = read(path)?;
    if keys.is_empty() {
        return show(path, &draft, output);
    }
    keys.iter().for_each(|key| draft.sign(key));
    write(path, &draft, output)
}

fn show(path: &Path, draft: &Draft, output: Output) -> Result<(), NodeError> {
    let says = draft.says();
    let signers: Vec<_> = draft.signatures.keys().map(ToString::to_string).collect();
    let file = path.display();
    let text = format!(
        "chain      {}\nsays       {}\nsigned by  {}\n\nTo sign it too:  quorate tx sign {file} --key FILE\nTo send it:      quorate tx submit {file} --rpc URL --wait\n",
        draft.chain,
        serde_json::to_string_pretty(&says).unwrap_or_default().replace('\n', "\n           "),
        signers.join("\n           "),
    );
    output
        .answer(&text, &json!({ "file": path, "chain_id": draft.chain, "says": says, "signed_by": signers }))
}
