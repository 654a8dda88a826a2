//! Clients that mean harm: wrong signatures, nonces behind a gap, and the same again, as fast as the nodes answer. What
//! they cost the others is the difference between two runs.

use super::accounts::Account;
use super::network::Node;
use crate::error::NodeError;
use quorate_chain::codec::{Bytes, List, encode};
use quorate_chain::crypto::Domain;
use quorate_chain::instruction::Instruction;
use quorate_chain::{Amount, AssetId, ChainId, Nonce, Transaction, TransactionBody};
use quorate_rpc::MANY_MAX;
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
        let made = |number: u64, wrong: bool| {
            let memo = Bytes::default();
            let (to, asset, amount) = (account.address, AssetId::NATIVE, Amount(1));
            let transfer = Instruction::Transfer { to, asset, amount, memo };
            // The account's next nonce never comes.
            let nonce = Nonce(account.nonce.0 + 1 + number);
            let body = TransactionBody::new(chain, account.address, nonce, vec![transfer])?;
            let mut signature = account.key.sign(Domain::Transaction, chain, &body);
            // In its first half, so that it stays a signature by its form.
            signature.0[0] ^= u8::from(wrong);
            Transaction::with_signatures(body, vec![(account.key.public(), signature)])
        };
        let mut requests = Vec::new();
        for first in (0..REQUESTS).map(|request| request * REQUEST) {
            for wrong in [true, false] {
                let all: Result<_, _> = (first..first + REQUEST).map(|number| made(number, wrong)).collect();
                let request = all.and_then(List::<Transaction, 0, MANY_MAX>::new);
                requests.push(encode(&request.map_err(|error| {
                    NodeError::Usage(format!("cannot make hostile transactions: {}", error.0))
                })?));
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_chain::codec::decode;
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
