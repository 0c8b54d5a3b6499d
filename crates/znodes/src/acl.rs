//! Who may do what with a node.

use alloc::string::String;

/// Somebody, as a scheme of authentication names him: `world:anyone`, `ip:127.0.0.1`, `digest:user:hash`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Id {
    /// The scheme.
    pub scheme: String,
    /// The name within it.
    pub id: String,
}

/// One line of a node's access list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Acl {
    /// What is allowed.
    pub permissions: Permissions,
    /// To whom.
    pub id: Id,
}

/// A set of permissions, in the wire's bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Permissions(pub i32);

impl Permissions {
    /// Read data and children.
    pub const READ: Permissions = Permissions(1);
    /// Set data.
    pub const WRITE: Permissions = Permissions(2);
    /// Create children.
    pub const CREATE: Permissions = Permissions(4);
    /// Delete children.
    pub const DELETE: Permissions = Permissions(8);
    /// Set the access list.
    pub const ADMIN: Permissions = Permissions(16);
    /// All of them.
    pub const ALL: Permissions = Permissions(31);

    /// Whether any of `wanted` is among them.
    pub fn any_of(self, wanted: Permissions) -> bool {
        self.0 & wanted.0 != 0
    }
}
