//! `java.util.Properties`: the syntax of zoo.cfg.
//!
//! ```text
//! # a comment          ! another
//! key=value            key : value          key value          key
//! key = the value \
//!       goes on        (the blanks before "goes" do not count)
//! a\ key\:=a\tvalue\u0021
//! ```
//!
//! As Java does, bytes are taken for ISO 8859-1: what is beyond ASCII is to be written as `\uXXXX`.

use std::iter::Peekable;
use std::str::Chars;

/// A line's key and value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Property {
    pub(super) key: String,
    pub(super) value: String,
    /// Its number, from 1; of a line that goes on, the first.
    pub(super) line: usize,
}

/// A line that Java does not take, either.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct BadEscape {
    pub(super) line: usize,
}

/// Every property, in the order of the file, repeated ones too. Blanks around keys and values do not count, as for ZooKeeper.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Property>, BadEscape> {
    let text: String = bytes.iter().map(|&byte| byte as char).collect();
    let mut properties = Vec::new();
    for (line, text) in logical_lines(&text) {
        let (key, value) = split(&text);
        let unescape = |text: &str| unescape(text).ok_or(BadEscape { line });
        let (key, value) = (unescape(key)?, unescape(value)?);
        properties.push(Property { key: key.trim().to_owned(), value: value.trim().to_owned(), line });
    }
    Ok(properties)
}

/// Lines without comments and blank ones, those that go on joined, each with the number of its first.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = unified.split('\n').zip(1..);
    let mut logical = Vec::new();
    while let Some((line, number)) = lines.next() {
        let mut whole = line.trim_start_matches(is_blank).to_owned();
        if whole.is_empty() || whole.starts_with(['#', '!']) {
            continue;
        }
        // A line goes on if it ends with a backslash that is not itself escaped.
        while whole.chars().rev().take_while(|&c| c == '\\').count() % 2 == 1 {
            whole.pop();
            match lines.next() {
                Some((next, _)) => whole.push_str(next.trim_start_matches(is_blank)),
                None => break,
            }
        }
        logical.push((number, whole));
    }
    logical
}

/// A line's key, which ends at the first `=`, `:` or blank that is not escaped, and its value.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (matches!(c, '=' | ':') || is_blank(c));
        escaped = c == '\\' && !escaped;
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c as u16);
            continue;
        }
        plain.push(match chars.next() {
            Some('t') => 0x9,
            Some('n') => 0xa,
            Some('r') => 0xd,
            Some('f') => 0xc,
            Some('u') => unit(&mut chars)?,
            // Whatever else is escaped stands for itself; a backslash at the very end for nothing.
            Some(other) => other as u16,
            None => break,
        });
    }
    // Java's strings are made of such units; two of them may be one character.
    Some(String::from_utf16_lossy(&plain))
}

/// The four digits of `\uXXXX`.
fn unit(chars: &mut Peekable<Chars<'_>>) -> Option<u16> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit << 4 | chars.next()?.to_digit(16)? as u16;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Java's Properties makes of it, by trial, but for the blanks at a value's end, which ZooKeeper cuts off.
    #[test]
    fn keys_and_values_are_javas() {
        for (text, expected) in [
            ("a=b", ("a", "b")),
            ("a = b c ", ("a", "b c")),
            ("a:b", ("a", "b")),
            ("a b=c", ("a", "b=c")),
            ("  a\t:=b", ("a", "=b")),
            ("a", ("a", "")),
            ("a=", ("a", "")),
            ("=b", ("", "b")),
            (r"a\=b\ c=d", ("a=b c", "d")),
            (r"a\\=b", (r"a\", "b")),
            (r"a=C:\temp\new", ("a", "C:\temp\new")),
            (r"a=C:\\temp", ("a", r"C:\temp")),
            (r"a=\q\u00e9\u0041", ("a", "qéA")),
            ("a=b\\\n   c\\\n#d", ("a", "bc#d")),
            ("a=b\\\\\nc=d", ("a", r"b\")),
            ("a=b\\\n\nc=d", ("a", "b")),
            ("a=b\\", ("a", "b")),
            ("a=b # no comment", ("a", "b # no comment")),
        ] {
            let parsed = parse(text.as_bytes()).unwrap();
            assert_eq!((parsed[0].key.as_str(), parsed[0].value.as_str()), expected, "{text:?}");
        }
    }

    #[test]
    fn lines_are_counted_through_comments_and_lines_that_go_on() {
        let text = "# a comment \\\n\r\n  ! another\na=\\\r\n  1\n\nb=2\rc=3\n";
        let lines: Vec<(String, usize)> = parse(text.as_bytes()).unwrap().into_iter().map(|p| (p.key, p.line)).collect();
        assert_eq!(lines, [("a".to_owned(), 4), ("b".to_owned(), 7), ("c".to_owned(), 8)]);
    }

    #[test]
    fn bytes_beyond_ascii_are_iso_8859_1() {
        assert_eq!(parse(b"a=\xe9").unwrap()[0].value, "é");
    }

    #[test]
    fn a_wrong_escape_is_refused() {
        assert_eq!(parse(b"a=b\nc=\\u00g0"), Err(BadEscape { line: 2 }));
        assert_eq!(parse(b"c=\\u12"), Err(BadEscape { line: 1 }));
    }
}
