//! What verification should say, found without it: ed25519 is deterministic, so with the four secret keys at
//! hand a signature is genuine exactly if signing again gives the same bytes (whoever lacks a key cannot make
//! another one that holds).

use borsh::BorshSerialize;
use quorate_chain::certificate::{CommitVote, PrepareVote, ValidatorSignature};
use quorate_chain::crypto::{Domain, SecretKey};
use quorate_chain::validator::fixture::{consensus_key, validator_set};
use quorate_chain::{
    ChainId, CommitCertificate, Epoch, Height, PreparedCertificate, ResultHash, Signature, ValidatorIndex,
    ValidatorSet, View,
};
use quorate_consensus::message::{
    CommitClaim, EpochContext, KeyCertificate, NewView, Newest, ProposalClaim, Signed, SignedViewChange,
    ViewChange, ViewChangeClaims,
};
use quorate_consensus::{Evidence, Message};
use std::sync::{Arc, LazyLock};

/// The chain that genuine signatures are for.
pub(super) const CHAIN: ChainId = ChainId([0x51; 32]);
/// Validators of the set; a certificate needs three of them.
pub(super) const VALIDATORS: u16 = 4;
const QUORUM: usize = 3;

static SET: LazyLock<Arc<ValidatorSet>> = LazyLock::new(|| Arc::new(validator_set(VALIDATORS)));
static KEYS: LazyLock<Vec<SecretKey>> = LazyLock::new(|| (0..VALIDATORS).map(consensus_key).collect());

/// The epoch that messages are checked against.
pub(super) fn context() -> EpochContext {
    EpochContext {
        chain: CHAIN,
        epoch: Epoch(1),
        set: SET.clone(),
        start_height: Height(2),
        start_block: quorate_chain::BlockHash([0xa1; 32]),
        start_result: ResultHash([0xa2; 32]),
    }
}

/// A validator's secret key.
pub(super) fn key(validator: u16) -> &'static SecretKey {
    &KEYS[usize::from(validator)]
}

/// Whether the holder of this seat signed it.
pub(super) fn holds<T: BorshSerialize>(
    domain: Domain,
    signer: ValidatorIndex,
    payload: &T,
    signature: &Signature,
) -> bool {
    signer.0 < VALIDATORS && key(signer.0).sign(domain, CHAIN, payload) == *signature
}

fn one<T: BorshSerialize>(domain: Domain, signed: &Signed<T>) -> bool {
    holds(domain, signed.signer, &signed.payload, &signed.signature)
}

fn signatures<T: BorshSerialize>(domain: Domain, vote: &T, signatures: &[ValidatorSignature]) -> bool {
    let ascending = signatures.windows(2).all(|two| two[0].validator < two[1].validator);
    let genuine = signatures.iter().all(|s| holds(domain, s.validator, vote, &s.signature));
    signatures.len() >= QUORUM && ascending && genuine
}

/// Whether a quorum signed it.
pub(super) fn committed(certificate: &CommitCertificate) -> bool {
    signatures(Domain::Commit, &certificate.vote(), &certificate.signatures)
}

/// Whether a quorum signed it.
pub(super) fn prepared(certificate: &PreparedCertificate) -> bool {
    signatures(Domain::Prepare, &certificate.vote, &certificate.signatures)
}

/// R1, R18, R24, R25, R47: whether an honest replica takes the message in.
pub(super) fn message(message: &Message) -> bool {
    let context = context();
    if message.epoch() != context.epoch {
        return false;
    }
    match message {
        Message::Proposal(p) => {
            let primary = context.set.primary(p.epoch, p.view);
            p.block.header().epoch == p.epoch && holds(Domain::Proposal, primary, &p.claim(), &p.signature)
        }
        Message::Prepare(vote) => one(Domain::Prepare, vote),
        Message::Commit(vote) => one(Domain::Commit, vote),
        Message::Ask(ask) => one(Domain::Ask, ask),
        Message::ViewChange(v) => view_change(v, &context),
        Message::NewView(n) => new_view(n, &context),
        Message::Status(status) => one(Domain::Status, status),
        Message::Certificate(c) => committed(c),
        Message::Suspect(suspect) => one(Domain::Suspect, suspect),
        Message::Recall(recall) => one(Domain::Recall, recall),
        Message::Newest(n) => one(Domain::Newest, n) && newest(&n.payload, &context),
    }
}

fn claims(claims: &ViewChangeClaims, context: &EpochContext) -> bool {
    let CommitClaim { view, height, block, result } = claims.committed;
    let start = (context.start_height, context.start_block, context.start_result);
    let sound = match view {
        None => (height, block, result) == start,
        Some(view) => view < claims.target && height > context.start_height,
    };
    sound && claims.epoch == context.epoch && claims.prepared.is_none_or(|p| p.view < claims.target)
}

fn shows_commit(certificate: Option<&CommitCertificate>, claim: CommitClaim, epoch: Epoch) -> bool {
    match (certificate, claim.view) {
        (None, None) => true,
        (Some(c), Some(view)) => {
            let CommitClaim { height, block, result, .. } = claim;
            c.vote() == CommitVote { epoch, view, height, block, result } && committed(c)
        }
        _ => false,
    }
}

