//! What `quorate zk` prints.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use znodes::{ErrorCode, Stat, WatchEvent};

/// An error in a sentence.
pub(super) fn error(code: i32) -> String {
    let known = match ErrorCode::from_number(code) {
        Some(ErrorCode::NoNode) => "there is no such node",
        Some(ErrorCode::NodeExists) => "there is such a node already",
        Some(ErrorCode::NotEmpty) => "it has children; -r deletes them, too",
        Some(ErrorCode::BadVersion) => "its data has another version",
        Some(ErrorCode::NoAuth) => "not allowed; --digest user:password says who you are",
        Some(ErrorCode::BadArguments) => {
            "the server does not take these arguments (a path begins with / and does not end with it)"
        }
        Some(ErrorCode::NoChildrenForEphemerals) => "ephemeral nodes have no children",
        Some(ErrorCode::QuotaExceeded) => "a quota is exceeded",
        Some(ErrorCode::Unimplemented) => {
            "the server cannot do this (nodes with a time to live need zookeeper.extendedTypesEnabled=true)"
        }
        Some(ErrorCode::ThrottledOp) => "the server has too much to do",
        Some(other) => return format!("the server answered {other:?} ({code})"),
        None => return format!("the server answered with error {code}"),
    };
    known.to_owned()
}

pub(super) fn names(names: &[String], json: bool) -> String {
    if json {
        return format!("{}\n", Value::from(names.to_vec()));
    }
    names.iter().map(|name| format!("{name}\n")).collect()
}

pub(super) fn created(path: &str, json: bool) -> String {
    if json { format!("{}\n", json!({ "path": path })) } else { format!("{path}\n") }
}

/// JSON has no bytes: data that is not UTF-8 is told in base64.
pub(super) fn data(path: &str, data: Option<&Bytes>, stat: &Stat, json: bool) -> String {
    let text = data.map(|data| std::str::from_utf8(data));
    if json {
        let mut object = json!({ "path": path, "stat": numbers(stat) });
        match text {
            None => object["data"] = Value::Null,
            Some(Ok(text)) => object["data"] = text.into(),
            Some(Err(_)) => object["data_base64"] = STANDARD.encode(data.expect("it is no text")).into(),
        }
        return format!("{object}\n");
    }
    format!("{}\n", String::from_utf8_lossy(data.map_or(&[], |data| data)))
}

/// The words and the order of zkCli, so that eyes and scripts find what they know.
pub(super) fn stat(path: &str, stat: &Stat, json: bool) -> String {
    if json {
        return format!("{}\n", json!({ "path": path, "stat": numbers(stat) }));
    }
    format!(
        "cZxid = 0x{:x}\nctime = {} ms\nmZxid = 0x{:x}\nmtime = {} ms\npZxid = 0x{:x}\ncversion = {}\ndataVersion = {}\naclVersion = {}\n\
         ephemeralOwner = 0x{:x}\ndataLength = {}\nnumChildren = {}\n",
        stat.czxid,
        stat.ctime,
        stat.mzxid,
        stat.mtime,
        stat.pzxid,
        stat.cversion,
        stat.version,
        stat.aversion,
        stat.ephemeral_owner,
        stat.data_length,
        stat.num_children
    )
}

pub(super) fn event(event: WatchEvent, path: &str, json: bool) -> String {
    let what = match event {
        WatchEvent::Created => "created",
        WatchEvent::Deleted => "deleted",
        WatchEvent::DataChanged => "changed",
        WatchEvent::ChildrenChanged => "children",
    };
    if json { format!("{}\n", json!({ "event": what, "path": path })) } else { format!("{what:9} {path}\n") }
}

fn numbers(stat: &Stat) -> Value {
    json!({
        "czxid": stat.czxid,
        "mzxid": stat.mzxid,
        "pzxid": stat.pzxid,
        "ctime": stat.ctime,
        "mtime": stat.mtime,
        "version": stat.version,
        "cversion": stat.cversion,
        "aversion": stat.aversion,
        "ephemeralOwner": stat.ephemeral_owner,
        "dataLength": stat.data_length,
        "numChildren": stat.num_children,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_is_no_text_is_told_in_base64() {
        let told = |bytes: &'static [u8]| data("/a", Some(&Bytes::from_static(bytes)), &Stat::default(), true);
        assert!(told(b"hi").contains(r#""data":"hi""#), "{}", told(b"hi"));
        assert!(told(b"\xff").contains(r#""data_base64":"/w==""#), "{}", told(b"\xff"));
        assert!(data("/a", None, &Stat::default(), true).contains(r#""data":null"#));
        assert_eq!(data("/a", None, &Stat::default(), false), "\n");
    }

    #[test]
    fn errors_are_sentences() {
        assert_eq!(error(-101), "there is no such node");
        assert_eq!(error(-118), "the server answered SessionMoved (-118)");
        assert_eq!(error(-9), "the server answered with error -9");
    }
}
