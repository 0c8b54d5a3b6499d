//! Who may do what, and which access lists may be set.

use crate::{Acl, ErrorCode, Id, Permissions, Settings, weight};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

impl Settings {
    /// Whether somebody known as `ids` may do any of `wanted` with a node that has this access list (Java:
    /// `ZooKeeperServer.checkACL`).
    pub fn allows(&self, acl: &[Acl], wanted: Permissions, ids: &[Id]) -> bool {
        if self.skip_acl || acl.is_empty() || ids.iter().any(|id| id.scheme == "super") {
            return true;
        }
        acl.iter().filter(|entry| entry.permissions.any_of(wanted)).any(|entry| {
            is_anyone(&entry.id)
                || (self.has_scheme(&entry.id.scheme)
                    && ids.iter().any(|id| id.scheme == entry.id.scheme && self.matches(&id.scheme, &id.id, &entry.id.id)))
        })
    }

    /// [`allows`](Settings::allows), as an error.
    pub(crate) fn permit(&self, acl: &[Acl], wanted: Permissions, ids: &[Id]) -> Result<(), ErrorCode> {
        if self.allows(acl, wanted, ids) { Ok(()) } else { Err(ErrorCode::NoAuth) }
    }

    /// The access list that is set when somebody known as `ids` asks for `acl`: without duplicates, and with `auth` spelled out
    /// (Java: `PrepRequestProcessor.fixupACL`).
    pub(crate) fn fix(&self, acl: Vec<Acl>, ids: &[Id]) -> Result<Vec<Acl>, ErrorCode> {
        if acl.is_empty() {
            return Err(ErrorCode::InvalidAcl);
        }
        let mut seen = BTreeSet::new();
        let is_first: Vec<bool> = acl.iter().map(|entry| seen.insert(entry)).collect();
        let proven: Vec<&Id> = ids.iter().filter(|id| self.proves(&id.scheme)).collect();
        let proven_bytes: usize = proven.iter().map(|id| weight::of_entry(id)).sum();
        let mut spelled_bytes = 0;
        let mut fixed = Vec::with_capacity(acl.len());
        for (entry, _) in acl.into_iter().zip(is_first).filter(|(_, is_first)| *is_first) {
            if entry.id.scheme == "auth" {
                if proven.is_empty() {
                    return Err(ErrorCode::InvalidAcl);
                }
                // A small list may be long when it is spelled out. Longer than any transaction it is not even made.
                spelled_bytes += proven_bytes;
                if spelled_bytes > self.txn_bytes_max {
                    return Err(ErrorCode::MarshallingError);
                }
                fixed.extend(proven.iter().map(|&id| Acl { permissions: entry.permissions, id: id.clone() }));
            } else if is_anyone(&entry.id) || (self.has_scheme(&entry.id.scheme) && is_valid(&entry.id)) {
                fixed.push(entry);
            } else {
                return Err(ErrorCode::InvalidAcl);
            }
        }
        Ok(fixed)
    }

    /// What whoAmI calls somebody: a digest's user without the digest (Java: `AuthUtil.getClientInfos`).
    pub(crate) fn user<'a>(&self, id: &'a Id) -> &'a str {
        match id.scheme.as_str() {
            scheme if !self.has_scheme(scheme) => "",
            "digest" => id.id.split(':').next().unwrap_or(""),
            _ => &id.id,
        }
    }

    /// Whether there is somebody who authenticates by this scheme (Java: `ProviderRegistry`).
    fn has_scheme(&self, scheme: &str) -> bool {
        scheme == "ip" || self.proves(scheme)
    }

    /// Whether an id of this scheme was proven: an address was not (Java: `AuthenticationProvider.isAuthenticated`).
    fn proves(&self, scheme: &str) -> bool {
        match scheme {
            "digest" => self.schemes.digest,
            "sasl" => self.schemes.sasl,
            "x509" => self.schemes.x509,
            _ => false,
        }
    }

    fn matches(&self, scheme: &str, id: &str, entry: &str) -> bool {
        match scheme {
            "ip" => ip_matches(id, entry),
            "sasl" => id == "super" || id == entry,
            "x509" => id == entry || self.schemes.x509_super.as_deref() == Some(id),
            _ => id == entry,
        }
    }
}

fn is_anyone(id: &Id) -> bool {
    id.scheme == "world" && id.id == "anyone"
}

/// Whether a scheme allows such an id in a list.
fn is_valid(id: &Id) -> bool {
    match id.scheme.as_str() {
        "ip" => network(&id.id).is_some(),
        "digest" => is_digest(&id.id),
        "sasl" => is_principal(&id.id),
        "x509" => id.id.is_empty() || id.id.contains('='),
        _ => false,
    }
}

