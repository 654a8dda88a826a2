//! Golden bytes and domains of every message, and decoding of anything.

use super::fixture::*;
use super::*;
use quorate_chain::codec::{List, decode, encode};
use quorate_chain::crypto::verify_strict;
use quorate_chain::validator::fixture::{consensus_key, validator_set};
use quorate_chain::{Block, Header, TimestampMs};

fn block() -> SealedBlock {
    let header = Header {
        version: 1,
        height: Height(4),
        epoch: Epoch(1),
        parent: BlockHash([6; 32]),
        timestamp_ms: TimestampMs(7),
        transactions_root: quorate_chain::block::transactions_root(&[]),
        transaction_count: 0,
        parent_result: quorate_chain::ResultHash([8; 32]),
        proposer: ValidatorIndex(2),
    };
    SealedBlock::new(Block { header, transactions: quorate_chain::codec::List::default() }).unwrap()
}

fn signed<T>(payload: T) -> Signed<T> {
    Signed { payload, signer: ValidatorIndex(2), signature: signature() }
}

fn messages() -> [Message; 11] {
    let counter = AskCounter { start: 5, sequence: 6 };
    let status = Status {
        epoch: Epoch(1),
        view: View(3),
        tip: Height(4),
        tip_block: BlockHash([0xb1; 32]),
        prepared: Height(5),
    };
    let recall = Recall { epoch: Epoch(1), start: 5, clock: TimestampMs(7) };
    let seen = NewestSigned {
        prepare: Some(signed(prepared().vote)),
        view_change: Some(view_change().claims),
        ..NewestSigned::default()
    };
    [
        Message::Proposal(Arc::new(Proposal {
            epoch: Epoch(1),
            view: View(3),
            block: block(),
            signature: signature(),
        })),
        Message::Prepare(signed(prepared().vote)),
        Message::Commit(signed(commit_vote())),
        Message::Ask(signed(Ask { epoch: Epoch(1), target: View(3), counter })),
        Message::ViewChange(Arc::new(view_change())),
        new_view_message(),
        Message::Status(signed(status)),
        Message::Certificate(Arc::new(committed())),
        Message::Suspect(signed(Suspect {
            epoch: Epoch(1),
            view: View(3),
            transaction: TransactionId([0xe3; 32]),
        })),
        Message::Recall(signed(recall)),
        Message::Newest(Arc::new(signed(Newest { asker: ValidatorIndex(2), recall, seen }))),
    ]
}

#[test]
fn golden_message_bytes() {
    let root = hex(&block().header().transactions_root.0);
    let (parent, parent_result) = ("06".repeat(32), "08".repeat(32));
    let header =
        ["0100", HEIGHT, EPOCH, &parent, "0700000000000000", &root, "00000000", &parent_result, "0200"];
    let claims = claims_bytes();
    let commit = [COMMIT_VOTE, SIGNATURES].concat();
    let recall = [EPOCH, "0500000000000000", "0700000000000000"].concat();
    let golden = [
        ["01", EPOCH, VIEW, &header.concat(), "00000000", &signature_bytes()].concat(),
        ["02", PREPARE_VOTE, "0200", &signature_bytes()].concat(),
        ["03", COMMIT_VOTE, "0200", &signature_bytes()].concat(),
        ["04", EPOCH, VIEW, "0500000000000000", "0600000000000000", "0200", &signature_bytes()].concat(),
        ["05", &claims, "0200", &signature_bytes(), VIEW_CHANGE_PROOFS].concat(),
        [
            "06",
            EPOCH,
            VIEW,
            "01000000",
            &claims,
            "0200",
            &signature_bytes(),
            "01",
            PREPARE_VOTE,
            SIGNATURES,
            "01",
            &commit,
            &signature_bytes(),
        ]
        .concat(),
        ["07", EPOCH, VIEW, HEIGHT, BLOCK, "0500000000000000", "0200", &signature_bytes()].concat(),
        ["08", &commit].concat(),
        ["09", EPOCH, VIEW, &"e3".repeat(32), "0200", &signature_bytes()].concat(),
        ["0a", &recall, "0200", &signature_bytes()].concat(),
        [
            "0b",
            "0200",
            &recall,
            "00",
            "01",
            PREPARE_VOTE,
            "0200",
            &signature_bytes(),
            "00",
            "01",
            &claims,
            "0200",
            &signature_bytes(),
            "00",
            "0200",
            &signature_bytes(),
        ]
        .concat(),
    ];
    for (message, bytes) in messages().into_iter().zip(golden) {
        assert_eq!(hex(&encode(&message)), bytes, "{message:?}");
        assert_eq!(decode(&encode(&message)), Ok(message));
    }
}

/// Header and ids; the transactions stay where they are.
#[test]
fn golden_compact_proposal_bytes() {
    let compact = CompactProposal {
        epoch: Epoch(1),
        view: View(3),
        header: block().header().clone(),
        transactions: List::new(vec![TransactionId([0xe3; 32]).short()]).unwrap(),
        signature: signature(),
    };
    let header = hex(&encode(block().header()));
    let golden = [EPOCH, VIEW, &header, "01000000", &"e3".repeat(16), &signature_bytes()].concat();
    assert_eq!(hex(&encode(&compact)), golden);
    assert_eq!(decode(&encode(&compact)), Ok(compact));
}

#[test]
fn golden_key_certificates() {
    let golden = [
        (KeyCertificate::EpochStart, "00".to_owned()),
        (KeyCertificate::Prepared(prepared()), ["01", PREPARE_VOTE, SIGNATURES].concat()),
        (KeyCertificate::Committed(committed()), ["02", COMMIT_VOTE, SIGNATURES].concat()),
    ];
    for (key, bytes) in golden {
        assert_eq!(hex(&encode(&key)), bytes);
    }
}

