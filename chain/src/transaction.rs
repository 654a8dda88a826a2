//! Transactions: a body that says what, and witnesses that say who.
//!
//! Wire form: borsh(body) ‖ borsh(witnesses). The id is BLAKE3 of all of it. Each witness signs
//! `tag ‖ chain id ‖ borsh(body)`. A witness names its key unless it is the account's first one, so a plain
//! transfer carries no key twice; the keys ascend strictly, so nobody can make a second id for one body
//! without a second signature.

use crate::codec::{Bytes, DecodeError, List, decode, encode};
use crate::crypto::{Domain, SecretKey, SignedMessage, signed_bytes};
use crate::ids::{AccountId, ChainId, Height, Nonce, PublicKey, Signature, TransactionId};
use crate::instruction::{INSTRUCTIONS_MAX, Instruction, Step};
use borsh::io::{Read, Result as IoResult, Write};
use borsh::{BorshDeserialize, BorshSerialize};
use std::sync::Arc;

/// Longest encoding of a transaction, bytes. Two of them fit into a gossip batch.
pub const TRANSACTION_BYTES_MAX: usize = 30 * 1024;
/// Most witnesses of a transaction.
pub const WITNESSES_MAX: usize = 16;
/// The first four bytes of the chain id. It lets a node say "wrong chain" where the signature, which binds
/// the whole chain id, could only say "invalid".
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ChainTag(pub [u8; 4]);

impl From<ChainId> for ChainTag {
    fn from(chain: ChainId) -> Self {
        let [a, b, c, d, ..] = chain.0;
        Self([a, b, c, d])
    }
}

/// What a transaction says.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TransactionBody {
    /// The chain it is for.
    pub chain: ChainTag,
    /// The account that acts.
    pub account: AccountId,
    /// Exactly the account's next nonce when it executes.
    pub nonce: Nonce,
    /// The last height at which it may execute; 0 is no limit.
    pub valid_until: Height,
    /// The account whose quota pays, if not the acting one.
    pub sponsor: Option<AccountId>,
    /// What it does, all or nothing.
    pub instructions: List<Step, 1, INSTRUCTIONS_MAX>,
}

impl TransactionBody {
    /// A body without limit of height and without sponsor, whose steps all act for `account`.
    ///
    /// # Errors
    /// When there is no instruction or there are too many.
    pub fn new(
        chain: ChainId,
        account: AccountId,
        nonce: Nonce,
        instructions: Vec<Instruction>,
    ) -> Result<Self, DecodeError> {
        let instructions = List::new(instructions.into_iter().map(Step::from).collect())?;
        let (chain, valid_until) = (ChainTag::from(chain), Height::ZERO);
        Ok(Self { chain, account, nonce, valid_until, sponsor: None, instructions })
    }

    /// The account for which a step acts.
    #[must_use]
    pub fn actor(&self, step: &Step) -> AccountId {
        step.actor.unwrap_or(self.account)
    }

    /// The accounts beside the own one for which steps act, ascending, each once.
    #[must_use]
    pub fn parties(&self) -> Vec<AccountId> {
        let mut parties: Vec<_> = self
            .instructions
            .iter()
            .filter_map(|step| step.actor)
            .filter(|actor| *actor != self.account)
            .collect();
        parties.sort_unstable();
        parties.dedup();
        parties
    }
}

/// A signature over the body.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Witness {
    /// Who signed; `None` is the key that the account is named after.
    pub key: Option<PublicKey>,
    /// Over `tag ‖ chain id ‖ borsh(body)`, by ZIP-215.
    pub signature: Signature,
}

#[derive(Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Parts {
    body: TransactionBody,
    witnesses: List<Witness, 1, WITNESSES_MAX>,
}

#[derive(Debug)]
struct Inner {
    parts: Parts,
    bytes: Vec<u8>,
    id: TransactionId,
}

