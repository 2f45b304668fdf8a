//! What commands at the prompt have changed, for others that keep up with it.

use crate::language::Command;
use crate::operation::Outcome;

/// The most bytes of changes that are kept until they are taken.
const MAX_BYTES: usize = 64 << 20;
/// What a change takes beside its key, in bytes.
const OVERHEAD: usize = 64;

/// A change of a key by a command at the prompt.
pub(crate) struct KeyChange {
    /// What has happened.
    pub kind: ChangeKind,
    /// The key.
    pub key: Vec<u8>,
}

/// What has happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// A value was stored.
    Stored,
    /// A number was added.
    Added,
    /// It has a deadline from now on.
    Expires,
    /// It has none any more.
    Persists,
    /// It was removed.
    Removed,
}

/// Changes that were not taken.
#[derive(Default)]
pub(super) struct Changes {
    is_on: bool,
    bytes: usize,
    list: Vec<KeyChange>,
}

impl Changes {
    pub(super) fn keep(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    pub(super) fn take(&mut self) -> Vec<KeyChange> {
        self.bytes = 0;
        std::mem::take(&mut self.list)
    }

    /// Notes what a command has changed for a key.
    #[inline]
    pub(super) fn note(&mut self, command: &Command<'_>, key: &[u8], outcome: &Outcome) {
        if self.is_on
            && let Some(kind) = kind(command, outcome)
        {
            self.push(kind, key);
            if kind == ChangeKind::Stored && has_ttl(command) {
                self.push(ChangeKind::Expires, key);
            }
        }
    }

    fn push(&mut self, kind: ChangeKind, key: &[u8]) {
        let bytes = key.len() + OVERHEAD;
        if self.bytes + bytes <= MAX_BYTES {
            self.bytes += bytes;
            let key = key.into();
            self.list.push(KeyChange { kind, key });
        }
    }
}

fn has_ttl(command: &Command<'_>) -> bool {
    match command {
        Command::Put { ttl, .. }
        | Command::MSet { ttl, .. }
        | Command::Add { ttl, .. }
        | Command::Cas { ttl, .. } => ttl.is_some(),
        Command::Fill { ttl, .. } => ttl.is_some(),
        _ => false,
    }
}

/// What a command has done, if it has changed something.
fn kind(command: &Command<'_>, outcome: &Outcome) -> Option<ChangeKind> {
    let is_done = matches!(
        outcome,
        Outcome::Done | Outcome::Number(_) | Outcome::Applied(true)
    );
    let kind = match command {
        Command::Put { .. }
        | Command::MSet { .. }
        | Command::Add { .. }
        | Command::Cas { .. }
        | Command::Fill { .. } => ChangeKind::Stored,
        Command::Incr { .. } => ChangeKind::Added,
        Command::Expire { .. } => ChangeKind::Expires,
        Command::Persist { .. } => ChangeKind::Persists,
        Command::Del { .. } => ChangeKind::Removed,
        _ => return None,
    };
    is_done.then_some(kind)
}
