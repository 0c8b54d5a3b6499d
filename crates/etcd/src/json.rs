//! The little JSON that peers, log entries and plain HTTP need, with Go's order of keys and Go's escapes.

use crate::Malformed;
use serde::{Deserialize, Deserializer, Serialize};

/// A member, as `/members` lists it and as the contexts of membership changes carry it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Member {
    /// Its id: the one place where etcd writes it in decimal.
    pub id: u64,
    /// Where peers find it.
    #[serde(rename = "peerURLs", default, deserialize_with = "list")]
    pub peer_urls: Vec<String>,
    /// It receives the log but is never counted.
    #[serde(rename = "isLearner", default, skip_serializing_if = "is_false")]
    pub is_learner: bool,
    /// Its name; empty until it has started.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Where clients find it; empty until it has started.
    #[serde(rename = "clientURLs", default, deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub client_urls: Vec<String>,
}

impl From<keyspace::Member> for Member {
    fn from(member: keyspace::Member) -> Member {
        let keyspace::Member { id, name, peer_urls, client_urls, is_learner } = member;
        Member { id, peer_urls, is_learner, name, client_urls }
    }
}

/// What a member says about itself when it starts.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Attributes {
    /// Its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Where clients find it.
    #[serde(rename = "clientURLs", default, deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub client_urls: Vec<String>,
}

/// The answer to `/version`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Versions {
    /// Of the member that answers.
    #[serde(rename = "etcdserver")]
    pub server: String,
    /// Of the cluster; [`crate::version::UNDECIDED`] at first.
    #[serde(rename = "etcdcluster")]
    pub cluster: String,
}

/// The answer to `/health`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Health {
    /// `true` or `false`, a string as etcd's is.
    pub health: String,
    /// Why not; empty if so.
    #[serde(default)]
    pub reason: String,
}

impl Health {
    /// Well.
    pub fn well() -> Health {
        Health { health: "true".into(), reason: String::new() }
    }

    /// Not well, and why.
    pub fn unwell(reason: impl Into<String>) -> Health {
        Health { health: "false".into(), reason: reason.into() }
    }
}

/// The answer to `/raft/probing`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Probe {
    /// Always.
    #[serde(rename = "OK")]
    pub ok: bool,
    /// The wall clock, see [`rfc3339`].
    #[serde(rename = "Now")]
    pub now: String,
}

/// The question to `/members/hashkv`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct HashKvQuestion {
    /// Up to which revision; 0: all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: i64,
}

/// The answer of `/members/hashkv`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct HashKvAnswer {
    /// Where the member stands.
    #[serde(default)]
    pub header: HashKvHeader,
    /// The checksum.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hash: u32,
    /// From which compaction on it was taken.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub compact_revision: i64,
}

/// The part of etcd's header that `/members/hashkv` fills.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct HashKvHeader {
    /// The revision now.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: i64,
}

/// What Go's json.Marshal writes. (Its Encoder adds a newline; so do `/members` and `/raft/probing`.)
pub fn to_string<T: Serialize>(value: &T) -> String {
    let text = serde_json::to_string(value).expect("structures of strings, numbers and lists can be written");
    if !text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return text;
    }
    // Go keeps JSON harmless within HTML. These characters stand in strings only, so that replacing them in the text is sound.
    let mut safe = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => safe.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => safe.push(letter),
        }
    }
    safe
}

/// What `text` says. Unknown keys are passed over, null is an empty list, as with Go's json.Unmarshal.
pub fn from_slice<'a, T: Deserialize<'a>>(what: &'static str, text: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(text).map_err(|error| Malformed::Json { what, why: error.to_string() })
}

/// A moment since 1970 as Go writes it: UTC, and no zeros at the end of the fraction.
pub fn rfc3339(since_1970: core::time::Duration) -> String {
    let (days, second) = (since_1970.as_secs() / 86_400, since_1970.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if since_1970.subsec_nanos() != 0 {
        text.push_str(format!(".{:09}", since_1970.subsec_nanos()).trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// The Gregorian date so many days after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // Years that begin in March have their leap day at the end; 400 of them always have 146,097 days.
    const ERA: u64 = 146_097;
    let days = days + 719_468; // since 0000-03-01
    let (era, day_of_era) = (days / ERA, days % ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / (ERA - 1)) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::<Vec<String>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn a_member_has_gos_keys_in_gos_order() {
        let mut member = Member { id: u64::MAX, name: "m1".into(), peer_urls: vec!["http://a:1".into()], ..Member::default() };
        assert_eq!(to_string(&member), r#"{"id":18446744073709551615,"peerURLs":["http://a:1"],"name":"m1"}"#);
        member.is_learner = true;
        member.client_urls = vec!["http://a:2".into()];
        assert_eq!(
            to_string(&member),
            r#"{"id":18446744073709551615,"peerURLs":["http://a:1"],"isLearner":true,"name":"m1","clientURLs":["http://a:2"]}"#
        );
        assert_eq!(from_slice::<Member>("a member", to_string(&member).as_bytes()), Ok(member));
    }

    #[test]
    fn what_html_could_read_is_escaped() {
        let member = Member { id: 1, name: "<a&b>\u{2028}\"\\\n".into(), ..Member::default() };
        let text = r#"{"id":1,"peerURLs":[],"name":"\u003ca\u0026b\u003e\u2028\"\\\n"}"#;
        assert_eq!(to_string(&member), text);
        assert_eq!(from_slice::<Member>("a member", text.as_bytes()), Ok(member));
    }

    #[test]
    fn null_is_an_empty_list_and_unknown_keys_are_passed_over() {
        let member = from_slice::<Member>("a member", br#"{"id":7,"peerURLs":null,"isPromote":true}"#);
        assert_eq!(member, Ok(Member { id: 7, ..Member::default() }));
        let error = from_slice::<Member>("a member", b"[]").unwrap_err();
        assert!(error.to_string().starts_with("not the JSON of a member: "), "{error}");
    }

    #[test]
    fn answers_read_as_measured_on_etcd() {
        let versions = Versions { server: "3.5.16".into(), cluster: "3.5.0".into() };
        assert_eq!(to_string(&versions), r#"{"etcdserver":"3.5.16","etcdcluster":"3.5.0"}"#);
        assert_eq!(to_string(&Health::well()), r#"{"health":"true","reason":""}"#);
        // The first two as a Go member answers them.
        let answer = HashKvAnswer { header: HashKvHeader { revision: 6 }, hash: 1_192_213_516, compact_revision: 5 };
        assert_eq!(to_string(&answer), r#"{"header":{"revision":6},"hash":1192213516,"compact_revision":5}"#);
        let first = r#"{"header":{"revision":1},"hash":1084519789,"compact_revision":-1}"#;
        assert_eq!(from_slice::<HashKvAnswer>("a checksum", first.as_bytes()).map(|answer| answer.compact_revision), Ok(-1));
        assert_eq!(to_string(&HashKvQuestion { revision: 0 }), "{}");
        let probe = Probe { ok: true, now: rfc3339(Duration::new(1_700_000_000, 120_000_000)) };
        assert_eq!(to_string(&probe), r#"{"OK":true,"Now":"2023-11-14T22:13:20.12Z"}"#);
    }

    #[test]
    fn dates_are_gregorian() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(Duration::from_secs(seconds)), text);
        }
    }
}
