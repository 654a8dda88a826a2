//! Accounts that sign.

use quorate_chain::codec::Bytes;
use quorate_chain::crypto::SecretKey;
use quorate_chain::instruction::Instruction;
use quorate_chain::transaction::TransactionBody;
use quorate_chain::{AccountId, Amount, AssetId, ChainId, Nonce, Transaction};
use quorate_genesis::{KeyFile, KeyKind};
use quorate_rpc_client::Client;
use std::path::Path;

/// An account, its key, and the nonce of its next transaction.
pub(crate) struct Wallet {
    pub(crate) key: SecretKey,
    pub(crate) chain: ChainId,
    pub(crate) nonce: Nonce,
}

impl Wallet {
    /// Of an account that has not acted yet.
    pub(crate) fn new(key: SecretKey, chain: ChainId) -> Self {
        Self { key, chain, nonce: Nonce::ZERO }
    }

    pub(crate) fn load(key_file: &Path, chain: ChainId) -> Self {
        Self::new(KeyFile::load(key_file, KeyKind::Account).unwrap().into_secret(), chain)
    }

    pub(crate) fn address(&self) -> AccountId {
        self.key.public().into()
    }

    /// A transfer with the next nonce, which stays the next one.
    pub(crate) fn body(&self, to: AccountId, amount: u128) -> TransactionBody {
        let transfer = Instruction::Transfer {
            to,
            asset: AssetId::NATIVE,
            amount: Amount(amount),
            memo: Bytes::default(),
        };
        TransactionBody::new(self.chain, self.address(), self.nonce, vec![transfer]).unwrap()
    }

    pub(crate) fn sign(&self, body: TransactionBody) -> Transaction {
        Transaction::sign(body, self.chain, &[&self.key]).unwrap()
    }

    /// A signed transfer; the nonce is used.
    pub(crate) fn transfer(&mut self, to: AccountId, amount: u128) -> Transaction {
        let transaction = self.sign(self.body(to, amount));
        self.nonce = self.nonce.next();
        transaction
    }

    /// Goes on with the nonce that the chain expects.
    pub(crate) fn ask_nonce(&mut self, node: &Client) {
        self.nonce = node.account(self.address()).unwrap().nonce;
    }
}
