//! Values of the chain, documents, cards and key files.

use super::votes::{EPOCH, HEIGHT, RESULT, VIEW, block, committed, prepared};
use crate::fuzz::genuine::{self, CHAIN};
use quorate_chain::block::BlockResult;
use quorate_chain::certificate::CertifiedHeader;
use quorate_chain::codec::{Bytes, List, Text, encode};
use quorate_chain::crypto::SecretKey;
use quorate_chain::ids::{MerkleRoot, ValidatorSetHash};
use quorate_chain::instruction::Instruction;
use quorate_chain::ledger::{Applied, IndexLevel, journal::Position};
use quorate_chain::parameters::Parameters;
use quorate_chain::receipt::{Event, ExecutionError, Receipt, ReceiptStatus};
use quorate_chain::state::tree::{KeyHash, Prefix, Tree, ValueHash};
use quorate_chain::state::{Account, DataEntry, StateKey, StateValue};
use quorate_chain::transaction::TransactionBody;
use quorate_chain::validator::fixture::validator_set;
use quorate_chain::validator::{Card, Ready, SetChange, SignedReady, Validator, ValidatorSet};
use quorate_chain::{
    AccountId, Amount, AssetId, Height, Nonce, OrganisationId, PublicKey, StateRoot, TimestampMs,
    Transaction, TransactionId, merkle,
};
use quorate_genesis::{Genesis, GenesisAccount};

pub(super) fn transactions() -> Vec<Transaction> {
    let keys = [0x71, 0x72].map(|seed| SecretKey::from_seed(&[seed; 32]));
    let account = AccountId::from(keys[0].public());
    let memo = Bytes::new(b"rent".to_vec()).expect("a short memo");
    let pay =
        Instruction::Transfer { to: AccountId([3; 32]), asset: AssetId::NATIVE, amount: Amount(5), memo };
    let put = Instruction::PutData {
        namespace: account,
        key: Bytes::new(b"key".to_vec()).expect("a short key"),
        value: Bytes::new(vec![9; 20]).expect("a short value"),
    };
    let body = |nonce, instructions, sponsor| TransactionBody {
        valid_until: Height(100),
        sponsor,
        ..TransactionBody::new(CHAIN, account, Nonce(nonce), instructions).expect("few instructions")
    };
    let one = Transaction::sign(body(0, vec![pay.clone()], None), CHAIN, &[&keys[0]]);
    let two = body(1, vec![pay, put], Some(AccountId([4; 32])));
    let two = Transaction::sign(two, CHAIN, &[&keys[0], &keys[1]]);
    vec![one.expect("a small transaction"), two.expect("a small transaction")]
}

pub(super) fn card(index: u8) -> Card {
    let keys = [1, 2, 3].map(|kind| SecretKey::from_seed(&[kind * 16 + index; 32]));
    let validator = Validator {
        name: Text::new(format!("bank-{index}")).expect("a short name"),
        organisation: OrganisationId(keys[0].public().0),
        identity: keys[0].public(),
        consensus: keys[1].public(),
        network: keys[2].public(),
        recovering: false,
    };
    let address = Text::new(format!("bank-{index}.example:26601")).expect("a short address");
    Card::sign(validator, address, &keys[0], &keys[1], &keys[2])
}

pub(super) fn document() -> String {
    let account = GenesisAccount::member(SecretKey::from_seed(&[0x71; 32]).public().into(), Amount(1_000));
    let time = TimestampMs(1_700_000_000_000);
    let genesis = Genesis::merge(vec![card(0), card(1)], vec![account], Parameters::default(), "banks", time);
    genesis.expect("a sound document").to_json().expect("a checked document")
}

