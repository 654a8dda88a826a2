//! What instructions ask for and what events say, in words.

use super::words::{account_link, asset, count, full, readable};
use maud::{Markup, html};
use quorate_chain::instruction::Instruction;
use quorate_chain::receipt::Event;
use quorate_chain::state::{AccountStatus, AssetRules, Roles};
use quorate_chain::{AccountId, AssetId, OrganisationId};

/// What an instruction asks for in the name of `actor`.
pub(super) fn instruction(actor: AccountId, instruction: &Instruction) -> Markup {
    match instruction {
        Instruction::RegisterOrganisation { organisation: id, name } => html! {
            "Register the organisation " strong { (**name) } ", " (organisation(*id))
        },
        Instruction::SetOrganisationStatus { organisation: id, status } => html! {
            (verb(*status)) " the organisation " (organisation(*id))
        },
        Instruction::RegisterAccount { account, organisation: of, roles } => html! {
            "Register the account " (account_link(*account)) " as " (role_names(*roles)) (of_organisation(*of))
        },
        Instruction::SetAccountKeys { account, keys, threshold } => html! {
            "Let " (account_link(*account)) " be acted for by "
            @if keys.is_empty() { "the key that it is named after" } @else {
                "keys that reach " (threshold) ":"
                ul { @for key in keys.iter() { li { (full(&key.key.to_string())) ", weight " (key.weight) } } }
            }
        },
        Instruction::SetAccountRoles { account, roles } => html! {
            "Make " (account_link(*account)) " " (role_names(*roles))
        },
        Instruction::SetAccountStatus { account, status } => html! {
            (verb(*status)) " the account " (account_link(*account))
        },
        Instruction::Transfer { to, asset: of, amount, memo } => html! {
            "Transfer " strong { (amount) } " " (asset(*of)) " from " (account_link(actor)) " to " (account_link(*to))
            @if !memo.is_empty() { ", memo " q.bytes { (readable(memo)) } }
        },
        Instruction::CreateAsset { symbol, decimals, rules: allowed, supply_max, supply } => html! {
            "Create the asset " strong { (**symbol) } " of " (account_link(actor)) ", "
            (count(usize::from(*decimals), "decimal")) ", " (rules(*allowed)) ", " (supply) " to begin with"
            @if let Some(most) = supply_max { ", at most " (most) }
        },
        Instruction::Mint { asset: of, to, amount } => html! {
            "Mint " strong { (amount) } " " (asset(*of)) " for " (account_link(*to))
        },
        Instruction::Burn { asset: of, amount } => html! {
            "Burn " strong { (amount) } " " (asset(*of)) " of " (account_link(actor))
        },
        Instruction::FreezeHolder { asset: of, holder, frozen } => html! {
            (if *frozen { "Freeze" } else { "Thaw" }) " what " (account_link(*holder)) " holds of " (named(*of))
        },
        Instruction::PutData { namespace, key, value } => html! {
            "Write " (count(value.len(), "byte")) " to " (entry(*namespace, key))
            @if !value.is_empty() { ": " q.bytes { (readable(value)) } }
        },
        Instruction::DeleteData { namespace, key } => html! { "Delete " (entry(*namespace, key)) },
        Instruction::TransferData { namespace, key, to } => html! {
            "Give " (entry(*namespace, key)) " to " (account_link(*to))
        },
        Instruction::AnchorDocument { digest, size, metadata } => html! {
            "Anchor the document " (full(&digest.to_string())) ", " (size) " bytes"
            @if !metadata.is_empty() { ", " q.bytes { (readable(metadata)) } }
        },
        Instruction::RequireBalance { account, asset: of, at_least } => html! {
            "Only if " (account_link(*account)) " holds at least " strong { (at_least) } " " (asset(*of))
        },
        Instruction::RequireData { namespace, key, digest } => html! {
            "Only if "
            @match digest {
                Some(digest) => { (entry(*namespace, key)) " has a value with the digest " (full(&digest.to_string())) },
                None => { "there is no " (entry(*namespace, key)) },
            }
        },
        Instruction::RequireHeightBelow { height } => html! { "Only below height " (height) },
    }
}

