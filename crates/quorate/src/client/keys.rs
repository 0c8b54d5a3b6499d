//! The range of keys that a command line means, as etcd's requests say it.

use crate::cli::Keys;

/// An empty key with --prefix or --from-key means every key, whose first is the byte 0.
pub(super) fn start(keys: &Keys) -> Vec<u8> {
    if (keys.prefix || keys.from_key) && keys.key.is_empty() { vec![0] } else { keys.key.clone().into() }
}

/// Where the range ends: nowhere for one key, the byte 0 for no end.
pub(super) fn range_end(keys: &Keys) -> Vec<u8> {
    match &keys.range_end {
        Some(end) => end.clone().into(),
        None if keys.from_key || (keys.prefix && keys.key.is_empty()) => vec![0],
        None if keys.prefix => after_prefix(keys.key.as_bytes()),
        None => Vec::new(),
    }
}

/// The first key behind all that begin with `prefix`: its last byte that can grow, grown, and nothing behind it.
fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    match prefix.iter().rposition(|byte| *byte < 0xff) {
        Some(last) => {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            end
        }
        None => vec![0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_range() {
        assert_eq!(after_prefix(b"a/"), b"a0");
        assert_eq!(after_prefix(b"a\xff\xff"), b"b");
        assert_eq!(after_prefix(b"\xff"), b"\0");
        let keys = |key: &str, end: Option<&str>, prefix, from_key| Keys {
            key: key.to_owned(),
            range_end: end.map(str::to_owned),
            prefix,
            from_key,
        };
        let all = keys("", None, true, false);
        assert_eq!((start(&all), range_end(&all)), (vec![0], vec![0]));
        let one = keys("k", None, false, false);
        assert_eq!((start(&one), range_end(&one)), (b"k".to_vec(), vec![]));
        assert_eq!(range_end(&keys("k", None, false, true)), [0]);
        assert_eq!(range_end(&keys("k", Some("m"), false, false)), b"m");
    }
}