fn view_change(change: &ViewChange, context: &EpochContext) -> bool {
    let said = &change.claims.payload;
    let shows_prepared = match (&change.prepared, said.prepared) {
        (None, None) => true,
        (Some(p), Some(claim)) => {
            let (view, height, block) = (claim.view, claim.height, claim.block);
            p.vote == PrepareVote { epoch: said.epoch, view, height, block } && prepared(p)
        }
        _ => false,
    };
    claims(said, context)
        && one(Domain::ViewChange, &change.claims)
        && shows_commit(change.committed.as_ref(), said.committed, said.epoch)
        && shows_prepared
}

/// The highest key of some claims, C above P where equal: view, height, whether a C, block.
fn highest_key(changes: &[SignedViewChange]) -> (Option<View>, Height, bool, quorate_chain::BlockHash) {
    let of = |change: &SignedViewChange| {
        let (c, p) = (change.payload.committed, change.payload.prepared);
        let p = p.map(|p| (Some(p.view), p.height, false, p.block));
        [Some((c.view, c.height, true, c.block)), p].into_iter().flatten().max()
    };
    changes.iter().filter_map(of).max().unwrap_or_default()
}

fn new_view(new_view: &NewView, context: &EpochContext) -> bool {
    let contents = &new_view.contents;
    let changes = &contents.view_changes;
    let primary = context.set.primary(contents.epoch, contents.view);
    let is_sound = |change: &SignedViewChange| {
        let said = &change.payload;
        said.target == contents.view && claims(said, context) && one(Domain::ViewChange, change)
    };
    let distinct = changes.windows(2).all(|two| two[0].signer < two[1].signer);
    if !(holds(Domain::NewView, primary, contents, &new_view.signature)
        && distinct
        && changes.len() >= QUORUM
        && changes.iter().all(is_sound))
    {
        return false;
    }
    let (view, height, is_commit, block) = highest_key(changes);
    let proves_key = match (&contents.key, view) {
        (KeyCertificate::EpochStart, None) => is_commit,
        (KeyCertificate::Prepared(p), Some(view)) => {
            let vote = PrepareVote { epoch: context.epoch, view, height, block };
            !is_commit && p.vote == vote && prepared(p)
        }
        (KeyCertificate::Committed(c), Some(view)) => {
            let found = (c.epoch, c.view, c.height, c.block_hash);
            is_commit && found == (context.epoch, view, height, block) && committed(c)
        }
        _ => false,
    };
    // Of equal ones the first counts: two with other contents cannot both be proven.
    let mut highest: Option<CommitClaim> = None;
    for claim in changes.iter().map(|change| change.payload.committed) {
        if highest.is_none_or(|h| (h.height, h.view) < (claim.height, claim.view)) {
            highest = Some(claim);
        }
    }
    proves_key && highest.is_some_and(|claim| shows_commit(contents.committed.as_ref(), claim, context.epoch))
}

fn newest(newest: &Newest, context: &EpochContext) -> bool {
    let (asker, seen) = (newest.asker, &newest.seen);
    let epoch = context.epoch;
    let by_asker = |signer: ValidatorIndex, of: Epoch| signer == asker && of == epoch;
    seen.proposal.as_ref().is_none_or(|s| by_asker(s.signer, s.payload.epoch) && one(Domain::Proposal, s))
        && seen
            .prepare
            .as_ref()
            .is_none_or(|s| by_asker(s.signer, s.payload.epoch) && one(Domain::Prepare, s))
        && seen.commit.as_ref().is_none_or(|s| by_asker(s.signer, s.payload.epoch) && one(Domain::Commit, s))
        && seen
            .view_change
            .as_ref()
            .is_none_or(|s| by_asker(s.signer, s.payload.epoch) && one(Domain::ViewChange, s))
        && seen.new_view.as_ref().is_none_or(|n| {
            let primary = context.set.primary(n.contents.epoch, n.contents.view);
            by_asker(primary, n.contents.epoch) && holds(Domain::NewView, primary, &n.contents, &n.signature)
        })
}

/// Whether one validator signed two different payloads for one slot.
fn pair<T: BorshSerialize + PartialEq, S: PartialEq>(
    domain: Domain,
    (first, second): (&Signed<T>, &Signed<T>),
    slot: impl Fn(&T) -> (Epoch, S),
) -> bool {
    let (a, b) = (slot(&first.payload), slot(&second.payload));
    a.0 == context().epoch
        && a == b
        && first.signer == second.signer
        && first.payload != second.payload
        && one(domain, first)
        && one(domain, second)
}

/// R37: whether it proves anything.
pub(super) fn evidence(evidence: &Evidence) -> bool {
    match evidence {
        Evidence::Proposals(a, b) => {
            pair(Domain::Proposal, (a, b), |p: &ProposalClaim| (p.epoch, (p.view, p.height)))
        }
        Evidence::Prepares(a, b) => {
            pair(Domain::Prepare, (a, b), |p: &PrepareVote| (p.epoch, (p.view, p.height)))
        }
        Evidence::Commits(a, b) => {
            pair(Domain::Commit, (a, b), |p: &CommitVote| (p.epoch, (p.view, p.height)))
        }
        Evidence::ViewChanges(two) => {
            pair(Domain::ViewChange, (&two.0, &two.1), |p: &ViewChangeClaims| (p.epoch, p.target))
        }
        Evidence::NewViews(primary, a, b) => {
            let signed = |n: &NewView| holds(Domain::NewView, *primary, &n.contents, &n.signature);
            let epochs = [a.contents.epoch, b.contents.epoch];
            epochs == [context().epoch; 2]
                && a.contents.view == b.contents.view
                && a.contents != b.contents
                && signed(a)
                && signed(b)
        }
    }
}
