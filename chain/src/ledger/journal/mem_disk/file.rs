//! One file of the simulated disk: what was written, and what of it is durable.

use super::super::format::SECTOR_BYTES;
use super::{Content, SECTOR, Sector};
use std::collections::BTreeMap;

#[derive(Debug, Default, Clone)]
pub(super) struct FileState {
    pub(super) bytes: u64,
    pub(super) durable_bytes: u64,
    pub(super) sectors: BTreeMap<u64, Box<Sector>>,
    /// For each sector written since the last sync: what it held then, and after each write but the last.
    pub(super) unsynced: BTreeMap<u64, Vec<Content>>,
    /// Durable content of sectors that a failed sync gave up: processes see what was written, later syncs pass
    /// them over, until they are written again.
    pub(super) given_up: BTreeMap<u64, Content>,
}

impl FileState {
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let end = self.bytes.min(offset.saturating_add(into.len() as u64)).max(offset);
        let count = (end - offset) as usize;
        into[..count].fill(0);
        for (number, sector) in self.sectors.range(offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES)) {
            let start = number * SECTOR_BYTES;
            let (first, last) = (start.max(offset), end.min(start + SECTOR_BYTES));
            let part = &sector[(first - start) as usize..(last - start) as usize];
            into[(first - offset) as usize..(last - offset) as usize].copy_from_slice(part);
        }
        count
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let number = at / SECTOR_BYTES;
            let within = (at % SECTOR_BYTES) as usize;
            let (now, later) = rest.split_at((SECTOR - within).min(rest.len()));
            let before = self.sectors.get(&number).cloned();
            let versions = self.unsynced.entry(number).or_default();
            versions.extend(self.given_up.remove(&number));
            versions.push(before);
            let sector = self.sectors.entry(number).or_insert_with(|| Box::new([0; SECTOR]));
            sector[within..within + now.len()].copy_from_slice(now);
            at += now.len() as u64;
            rest = later;
        }
        self.bytes = self.bytes.max(at);
    }

    pub(super) fn sync(&mut self) {
        self.unsynced.clear();
        self.durable_bytes = self.bytes;
    }

    /// A sync fails: the kernel reports it once and takes the pages for clean.
    pub(super) fn give_up(&mut self) {
        for (number, mut versions) in std::mem::take(&mut self.unsynced) {
            self.given_up.entry(number).or_insert_with(|| versions.swap_remove(0));
        }
    }

    pub(super) fn power_loss(&mut self, keep: &mut impl FnMut(usize) -> usize) {
        for (number, durable) in std::mem::take(&mut self.given_up) {
            self.unsynced.insert(number, vec![durable]);
        }
        for (number, mut versions) in std::mem::take(&mut self.unsynced) {
            let choice = keep(versions.len() + 1);
            if choice < versions.len() {
                match versions.swap_remove(choice) {
                    Some(sector) => self.sectors.insert(number, sector),
                    None => self.sectors.remove(&number),
                };
            }
        }
        if self.bytes != self.durable_bytes && keep(2) == 0 {
            self.bytes = self.durable_bytes;
            self.sectors.retain(|number, _| number * SECTOR_BYTES < self.durable_bytes);
        }
        self.sync();
    }
}
