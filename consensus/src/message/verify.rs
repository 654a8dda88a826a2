//! The checks that need no state of the replica but its epoch: signatures, certificates, and that a NewView
//! follows from what it carries. They run outside of the core, on whichever thread has time.

use super::compact::check_proposal;
use super::view_change::Highest;
use super::{AnchorKind, KeyCertificate, Message, NewView, Newest, Signed, ViewChange, ViewChangeClaims};
use borsh::BorshSerialize;
use quorate_chain::certificate::CertificateError;
use quorate_chain::crypto::{Domain, SignatureCheck, signed_bytes, strict};
use quorate_chain::{
    BlockHash, ChainId, CommitCertificate, Epoch, Height, PreparedCertificate, ResultHash, Signature,
    ValidatorIndex, ValidatorSet,
};
use std::sync::Arc;

/// What messages of an epoch are checked against.
#[derive(Clone, Debug)]
pub struct EpochContext {
    /// The chain.
    pub chain: ChainId,
    /// The epoch.
    pub epoch: Epoch,
    /// Its validators.
    pub set: Arc<ValidatorSet>,
    /// Height of the last block before the epoch.
    pub start_height: Height,
    /// That block; the chain id at height 0.
    pub start_block: BlockHash,
    /// Its result.
    pub start_result: ResultHash,
}

/// Why a message is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Of another epoch: not wrong, but nothing to be done with it.
    #[error("of epoch {0}")]
    Epoch(Epoch),
    /// A signature does not hold, or its signer has no seat.
    #[error("not signed by validator {0}")]
    Signature(ValidatorIndex),
    /// A certificate does not hold.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// Parts of the message contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
}

impl Invalid {
    /// Whether no honest replica could have sent it.
    #[must_use]
    pub const fn is_peer_fault(&self) -> bool {
        !matches!(self, Self::Epoch(_))
    }
}

/// Something that has passed [`verify`], or that the caller vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// For what was signed by the own key just now, or is known to be authentic by construction (the
    /// simulator): the caller vouches that [`verify`] would pass.
    pub const fn vouched(value: T) -> Self {
        Self(value)
    }

    /// What was verified.
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// What was verified.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// An epoch, and how signatures are checked.
pub(crate) struct Judge<'a> {
    context: &'a EpochContext,
    holds: SignatureCheck,
}

impl std::ops::Deref for Judge<'_> {
    type Target = EpochContext;

    fn deref(&self) -> &EpochContext {
        self.context
    }
}

impl Judge<'_> {
    pub(crate) fn signed<T: BorshSerialize>(
        &self,
        domain: Domain,
        signer: ValidatorIndex,
        payload: &T,
        signature: &Signature,
    ) -> Result<(), Invalid> {
        let seat = self.set.get(signer).ok_or(Invalid::Signature(signer))?;
        let bytes = signed_bytes(domain, self.chain, payload);
        let holds = (self.holds)(seat.consensus, &bytes, signature);
        if holds { Ok(()) } else { Err(Invalid::Signature(signer)) }
    }

    pub(crate) fn one<T: BorshSerialize>(
        &self,
        domain: Domain,
        epoch: Epoch,
        message: &Signed<T>,
    ) -> Result<(), Invalid> {
        self.in_epoch(epoch)?;
        self.signed(domain, message.signer, &message.payload, &message.signature)
    }

    fn committed(&self, certificate: &CommitCertificate) -> Result<(), Invalid> {
        Ok(certificate.verify_by(&self.set, self.chain, self.holds)?)
    }

    fn prepared(&self, certificate: &PreparedCertificate) -> Result<(), Invalid> {
        Ok(certificate.verify_by(&self.set, self.chain, self.holds)?)
    }
}

impl EpochContext {
    /// Checks signatures as a node does.
    pub(crate) const fn judge(&self) -> Judge<'_> {
        Judge { context: self, holds: strict }
    }

    pub(crate) fn in_epoch(&self, epoch: Epoch) -> Result<(), Invalid> {
        if epoch == self.epoch { Ok(()) } else { Err(Invalid::Epoch(epoch)) }
    }
}

