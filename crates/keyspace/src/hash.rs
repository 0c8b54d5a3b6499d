//! HashKV: the checksum by which etcd's members find out whether they hold the same history.
//!
//! CRC-32C over `key`, then for every change up to the revision asked for, in order, what etcd has in its file: the revision
//! (8 bytes main, `_`, 8 bytes sub, and `t` if it is a deletion) and the mvccpb.KeyValue. Left out are, below the last compaction,
//! changes that are not the newest of their key at the revision asked for (unless no key exists there), and deletions exactly at
//! the compaction, which members before 3.5.16 do not keep.

use crate::checksum::Checksum;
use crate::{Change, HashKv, KeyRange, KeyValue, Keyspace, KeyspaceError, Revision, Values};
use alloc::vec::Vec;
use bytes::Bytes;

impl<V: Values> Keyspace<V> {
    /// Takes the checksum. Reads the whole history: in proportion to the store.
    pub(crate) fn hash_kv(&self, asked: i64) -> Result<HashKv, KeyspaceError> {
        if asked > 0 && asked < self.compacted {
            return Err(KeyspaceError::Compacted);
        }
        if asked > self.revision {
            return Err(KeyspaceError::FutureRevision);
        }
        let upto = if asked == 0 { self.revision } else { asked };

        let all = Bytes::from_static(b"\0");
        let any = self.index.range(KeyRange::Span(&all, None)).any(|(_, history)| history.hashed(upto).is_some());
        let mut checksum = Checksum::new();
        checksum.update(b"key");
        let mut encoded = Vec::new();
        for (at, change) in self.values.scan(Revision::default()).take_while(|(at, _)| at.main <= upto) {
            if at.main <= self.compacted && !self.is_hashed(at, &change, any, upto) {
                continue;
            }
            encoded.clear();
            encode(at, &change, &mut encoded);
            checksum.update(&encoded);
        }
        let (revision, compact_revision) = (self.revision, self.compacted);
        Ok(HashKv { revision, hash: checksum.value(), compact_revision, hash_revision: upto })
    }

    /// Whether a change at or below the last compaction counts.
    fn is_hashed(&self, at: Revision, change: &Change, any: bool, upto: i64) -> bool {
        let Some(history) = self.index.history(change.key()) else { return false };
        let deleted_there = at.main == self.compacted && matches!(change, Change::Delete { .. });
        if any {
            history.hashed(upto).is_some_and(|mark| mark.at == at)
        } else {
            history.needs(at, self.compacted) && !deleted_there
        }
    }
}

/// A change as a row of etcd's bucket `key`.
fn encode(at: Revision, change: &Change, out: &mut Vec<u8>) {
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
        encode_varint(bytes.len() as u64, out);
        out.extend(bytes);
    }
}

fn encode_number(field: u8, number: i64, out: &mut Vec<u8>) {
    if number != 0 {
        out.push(field << 3);
        encode_varint(number as u64, out);
    }
}

fn encode_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

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
