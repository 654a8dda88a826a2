//! Validator sets, cards, readies, votes, certificates.

use crate::blocks::{Made, chain};
use crate::{CHAIN, OTHER_CHAIN, bytes, file, key};
use quorate_chain::certificate::fixture::commit_certificate;
use quorate_chain::certificate::{CommitVote, PrepareVote, ValidatorSignature};
use quorate_chain::codec::{List, Text};
use quorate_chain::crypto::{Domain, signed_bytes};
use quorate_chain::validator::fixture::{consensus_key, validator_set};
use quorate_chain::validator::{Card, Ready, SetChange, SignedReady, Validator};
use quorate_chain::{
    CertifiedHeader, ChainId, CommitCertificate, Epoch, Header, OrganisationId, PreparedCertificate,
    ResultHash, ValidatorIndex, View,
};
use serde_json::{Value, json};

const VIEW: View = View(6);

fn prepare_vote(header: &Header) -> PrepareVote {
    PrepareVote { epoch: header.epoch, view: VIEW, height: header.height, block: header.hash() }
}

fn commit_vote(header: &Header, result: ResultHash) -> CommitVote {
    CommitVote { epoch: header.epoch, view: VIEW, height: header.height, block: header.hash(), result }
}

fn prepared(chain: ChainId, vote: PrepareVote, signers: &[u16]) -> PreparedCertificate {
    let signatures = signers.iter().map(|i| ValidatorSignature {
        validator: ValidatorIndex(*i),
        signature: consensus_key(*i).sign(Domain::Prepare, chain, &vote),
    });
    PreparedCertificate { vote, signatures: List::new(signatures.collect()).unwrap() }
}

fn sets() -> Vec<Value> {
    let set = |n| {
        let set = validator_set(n);
        let quorum = set.quorum();
        json!({
            "fields": set, "bytes": bytes(&set), "hash": set.hash(),
            "n": quorum.n(), "f": quorum.f(), "q": quorum.q(),
        })
    };
    [1, 4, 5, 7].map(set).to_vec()
}

fn shown_commit(name: &str, n: u16, certificate: &CommitCertificate) -> Value {
    json!({
        "name": name,
        "validators": n,
        "fields": certificate,
        "signed_bytes": hex::encode(signed_bytes(Domain::Commit, CHAIN, &certificate.vote())),
        "bytes": bytes(certificate),
        "holds": certificate.verify(&validator_set(n), CHAIN).is_ok(),
    })
}

fn shown_prepared(name: &str, n: u16, certificate: &PreparedCertificate) -> Value {
    let PrepareVote { epoch, view, height, block } = certificate.vote;
    json!({
        "name": name,
        "validators": n,
        "fields": {
            "vote": { "epoch": epoch, "view": view, "height": height, "block": block },
            "signatures": certificate.signatures,
        },
        "signed_bytes": hex::encode(signed_bytes(Domain::Prepare, CHAIN, &certificate.vote)),
        "bytes": bytes(certificate),
        "holds": certificate.verify(&validator_set(n), CHAIN).is_ok(),
    })
}

fn commits(made: &Made) -> Vec<Value> {
    let vote = commit_vote(&made.block.header, made.result.hash());
    let signed = |signers: &[u16]| commit_certificate(CHAIN, vote, signers);
    let changed = |change: fn(&mut CommitCertificate)| {
        let mut certificate = signed(&[0, 1, 3]);
        change(&mut certificate);
        certificate
    };
    let flipped = |i: usize| {
        let certificate = signed(&[0, 1, 3]);
        let mut signatures = certificate.signatures.to_vec();
        signatures[i].signature.0[50] ^= 4;
        CommitCertificate { signatures: List::new(signatures).unwrap(), ..certificate }
    };
    vec![
        shown_commit("three of four", 4, &signed(&[0, 1, 3])),
        shown_commit("all of four", 4, &signed(&[0, 1, 2, 3])),
        shown_commit("four of five", 5, &signed(&[0, 2, 3, 4])),
        shown_commit("five of seven", 7, &signed(&[1, 2, 4, 5, 6])),
        shown_commit("the only one", 1, &signed(&[0])),
        shown_commit("one signature short, of four", 4, &signed(&[0, 1])),
        shown_commit("2f+1 of five is no quorum", 5, &signed(&[0, 1, 2])),
        shown_commit("a repeated signer", 4, &signed(&[0, 1, 1])),
        shown_commit("signers out of order", 4, &signed(&[1, 0, 2])),
        shown_commit("a signer without a seat", 4, &signed(&[0, 1, 4])),
        shown_commit("a bit of a signature flipped", 4, &flipped(2)),
        shown_commit("for another chain", 4, &commit_certificate(OTHER_CHAIN, vote, &[0, 1, 3])),
        shown_commit("another epoch", 4, &changed(|c| c.epoch = c.epoch.next())),
        shown_commit("another view", 4, &changed(|c| c.view = c.view.next())),
        shown_commit("another height", 4, &changed(|c| c.height = c.height.next())),
        shown_commit("another block", 4, &changed(|c| c.block_hash.0[0] ^= 1)),
        shown_commit("another result", 4, &changed(|c| c.result_hash.0[0] ^= 1)),
    ]
}

