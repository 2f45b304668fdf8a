//! The keys that a session has named, for completion.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::language::{Action, Command, Request};

/// The most keys that are remembered. Then those that are typed replace the oldest.
const MAX_KEYS: usize = 10_000;
/// The longest key that is remembered, in bytes: a longer one is no help in a line.
const LONGEST: usize = 256;

/// Keys in order, with the order in which they were named last. Cost of each call: O(log n) a key.
#[derive(Default)]
pub struct Keys {
    ages: BTreeMap<Vec<u8>, u64>,
    by_age: BTreeMap<u64, Vec<u8>>,
    next: u64,
}

/// The keys that the prompt and the runner share.
pub fn lock(keys: &Mutex<Keys>) -> MutexGuard<'_, Keys> {
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keys {
    /// Remembers the keys that a command names. Those of a script replace no others.
    pub fn note(&mut self, action: &Action<'_>, is_typed: bool) {
        if !is_typed && self.ages.len() >= MAX_KEYS {
            return;
        }
        let (Action::Command(command) | Action::Request(Request { command, .. })) = action else {
            return;
        };
        each_key(command, &mut |key| self.remember(key));
    }

    fn remember(&mut self, key: &[u8]) {
        if key.len() > LONGEST {
            return;
        }
        if let Some(age) = self.ages.get(key) {
            self.by_age.remove(age);
        } else if self.ages.len() >= MAX_KEYS
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.ages.remove(&oldest);
        }
        self.ages.insert(key.into(), self.next);
        self.by_age.insert(self.next, key.into());
        self.next += 1;
    }

    /// The keys that start with `start`, in order. Cost: O(log n), and O(1) for each key that is taken,
    /// from either end.
    pub fn starting_with(&self, start: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
        let end = successor(start).map_or(Bound::Unbounded, Bound::Excluded);
        let range = (Bound::Included(start.to_vec()), end);
        self.ages.range(range).map(|(key, _)| key.as_slice())
    }
}

/// The least of the texts that come after all that start with `start`; `None` if there is none.
fn successor(start: &[u8]) -> Option<Vec<u8>> {
    let kept = start.iter().rposition(|&byte| byte < u8::MAX)?;
    let mut successor = start.get(..=kept)?.to_vec();
    *successor.last_mut()? += 1;
    Some(successor)
}

/// The first keys of a command, as many as are remembered.
fn each_key(command: &Command<'_>, found: &mut dyn FnMut(&[u8])) {
    if let Some(key) = command.single_key() {
        found(key);
    }
    match command {
        Command::Where { key } => found(key),
        Command::Del { keys } | Command::MGet { keys } | Command::Exists { keys } => {
            keys.iter().take(MAX_KEYS).for_each(|key| found(key));
        }
        Command::MSet { pairs, .. } => {
            let pairs = pairs.iter().take(MAX_KEYS);
            pairs.for_each(|(key, _)| found(key));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parse;

    fn note(keys: &mut Keys, line: &str, is_typed: bool) {
        let input = parse(line.as_bytes()).expect("no error");
        keys.note(&input.expect("a command").action, is_typed);
    }

    fn starting_with(keys: &Keys, start: &str) -> Vec<String> {
        let keys = keys.starting_with(start.as_bytes());
        keys.map(|key| String::from_utf8_lossy(key).into_owned())
            .collect()
    }

    #[test]
    fn keys_are_found_in_order() {
        let mut keys = Keys::default();
        note(&mut keys, "MSET b 1 'a b' 2 a 3", true);
        note(&mut keys, "VIA 1 GET ab", true);
        note(&mut keys, "KEYS abc", true);
        assert_eq!(starting_with(&keys, "a"), ["a", "a b", "ab"]);
        assert_eq!(starting_with(&keys, "ab"), ["ab"]);
        assert_eq!(starting_with(&keys, "c"), [""; 0]);
        assert_eq!(keys.starting_with(b"a").next_back(), Some(&b"ab"[..]));
        assert_eq!(successor(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(successor(b"\xff"), None);
    }

    #[test]
    fn only_typed_keys_replace_others_and_the_oldest_go() {
        let mut keys = Keys::default();
        for number in 0..MAX_KEYS {
            note(&mut keys, &format!("GET k{number}"), false);
        }
        note(&mut keys, "GET of-a-script", false);
        note(&mut keys, "GET k0", true);
        note(&mut keys, "GET typed", true);
        note(&mut keys, &format!("GET {}", "x".repeat(LONGEST + 1)), true);
        let all = starting_with(&keys, "");
        assert_eq!(all.len(), MAX_KEYS);
        let has = |key: &str| all.iter().any(|it| it == key);
        assert!(has("k0") && has("typed"));
        assert!(!has("k1") && !has("of-a-script"));
    }
}
