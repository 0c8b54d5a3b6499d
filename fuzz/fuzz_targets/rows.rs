//! Rows of a data file: a machine that is made of them is one, whatever they say.

#![no_main]

use bytes::Bytes;
use consensus::StateMachine;
use keyspace::row::{decode_change, encode_change, encode_mark};
use keyspace::varint::{put_varint, take_varint};
use keyspace::{Builder, MemoryValues, Query, Revision};
use libfuzzer_sys::fuzz_target;

/// The next piece, after its length.
fn piece<'a>(data: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&length, rest) = data.split_first()?;
    let (piece, rest) = rest.split_at(rest.len().min(usize::from(length)));
    *data = rest;
    Some(piece)
}

fuzz_target!(|data: &[u8]| {
    let mut data = data;
    let at = Revision::new(300, 1);
    if let Some(change) = decode_change(at, Bytes::copy_from_slice(data)) {
        let (mut row, mut mark) = (Vec::new(), Vec::new());
        encode_change(&change, &mut row);
        assert_eq!(row, data);
        encode_mark(&change, &mut mark);
    }
    let mut rest = data;
    if let Some(number) = take_varint(&mut rest) {
        let mut again = Vec::new();
        put_varint(number, &mut again);
        assert!(again.len() <= data.len() - rest.len() && take_varint(&mut &again[..]) == Some(number));
    }
    let Some(head) = piece(&mut data) else { return };
    let Ok(mut builder) = Builder::new(&Bytes::copy_from_slice(head)) else { return };
    let mut main = 0_i64;
    while let (Some(place), Some(row)) = (piece(&mut data), piece(&mut data)) {
        match place {
            [0, id, ..] => builder.lease(i64::from(*id), row),
            [step, sub, ..] => {
                main += i64::from(step - 1);
                if builder.mark(Revision::new(main, i64::from(*sub)), row).is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
    if let Ok(machine) = builder.finish(MemoryValues::default()) {
        let _ = machine.read(Query::Leases);
        let _ = machine.read(Query::Members);
    }
});
