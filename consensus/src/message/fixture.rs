//! Small values with known bytes, for the tests that pin formats.

use super::*;
use quorate_chain::PreparedCertificate;
use quorate_chain::ResultHash;
use quorate_chain::certificate::{Signatures, ValidatorSignature};
use quorate_chain::codec::List;
use std::fmt::Write;

pub(crate) const EPOCH: &str = "0100000000000000";
pub(crate) const VIEW: &str = "0300000000000000";
pub(crate) const HEIGHT: &str = "0400000000000000";
pub(crate) const BLOCK: &str = "b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1";
/// Epoch 1, view 3, height 4, block b1….
pub(crate) const PREPARE_VOTE: &str = "010000000000000003000000000000000400000000000000\
    b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1";
/// The same, and result c2….
pub(crate) const COMMIT_VOTE: &str = "010000000000000003000000000000000400000000000000\
    b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1\
    c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2";
/// One, of validator 2.
pub(crate) const SIGNATURES: &str = "010000000200\
    dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd\
    dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd";
/// A C and a P.
pub(crate) const VIEW_CHANGE_PROOFS: &str = "01\
    010000000000000003000000000000000400000000000000\
    b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1\
    c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2\
    010000000200\
    dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd\
    dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd\
    01\
    010000000000000003000000000000000400000000000000\
    b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1\
    010000000200\
    dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd\
    dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd";

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let written = write!(text, "{byte:02x}");
        assert_eq!(written, Ok(()));
        text
    })
}

pub(crate) fn signature() -> Signature {
    Signature([0xdd; 64])
}

pub(crate) fn signature_bytes() -> String {
    "dd".repeat(64)
}

fn signatures() -> Signatures {
    let one = ValidatorSignature { validator: ValidatorIndex(2), signature: signature() };
    List::new(vec![one]).unwrap()
}

pub(crate) fn prepared() -> PreparedCertificate {
    let vote =
        PrepareVote { epoch: Epoch(1), view: View(3), height: Height(4), block: BlockHash([0xb1; 32]) };
    PreparedCertificate { vote, signatures: signatures() }
}

pub(crate) fn commit_vote() -> CommitVote {
    let PrepareVote { epoch, view, height, block } = prepared().vote;
    CommitVote { epoch, view, height, block, result: ResultHash([0xc2; 32]) }
}

pub(crate) fn committed() -> CommitCertificate {
    CommitCertificate::new(commit_vote(), signatures())
}

fn claims() -> ViewChangeClaims {
    let CommitVote { epoch, view, height, block, result } = commit_vote();
    ViewChangeClaims {
        epoch,
        target: View(6),
        committed: CommitClaim { view: Some(view), height, block, result },
        prepared: Some(PrepareClaim { view, height, block }),
    }
}

/// Target 6, C and P of view 3.
pub(crate) fn claims_bytes() -> String {
    let result = "c2".repeat(32);
    let committed = ["01", VIEW, HEIGHT, BLOCK, &result].concat();
    [EPOCH, "0600000000000000", &committed, "01", VIEW, HEIGHT, BLOCK].concat()
}

pub(crate) fn view_change() -> ViewChange {
    let claims = Signed { payload: claims(), signer: ValidatorIndex(2), signature: signature() };
    ViewChange { claims, committed: Some(committed()), prepared: Some(prepared()) }
}

pub(crate) fn new_view_message() -> Message {
    let contents = NewViewContents {
        epoch: Epoch(1),
        view: View(3),
        view_changes: List::new(vec![view_change().claims]).unwrap(),
        key: KeyCertificate::Prepared(prepared()),
        committed: Some(committed()),
    };
    Message::NewView(Arc::new(NewView { contents, signature: signature() }))
}