/// A decoded transaction with its bytes and id; a clone is a reference count. It is well-formed, but its
/// signatures may not have been checked.
#[derive(Clone, Debug)]
pub struct Transaction(Arc<Inner>);

impl Transaction {
    /// Decodes one transaction from all of `bytes`.
    ///
    /// # Errors
    /// When it is too long, not canonical, or its witnesses are out of order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > TRANSACTION_BYTES_MAX {
            return Err(DecodeError(format!("{} bytes, allowed are {TRANSACTION_BYTES_MAX}", bytes.len())));
        }
        Self::from_parts(decode(bytes)?, bytes.to_vec())
    }

    fn from_parts(parts: Parts, bytes: Vec<u8>) -> Result<Self, DecodeError> {
        let account = PublicKey(parts.body.account.0);
        if parts.witnesses.iter().any(|w| w.key == Some(account)) {
            return Err(DecodeError("a witness names the key that is left out".into()));
        }
        let keys: Vec<_> = parts.witnesses.iter().map(|w| w.key.unwrap_or(account)).collect();
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err(DecodeError("the witnesses' keys do not ascend".into()));
        }
        let id = TransactionId(*blake3::hash(&bytes).as_bytes());
        Ok(Self(Arc::new(Inner { parts, bytes, id })))
    }

    /// Signs a body with `keys` (1 to 16, each once).
    ///
    /// # Errors
    /// When there are too many keys or the whole is too long.
    pub fn sign(body: TransactionBody, chain: ChainId, keys: &[&SecretKey]) -> Result<Self, DecodeError> {
        let sign = |key: &&SecretKey| (key.public(), key.sign(Domain::Transaction, chain, &body));
        let signatures = keys.iter().map(sign).collect();
        Self::with_signatures(body, signatures)
    }

    /// A body with signatures over it (1 to 16, each of another key), made by [`SecretKey::sign`] for
    /// [`Domain::Transaction`]. They are not verified.
    ///
    /// # Errors
    /// When there are too many, one key has two, or the whole is too long.
    pub fn with_signatures(
        body: TransactionBody,
        mut signatures: Vec<(PublicKey, Signature)>,
    ) -> Result<Self, DecodeError> {
        let account = PublicKey(body.account.0);
        signatures.sort_unstable_by_key(|(key, _)| *key);
        let witness = |(key, signature)| Witness { key: Some(key).filter(|key| *key != account), signature };
        let witnesses = signatures.into_iter().map(witness).collect();
        let parts = Parts { body, witnesses: List::new(witnesses)? };
        let bytes = encode(&parts);
        Self::from_bytes(&bytes)
    }

    /// Hash of all bytes.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        self.0.id
    }

    /// The wire form.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// What it says.
    #[must_use]
    pub fn body(&self) -> &TransactionBody {
        &self.0.parts.body
    }

    /// The public keys that signed, ascending.
    pub fn signers(&self) -> impl Iterator<Item = PublicKey> + '_ {
        let account = PublicKey(self.body().account.0);
        self.0.parts.witnesses.iter().map(move |w| w.key.unwrap_or(account))
    }

    /// The bytes that each witness signed.
    #[must_use]
    pub fn signed_bytes(&self, chain: ChainId) -> Vec<u8> {
        signed_bytes(Domain::Transaction, chain, self.body())
    }

    /// What to check, given the bytes from [`Self::signed_bytes`].
    pub fn signed_messages<'a>(&'a self, message: &'a [u8]) -> impl Iterator<Item = SignedMessage<'a>> {
        self.signers().zip(self.0.parts.witnesses.iter()).map(move |(key, witness)| SignedMessage {
            key,
            message,
            signature: witness.signature,
        })
    }

    /// Whether every witness's signature is valid on this chain.
    #[must_use]
    pub fn verify_signatures(&self, chain: ChainId) -> bool {
        let message = self.signed_bytes(chain);
        self.signed_messages(&message).all(crate::crypto::verify_zip215)
    }
}

impl PartialEq for Transaction {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes == other.0.bytes
    }
}

