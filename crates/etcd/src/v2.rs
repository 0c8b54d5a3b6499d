//! The two requests of etcd's first interface that 3.5 still writes to the log.
//!
//! | method, path | value |
//! |---|---|
//! | PUT `/0/members/<hex>/attributes` | `{"name":…,"clientURLs":[…]}` |
//! | PUT `/0/version` | `3.5.0` |

use crate::Malformed;
use crate::json::{self, Attributes};
use crate::pb::etcdserverpb::Request;
use crate::peer::http::parse_id;
use crate::peer::raftpb::{field, open};
use bytes::{BufMut, Bytes, BytesMut};
use consensus::NodeId;
use keyspace::Command;

const VERSION_PATH: &str = "/0/version";

/// The data of an entry by which a member says its name and where clients find it.
pub(crate) fn attributes(id: u64, member: NodeId, attributes: &Attributes) -> Bytes {
    put(id, &format!("/0/members/{member}/attributes"), &json::to_string(attributes))
}

/// The data of an entry that sets the cluster's version.
pub(crate) fn version(id: u64, version: &str) -> Bytes {
    put(id, VERSION_PATH, version)
}

/// A PUT as 3.5 writes it: numbers and texts even if zero or empty.
fn put(id: u64, path: &str, value: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(50 + path.len() + value.len());
    let text = |tag, text: &str, out: &mut BytesMut| {
        open(tag, text.len(), out);
        out.put_slice(text.as_bytes());
    };
    field(1, id, &mut out);
    text(2, "PUT", &mut out);
    text(3, path, &mut out);
    text(4, value, &mut out);
    field(5, 0, &mut out); // Dir
    text(6, "", &mut out); // PrevValue
    field(7, 0, &mut out); // PrevIndex
    // PrevExist, 8, only if set
    for tag in 9..=15 {
        field(tag, 0, &mut out); // Expiration, Wait, Since, Recursive, Sorted, Quorum, Time
    }
    out.put_slice(&[0x80, 0x01, 0]); // Stream, whose tag, 16, takes two bytes
    out.freeze()
}

/// What a request means. `None`: nothing that would change anything.
pub(crate) fn command(request: Request) -> Result<Option<Command>, Malformed> {
    match request.method() {
        // A read, and the sweep of expired keys, of which there are none without v2 writes.
        "QGET" | "SYNC" => return Ok(None),
        "PUT" if !is_conditional(&request) => {}
        _ => return Err(unsupported(&request)),
    }
    if request.path() == VERSION_PATH {
        return Ok(Some(Command::ClusterVersion(request.val().into())));
    }
    let Some(NodeId(id)) = member(request.path()) else { return Err(unsupported(&request)) };
    let Attributes { name, client_urls } = json::from_slice("a member's attributes", request.val().as_bytes())?;
    Ok(Some(Command::MemberAttributes { id, name, client_urls }))
}

fn is_conditional(request: &Request) -> bool {
    request.prev_exist.is_some() || request.prev_index() != 0 || !request.prev_value().is_empty()
}

/// Whose attributes a path means.
fn member(path: &str) -> Option<NodeId> {
    let id = path.strip_prefix("/0/members/")?.strip_suffix("/attributes")?;
    if id.len() <= 16 { parse_id(id) } else { None }
}

fn unsupported(request: &Request) -> Malformed {
    Malformed::Unsupported(format!("v2 request {} {}", request.method(), request.path()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;

    fn request(method: &str, path: &str, val: &str) -> Request {
        Request { method: Some(method.into()), path: Some(path.into()), val: Some(val.into()), ..Request::default() }
    }

    #[test]
    fn a_put_has_35s_bytes() {
        let mut expected = vec![0x08, 0x07, 0x12, 3];
        expected.extend(b"PUT\x1a\x0a/0/version\x22\x053.5.0");
        expected.extend([0x28, 0, 0x32, 0, 0x38, 0, 0x48, 0, 0x50, 0, 0x58, 0, 0x60, 0, 0x68, 0, 0x70, 0, 0x78, 0, 0x80, 1, 0]);
        assert_eq!(version(7, "3.5.0"), expected);
    }

    #[test]
    fn both_come_back() {
        let says = |data: Bytes| command(Request::decode(data).unwrap());
        assert_eq!(says(version(7, "3.5.0")), Ok(Some(Command::ClusterVersion("3.5.0".into()))));
        let told = Attributes { name: "m<1>".into(), client_urls: vec!["http://a:2".into()] };
        let (id, name, client_urls) = (0xabc, told.name.clone(), told.client_urls.clone());
        let expected = Command::MemberAttributes { id, name, client_urls };
        assert_eq!(says(attributes(7, NodeId(0xabc), &told)), Ok(Some(expected)));
    }

    #[test]
    fn other_writes_are_refused_by_name() {
        for (method, path) in [
            ("PUT", "/1/user/data"),
            ("DELETE", "/0/version"),
            ("POST", "/1/queue"),
            ("PUT", "/0/members//attributes"),
            ("PUT", "/0/members/xyz/attributes"),
            ("PUT", "/0/members/11111111111111111/attributes"),
            ("", ""),
        ] {
            let error = command(request(method, path, "{}")).unwrap_err().to_string();
            assert!(error.starts_with(&format!("v2 request {method} {path}: not supported")), "{error}");
        }
        let conditional = Request { prev_exist: Some(false), ..request("PUT", "/0/version", "3.5.0") };
        assert!(command(conditional).is_err());
        assert_eq!(command(request("SYNC", "", "")), Ok(None));
        assert!(matches!(command(request("PUT", "/0/members/1/attributes", "nonsense")), Err(Malformed::Json { .. })));
    }
}
