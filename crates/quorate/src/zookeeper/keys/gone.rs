//! What only a JVM has.

use super::super::value::Kind;
use super::{Key, key};

const JVM: &str = "there is no JVM here whose pauses could be watched or which could be asked";

pub(super) const KEYS: &[Key] = &[
    key("jvm.pause.*", Kind::Text, "").warned(JVM),
    key("jmx.*", Kind::Text, "").warned(JVM),
    key("controllerPort", Kind::Text, "").warned("it is the port of a program in Java's own tests, which servers do not read"),
];