/// `user:digest`: Java splits at the colons, and forgets empty parts at the end.
fn is_digest(id: &str) -> bool {
    id.trim_end_matches(':').split(':').count() == 2
}

/// `service`, `service@realm` or `service/host@realm` (Java: `KerberosName`).
fn is_principal(id: &str) -> bool {
    let Some((name, realm)) = id.split_once('@') else { return true };
    !realm.contains(['@', '/']) && name.matches('/').count() <= 1
}

/// An IPv4 network, `a.b.c.d` or `a.b.c.d/bits`, and how many of its bits count (Java: `IPAuthenticationProvider`, which knows no
/// other).
fn network(text: &str) -> Option<(u32, u32)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, bits.parse().ok().filter(|&bits| bits <= 32)?),
        None => (text, 32),
    };
    Some((v4(address)?, bits))
}

fn v4(text: &str) -> Option<u32> {
    let mut parts = text.split('.');
    let mut address = 0;
    for _ in 0..4 {
        let part: u8 = parts.next()?.parse().ok()?;
        address = address << 8 | u32::from(part);
    }
    parts.next().is_none().then_some(address)
}

fn ip_matches(address: &str, entry: &str) -> bool {
    let (Some(address), Some((network, bits))) = (v4(address), network(entry)) else { return false };
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    address & mask == network & mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn id(scheme: &str, id: &str) -> Id {
        Id { scheme: scheme.into(), id: id.into() }
    }

    fn entry(permissions: Permissions, scheme: &str, name: &str) -> Acl {
        Acl { permissions, id: id(scheme, name) }
    }

    #[test]
    fn permissions_are_given_by_scheme_and_id() {
        let settings = Settings::default();
        let acl = [entry(Permissions::READ, "world", "anyone"), entry(Permissions::ALL, "digest", "bob:x")];
        let bob = [id("ip", "10.0.0.1"), id("digest", "bob:x")];
        let eve = [id("ip", "10.0.0.1"), id("digest", "eve:x")];
        assert!(settings.allows(&acl, Permissions::READ, &[]));
        assert!(settings.allows(&acl, Permissions::WRITE, &bob));
        assert!(!settings.allows(&acl, Permissions::WRITE, &eve));
        assert!(settings.allows(&acl, Permissions::WRITE, &[id("super", "")]));
        assert!(settings.allows(&[], Permissions::WRITE, &eve));
        assert!(Settings { skip_acl: true, ..settings }.allows(&acl, Permissions::WRITE, &eve));
    }

    #[test]
    fn addresses_match_by_their_first_bits() {
        for (address, entry) in
            [("10.1.2.3", "10.1.2.3"), ("10.1.2.3", "10.1.0.0/16"), ("1.2.3.4", "9.9.9.9/0"), ("10.1.2.3", "10.1.2.0/31")]
        {
            assert_eq!(ip_matches(address, entry), entry != "10.1.2.0/31", "{address} {entry}");
        }
        for bad in ["10.1.2", "10.1.2.3.4", "10.1.2.256", "10.1.2.3/33", "10.1.2.3/-1", "::1", ""] {
            assert!(network(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn lists_are_fixed_before_they_are_set() {
        let settings = Settings::default();
        let ids = [id("ip", "10.0.0.1"), id("digest", "bob:x"), id("digest", "ann:y")];
        let all = entry(Permissions::ALL, "world", "anyone");
        assert_eq!(settings.fix(vec![all.clone(), all.clone()], &ids), Ok(vec![all]));
        let spelled = vec![entry(Permissions::READ, "digest", "bob:x"), entry(Permissions::READ, "digest", "ann:y")];
        assert_eq!(settings.fix(vec![entry(Permissions::READ, "auth", "")], &ids), Ok(spelled));
        for bad in [
            vec![],
            vec![entry(Permissions::ALL, "world", "someone")],
            vec![entry(Permissions::ALL, "sasl", "bob")],
            vec![entry(Permissions::ALL, "digest", "bob")],
            vec![entry(Permissions::ALL, "digest", "bob:")],
            vec![entry(Permissions::ALL, "ip", "here")],
        ] {
            assert_eq!(settings.fix(bad.clone(), &ids), Err(ErrorCode::InvalidAcl), "{bad:?}");
        }
        let unproven = settings.fix(vec![entry(Permissions::ALL, "auth", "")], &ids[..1]);
        assert_eq!(unproven, Err(ErrorCode::InvalidAcl));
    }
}
