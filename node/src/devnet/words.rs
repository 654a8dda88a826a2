//! What is printed once the devnet can commit.

use super::folder::Folder;
use super::generate::{BALANCE, account_path};
use super::manifest::Manifest;
use std::path::Path;

/// How to call this program again: as it was called.
pub(super) fn program() -> String {
    if std::env::var_os("CARGO").is_some() && std::env::var_os("CARGO_MANIFEST_DIR").is_some() {
        let release = if cfg!(debug_assertions) { "" } else { " --release" };
        return format!("cargo run{release} --");
    }
    std::env::current_exe().map_or_else(|_| "quorate".to_owned(), |path| quoted(&path))
}

/// Addresses, an account, and a command to paste; the last line starts with `ready`.
pub(super) fn ready(manifest: &Manifest, folder: &Folder) -> String {
    let mut lines = vec![String::new()];
    if let Some(first) = manifest.validators.first() {
        lines.push(format!("explorer   {}/explorer", first.rpc));
    }
    for seat in &manifest.validators {
        lines.push(format!("rpc        {}  ({})", seat.rpc, seat.name));
    }
    for account in &manifest.accounts {
        lines.push(format!("account    {}  ({}, given {BALANCE} at genesis)", account.address, account.name));
    }
    if let Some(command) = transfer(manifest, folder) {
        lines.extend([String::new(), format!("  {command}"), String::new()]);
    }
    let chain = manifest.chain_id;
    lines.push(match manifest.validators.len() {
        1 => format!("ready: one validator of chain {chain}; Ctrl-C stops it"),
        count => format!("ready: {count} validators of chain {chain}; Ctrl-C stops them"),
    });
    lines.join("\n")
}

/// A transfer that can be pasted; paths as the folder was named.
fn transfer(manifest: &Manifest, folder: &Folder) -> Option<String> {
    let [from, to] = manifest.accounts.first_chunk()?;
    let (key, rpc) = (account_path(folder.given(), &from.name), &manifest.validators.first()?.rpc);
    Some(format!(
        "{} tx transfer --key {} --to {} --amount 5 --rpc {rpc} --wait",
        program(),
        quoted(&key),
        to.address
    ))
}

/// How to start a validator again.
pub(super) fn restart(folder: &Folder, index: u16) -> String {
    format!("{} devnet --dir {} --restart {index}", program(), quoted(folder.given()))
}

/// A path as one word for a shell.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c);
    if text.chars().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_can_be_pasted() {
        assert_eq!(quoted(Path::new(".quorate/devnet")), ".quorate/devnet");
        assert_eq!(quoted(Path::new("/my net/it's")), r"'/my net/it'\''s'");
    }
}
