//! Certificates and what follows from them: execution in order, the committed tip, forgetting (R8, R22, R36,
//! R42, R43).

use super::blocks::{Broken, Execution};
use super::effect::{Effect, Halt};
use super::{AHEAD_MAX, DECIDED_MAX, RECENT_MAX, Replica, Tip};
use crate::message::SealedBlock;
use quorate_chain::certificate::PATH_HEADERS_MAX;
use quorate_chain::{BlockHash, CommitCertificate, Height};

impl Replica {
    /// A commit certificate, made here or verified (R34, R35).
    pub(super) fn on_certificate(&mut self, certificate: CommitCertificate) {
        let height = certificate.height;
        if certificate.epoch != self.config.context.epoch {
            return;
        }
        self.commit_view = self.commit_view.max(Some(certificate.view));
        if self
            .highest_commit
            .as_ref()
            .is_none_or(|highest| (highest.height, highest.view) < (certificate.height, certificate.view))
        {
            self.highest_commit = Some(certificate.clone());
        }
        if height <= self.tip.height {
            self.compare_with_own(&certificate);
            // R26: for the anchor it may be the first of the view.
            self.withdraw_ask();
        } else {
            self.decided.entry(height).or_insert(certificate);
            // The lowest are needed first; sync brings the others again.
            if self.decided.len() > DECIDED_MAX {
                self.decided.pop_last();
            }
        }
    }

    /// R36: a certificate at or below the own tip says what the own chain says.
    fn compare_with_own(&mut self, certificate: &CommitCertificate) {
        let (height, other) = (certificate.height, certificate.block_hash);
        let Some((block, own)) = self.recent.get(&height).copied() else { return };
        if block != other {
            self.halt(Halt::Chain { height, view: certificate.view, own: block, other });
        } else if own != certificate.result_hash {
            self.halt(Halt::Result { height, block, own, certified: certificate.result_hash });
        }
    }

    /// A body that was asked for by its hash; nobody can slip in another.
    pub(super) fn on_block(&mut self, block: SealedBlock) {
        if block.height() > self.tip.height && self.blocks.is_fetching(block.hash()) {
            self.blocks.insert(&block);
        }
    }

    /// A block from sync. Its certificate is for it, or for a descendant that came with it.
    pub(super) fn on_certified(&mut self, block: SealedBlock, certificate: CommitCertificate) {
        let reach = self.tip.height.0 + self.config.window + AHEAD_MAX;
        let in_reach = block.height() > self.tip.height && block.height().0 <= reach;
        if !in_reach || certificate.epoch != self.config.context.epoch {
            return;
        }
        if certificate.block_hash == block.hash() || certificate.height > block.height() {
            self.blocks.insert(&block);
            self.seen.committed(&certificate);
            self.on_certificate(certificate);
        }
    }

    /// Executes and commits whatever is certified, in ascending height.
    pub(super) fn decide(&mut self) {
        while self.halted.is_none() {
            let Some(certificate) = self.decided.values().next().cloned() else { return };
            if !self.decide_first(&certificate) {
                return;
            }
        }
    }

    /// Commits the block above the tip on the way to the lowest certificate; false if something is missing.
    fn decide_first(&mut self, certificate: &CommitCertificate) -> bool {
        let tip = (self.tip.height, self.tip.block);
        let path = match self.blocks.path_from(tip, certificate.block_hash) {
            // The blocks between have certificates of their own, nearer than this.
            Ok(path) if path.len() > 1 + PATH_HEADERS_MAX => {
                self.fetch_decided(certificate.block_hash, certificate);
                return false;
            }
            Ok(path) => path,
            Err(Broken::Missing(hash)) => {
                self.fetch_decided(hash, certificate);
                return false;
            }
            Err(Broken::Fork { height, other }) => {
                self.halt(Halt::Chain { height, view: certificate.view, own: self.tip.block, other });
                return false;
            }
        };
        let Some(first) = path.first().cloned() else { return false };
        if first.header().parent_result != self.tip.result {
            let (own, certified) = (self.tip.result, first.header().parent_result);
            self.halt(Halt::Result { height: self.tip.height, block: self.tip.block, own, certified });
            return false;
        }
        self.store_and_execute(first.hash());
        let Some(own) = self.blocks.execution(first.hash()).map(|e| e.result) else { return false };
        // R22: the child's header binds its parent's result.
        let certified = path.get(1).map_or(certificate.result_hash, |child| child.header().parent_result);
        if own != certified {
            self.halt(Halt::Result { height: first.height(), block: first.hash(), own, certified });
            return false;
        }
        self.commit_block(&first, certificate.clone(), &path);
        true
    }

