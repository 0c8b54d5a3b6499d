//! Numbers in seven bits a byte, the lowest first, as protobuf has them.

use alloc::vec::Vec;

/// Appends a number: 1 to 10 bytes.
pub fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes the number that `row` begins with; `None` if it ends in the middle of one.
pub fn take_varint(row: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = row.split_first()?;
        *row = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_put_is_taken(shift in 0..64, number: u64) {
            let (number, mut row) = (number >> shift, Vec::new());
            put_varint(number, &mut row);
            prop_assert_eq!(take_varint(&mut &row[..row.len() - 1]), None);
            row.push(7);
            let mut rest = &row[..];
            prop_assert_eq!(take_varint(&mut rest), Some(number));
            prop_assert_eq!(rest, [7]);
        }
    }
}
