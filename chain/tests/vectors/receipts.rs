//! Events, errors, receipts.

use crate::every::every;
use crate::transactions::{euro, everything, organisation, transfer};
use crate::{account, bytes, file};
use quorate_chain::codec::{Bytes, List, encode};
use quorate_chain::receipt::{Event, ExecutionError, Receipt, ReceiptStatus, receipts_root};
use quorate_chain::state::{AccountStatus, Roles};
use quorate_chain::{Amount, AssetId, Digest, TransactionId};
use serde_json::{Value, json};

every! {
    /// Every error.
    errors: ExecutionError {
        InsufficientBalance {} ZeroAmount {} BalanceOverflow {} NotDataOwner {} UnknownReceiver {}
        Unauthorised {} NotPermitted {} UnknownAccount {} AccountExists {} AccountClosed {}
        UnknownOrganisation {} OrganisationExists {} OrganisationClosed {} WeakKey {} BadKeys {} HoldsAssets {}
        UnknownAsset {} AssetExists {} TooManyDecimals {} SupplyExceeded {} AgainstRules {} HolderFrozen {}
        UnknownData {} DocumentExists {} StateQuota {} ConditionBalance {} ConditionData {} ConditionHeight {}
    }
}

every! {
    /// An event of every kind.
    events: Event {
        OrganisationRegistered { organisation: organisation(4) }
        OrganisationStatusSet { organisation: organisation(4), status: AccountStatus::Active }
        AccountRegistered { account: account(5), organisation: None, roles: Roles::ALL }
        AccountKeysSet { account: account(5) }
        AccountRolesSet { account: account(5), roles: Roles::NONE }
        AccountStatusSet { account: account(5), status: AccountStatus::Frozen }
        Transferred { from: account(1), to: account(2), asset: AssetId::NATIVE, amount: Amount(1 << 100) }
        AssetCreated { asset: euro(), issuer: account(1) }
        Minted { asset: euro(), to: account(2), amount: Amount(7) }
        Burned { asset: euro(), from: account(1), amount: Amount(8) }
        HolderFrozen { asset: euro(), holder: account(2), frozen: false }
        DataPut { namespace: account(1), key: Bytes::new(b"k".to_vec()).unwrap() }
        DataDeleted { namespace: account(1), key: Bytes::default() }
        DataTransferred {
            namespace: account(1),
            key: Bytes::new(b"k".to_vec()).unwrap(),
            from: account(1),
            to: account(2),
        }
        DocumentAnchored { account: account(1), digest: Digest([0xd0; 32]) }
    }
}

every! {
    /// Both ends of a transaction.
    statuses: ReceiptStatus {
        Success {}
        Failed { instruction: 63, error: ExecutionError::StateQuota }
    }
}

/// One for each end, and one of a transfer.
pub(crate) fn receipts() -> Vec<Receipt> {
    let receipt = |transaction: TransactionId, status, events| Receipt {
        transaction,
        status,
        events: List::new(events).unwrap(),
    };
    let [success, failed] = statuses().try_into().unwrap();
    vec![
        receipt(everything().id(), success, events()),
        receipt(transfer(8).id(), failed, Vec::new()),
        receipt(transfer(9).id(), success, vec![events().swap_remove(6)]),
    ]
}

fn shown(receipt: &Receipt) -> Value {
    let status = match receipt.status {
        ReceiptStatus::Success => json!({ "type": "success" }),
        ReceiptStatus::Failed { instruction, error } => {
            json!({ "type": "failed", "instruction": instruction, "error": error })
        }
    };
    json!({
        "fields": { "transaction": receipt.transaction, "status": status, "events": receipt.events },
        "bytes": bytes(receipt),
        "hash": hex::encode(receipt.hash()),
    })
}

#[test]
fn receipts_and_events() {
    let errors: Vec<_> =
        errors().iter().map(|error| json!({ "error": error, "code": encode(error)[0] })).collect();
    let events: Vec<_> =
        events().iter().map(|event| json!({ "event": event, "bytes": bytes(event) })).collect();
    let receipts = receipts();
    let made = json!({
        "errors": errors,
        "events": events,
        "receipts": receipts.iter().map(shown).collect::<Vec<_>>(),
        "receipts_root": receipts_root(&receipts),
        "empty_root": receipts_root(&[]),
    });
    file::check("receipts", &made);
}
