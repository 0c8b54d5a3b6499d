//! The first bytes of whoever opens a connection. Nothing is said back.
//!
//! ```text
//! │ version: long │ sid: long │ length: int │ host:port, or host:port|host:port… │      since 3.5
//! │ sid: long │                                                                          before
//! ```

use super::ADDRESSES_LIMIT;
use crate::Malformed;
use crate::config::HostPort;
use crate::jute::Writer;
use bytes::{Buf, Bytes, BytesMut};

/// One address.
const VERSION_1: i64 = -65536;
/// Several.
const VERSION_2: i64 = -65535;

/// Who opened a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Greeting {
    /// Its `myid`. [`i64::MAX`]: an observer that wants no number of its own.
    pub sid: i64,
    /// Where it can be reached in turn, at its election port. Empty: it does not say (before 3.5), so its configured address counts. So
    /// it does for addresses that are wildcards ([`HostPort::is_wildcard`]).
    pub addresses: Vec<HostPort>,
}

impl Greeting {
    /// Its bytes. One address is said as every version since 3.5 understands it; several only where `multiAddress.enabled` is set.
    pub fn encode(&self) -> Bytes {
        let addresses: Vec<String> = self.addresses.iter().map(HostPort::to_string).collect();
        let mut writer = Writer::with_capacity(64);
        writer.long(if addresses.len() > 1 { VERSION_2 } else { VERSION_1 });
        writer.long(self.sid);
        writer.string(&addresses.join("|"));
        writer.finish()
    }

    /// Takes a greeting off `buffer`, once it is whole; `None` until more bytes come. After an error the connection is to be
    /// closed.
    pub fn decode(buffer: &mut BytesMut) -> Result<Option<Greeting>, Malformed> {
        let Some(first) = buffer.first_chunk().map(|first| i64::from_be_bytes(*first)) else { return Ok(None) };
        if first >= 0 {
            buffer.advance(8);
            return Ok(Some(Greeting { sid: first, addresses: Vec::new() }));
        }
        if first != VERSION_1 && first != VERSION_2 {
            return Err(Malformed::number(0, "a server's id, or version -65536 or -65535", first));
        }
        let Some(head) = buffer.first_chunk::<20>() else { return Ok(None) };
        let length = i32::from_be_bytes(*head.last_chunk().expect("four of twenty bytes"));
        let Some(length) = usize::try_from(length).ok().filter(|length| (1..=ADDRESSES_LIMIT).contains(length)) else {
            return Err(Malformed::number(16, "the length of an address, 1 to 2048", length.into()));
        };
        if buffer.len() < 20 + length {
            return Ok(None);
        }
        let greeting = buffer.split_to(20 + length);
        let sid = i64::from_be_bytes(*greeting[8..].first_chunk().expect("eight of twenty bytes"));
        let addresses = String::from_utf8_lossy(&greeting[20..]);
        let addresses = addresses.split('|').map(|address| HostPort::parse(address).ok_or(()));
        let addresses = addresses.collect::<Result<_, ()>>();
        let addresses = addresses.map_err(|()| Malformed::at(20, "addresses host:port, separated by |"))?;
        Ok(Some(Greeting { sid, addresses }))
    }
}
