//! CRC-32C (Castagnoli): etcd's HashKV and our snapshots are checked by it.

/// A checksum in progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checksum(u32);

/// What each byte does to the checksum, if 0 to 7 bytes follow it: the reflected polynomial 0x1EDC6F41.
static TABLES: [[u32; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0x82f6_3b78 } else { value >> 1 };
            bit += 1;
        }
        tables[0][byte] = value;
        byte += 1;
    }
    let mut behind = 1;
    while behind < 8 {
        let mut byte = 0;
        while byte < 256 {
            let value = tables[behind - 1][byte];
            tables[behind][byte] = (value >> 8) ^ tables[0][(value & 0xff) as usize];
            byte += 1;
        }
        behind += 1;
    }
    tables
};

impl Checksum {
    pub(crate) const fn new() -> Checksum {
        Checksum(u32::MAX)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        // Eight bytes at a time, whose parts do not wait for each other ("slicing by eight").
        let (eights, rest) = bytes.as_chunks::<8>();
        for eight in eights {
            let mixed = (u64::from_le_bytes(*eight) ^ u64::from(self.0)).to_le_bytes();
            self.0 = (0..8).fold(0, |value, i| value ^ TABLES[7 - i][usize::from(mixed[i])]);
        }
        for &byte in rest {
            self.0 = (self.0 >> 8) ^ TABLES[0][usize::from(self.0 as u8 ^ byte)];
        }
    }

    pub(crate) fn value(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_check_value() {
        let mut checksum = Checksum::new();
        checksum.update(b"12345");
        checksum.update(b"6789");
        assert_eq!(checksum.value(), 0xe306_9283);
    }

    #[test]
    fn it_does_not_matter_how_the_bytes_come() {
        let bytes: alloc::vec::Vec<u8> = (0..100u8).map(|i| i.wrapping_mul(37)).collect();
        let mut one_by_one = Checksum::new();
        bytes.iter().for_each(|&byte| one_by_one.update(&[byte]));
        for cut in 0..bytes.len() {
            let mut checksum = Checksum::new();
            checksum.update(&bytes[..cut]);
            checksum.update(&bytes[cut..]);
            assert_eq!(checksum.value(), one_by_one.value(), "cut at {cut}");
        }
    }
}