/// What an event says.
pub(super) fn event(event: &Event) -> Markup {
    match event {
        Event::OrganisationRegistered { organisation: id } => html! {
            "The organisation " (organisation(*id)) " was registered"
        },
        Event::OrganisationStatusSet { organisation: id, status } => html! {
            "The organisation " (organisation(*id)) " is " (state(*status)) " now"
        },
        Event::AccountRegistered { account, organisation: of, roles } => html! {
            "The account " (account_link(*account)) " was made, " (role_names(*roles)) (of_organisation(*of))
        },
        Event::AccountKeysSet { account } => html! { "Other keys act for " (account_link(*account)) " now" },
        Event::AccountRolesSet { account, roles } => html! {
            "The account " (account_link(*account)) " is " (role_names(*roles)) " now"
        },
        Event::AccountStatusSet { account, status } => html! {
            "The account " (account_link(*account)) " is " (state(*status)) " now"
        },
        Event::Transferred { from, to, asset: of, amount } => html! {
            strong { (amount) } " " (asset(*of)) " went from " (account_link(*from)) " to " (account_link(*to))
        },
        Event::AssetCreated { asset: id, issuer } => html! {
            "The asset " (named(*id)) " of " (account_link(*issuer)) " was created"
        },
        Event::Minted { asset: of, to, amount } => html! {
            strong { (amount) } " " (asset(*of)) " were minted for " (account_link(*to))
        },
        Event::Burned { asset: of, from, amount } => html! {
            strong { (amount) } " " (asset(*of)) " of " (account_link(*from)) " were burned"
        },
        Event::HolderFrozen { asset: of, holder, frozen } => html! {
            "What " (account_link(*holder)) " holds of " (named(*of)) " is "
            (if *frozen { "frozen" } else { "free" }) " now"
        },
        Event::DataPut { namespace, key } => html! { (entry(*namespace, key)) " was written" },
        Event::DataDeleted { namespace, key } => html! { (entry(*namespace, key)) " was deleted" },
        Event::DataTransferred { namespace, key, from, to } => html! {
            (entry(*namespace, key)) " went from " (account_link(*from)) " to " (account_link(*to))
        },
        Event::DocumentAnchored { account, digest } => html! {
            "The document " (full(&digest.to_string())) " was anchored by " (account_link(*account))
        },
    }
}

fn entry(namespace: AccountId, key: &[u8]) -> Markup {
    html! { q.bytes { (readable(key)) } " in the namespace of " (account_link(namespace)) }
}

/// An asset, as opposed to an amount of it.
fn named(id: AssetId) -> Markup {
    full(&id.to_string())
}

fn organisation(id: OrganisationId) -> Markup {
    full(&id.to_string())
}

fn of_organisation(id: Option<OrganisationId>) -> Markup {
    html! { @if let Some(id) = id { " of the organisation " (organisation(id)) } }
}

/// Roles by name.
pub(super) fn role_names(roles: Roles) -> String {
    let names: Vec<_> = roles.names().collect();
    if names.is_empty() { "without a role".to_owned() } else { names.join(", ") }
}

/// A status by name.
pub(super) const fn state(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Active => "active",
        AccountStatus::Frozen => "frozen",
        AccountStatus::Closed => "closed",
    }
}

const fn verb(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Active => "Thaw",
        AccountStatus::Frozen => "Freeze",
        AccountStatus::Closed => "Close",
    }
}

fn rules(rules: AssetRules) -> String {
    let all = [(rules.mint, "may be minted"), (rules.burn, "may be burned"), (rules.freeze, "may be frozen")];
    let allowed: Vec<_> = all.into_iter().filter(|(allowed, _)| *allowed).map(|(_, what)| what).collect();
    if allowed.is_empty() { "fixed".to_owned() } else { allowed.join(", ") }
}
