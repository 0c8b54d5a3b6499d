//! What the values of keys look like.

/// What a key's values look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// `true` or `false`, in any case.
    Bool,
    /// `yes` or `no`. Java takes whatever is not the word that it looks for as its opposite.
    YesNo,
    /// A whole number from the first to the second.
    Number(i64, i64),
    /// A number with a fraction.
    Fraction,
}

/// A port.
pub(super) const PORT: Kind = Kind::Number(0, 65535);
/// A count or a span of time, or −1 for "not set".
pub(super) const UNLESS: Kind = Kind::Number(-1, i32::MAX as i64);
/// A count or a span of time.
pub(super) const COUNT: Kind = Kind::Number(0, i32::MAX as i64);
/// A count or a span of time of at least one.
pub(super) const SOME: Kind = Kind::Number(1, i32::MAX as i64);
/// A number that Java keeps in a long.
pub(super) const LONG: Kind = Kind::Number(i64::MIN, i64::MAX);

impl Kind {
    /// What would be right instead of `text`; `None` if it is.
    pub(super) fn fault_in(self, text: &str) -> Option<String> {
        match self {
            Kind::Text => None,
            Kind::Bool => truth(text).is_none().then(|| "true or false".to_owned()),
            Kind::YesNo => (!matches!(text, "yes" | "no")).then(|| "yes or no".to_owned()),
            Kind::Number(i64::MIN, i64::MAX) => whole(text).is_none().then(|| "a whole number".to_owned()),
            Kind::Number(from, to) => {
                let within = whole(text).is_some_and(|number| (from..=to).contains(&number));
                (!within).then(|| format!("a whole number from {from} to {to}"))
            }
            Kind::Fraction => text.parse::<f64>().is_err().then(|| "a number".to_owned()),
        }
    }

    /// Whether two texts mean the same.
    pub(super) fn is_same(self, one: &str, other: &str) -> bool {
        match self {
            Kind::Text | Kind::YesNo => one == other,
            Kind::Bool => truth(one) == truth(other),
            Kind::Number(..) => whole(one) == whole(other),
            Kind::Fraction => one.parse::<f64>().ok() == other.parse().ok(),
        }
    }
}

/// `true` or `false`, in any case (Java: `QuorumPeerConfig.parseBoolean`).
pub(super) fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// What Java's `Long.parseLong` takes, and what `Integer.getInteger` takes besides for system properties: `0xfffff`.
pub(super) fn whole(text: &str) -> Option<i64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        // Rust would take a sign here.
        Some(digits) if digits.starts_with(['+', '-']) => None,
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_what_would_be_right() {
        assert_eq!(PORT.fault_in("2181"), None);
        assert_eq!(PORT.fault_in("70000").as_deref(), Some("a whole number from 0 to 65535"));
        assert_eq!((whole("0xfffff"), whole("0x-1"), whole("-7")), (Some(1_048_575), None, Some(-7)));
        assert_eq!(LONG.fault_in("1k").as_deref(), Some("a whole number"));
        assert_eq!(Kind::Bool.fault_in("TRUE"), None);
        assert_eq!(Kind::Bool.fault_in("yes").as_deref(), Some("true or false"));
        assert_eq!(Kind::YesNo.fault_in("true").as_deref(), Some("yes or no"));
        assert_eq!(Kind::Fraction.fault_in("0.33"), None);
    }

    #[test]
    fn values_are_compared_by_what_they_mean() {
        assert!(Kind::Bool.is_same("True", "true") && SOME.is_same("+3", "3") && Kind::Fraction.is_same("0.330", "0.33"));
        assert!(!Kind::Text.is_same("A", "a"));
    }
}
