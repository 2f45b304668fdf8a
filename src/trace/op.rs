//! What a request does.

use super::text;

/// The effect of a request on a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// It reads.
    Get,
    /// It writes unconditionally.
    Set,
    /// It writes if the key is absent.
    Add,
    /// It removes.
    Delete,
}

/// The names of each operation, in lower case.
const NAMES: &[(&str, Op)] = &[
    ("get", Op::Get),
    ("gets", Op::Get),
    ("read", Op::Get),
    ("r", Op::Get),
    ("rs", Op::Get),
    ("get_lease", Op::Get),
    ("getlease", Op::Get),
    ("head", Op::Get),
    ("lookup", Op::Get),
    ("set", Op::Set),
    ("put", Op::Set),
    ("write", Op::Set),
    ("w", Op::Set),
    ("ws", Op::Set),
    ("store", Op::Set),
    ("set_lease", Op::Set),
    ("cas", Op::Set),
    ("replace", Op::Set),
    ("append", Op::Set),
    ("prepend", Op::Set),
    ("incr", Op::Set),
    ("decr", Op::Set),
    ("update", Op::Set),
    ("add", Op::Add),
    ("delete", Op::Delete),
    ("del", Op::Delete),
    ("remove", Op::Delete),
];

impl Op {
    /// The operation with this name, in upper or lower case.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        let fits = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
        NAMES
            .iter()
            .find(|(known, _)| fits(known))
            .map(|&(_, op)| op)
    }

    /// The operation with this number in the binary formats of libCacheSim. 0 is none, which counts
    /// as a get.
    #[must_use]
    pub fn numbered(number: u64) -> Option<Self> {
        match number {
            0..=2 | 12 => Some(Self::Get),
            3 | 5..=8 | 10 | 11 | 13 | 14 => Some(Self::Set),
            4 => Some(Self::Add),
            9 => Some(Self::Delete),
            _ => None,
        }
    }

    /// The operation with this name or number.
    #[must_use]
    pub fn of(text: &[u8]) -> Option<Self> {
        let numbered = || text::digits(text).and_then(Self::numbered);
        Self::named(text).or_else(numbered)
    }

    /// Its name: `get`, `set`, `add` or `delete`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Add => "add",
            Self::Delete => "delete",
        }
    }
}
