//! Leaves one client's transactions out of its blocks. Its core believes that it wanted these, so that it goes on
//! from them; so later blocks of the client's others can't be made either.

use super::Fixture;
use super::scene::Scene;
use quorate_chain::AccountId;
use quorate_consensus::Unsigned;

#[derive(Default)]
pub(super) struct Censor {
    /// The sender of the first transaction that it proposed.
    victim: Option<AccountId>,
}

impl Fixture for Censor {
    fn signs(&mut self, scene: &mut Scene<'_>, unsigned: Unsigned) -> Unsigned {
        let Unsigned::Proposal(epoch, view, block) = unsigned else { return unsigned };
        let first = block.block().transactions.iter().next().map(|transaction| transaction.body().account);
        let Some(victim) = self.victim.or(first) else { return Unsigned::Proposal(epoch, view, block) };
        self.victim = Some(victim);
        let transactions = block.block().transactions.iter();
        let others: Vec<_> = transactions.filter(|one| one.body().account != victim).cloned().collect();
        let censored = others.len() < block.block().transactions.len();
        let time = block.header().timestamp_ms.0;
        match scene.sibling(&block, time, others).filter(|_| censored) {
            Some(other) => {
                scene.lies += 1;
                Unsigned::Proposal(epoch, view, other)
            }
            None => Unsigned::Proposal(epoch, view, block),
        }
    }
}