/// Checks a message against its epoch.
///
/// # Errors
/// Says what does not hold; [`Invalid::Epoch`] is no fault of the sender.
pub fn verify(message: Message, context: &EpochContext) -> Result<Verified<Message>, Invalid> {
    verify_by(message, context, strict)
}

/// The same, with another check of signatures.
///
/// # Errors
/// Says what does not hold; [`Invalid::Epoch`] is no fault of the sender.
pub fn verify_by(
    message: Message,
    context: &EpochContext,
    holds: SignatureCheck,
) -> Result<Verified<Message>, Invalid> {
    let context = &Judge { context, holds };
    match &message {
        Message::Proposal(proposal) => {
            check_proposal(&proposal.claim(), proposal.block.header(), &proposal.signature, context)?;
        }
        Message::Prepare(vote) => context.one(Domain::Prepare, vote.payload.epoch, vote)?,
        Message::Commit(vote) => context.one(Domain::Commit, vote.payload.epoch, vote)?,
        Message::Ask(ask) => context.one(Domain::Ask, ask.payload.epoch, ask)?,
        Message::Status(status) => context.one(Domain::Status, status.payload.epoch, status)?,
        Message::ViewChange(view_change) => verify_view_change(view_change, context)?,
        Message::NewView(new_view) => verify_new_view(new_view, context)?,
        Message::Suspect(suspect) => context.one(Domain::Suspect, suspect.payload.epoch, suspect)?,
        Message::Recall(recall) => context.one(Domain::Recall, recall.payload.epoch, recall)?,
        Message::Newest(newest) => verify_newest(newest, context)?,
        Message::Certificate(certificate) => {
            context.in_epoch(certificate.epoch)?;
            context.committed(certificate)?;
        }
    }
    Ok(Verified(message))
}

/// R47: whatever an answer shows was signed by the asker.
fn verify_newest(newest: &Signed<Newest>, context: &Judge<'_>) -> Result<(), Invalid> {
    let Newest { asker, recall, seen } = &newest.payload;
    context.one(Domain::Newest, recall.epoch, newest)?;
    let signers = [
        seen.proposal.as_ref().map(|claim| claim.signer),
        seen.prepare.as_ref().map(|vote| vote.signer),
        seen.commit.as_ref().map(|vote| vote.signer),
        seen.view_change.as_ref().map(|claims| claims.signer),
        seen.new_view.as_ref().map(|n| context.set.primary(n.contents.epoch, n.contents.view)),
    ];
    if signers.into_iter().flatten().any(|signer| signer != *asker) {
        return Err(Invalid::Contradiction("an answer with somebody else's signature"));
    }
    if let Some(claim) = &seen.proposal {
        context.one(Domain::Proposal, claim.payload.epoch, claim)?;
    }
    if let Some(vote) = &seen.prepare {
        context.one(Domain::Prepare, vote.payload.epoch, vote)?;
    }
    if let Some(vote) = &seen.commit {
        context.one(Domain::Commit, vote.payload.epoch, vote)?;
    }
    if let Some(claims) = &seen.view_change {
        context.one(Domain::ViewChange, claims.payload.epoch, claims)?;
    }
    if let Some(new_view) = &seen.new_view {
        context.in_epoch(new_view.contents.epoch)?;
        context.signed(Domain::NewView, *asker, &new_view.contents, &new_view.signature)?;
    }
    Ok(())
}

/// R18: the claims of a ViewChange are of views below its target, and the start of the epoch is ours.
fn check_claims(claims: &ViewChangeClaims, context: &EpochContext) -> Result<(), Invalid> {
    context.in_epoch(claims.epoch)?;
    let committed = &claims.committed;
    if committed.view >= Some(claims.target) || claims.prepared.is_some_and(|p| p.view >= claims.target) {
        return Err(Invalid::Contradiction("a ViewChange with a certificate of its target or above"));
    }
    let from_start = match committed.view {
        Some(_) => committed.height > context.start_height,
        None => {
            (committed.height, committed.block, committed.result)
                == (context.start_height, context.start_block, context.start_result)
        }
    };
    if from_start {
        Ok(())
    } else {
        Err(Invalid::Contradiction("a ViewChange from another start of the epoch"))
    }
}

