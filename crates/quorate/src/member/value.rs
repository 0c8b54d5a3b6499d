//! Values of flags: parsed as Go's flag package and etcd's own types parse them.

use super::flags::Kind;
use etcd::url::Url;

/// A flag's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    /// [`Kind::Text`] and [`Kind::OneOf`].
    Text(String),
    /// [`Kind::Bool`].
    Bool(bool),
    /// [`Kind::Number`].
    Number(u64),
    /// [`Kind::Signed`].
    Signed(i64),
    /// [`Kind::Span`], in nanoseconds.
    Span(i64),
    /// [`Kind::Urls`], in order and each once.
    Urls(Vec<Url>),
    /// [`Kind::Words`].
    Words(Vec<String>),
}

/// What a value should have been.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wanted(pub(crate) String);

impl Value {
    /// Reads `text` as a value of `kind`.
    pub(crate) fn parse(kind: Kind, text: &str) -> Result<Value, Wanted> {
        match kind {
            Kind::Text => Ok(Value::Text(text.to_owned())),
            Kind::Bool => bool(text).map(Value::Bool).ok_or_else(|| wanted("true or false")),
            Kind::Number(max) => match whole(text) {
                Some(number) if number <= max => Ok(Value::Number(number)),
                _ if max == u64::MAX => Err(wanted("a whole number")),
                _ => Err(Wanted(format!("a whole number from 0 to {max}"))),
            },
            Kind::Signed => {
                let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
                let number = whole(digits).and_then(|number| i64::try_from(number).ok());
                number.map(|n| Value::Signed(if negative { -n } else { n })).ok_or_else(|| wanted("a whole number"))
            }
            Kind::Span => span(text).map(Value::Span).ok_or_else(|| wanted("a span of time such as 100ms, 5s or 1h30m")),
            Kind::Urls => urls(text).map(Value::Urls),
            Kind::Words if text.is_empty() => Ok(Value::Words(Vec::new())),
            Kind::Words => Ok(Value::Words(text.split(',').map(|word| word.trim().to_owned()).collect())),
            Kind::OneOf(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Kind::OneOf(words) => Err(Wanted(words.join(" or "))),
        }
    }
}

/// A list of URLs: in order and each once, as etcd keeps them. Empty text is an empty list.
pub(crate) fn urls(text: &str) -> Result<Vec<Url>, Wanted> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut urls = Url::parse_list(text).map_err(|error| Wanted(format!("URLs such as http://127.0.0.1:2379 ({error})")))?;
    urls.dedup();
    Ok(urls)
}

/// What Go's strconv.ParseBool takes.
fn bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// What Go's strconv.ParseUint takes with base 0: 0x, 0o, 0b and a leading 0 for octal.
fn whole(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase().replace('_', "");
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    // Rust would take a sign here.
    digits.chars().all(|c| c.is_ascii_hexdigit()).then(|| u64::from_str_radix(digits, radix).ok()).flatten()
}

/// What Go's time.ParseDuration takes, in nanoseconds.
fn span(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let scale = match &rest[..unit] {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        nanoseconds += amount * scale;
        rest = &rest[unit..];
    }
    let signed = sign * nanoseconds;
    (signed.abs() < i64::MAX as f64).then_some(signed.round() as i64)
}

fn wanted(what: &str) -> Wanted {
    Wanted(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, number) in
            [("0", Some(0)), ("0x10", Some(16)), ("010", Some(8)), ("1_000", Some(1000)), ("-1", None), ("+1", None)]
        {
            assert_eq!(whole(text), number, "{text}");
        }
        assert!(Value::parse(Kind::Number(31), "32").is_err());
        assert_eq!(Value::parse(Kind::Signed, "-7"), Ok(Value::Signed(-7)));
    }

    #[test]
    fn spans_are_read_as_go_reads_them() {
        let second = 1_000_000_000;
        for (text, nanoseconds) in [
            ("100ms", Some(second / 10)),
            ("1h15m", Some(4500 * second)),
            ("1.5s", Some(second * 3 / 2)),
            ("0", Some(0)),
            ("2h0m0s", Some(7200 * second)),
            ("-5s", Some(-5 * second)),
            ("5", None),
            ("s", None),
            ("", None),
            ("5 s", None),
        ] {
            assert_eq!(span(text), nanoseconds, "{text:?}");
        }
    }

    #[test]
    fn a_list_of_urls_is_sorted_and_without_repetition() {
        let list = urls("http://b:1,http://a:1,http://b:1")
            .map(|urls| urls.iter().map(|url| url.as_str().to_owned()).collect::<Vec<_>>());
        assert_eq!(list, Ok(vec!["http://a:1".to_owned(), "http://b:1".to_owned()]));
        assert_eq!(urls(""), Ok(vec![]));
        assert!(urls("http://127.0.0.1").is_err_and(|wanted| wanted.0.contains("no port")));
    }
}