impl Eq for Transaction {}

/// Inside a block or a batch: the wire form behind its length.
impl BorshSerialize for Transaction {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        BorshSerialize::serialize(&self.0.bytes, writer)
    }
}

impl BorshDeserialize for Transaction {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let bytes = Bytes::<TRANSACTION_BYTES_MAX>::deserialize_reader(reader)?;
        Self::from_bytes(&bytes).map_err(|error| crate::codec::invalid(&error.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Bytes;
    use crate::ids::Digest;
    use crate::ids::{Amount, AssetId};
    use crate::instruction::{DATA_KEY_BYTES_MAX, DATA_VALUE_BYTES_MAX, MEMO_BYTES_MAX, METADATA_BYTES_MAX};

    fn body(account: AccountId) -> TransactionBody {
        let transfer = Instruction::Transfer {
            to: AccountId([9; 32]),
            asset: AssetId::NATIVE,
            amount: Amount(5),
            memo: Bytes::default(),
        };
        TransactionBody {
            chain: ChainTag([1; 4]),
            account,
            nonce: Nonce(7),
            valid_until: Height(100),
            sponsor: None,
            instructions: List::new(vec![transfer.into()]).unwrap(),
        }
    }

    const CHAIN: ChainId = ChainId([1; 32]);

    #[test]
    fn golden_bytes() {
        let key = SecretKey::from_seed(&[5; 32]);
        let transaction = Transaction::sign(body(key.public().into()), CHAIN, &[&key]).unwrap();
        let expected = [
            &[1; 4][..],
            &key.public().0,
            &7u64.to_le_bytes(),
            &100u64.to_le_bytes(),
            &[0],
            &[1, 0, 0, 0, 0, 32],
            &[9; 32],
            &[0; 32],
            &5u128.to_le_bytes(),
            &[0; 4],
            &[1, 0, 0, 0, 0],
        ]
        .concat();
        assert_eq!(&transaction.bytes()[..expected.len()], expected);
        assert_eq!(transaction.bytes().len(), expected.len() + 64);
        assert_eq!(transaction.id().0, *blake3::hash(transaction.bytes()).as_bytes());
        assert!(transaction.verify_signatures(CHAIN));
        assert!(!transaction.verify_signatures(ChainId([2; 32])));
    }

    #[test]
    fn one_body_and_signature_have_one_id() {
        let (first, second) = (SecretKey::from_seed(&[5; 32]), SecretKey::from_seed(&[6; 32]));
        let body = body(first.public().into());
        let signed = Transaction::sign(body.clone(), CHAIN, &[&second, &first]).unwrap();
        assert!(signed.verify_signatures(CHAIN));
        let witness = |key, secret: &SecretKey| Witness {
            key,
            signature: secret.sign(Domain::Transaction, CHAIN, &body),
        };
        let form = |witnesses| {
            let parts = Parts { body: body.clone(), witnesses: List::new(witnesses).unwrap() };
            Transaction::from_bytes(&encode(&parts))
        };
        assert!(form(vec![witness(None, &first)]).is_ok());
        assert!(form(vec![witness(Some(first.public()), &first)]).is_err(), "named though left out");
        assert!(form(vec![witness(None, &first), witness(None, &first)]).is_err(), "twice");
        let other = witness(Some(second.public()), &second);
        let orders = [vec![witness(None, &first), other.clone()], vec![other, witness(None, &first)]];
        assert_eq!(orders.into_iter().filter(|w| form(w.clone()).is_ok()).count(), 1, "one order");
    }

    #[test]
    fn parties_are_whoever_acts_beside_the_account() {
        let own = AccountId([5; 32]);
        let pay = body(own).instructions[0].instruction.clone();
        let steps = vec![
            pay.clone().by(AccountId([7; 32])),
            pay.clone().into(),
            pay.clone().by(own),
            pay.clone().by(AccountId([6; 32])),
            pay.by(AccountId([7; 32])),
        ];
        let body = TransactionBody { instructions: List::new(steps).unwrap(), ..body(own) };
        assert_eq!(body.parties(), [AccountId([6; 32]), AccountId([7; 32])]);
        assert_eq!(body.actor(&body.instructions[1]), own);
        assert_eq!(body.actor(&body.instructions[3]), AccountId([6; 32]));
        let json = serde_json::to_value(&body.instructions[1]).unwrap();
        assert_eq!(json["type"], "transfer");
        assert!(json.get("actor").is_none());
        let json = serde_json::to_value(&body.instructions[0]).unwrap();
        assert_eq!(serde_json::from_value::<Step>(json).unwrap(), body.instructions[0]);
    }

    #[test]
    fn limits_hold_when_decoding() {
        let key = SecretKey::from_seed(&[5; 32]);
        let bytes = Transaction::sign(body(key.public().into()), CHAIN, &[&key]).unwrap().bytes().to_vec();
        for cut in 0..bytes.len() {
            assert!(Transaction::from_bytes(&bytes[..cut]).is_err());
        }
        assert!(Transaction::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        assert!(Transaction::from_bytes(&vec![0; TRANSACTION_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn everything_that_a_transaction_lists_is_filled_and_takes_no_more() {
        let keys: Vec<_> = (1..=17).map(|i| SecretKey::from_seed(&[i; 32])).collect();
        let plain = body(keys[0].public().into());
        let round_trip = |instructions, signers: &[&SecretKey]| {
            let body = TransactionBody::new(CHAIN, plain.account, plain.nonce, instructions)?;
            let signed = Transaction::sign(body, CHAIN, signers)?;
            assert_eq!(Transaction::from_bytes(signed.bytes())?, signed);
            Ok::<_, DecodeError>(())
        };
        let pay = plain.instructions[0].instruction.clone();
        assert_eq!(round_trip(vec![pay.clone(); INSTRUCTIONS_MAX], &[&keys[0]]), Ok(()));
        assert!(round_trip(vec![pay.clone(); INSTRUCTIONS_MAX + 1], &[&keys[0]]).is_err());
        let signers: Vec<_> = keys.iter().collect();
        assert_eq!(round_trip(vec![pay.clone()], &signers[..WITNESSES_MAX]), Ok(()));
        assert!(round_trip(vec![pay], &signers).is_err());
        let memo = Bytes::new(vec![1; MEMO_BYTES_MAX]).unwrap();
        let (to, asset, amount) = (AccountId([9; 32]), AssetId::NATIVE, Amount(5));
        assert_eq!(round_trip(vec![Instruction::Transfer { to, asset, amount, memo }], &[&keys[0]]), Ok(()));
        assert!(Bytes::<MEMO_BYTES_MAX>::new(vec![1; MEMO_BYTES_MAX + 1]).is_err());
        let key = Bytes::new(vec![1; DATA_KEY_BYTES_MAX]).unwrap();
        let value = Bytes::new(vec![1; DATA_VALUE_BYTES_MAX]).unwrap();
        let put = Instruction::PutData { namespace: plain.account, key, value };
        assert_eq!(round_trip(vec![put], &[&keys[0]]), Ok(()));
        let metadata = Bytes::new(vec![1; METADATA_BYTES_MAX]).unwrap();
        let anchor = Instruction::AnchorDocument { digest: Digest([1; 32]), size: u64::MAX, metadata };
        assert_eq!(round_trip(vec![anchor], &[&keys[0]]), Ok(()));
        assert!(Bytes::<METADATA_BYTES_MAX>::new(vec![1; METADATA_BYTES_MAX + 1]).is_err());
        assert!(Bytes::<DATA_KEY_BYTES_MAX>::new(vec![1; DATA_KEY_BYTES_MAX + 1]).is_err());
        assert!(Bytes::<DATA_VALUE_BYTES_MAX>::new(vec![1; DATA_VALUE_BYTES_MAX + 1]).is_err());
    }
}