/// A card as it is in the document, and a key file.
pub(super) fn member_files() -> Vec<Vec<u8>> {
    let text = document();
    let start = text.find("{\n      \"validator\"").expect("a card in the document");
    let end = text[start..].find("\n    }").expect("the end of a card") + start + 6;
    let card = [b"\0", &text.as_bytes()[start..end]].concat();
    let secret = SecretKey::from_seed(&[7; 32]);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (public, seed) = (secret.public().to_string(), hex(&*secret.seed()));
    let account = format!("\x05{{\"kind\":\"account\",\"public\":\"{public}\",\"secret\":\"{seed}\"}}");
    let record = "00".repeat(16);
    let consensus = format!(
        "\x03{{\"kind\":\"consensus\",\"public\":\"{public}\",\"secret\":\"{seed}\",\"vote_record\":\"{record}\"}}"
    );
    vec![card, account.into_bytes(), consensus.into_bytes(), format!("\x01{record}\n").into_bytes()]
}

pub(super) fn certified() -> CertifiedHeader {
    let result = BlockResult {
        state_root: StateRoot([1; 32]),
        receipts_root: MerkleRoot([2; 32]),
        next_set_hash: ValidatorSetHash([3; 32]),
    };
    let header = block().header;
    let path = List::new(vec![header.clone()]).expect("a short path");
    CertifiedHeader { header, result, path, commit: committed(VIEW) }
}

pub(super) fn receipts() -> [Receipt; 2] {
    let moved = Event::Transferred {
        from: AccountId([1; 32]),
        to: AccountId([2; 32]),
        asset: AssetId::NATIVE,
        amount: Amount(3),
    };
    let transaction = TransactionId([7; 32]);
    let failed = ReceiptStatus::Failed { instruction: 1, error: ExecutionError::ZeroAmount };
    [
        Receipt {
            transaction,
            status: ReceiptStatus::Success,
            events: List::new(vec![moved]).expect("one event"),
        },
        Receipt { transaction, status: failed, events: List::default() },
    ]
}

pub(super) fn set_change() -> SetChange {
    let ready = Ready { seat: PublicKey([1; 32]), height: HEIGHT, result: RESULT };
    let ready = SignedReady::sign(ready, CHAIN, genuine::key(1));
    let set: ValidatorSet = validator_set(2);
    SetChange { set, ready: List::new(vec![ready]).expect("one joiner") }
}

/// One of each kind, the kind's number before it.
pub(super) fn chain_values() -> Vec<Vec<u8>> {
    let account = AccountId([1; 32]);
    let data = DataEntry { owner: account, payer: account, value: Bytes::default(), height: HEIGHT };
    let key = StateKey::Data(account, Bytes::new(b"key".to_vec()).expect("a short key"));
    let pairs = (0..40u8).map(|i| (KeyHash([i * 6; 32]), ValueHash([i; 32])));
    let tree = Tree::build(pairs).expect("ascending keys");
    let root = tree.node(&Prefix::ROOT).expect("a root");
    let list: Vec<_> = (0..5u8).map(|i| [i; 32]).collect();
    let [success, failed] = receipts();
    let position = Position { segment: 1, offset: 512 };
    let first = transactions().into_iter().next().expect("a transaction");
    let (body, certified) = (first.body().clone(), certified());
    let parts: Vec<(u8, Vec<u8>)> = vec![
        (0, encode(&block())),
        (1, encode(&block().header)),
        (2, encode(&committed(VIEW))),
        (3, encode(&prepared(VIEW))),
        (4, encode(&certified)),
        (5, encode(&success)),
        (5, encode(&failed)),
        (6, encode(&validator_set(4))),
        (7, encode(&Parameters::default())),
        (8, encode(&key)),
        (9, encode(&StateValue::Account(Account::default()))),
        (9, encode(&StateValue::Validators(EPOCH, validator_set(1)))),
        (10, encode(&merkle::prove(&list, 3))[1..].to_vec()),
        (12, encode(&Prefix::of(&KeyHash([0xab; 32]), 5))),
        (13, encode(&root)),
        (14, encode(&set_change())),
        (15, encode(&card(0))),
        (16, encode(&certified.result)),
        (17, encode(&success.events[0])),
        (18, encode(&body.instructions[0])),
        (19, encode(&body)),
        (20, encode(&position)),
        (21, encode(&Applied { height: HEIGHT, scan_from: position, index: IndexLevel::Full })),
        (22, encode(&(key, StateValue::Data(data)))),
    ];
    parts.into_iter().map(|(kind, bytes)| [&[kind][..], &bytes].concat()).collect()
}