    fn fetch_decided(&mut self, hash: BlockHash, certificate: &CommitCertificate) {
        if certificate.height > self.tip.height.next() {
            for signature in certificate.signatures.iter() {
                self.sync_with(signature.validator, certificate.height);
            }
        } else if self.blocks.fetch(hash, self.now.time, self.config.status_ms) {
            self.out.push(Effect::FetchBlock(hash));
        }
    }

    fn commit_block(&mut self, block: &SealedBlock, certificate: CommitCertificate, path: &[SealedBlock]) {
        let (height, hash) = (block.height(), block.hash());
        let Some(Execution { result, ends_epoch }) = self.blocks.execution(hash) else { return };
        let headers = path.iter().skip(1).map(|block| block.header().clone()).collect();
        self.out.push(Effect::Commit {
            block: block.clone(),
            certificate: certificate.clone(),
            path: headers,
        });
        let timestamp_ms = block.header().timestamp_ms;
        self.tip = Tip { height, block: hash, result, timestamp_ms, certificate: Some(certificate) };
        self.tip_at = self.now.time;
        if mistaken!(self, LowersPAtCommit) {
            self.highest_prepared = self.highest_prepared.take().filter(|p| p.vote.height > height);
        }
        self.recent.insert(height, (hash, result));
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_first();
        }
        self.drop_overridden();
        let accepted = self.accepted_at.get(&height).copied();
        self.timeout.committed(accepted.map(|accepted| self.now.time.0.saturating_sub(accepted.0)));
        self.weigh(block, accepted.is_some());
        self.forget(height);
        // R32: each commit above the own tip restarts the timer.
        self.timers.stop_progress();
        self.withdraw_ask();
        if ends_epoch {
            self.end_epoch(height);
        }
    }

    /// R8: the certificate overrides the accepted chain, if that does not go on from the new tip.
    fn drop_overridden(&mut self) {
        let (height, hash) = (self.tip.height, self.tip.block);
        let Some((last, block)) = self.chain.last_key_value().map(|(last, block)| (*last, *block)) else {
            return;
        };
        let overridden = if last > height {
            matches!(self.blocks.path_from((height, hash), block), Err(Broken::Fork { .. }))
        } else {
            self.chain.get(&height).is_some_and(|accepted| *accepted != hash)
        };
        if overridden {
            self.chain.split_off(&height);
            self.withheld.retain(|(_, m)| m.vote().is_none_or(|(_, voted, _)| voted < height));
        }
    }

    /// R42, R43: what a commit has settled goes; the anchor's height stays open while it is voted on (R17).
    fn forget(&mut self, tip: Height) {
        let anchor = self.anchor.height;
        let settled = |height: &Height| *height > tip || *height == anchor;
        self.chain.retain(|height, _| settled(height));
        self.prepared.retain(|height, _| settled(height));
        self.own_prepares.retain(|height, _| settled(height));
        self.own_commits.retain(|height, _| settled(height));
        self.accepted_at.retain(|height, _| *height > tip);
        // Votes of a disk that has stopped answering do not pile up.
        let oldest = self.recent.first_key_value().map(|(height, _)| *height);
        self.withheld.retain(|(_, m)| m.vote().is_none_or(|(_, height, _)| Some(height) >= oldest));
        self.decided.retain(|height, _| *height > tip);
        self.proposals.retain(|height, _| *height > tip);
        self.early.retain(|_, proposal| proposal.block.height() > tip);
        self.votes.forget(tip, anchor);
        self.blocks.forget(tip);
        self.sync_asked.retain(|_, (to, _)| *to > tip);
    }
}
