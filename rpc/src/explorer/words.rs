//! Hashes, times and bytes as people read them.

use maud::{Markup, html};
use quorate_chain::{
    AccountId, AssetId, Epoch, Height, TimestampMs, TransactionId, ValidatorIndex, ValidatorSet,
};

/// Digits of a hash that are shown at each end.
const ENDS: usize = 8;
/// Characters of a memo or key that are shown.
const SHOWN_MAX: usize = 256;

/// Both ends of a hash; all of it as a tool tip.
pub(super) fn short(hash: &str) -> Markup {
    html! { code.hash title=(hash) { (shortened(hash)) } }
}

/// All of a hash.
pub(super) fn full(hash: &str) -> Markup {
    html! { code.hash { (hash) } }
}

fn shortened(hash: &str) -> String {
    match (hash.get(..ENDS), hash.len().checked_sub(ENDS).and_then(|from| hash.get(from..))) {
        (Some(head), Some(tail)) if hash.len() > 2 * ENDS + 1 => format!("{head}…{tail}"),
        _ => hash.to_owned(),
    }
}

pub(super) fn account_link(account: AccountId) -> Markup {
    let address = account.to_string();
    html! { a href={ "/explorer/accounts/" (address) } { (short(&address)) } }
}

pub(super) fn transaction_link(id: TransactionId) -> Markup {
    let id = id.to_string();
    html! { a href={ "/explorer/transactions/" (id) } { (short(&id)) } }
}

pub(super) fn block_link(height: Height) -> Markup {
    html! { a href={ "/explorer/blocks/" (height) } { (height) } }
}

pub(super) fn asset(asset: AssetId) -> Markup {
    if asset == AssetId::NATIVE {
        html! { "native units" }
    } else {
        html! { "units of " (short(&asset.to_string())) }
    }
}

/// "1 transaction", "2 transactions".
pub(super) fn count(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// A time in UTC, to the millisecond.
pub(super) fn time(at: TimestampMs) -> Markup {
    let text = utc(at);
    html! { time datetime=(text.replacen(' ', "T", 1).replace(" UTC", "Z")) { (text) } }
}

fn utc(at: TimestampMs) -> String {
    let (days, rest) = (at.0 / 86_400_000, at.0 % 86_400_000);
    let (year, month, day) = civil(days);
    let (hour, minute, second, ms) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{ms:03} UTC")
}

/// Year, month and day of a count of days since 1970-01-01. Years are counted from March, so that the leap
/// day is a year's last; an era is the 400 years after which the calendar repeats.
const fn civil(days: u64) -> (u64, u64, u64) {
    const ERA_DAYS: u64 = 146_097;
    let days = days + 719_468;
    let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + (month <= 2) as u64, month, day)
}

/// A validator by its name where the set of its epoch is at hand, by its seat otherwise.
pub(super) fn validator(index: ValidatorIndex, set: Option<&ValidatorSet>) -> Markup {
    match set.and_then(|set| set.get(index)) {
        Some(validator) => html! { span title={ "validator " (index) } { (*validator.name) } },
        None => html! { "validator " (index) },
    }
}

/// The set, if it is the one of this epoch.
pub(super) fn set_of(epoch: Epoch, known: (Epoch, &ValidatorSet)) -> Option<&ValidatorSet> {
    (known.0 == epoch).then_some(known.1)
}

/// Bytes as text if they are printable UTF-8, as hex otherwise.
pub(super) fn readable(bytes: &[u8]) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => format!("“{text}”"),
        _ => format!("0x{}", hex::encode(bytes)),
    };
    if text.chars().count() <= SHOWN_MAX {
        return text;
    }
    text.chars().take(SHOWN_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc() {
        assert_eq!(utc(TimestampMs(0)), "1970-01-01 00:00:00.000 UTC");
        assert_eq!(utc(TimestampMs(951_827_696_789)), "2000-02-29 12:34:56.789 UTC");
        assert_eq!(utc(TimestampMs(951_868_800_000)), "2000-03-01 00:00:00.000 UTC");
        assert_eq!(utc(TimestampMs(1_735_689_599_999)), "2024-12-31 23:59:59.999 UTC");
        assert_eq!(utc(TimestampMs(4_107_542_400_000)), "2100-03-01 00:00:00.000 UTC");
    }

    #[test]
    fn bytes_are_text_only_where_they_can_be_shown() {
        assert_eq!(readable(b"rent <May>"), "“rent <May>”");
        assert_eq!(readable(&[0, 0xff]), "0x00ff");
        assert_eq!(readable(b"a\nb"), "0x610a62");
        assert_eq!(readable(&[b'x'; 999]).chars().count(), SHOWN_MAX + 1);
    }

    #[test]
    fn hashes_are_shortened_and_kept() {
        let hash = "ab".repeat(32);
        let html = short(&hash).into_string();
        assert!(html.contains("abababab…abababab") && html.contains(&hash));
        assert_eq!(shortened("abc"), "abc");
    }
}