fn committed_matches(certificate: &CommitCertificate, claims: &ViewChangeClaims) -> bool {
    let claim = &claims.committed;
    certificate.epoch == claims.epoch
        && claim.view == Some(certificate.view)
        && (certificate.height, certificate.block_hash) == (claim.height, claim.block)
        && certificate.result_hash == claim.result
}

/// R24: whoever makes a NewView refuses a ViewChange whose certificates do not prove its claims.
fn verify_view_change(view_change: &ViewChange, context: &Judge<'_>) -> Result<(), Invalid> {
    let claims = &view_change.claims.payload;
    check_claims(claims, context)?;
    context.one(Domain::ViewChange, claims.epoch, &view_change.claims)?;
    match (&view_change.committed, claims.committed.view) {
        (None, None) => {}
        (Some(certificate), Some(_)) if committed_matches(certificate, claims) => {
            context.committed(certificate)?;
        }
        _ => return Err(Invalid::Contradiction("a ViewChange without proof of its C")),
    }
    match (&view_change.prepared, &claims.prepared) {
        (None, None) => {}
        (Some(certificate), Some(claim))
            if certificate.vote.epoch == claims.epoch
                && certificate.vote.view == claim.view
                && (certificate.vote.height, certificate.vote.block) == (claim.height, claim.block) =>
        {
            context.prepared(certificate)?;
        }
        _ => return Err(Invalid::Contradiction("a ViewChange without proof of its P")),
    }
    Ok(())
}

/// R24, R25: q distinct ViewChanges for the view, with valid certificates for their maximum key and their
/// highest C.
fn verify_new_view(new_view: &NewView, context: &Judge<'_>) -> Result<(), Invalid> {
    let contents = &new_view.contents;
    context.in_epoch(contents.epoch)?;
    let primary = context.set.primary(contents.epoch, contents.view);
    context.signed(Domain::NewView, primary, contents, &new_view.signature)?;
    let view_changes = &contents.view_changes;
    if !view_changes.is_sorted_by(|a, b| a.signer < b.signer) || view_changes.len() < context.set.quorum().q()
    {
        return Err(Invalid::Contradiction("a NewView without a quorum of distinct ViewChanges"));
    }
    for one in view_changes.iter() {
        if one.payload.target != contents.view {
            return Err(Invalid::Contradiction("a NewView with a ViewChange for another view"));
        }
        check_claims(&one.payload, context)?;
        context.one(Domain::ViewChange, one.payload.epoch, one)?;
    }
    let Some(highest) = Highest::of(view_changes.iter().map(|one| &one.payload)) else {
        return Err(Invalid::Contradiction("a NewView without ViewChanges"));
    };
    check_key_certificate(&contents.key, &highest, context)?;
    let claim = highest.committed;
    match (&contents.committed, claim.view) {
        (None, None) => Ok(()),
        (Some(c), Some(view))
            if (c.epoch, c.view, c.height) == (contents.epoch, view, claim.height)
                && (c.block_hash, c.result_hash) == (claim.block, claim.result) =>
        {
            context.committed(c)
        }
        _ => Err(Invalid::Contradiction("a NewView without proof of its highest C")),
    }
}

fn check_key_certificate(
    key: &KeyCertificate,
    highest: &Highest,
    context: &Judge<'_>,
) -> Result<(), Invalid> {
    let wanted = highest.key;
    let fits = |epoch, view, height, block| {
        epoch == context.epoch
            && Some(view) == wanted.view
            && (height, block) == (wanted.height, wanted.block)
    };
    match (key, wanted.kind, wanted.view) {
        (KeyCertificate::EpochStart, AnchorKind::Committed, None) => Ok(()),
        (KeyCertificate::Prepared(p), AnchorKind::Prepared, Some(_))
            if fits(p.vote.epoch, p.vote.view, p.vote.height, p.vote.block) =>
        {
            context.prepared(p)
        }
        (KeyCertificate::Committed(c), AnchorKind::Committed, Some(_))
            if fits(c.epoch, c.view, c.height, c.block_hash) =>
        {
            context.committed(c)
        }
        _ => Err(Invalid::Contradiction("a NewView without proof of its highest key")),
    }
}