/// Whether `message`'s signature is validator 2's over exactly this domain and payload.
#[test]
fn every_payload_is_signed_under_its_own_domain() {
    let (chain, key) = (ChainId([9; 32]), consensus_key(2));
    let public = validator_set(4).get(ValidatorIndex(2)).unwrap().consensus;
    let sign = |message: Unsigned| message.sign(chain, ValidatorIndex(2), &key);
    fn payload_of(message: &Message) -> (Domain, Vec<u8>, Signature) {
        fn of<T: BorshSerialize>(domain: Domain, signed: &Signed<T>) -> (Domain, Vec<u8>, Signature) {
            (domain, encode(&signed.payload), signed.signature)
        }
        match message {
            Message::Proposal(p) => (Domain::Proposal, encode(&p.claim()), p.signature),
            Message::Prepare(vote) => of(Domain::Prepare, vote),
            Message::Commit(vote) => of(Domain::Commit, vote),
            Message::Ask(ask) => of(Domain::Ask, ask),
            Message::ViewChange(v) => of(Domain::ViewChange, &v.claims),
            Message::NewView(n) => (Domain::NewView, encode(&n.contents), n.signature),
            Message::Status(status) => of(Domain::Status, status),
            Message::Suspect(suspect) => of(Domain::Suspect, suspect),
            Message::Recall(recall) => of(Domain::Recall, recall),
            Message::Newest(newest) => of(Domain::Newest, newest),
            Message::Certificate(_) => panic!("a certificate is not signed as a whole"),
        }
    }
    let unsigned = messages().into_iter().filter_map(|message| {
        Some(match message {
            Message::Proposal(p) => Unsigned::Proposal(p.epoch, p.view, p.block.clone()),
            Message::Prepare(vote) => Unsigned::Prepare(vote.payload),
            Message::Commit(vote) => Unsigned::Commit(vote.payload),
            Message::Ask(ask) => Unsigned::Ask(ask.payload),
            Message::ViewChange(v) => {
                Unsigned::ViewChange(v.claims.payload, v.committed.clone(), v.prepared.clone())
            }
            Message::NewView(n) => Unsigned::NewView(n.contents.clone()),
            Message::Status(status) => Unsigned::Status(status.payload),
            Message::Suspect(suspect) => Unsigned::Suspect(suspect.payload),
            Message::Recall(recall) => Unsigned::Recall(recall.payload),
            Message::Newest(newest) => Unsigned::Newest(Box::new(newest.payload.clone())),
            Message::Certificate(_) => return None,
        })
    });
    let mut seen = 0;
    for one in unsigned {
        let message = sign(one.clone());
        let (domain, payload, signature) = payload_of(&message);
        // Raw bytes serialise as themselves only in an array, so the message is put together by hand.
        let bytes = [domain.tag(), &chain.0, &payload].concat();
        let key = ed25519(&public, &bytes, &signature);
        assert!(key, "{domain:?}");
        assert_eq!(sign(one), message, "R37: the same payload gives the same bytes");
        seen += 1;
    }
    assert_eq!(seen, 10);
}

/// Strict verification of raw bytes: domain tag and chain id are the first of them.
fn ed25519(key: &quorate_chain::PublicKey, bytes: &[u8], signature: &Signature) -> bool {
    let domain = Domain::ALL.into_iter().find(|domain| bytes.starts_with(domain.tag())).unwrap();
    let rest = &bytes[domain.tag().len()..];
    let (chain, payload) = rest.split_at(32);
    verify_strict(*key, domain, ChainId(chain.try_into().unwrap()), &Raw(payload), signature)
}

struct Raw<'a>(&'a [u8]);

impl BorshSerialize for Raw<'_> {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        writer.write_all(self.0)
    }
}

/// A small generator of numbers (xorshift), so that a failure repeats.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn random_bytes_never_panic_and_what_decodes_is_canonical() {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let valid = messages().map(|message| encode(&message));
    let mut decoded = 0;
    for round in 0..40_000_usize {
        let mut bytes: Vec<u8> = if round % 2 == 0 {
            let length = next(&mut state) % 400;
            (0..length).map(|_| next(&mut state) as u8).collect()
        } else {
            valid[round / 2 % valid.len()].clone()
        };
        if let Some(first) = bytes.first_mut().filter(|_| round % 2 == 0) {
            // A known discriminant, or most would end there.
            *first = *first % 11 + 1;
        }
        for _ in 0..next(&mut state) % 4 {
            let place = next(&mut state) as usize % bytes.len().max(1);
            match next(&mut state) % 3 {
                0 => bytes.truncate(place),
                1 => bytes.insert(place.min(bytes.len()), next(&mut state) as u8),
                _ => {
                    if let Some(byte) = bytes.get_mut(place) {
                        *byte = next(&mut state) as u8;
                    }
                }
            }
        }
        if let Ok(message) = decode::<Message>(&bytes) {
            assert_eq!(encode(&message), bytes, "one value, one encoding");
            decoded += 1;
            let context = EpochContext {
                chain: ChainId([9; 32]),
                epoch: Epoch(1),
                set: Arc::new(validator_set(4)),
                start_height: Height(0),
                start_block: BlockHash([0; 32]),
                start_result: quorate_chain::ResultHash([0; 32]),
            };
            assert!(verify(message, &context).is_err(), "nobody has signed it");
        }
    }
    assert!(decoded > 1000, "{decoded}");
}
