//! Four-letter words: instead of a frame a connection may begin with one, and is answered with text.

/// A word that there is (Java: `FourLetterCommands`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "the names are ZooKeeper's own")]
pub enum Word {
    Conf,
    Cons,
    Crst,
    Dirs,
    Dump,
    Envi,
    /// gtmk: the mask of what is traced.
    GetTraceMask,
    Hash,
    Isro,
    Mntr,
    Ruok,
    /// stmk: eight bytes follow, the new mask.
    SetTraceMask,
    Srst,
    Srvr,
    Stat,
    Wchc,
    Wchp,
    Wchs,
    /// Not a word, but what telnet sends when it is told to close. It is answered with nothing.
    TelnetClose,
}

impl Word {
    /// Every word, in the order of their names.
    pub const ALL: [Word; 19] = [
        Word::Conf,
        Word::Cons,
        Word::Crst,
        Word::Dirs,
        Word::Dump,
        Word::Envi,
        Word::GetTraceMask,
        Word::Hash,
        Word::Isro,
        Word::Mntr,
        Word::Ruok,
        Word::SetTraceMask,
        Word::Srst,
        Word::Srvr,
        Word::Stat,
        Word::Wchc,
        Word::Wchp,
        Word::Wchs,
        Word::TelnetClose,
    ];

    /// The word that a connection begins with; `None` if it is not one, but the length of a frame (no word is a length that a frame
    /// may have).
    pub fn from_bytes(first: [u8; 4]) -> Option<Word> {
        Word::ALL.into_iter().find(|word| word.bytes() == first)
    }

    /// The word with this name, as whitelists spell it.
    pub fn from_name(name: &str) -> Option<Word> {
        Word::ALL.into_iter().find(|word| word.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Word::Conf => "conf",
            Word::Cons => "cons",
            Word::Crst => "crst",
            Word::Dirs => "dirs",
            Word::Dump => "dump",
            Word::Envi => "envi",
            Word::GetTraceMask => "gtmk",
            Word::Hash => "hash",
            Word::Isro => "isro",
            Word::Mntr => "mntr",
            Word::Ruok => "ruok",
            Word::SetTraceMask => "stmk",
            Word::Srst => "srst",
            Word::Srvr => "srvr",
            Word::Stat => "stat",
            Word::Wchc => "wchc",
            Word::Wchp => "wchp",
            Word::Wchs => "wchs",
            Word::TelnetClose => "telnet close",
        }
    }

    /// Its bytes on the wire.
    pub fn bytes(self) -> [u8; 4] {
        match self {
            Word::TelnetClose => [0xff, 0xf4, 0xff, 0xfd],
            word => *word.name().as_bytes().first_chunk().expect("four letters"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_by_its_bytes_and_its_name() {
        for word in Word::ALL {
            assert_eq!(Word::from_bytes(word.bytes()), Some(word));
            assert_eq!(Word::from_name(word.name()), Some(word));
        }
    }

    #[test]
    fn a_length_is_no_word() {
        for length in [0, 44, 0xf_ffff, 64 << 20] {
            assert_eq!(Word::from_bytes(i32::to_be_bytes(length)), None);
        }
        assert_eq!(Word::from_bytes(*b"ruok"), Some(Word::Ruok));
    }
}
