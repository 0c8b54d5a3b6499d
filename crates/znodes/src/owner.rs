//! What the field `ephemeralOwner` says (Java: `EphemeralType`).
//!
//! ```text
//!   0                      a plain node
//!   0x8000000000000000     a container
//!   0xff0000 <40 bits>     a node with a time to live of so many milliseconds, where extended types are enabled
//!   anything else          the session whose ephemeral node it is
//! ```

use crate::Kind;

/// What marks a container.
const CONTAINER: i64 = i64::MIN;
const EXTENDED: u64 = 0xff00_0000_0000_0000;
const RESERVED: u64 = 0x00ff_ff00_0000_0000;
/// The longest time to live, in milliseconds.
pub(crate) const TTL_MAX: i64 = 0x00ff_ffff_ffff;

/// Whose a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    /// Nobody's: it stays.
    Nobody,
    /// This session's.
    Session(i64),
    /// It goes with its last child.
    Container,
    /// It goes when it has no children and was not changed for so many milliseconds.
    Ttl(i64),
}

impl Owner {
    /// What the field says. Without extended types a time to live looks like a session.
    pub(crate) fn of(field: i64, extended_types: bool) -> Owner {
        let bits = field as u64;
        match field {
            0 => Owner::Nobody,
            CONTAINER => Owner::Container,
            _ if extended_types && bits & EXTENDED == EXTENDED && bits & RESERVED == 0 => Owner::Ttl(field & TTL_MAX),
            session => Owner::Session(session),
        }
    }

    /// The field of a node that a transaction of this kind creates (Java: `DataTree.processTxn`).
    pub(crate) fn field(kind: Kind, session: i64, ephemeral: bool, ttl: Option<i64>) -> i64 {
        match kind {
            Kind::CREATE_CONTAINER => CONTAINER,
            Kind::CREATE_TTL => EXTENDED as i64 | (ttl.unwrap_or(0) & TTL_MAX),
            _ if ephemeral => session,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_say_what_they_were_made_of() {
        let of = |kind, ephemeral, ttl| Owner::of(Owner::field(kind, 7, ephemeral, ttl), true);
        assert_eq!(of(Kind::CREATE, false, None), Owner::Nobody);
        assert_eq!(of(Kind::CREATE2, true, None), Owner::Session(7));
        assert_eq!(of(Kind::CREATE_CONTAINER, false, None), Owner::Container);
        assert_eq!(of(Kind::CREATE_TTL, false, Some(1_000)), Owner::Ttl(1_000));
        assert_eq!(Owner::field(Kind::CREATE_TTL, 7, false, Some(1)) as u64, 0xff00_0000_0000_0001);
        assert_eq!(Owner::of(0xff00_0000_0000_0001_u64 as i64, false), Owner::Session(0xff00_0000_0000_0001_u64 as i64));
    }
}
