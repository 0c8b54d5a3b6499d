//! A change as etcd has it in its file: the bytes that its hashes are taken over.

use crate::varint::put_varint;
use crate::{Change, KeyValue, Revision};
use alloc::vec::Vec;

/// A change as a row of etcd's bucket `key`.
pub(super) fn encode(at: Revision, change: &Change, out: &mut Vec<u8>) {
    out.extend(at.main.to_be_bytes());
    out.push(b'_');
    out.extend(at.sub.to_be_bytes());
    match change {
        Change::Put(kv) => encode_key_value(kv, out),
        Change::Delete { key } => {
            out.push(b't');
            encode_key_value(&KeyValue { key: key.clone(), ..KeyValue::default() }, out);
        }
    }
}

/// mvccpb.KeyValue in protobuf: fields in order, zeros left out.
fn encode_key_value(kv: &KeyValue, out: &mut Vec<u8>) {
    encode_bytes(1, &kv.key, out);
    encode_number(2, kv.create_revision, out);
    encode_number(3, kv.mod_revision, out);
    encode_number(4, kv.version, out);
    encode_bytes(5, &kv.value, out);
    encode_number(6, kv.lease, out);
}

fn encode_bytes(field: u8, bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        out.push(field << 3 | 2);
        put_varint(bytes.len() as u64, out);
        out.extend(bytes);
    }
}

fn encode_number(field: u8, number: i64, out: &mut Vec<u8>) {
    if number != 0 {
        out.push(field << 3);
        put_varint(number as u64, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_row_is_etcds_row() {
        let kv = KeyValue {
            key: Bytes::from_static(b"k"),
            create_revision: 2,
            mod_revision: 300,
            version: 2,
            value: Bytes::from_static(b"v"),
            lease: -1,
        };
        let mut row = Vec::new();
        encode(Revision::new(300, 1), &Change::Put(kv), &mut row);
        let mut expected = Vec::from(*b"\0\0\0\0\0\0\x01\x2c_\0\0\0\0\0\0\0\x01");
        expected.extend(b"\x0a\x01k\x10\x02\x18\xac\x02\x20\x02\x2a\x01v\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        assert_eq!(row, expected);

        row.clear();
        encode(Revision::new(2, 0), &Change::Delete { key: Bytes::from_static(b"k") }, &mut row);
        assert_eq!(row, b"\0\0\0\0\0\0\0\x02_\0\0\0\0\0\0\0\0t\x0a\x01k");
    }
}
