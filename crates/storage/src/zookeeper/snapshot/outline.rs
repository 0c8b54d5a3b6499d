//! Where a snapshot's body ends: it does not say how long it is.
//!
//! ```text
//!   sessions   count i32, { id i64, timeout i32 }*
//!   ACLs       count i32, { key i64, count i32, { permissions i32, scheme string, id string }* }*
//!   nodes      { path string, data buffer, ACL key i64, stat 60 bytes }*, depth-first
//!   end        path "/"                                (the root itself has the path "")
//! ```
//!
//! Strings and buffers begin with their length (i32), which is −1 for none; numbers are big-endian. Nothing is understood here but
//! lengths, and no more is kept than a number that arrived in pieces.

/// What stands at some place is not what a snapshot may hold there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Wrong {
    /// Bytes from the body's beginning.
    pub(super) offset: u64,
    /// What should be there.
    pub(super) expected: &'static str,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    SessionCount,
    AclCount,
    AclKey,
    AclLength,
    Permissions,
    Scheme,
    Id,
    PathLength,
    ShortPath,
    Data,
    End,
}

impl Next {
    /// How many bytes are to be looked at.
    fn size(self) -> usize {
        match self {
            Next::AclKey => 8,
            Next::ShortPath => 1,
            Next::End => 0,
            _ => 4,
        }
    }
}

/// Bytes of a node behind its data: the key of its ACL and its stat.
const NODE_REST: u64 = 8 + 60;

/// Finds the end of a body whose bytes arrive in pieces.
pub(super) struct Outline {
    next: Next,
    /// Bytes to pass over first.
    skip: u64,
    /// The beginning of a number whose rest has not arrived.
    field: [u8; 8],
    have: usize,
    /// ACL lists still to come, and ACLs of the present one.
    lists: u32,
    acls: u32,
    offset: u64,
}

impl Outline {
    pub(super) fn new() -> Outline {
        Outline { next: Next::SessionCount, skip: 0, field: [0; 8], have: 0, lists: 0, acls: 0, offset: 0 }
    }

    /// Whether the end was seen.
    pub(super) fn whole(&self) -> bool {
        self.next == Next::End
    }

    /// Looks at the next bytes: how many of them belong to the body. All do, unless it ends among them.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, Wrong> {
        let mut at = 0;
        while !self.whole() {
            let skipped = usize::try_from(self.skip).map_or(bytes.len() - at, |skip| skip.min(bytes.len() - at));
            self.skip -= skipped as u64;
            at += skipped;
            let want = self.next.size();
            let part = (want - self.have).min(bytes.len() - at);
            if self.skip == 0 {
                self.field[self.have..self.have + part].copy_from_slice(&bytes[at..at + part]);
                self.have += part;
                at += part;
            }
            if self.skip > 0 || self.have < want {
                break;
            }
            self.have = 0;
            self.step().map_err(|expected| Wrong { offset: self.offset + at as u64 - want as u64, expected })?;
        }
        self.offset += at as u64;
        Ok(at)
    }

    /// A field is whole.
    fn step(&mut self) -> Result<(), &'static str> {
        let number = i32::from_be_bytes(self.field[..4].try_into().expect("four bytes"));
        let count = u32::try_from(number).ok();
        // None counts as empty.
        let length = if number == -1 { Some(0) } else { count.map(u64::from) };
        self.next = match self.next {
            Next::SessionCount => {
                self.skip = 12 * u64::from(count.ok_or("the number of sessions")?);
                Next::AclCount
            }
            Next::AclCount => {
                self.lists = count.ok_or("the number of ACL lists")?;
                self.list()
            }
            Next::AclKey => Next::AclLength,
            Next::AclLength => {
                self.acls = count.ok_or("the number of ACLs")?;
                self.acl()
            }
            Next::Permissions => Next::Scheme,
            Next::Scheme => {
                self.skip = length.ok_or("the length of an ACL's scheme")?;
                Next::Id
            }
            Next::Id => {
                self.skip = length.ok_or("the length of an ACL's id")?;
                self.acl()
            }
            Next::PathLength => match count.ok_or("the length of a path")? {
                1 => Next::ShortPath,
                length => {
                    self.skip = u64::from(length);
                    Next::Data
                }
            },
            Next::ShortPath if self.field[0] == b'/' => Next::End,
            Next::ShortPath => return Err("a path"),
            Next::Data => {
                self.skip = NODE_REST + length.ok_or("the length of a node's data")?;
                Next::PathLength
            }
            Next::End => Next::End,
        };
        Ok(())
    }

    fn list(&mut self) -> Next {
        match self.lists.checked_sub(1) {
            Some(left) => {
                self.lists = left;
                Next::AclKey
            }
            None => Next::PathLength,
        }
    }

    fn acl(&mut self) -> Next {
        match self.acls.checked_sub(1) {
            Some(left) => {
                self.acls = left;
                Next::Permissions
            }
            None => self.list(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sessions, one list of two ACLs, three nodes.
    fn body() -> Vec<u8> {
        let mut body = Vec::new();
        let string = |body: &mut Vec<u8>, text: &str| {
            body.extend((text.len() as i32).to_be_bytes());
            body.extend(text.as_bytes());
        };
        body.extend(2i32.to_be_bytes());
        body.extend([7; 24]);
        body.extend(1i32.to_be_bytes());
        body.extend(1i64.to_be_bytes());
        body.extend(2i32.to_be_bytes());
        for (scheme, id) in [("world", "anyone"), ("digest", "super:x")] {
            body.extend(31i32.to_be_bytes());
            string(&mut body, scheme);
            string(&mut body, id);
        }
        for (path, data) in [("", None), ("/a", Some(&b"datum"[..])), ("/a/b", Some(b""))] {
            string(&mut body, path);
            body.extend(data.map_or(-1, |data| data.len() as i32).to_be_bytes());
            body.extend(data.unwrap_or_default());
            body.extend([0xff; 68]);
        }
        string(&mut body, "/");
        body
    }

    #[test]
    fn the_end_is_found_however_the_bytes_arrive() {
        let body = body();
        let mut followed = body.clone();
        followed.extend(b"what follows");
        for size in 1..=followed.len() {
            let mut outline = Outline::new();
            let mut taken = 0;
            for piece in followed.chunks(size) {
                taken += outline.take(piece).unwrap();
            }
            assert!(outline.whole());
            assert_eq!(taken, body.len(), "pieces of {size} bytes");
        }
        let mut outline = Outline::new();
        assert_eq!(outline.take(&body[..body.len() - 1]).unwrap(), body.len() - 1);
        assert!(!outline.whole());
    }

    #[test]
    fn a_length_below_none_is_refused_by_its_place() {
        let mut body = body();
        let place = body.len() - 5 - 68 - 4;
        body[place] = 0x80;
        let wrong = Outline::new().take(&body).unwrap_err();
        assert_eq!(wrong, Wrong { offset: place as u64, expected: "the length of a node's data" });
        // However the bytes arrive.
        let mut outline = Outline::new();
        let again = body.chunks(1).find_map(|piece| outline.take(piece).err());
        assert_eq!(again, Some(wrong));
    }
}
