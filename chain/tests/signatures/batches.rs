//! The verdict of a batch is the verdict of its members, whatever is mixed and in which order.

use crate::{Case, forged, taming};
use proptest::prelude::*;
use quorate_chain::ChainId;
use quorate_chain::crypto::{Domain, SecretKey, SignedMessage, signed_bytes, verify_batch, verify_zip215};
use std::sync::LazyLock;

const CHAIN: ChainId = ChainId([1; 32]);

/// Good ones by a few keys, so that a batch has several of one key.
fn good(i: u8) -> Case {
    let key = SecretKey::from_seed(&[i % 5 + 1; 32]);
    let message = signed_bytes(Domain::Transaction, CHAIN, &i);
    let signature = key.sign(Domain::Transaction, CHAIN, &i);
    Case { name: format!("good {i}"), key: key.public(), message, signature, valid: true }
}

/// One bit of a good one's signature, key or message is another. A message may be signed for by nobody, and a
/// key be no point.
fn corrupted(i: u8) -> Case {
    let mut case = good(i);
    match i % 4 {
        0 => case.signature.0[usize::from(i) % 32] ^= 1,
        1 => case.signature.0[32 + usize::from(i) % 31] ^= 4,
        2 => case.key.0[usize::from(i) % 32] ^= 2,
        _ => case.message[20] ^= 1,
    }
    Case { name: format!("corrupted {i}"), valid: false, ..case }
}

static POOL: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let plain = (0..40).flat_map(|i| [good(i), corrupted(i)]);
    plain.chain(taming::cases()).chain(forged::mixed()).chain(forged::pairs()).collect()
});

#[test]
fn the_pool_has_the_verdicts_it_claims() {
    for case in POOL.iter() {
        assert_eq!(verify_zip215(case.signed()), case.valid, "{}", case.name);
    }
}

fn agree(picked: &[&Case]) {
    let signed: Vec<SignedMessage<'_>> = picked.iter().map(|case| case.signed()).collect();
    let expected: Vec<_> = picked.iter().map(|case| case.valid).collect();
    let names: Vec<_> = picked.iter().map(|case| &case.name).collect();
    assert_eq!(verify_batch(&signed), expected, "{names:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Kinds are drawn before members, or nearly all would be of small order.
    #[test]
    fn a_batch_of_anything_has_the_verdicts_of_its_members(
        picks in prop::collection::vec((0..5_usize, any::<prop::sample::Index>()), 0..=64),
    ) {
        let pool = &*POOL;
        let (good, rest): (Vec<_>, Vec<_>) = pool[..80].iter().partition(|case| case.valid);
        let kinds: [Vec<&Case>; 5] = [
            good, rest, pool[80..92].iter().collect(), pool[92..156].iter().collect(),
            pool[156..].iter().collect(),
        ];
        let picked: Vec<_> = picks.iter().map(|(kind, at)| *at.get(&kinds[*kind])).collect();
        agree(&picked);
    }

    /// Batches in which all is valid take another path than those with one bad member.
    #[test]
    fn a_batch_of_valid_ones_with_at_most_one_bad(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..=64),
        bad in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
    ) {
        let (valid, invalid): (Vec<_>, Vec<_>) = POOL.iter().partition(|case| case.valid);
        let mut picked: Vec<_> = picks.iter().map(|at| *at.get(&valid)).collect();
        if let Some((which, place)) = bad {
            let place = place.index(picked.len() + 1);
            picked.insert(place, *which.get(&invalid));
        }
        agree(&picked);
    }
}
