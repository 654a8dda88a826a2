//! Clients that mean harm: wrong signatures, nonces behind a gap, and the same again, as fast as the nodes answer. What
//! they cost the others is the difference between two runs.

use super::accounts::Account;
use super::network::Node;
use crate::error::NodeError;
use quorate_chain::codec::Bytes;
use quorate_chain::instruction::Instruction;
use quorate_chain::{Amount, AssetId, ChainId, Nonce, Transaction, TransactionBody};
use std::sync::atomic::{AtomicBool, Ordering};

/// Most connections that mean harm.
pub(crate) const HOSTILE_MAX: u32 = 64;
/// Transactions of a request.
const REQUEST: u64 = 256;
/// Requests of each kind, sent again and again: each nonce is within what may wait.
const REQUESTS: u64 = 8;

/// What became of what they sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hostilities {
    /// Transactions sent.
    pub(super) sent: u64,
    /// Those that a node took, to wait for the one that is missing.
    pub(super) taken: u64,
    /// Those that were refused one by one.
    pub(super) refused: u64,
    /// Those of requests that were turned away as a whole.
    pub(super) turned_away: u64,
}

impl Hostilities {
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            taken: self.taken + other.taken,
            refused: self.refused + other.refused,
            turned_away: self.turned_away + other.turned_away,
        }
    }
}

/// A connection to one node with what it sends, ready made.
#[derive(Debug)]
pub(super) struct Hostile {
    requests: Vec<Vec<u8>>,
}

impl Hostile {
    /// Makes the requests of an account that exists.
    ///
    /// # Errors
    /// None that an account's own key could cause.
    pub(super) fn new(account: &Account, chain: ChainId) -> Result<Self, NodeError> {
        let made = |number: u64| {
            let memo = Bytes::default();
            let transfer = Instruction::Transfer {
                to: account.address,
                asset: AssetId::NATIVE,
                amount: Amount(1),
                memo,
            };
            // The account's next nonce never comes.
            let nonce = Nonce(account.nonce.0 + 1 + number);
            TransactionBody::new(chain, account.address, nonce, vec![transfer])
                .and_then(|body| Transaction::sign(body, chain, &[&account.key]))
                .map_err(|error| NodeError::Usage(format!("cannot make hostile transactions: {}", error.0)))
        };
        let mut requests = Vec::new();
        for request in 0..REQUESTS {
            let (mut right, mut wrong) = (list(), list());
            for number in request * REQUEST..(request + 1) * REQUEST {
                let transaction = made(number)?;
                push(&mut right, transaction.bytes());
                let mut bytes = transaction.bytes().to_vec();
                // Of the signature's first half, so that it stays a signature by its form.
                if let Some(byte) = bytes.len().checked_sub(40).and_then(|place| bytes.get_mut(place)) {
                    *byte ^= 1;
                }
                push(&mut wrong, &bytes);
            }
            requests.extend([wrong, right]);
        }
        Ok(Self { requests })
    }

    /// Sends all of it to a node, again and again.
    pub(super) fn run(&self, node: &Node, over: &AtomicBool) -> Hostilities {
        let mut all = Hostilities::default();
        for request in self.requests.iter().cycle() {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let sent = Hostilities { sent: REQUEST, ..Hostilities::default() };
            all = all.and(match node.client.broadcast_many(request) {
                Ok(many) => {
                    Hostilities { taken: many.taken.into(), refused: many.refused.len() as u64, ..sent }
                }
                Err(_) => Hostilities { turned_away: REQUEST, ..sent },
            });
        }
        all
    }
}

fn list() -> Vec<u8> {
    // As many as fit into a length.
    (REQUEST as u32).to_le_bytes().to_vec()
}

fn push(list: &mut Vec<u8>, transaction: &[u8]) {
    // A transaction is at most 30 KiB long.
    list.extend((transaction.len() as u32).to_le_bytes());
    list.extend(transaction);
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_chain::codec::{List, decode};
    use quorate_chain::crypto::SecretKey;

    #[test]
    fn half_of_it_is_authentic_but_behind_a_gap_and_half_is_wrongly_signed() {
        let chain = ChainId([7; 32]);
        let key = SecretKey::from_seed(&[1; 32]);
        let account = Account { address: key.public().into(), key, nonce: Nonce(5) };
        let hostile = Hostile::new(&account, chain).unwrap();
        let mut signed = Vec::new();
        for request in &hostile.requests {
            let all = decode::<List<Transaction, 0, 1_000>>(request).unwrap();
            assert!(all.iter().all(|one| one.body().nonce > account.nonce));
            signed.push(all.iter().all(|one| one.verify_signatures(chain)));
            assert_eq!(signed.last().copied(), Some(all.iter().any(|one| one.verify_signatures(chain))));
        }
        assert_eq!(signed, [false, true].repeat(REQUESTS as usize));
    }
}
