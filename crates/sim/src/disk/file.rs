//! A file as a disk with a page cache keeps it: what a process sees, and what a power failure leaves.

use consensus::Chance;

/// A sector is written whole or not at all.
pub(super) const SECTOR: usize = 512;

/// One file.
#[derive(Debug, Default)]
pub(super) struct File {
    /// What a process reads.
    seen: Vec<u8>,
    /// What a power failure leaves.
    durable: Vec<u8>,
    /// Sectors written since the last sync, in order: each one's number, and its content in `cached`.
    unsynced: Vec<u32>,
    cached: Vec<u8>,
    /// The length grew since the last sync.
    grew: bool,
}

/// What becomes of writes that were not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loss {
    /// All of them reached the disk after all.
    Nothing,
    /// None did.
    Everything,
    /// Those up to some point did: a torn write.
    Tail,
    /// Some did, in any order.
    Scattered,
}

impl Loss {
    pub(crate) fn draw(chance: &mut Chance) -> Loss {
        match chance.below(8) {
            0 => Loss::Nothing,
            1..=3 => Loss::Everything,
            4..=5 => Loss::Tail,
            _ => Loss::Scattered,
        }
    }
}

impl File {
    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let Ok(offset) = usize::try_from(offset) else { return 0 };
        let Some(rest) = self.seen.get(offset..) else { return 0 };
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        length
    }

    pub(super) fn len(&self) -> u64 {
        self.seen.len() as u64
    }

    pub(super) fn write_at(&mut self, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let (start, end) = (offset as usize, offset as usize + data.len());
        if end > self.seen.len() {
            self.seen.resize(end, 0);
            self.grew = true;
        }
        self.seen[start..end].copy_from_slice(data);
        for sector in start / SECTOR..end.div_ceil(SECTOR) {
            let from = sector * SECTOR;
            let upto = (from + SECTOR).min(self.seen.len());
            self.unsynced.push(sector as u32);
            self.cached.extend_from_slice(&self.seen[from..upto]);
            self.cached.resize(self.unsynced.len() * SECTOR, 0);
        }
    }

    /// Everything written so far survives a power failure.
    pub(super) fn sync(&mut self) {
        for at in 0..self.unsynced.len() {
            self.persist(at);
        }
        self.durable.resize(self.seen.len(), 0);
        self.forget_cache();
    }

    /// A sync failed. The kernel marks the pages clean all the same, so that some never reach the disk.
    pub(super) fn fail_sync(&mut self, chance: &mut Chance) {
        self.settle(Loss::Scattered, chance);
    }

    /// A power failure. The number of sectors that were lost.
    pub(super) fn lose(&mut self, loss: Loss, chance: &mut Chance) -> usize {
        let lost = self.settle(loss, chance);
        self.seen.clone_from(&self.durable);
        lost
    }

    fn settle(&mut self, loss: Loss, chance: &mut Chance) -> usize {
        let count = self.unsynced.len();
        if count == 0 && !self.grew {
            return 0;
        }
        let kept_upto = if loss == Loss::Tail { chance.below(count as u64 + 1) as usize } else { 0 };
        let mut lost = 0;
        for at in 0..count {
            let kept = match loss {
                Loss::Nothing => true,
                Loss::Everything => false,
                Loss::Tail => at < kept_upto,
                Loss::Scattered => chance.one_in(1, 2),
            };
            if kept {
                self.persist(at);
            } else {
                lost += 1;
            }
        }
        // The length is metadata of its own: it may have reached the disk without the sectors, which then read as zeros.
        if self.grew && (loss == Loss::Nothing || loss != Loss::Everything && chance.one_in(1, 2)) {
            self.durable.resize(self.seen.len().max(self.durable.len()), 0);
        }
        self.forget_cache();
        lost
    }

    fn persist(&mut self, at: usize) {
        let from = self.unsynced[at] as usize * SECTOR;
        let upto = (from + SECTOR).min(self.seen.len());
        if self.durable.len() < upto {
            self.durable.resize(upto, 0);
        }
        self.durable[from..upto].copy_from_slice(&self.cached[at * SECTOR..at * SECTOR + upto - from]);
    }

    fn forget_cache(&mut self) {
        self.unsynced.clear();
        self.cached.clear();
        self.grew = false;
    }

    /// What lies on the disk is damaged, somewhere before the last byte that is not zero. False if there is nothing.
    pub(super) fn rot(&mut self, chance: &mut Chance) -> bool {
        let Some(last) = self.durable.iter().rposition(|&byte| byte != 0) else { return false };
        let at = chance.below(last as u64 + 1) as usize;
        let end = self.durable.len();
        match chance.below(4) {
            0 => self.durable[at] ^= 1 << chance.below(8),
            1 => self.durable[at..end.min(at + 40)].iter_mut().for_each(|byte| *byte = chance.draw() as u8),
            2 => {
                let sector = at / SECTOR * SECTOR;
                self.durable[sector..end.min(sector + SECTOR)].fill(0);
            }
            _ => self.durable[at..].fill(0),
        }
        self.seen.clone_from(&self.durable);
        true
    }

    /// Whether some write would not survive a power failure.
    pub(super) fn is_dirty(&self) -> bool {
        !self.unsynced.is_empty() || self.grew
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_synced_survives_for_certain() {
        let mut chance = Chance::new(1);
        let mut file = File::default();
        file.write_at(0, &[1; 600]);
        file.sync();
        file.write_at(600, &[2; 2_000]);
        assert_eq!(file.len(), 2_600);
        assert!(file.lose(Loss::Everything, &mut chance) >= 4);
        assert_eq!(file.len(), 600);
        let mut read = [0; 700];
        assert_eq!(file.read_at(0, &mut read), 600);
        assert_eq!(read[..600], [1; 600]);
    }

    #[test]
    fn a_torn_write_keeps_whole_sectors_and_never_harms_what_was_synced() {
        for seed in 0..200 {
            let mut chance = Chance::new(seed);
            let mut file = File::default();
            file.write_at(0, &[1; 700]);
            file.sync();
            file.write_at(700, &[2; 3_000]);
            file.lose(if seed % 2 == 0 { Loss::Tail } else { Loss::Scattered }, &mut chance);
            assert_eq!(file.seen[..700], [1; 700]);
            for sector in file.seen.get(1_024..).unwrap_or(&[]).chunks(SECTOR) {
                assert!(sector.iter().all(|&byte| byte == sector[0]), "half a sector was written");
            }
        }
    }
}
