//! CRC-32C (Castagnoli): etcd's HashKV and our snapshots are checked by it.

/// A checksum in progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checksum(u32);

/// What each byte does to the checksum: the reflected polynomial 0x1EDC6F41, one byte at a time.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0x82f6_3b78 } else { value >> 1 };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
};

impl Checksum {
    pub(crate) const fn new() -> Checksum {
        Checksum(u32::MAX)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 >> 8) ^ TABLE[usize::from(self.0 as u8 ^ byte)];
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
}
