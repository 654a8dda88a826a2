//! Evidence against validators, kept as files that anybody can verify (R37).

use quorate_chain::codec::encode;
use quorate_consensus::Evidence;
use std::io;
use std::path::{Path, PathBuf};

/// Most files of evidence that are kept: one for each epoch, validator and kind.
const FILES_MAX: usize = 1_024;

/// Writes evidence beside the ledger, off the async threads.
pub(super) fn keep(folder: PathBuf, evidence: Evidence) {
    tokio::task::spawn_blocking(move || match write(&folder, &evidence) {
        Ok(Some(path)) => tracing::info!(path = %path.display(), "kept the evidence"),
        Ok(None) => {}
        Err(error) => tracing::error!(folder = %folder.display(), %error, "cannot keep evidence"),
    });
}

fn write(folder: &Path, evidence: &Evidence) -> io::Result<Option<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let (validator, kind, epoch) = (evidence.accused(), evidence.kind(), evidence.epoch());
    let name = format!("epoch-{epoch}-validator-{validator}-{kind:?}.borsh");
    let path = folder.join(name.to_lowercase());
    if path.exists() || std::fs::read_dir(folder)?.count() >= FILES_MAX {
        return Ok(None);
    }
    std::fs::write(&path, encode(evidence))?;
    std::fs::File::open(&path)?.sync_all()?;
    Ok(Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_chain::certificate::PrepareVote;
    use quorate_chain::{BlockHash, Epoch, Height, Signature, ValidatorIndex, View};
    use quorate_consensus::message::Signed;

    fn two_prepares(signer: u16) -> Evidence {
        let signed = |block| Signed {
            payload: PrepareVote { epoch: Epoch(0), view: View(1), height: Height(2), block },
            signer: ValidatorIndex(signer),
            signature: Signature([9; 64]),
        };
        Evidence::Prepares(signed(BlockHash([1; 32])), signed(BlockHash([2; 32])))
    }

    #[test]
    fn evidence_is_kept_once_and_up_to_a_number_of_files() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(folder.path(), &two_prepares(0)).unwrap().is_some());
        assert!(write(folder.path(), &two_prepares(0)).unwrap().is_none(), "known");
        for other in 2..FILES_MAX {
            std::fs::write(folder.path().join(other.to_string()), "").unwrap();
        }
        assert!(write(folder.path(), &two_prepares(1)).unwrap().is_some(), "the last place");
        assert!(write(folder.path(), &two_prepares(2)).unwrap().is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), FILES_MAX);
    }
}