fn prepares(made: &Made) -> Vec<Value> {
    let vote = prepare_vote(&made.block.header);
    let as_commits =
        commit_certificate(CHAIN, commit_vote(&made.block.header, made.result.hash()), &[0, 1, 2]);
    let mistaken = PreparedCertificate { vote, signatures: as_commits.signatures };
    vec![
        shown_prepared("three of four", 4, &prepared(CHAIN, vote, &[1, 2, 3])),
        shown_prepared("five of seven", 7, &prepared(CHAIN, vote, &[0, 1, 2, 3, 6])),
        shown_prepared("one signature short", 4, &prepared(CHAIN, vote, &[1, 3])),
        shown_prepared("a repeated signer", 4, &prepared(CHAIN, vote, &[1, 1, 3])),
        shown_prepared("for another chain", 4, &prepared(OTHER_CHAIN, vote, &[1, 2, 3])),
        shown_prepared("signed as Commits", 4, &mistaken),
    ]
}

fn shown_header(name: &str, epoch: Epoch, proof: &CertifiedHeader) -> Value {
    json!({
        "name": name,
        "validators": 4,
        "epoch": epoch,
        "fields": proof,
        "bytes": bytes(proof),
        "holds": proof.verify(epoch, &validator_set(4), CHAIN).is_ok(),
    })
}

fn headers() -> Vec<Value> {
    let [first, second, third] = chain();
    let own = |made: &Made| {
        commit_certificate(CHAIN, commit_vote(&made.block.header, made.result.hash()), &[0, 1, 2])
    };
    let through = CertifiedHeader {
        header: first.block.header.clone(),
        result: first.result,
        path: List::new(vec![second.block.header.clone(), third.block.header.clone()]).unwrap(),
        commit: own(&third),
    };
    let direct = CertifiedHeader {
        header: second.block.header.clone(),
        result: second.result,
        path: List::default(),
        commit: own(&second),
    };
    let epoch = Epoch(3);
    let gap = List::new(vec![third.block.header.clone()]).unwrap();
    let short = List::new(vec![second.block.header]).unwrap();
    vec![
        shown_header("by its own certificate", epoch, &direct),
        shown_header("by a descendant's", epoch, &through),
        shown_header(
            "with another result",
            epoch,
            &CertifiedHeader { result: third.result, ..through.clone() },
        ),
        shown_header(
            "its own, with another result",
            epoch,
            &CertifiedHeader { result: first.result, ..direct },
        ),
        shown_header("a header left out", epoch, &CertifiedHeader { path: gap, ..through.clone() }),
        shown_header("the last header left out", epoch, &CertifiedHeader { path: short, ..through.clone() }),
        shown_header("in another epoch", Epoch(4), &through),
    ]
}

fn cards() -> Vec<Value> {
    let [identity, consensus, network] = [41, 42, 43].map(key);
    let validator = Validator {
        name: Text::new("Bank Ä").unwrap(),
        organisation: OrganisationId(identity.public().0),
        identity: identity.public(),
        consensus: consensus.public(),
        network: network.public(),
        recovering: false,
    };
    let card =
        Card::sign(validator, Text::new("bank.example:26601").unwrap(), &identity, &consensus, &network);
    let moved = Card { address: Text::new("thief.example:1").unwrap(), ..card.clone() };
    let swapped = Card { network_signature: card.consensus_signature, ..card.clone() };
    let shown = |name: &str, card: &Card| json!({ "name": name, "fields": card, "bytes": bytes(card), "holds": card.verify().is_ok() });
    vec![shown("a card", &card), shown("another address", &moved), shown("a key that did not sign", &swapped)]
}

fn change() -> Value {
    let seat = validator_set(5).validators()[4].clone();
    let ready = Ready {
        seat: seat.identity,
        height: chain()[1].block.header.height,
        result: chain()[1].result.hash(),
    };
    let signed = SignedReady::sign(ready.clone(), CHAIN, &consensus_key(4));
    let change = SetChange { set: validator_set(5), ready: List::new(vec![signed.clone()]).unwrap() };
    json!({
        "ready": { "seat": ready.seat, "height": ready.height, "result": ready.result },
        "consensus": seat.consensus,
        "signed_bytes": hex::encode(signed_bytes(Domain::Ready, CHAIN, &ready)),
        "signature": signed.signature,
        "set": change.set,
        "bytes": bytes(&change),
    })
}

#[test]
fn certificates() {
    let made = &chain()[1];
    let (commits, prepares) = (commits(made), prepares(made));
    let holding = |all: &[Value]| all.iter().filter(|one| one["holds"] == true).count();
    assert_eq!((holding(&commits), holding(&prepares), holding(&headers())), (5, 2, 2));
    let made = json!({
        "chain": CHAIN,
        "sets": sets(),
        "commits": commits,
        "prepares": prepares,
        "headers": headers(),
        "cards": cards(),
        "set_change": change(),
    });
    file::check("certificates", &made);
}
