//! The keys of a session on servers that others use: those that begin with its prefix.

use std::borrow::Cow;
use std::sync::Arc;

use crate::language::word::Shown;

/// What the keys of a session begin with on the servers. The session sees them without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace(Arc<[u8]>);

impl Namespace {
    /// The keys that begin with this.
    #[must_use]
    pub fn new(prefix: &[u8]) -> Self {
        Self(prefix.into())
    }

    /// Whether it has all keys.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.0.is_empty()
    }

    /// What a key of the session is on the servers.
    pub(super) fn full<'k>(&self, key: &'k [u8]) -> Cow<'k, [u8]> {
        if self.is_whole() {
            Cow::Borrowed(key)
        } else {
            Cow::Owned([&self.0, key].concat())
        }
    }

    /// What a key on the servers is in the session; `None`: it is not one of its keys.
    pub(super) fn own<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        key.strip_prefix(&*self.0)
    }

    /// The name of servers of which only these keys are used.
    pub(super) fn shown(&self, servers: String) -> String {
        if self.is_whole() {
            return servers;
        }
        format!("{servers} (keys {}*)", Shown(&self.0))
    }

    /// The pattern of its keys, for SCAN.
    pub(super) fn pattern(&self) -> Vec<u8> {
        let mut pattern = Vec::with_capacity(self.0.len() + 1);
        for &byte in &*self.0 {
            if b"*?[]\\^-".contains(&byte) {
                pattern.push(b'\\');
            }
            pattern.push(byte);
        }
        pattern.push(b'*');
        pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_without_the_prefix() {
        let (all, lab) = (Namespace::default(), Namespace::new(b"lab[1]:"));
        assert_eq!(
            (&*all.full(b"a"), all.own(b"a")),
            (&b"a"[..], Some(&b"a"[..]))
        );
        assert_eq!(&*lab.full(b"a"), b"lab[1]:a");
        assert_eq!(
            (lab.own(b"lab[1]:a"), lab.own(b"a")),
            (Some(&b"a"[..]), None)
        );
        assert_eq!(
            (all.pattern(), lab.pattern()),
            (b"*".to_vec(), b"lab\\[1\\]:*".to_vec())
        );
    }
}
