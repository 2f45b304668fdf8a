//! What the operations that certainly took effect can notice of the others.

use super::op::{Act, NEVER, Op, Told};
use super::value::Value;

/// What the sure operations can notice.
#[derive(Default)]
pub(super) struct Seen {
    /// Values that something found, in order.
    values: smallvec::SmallVec<[Value; 32]>,
    /// Whether something noticed a value, whichever it was.
    any: bool,
    /// Whether something noticed that there was none, and none could have been lost.
    none: bool,
    /// Whether an operation that is not sure can build on another.
    is_chained: bool,
}

impl Seen {
    /// What these operations notice. If the register `may_lose` its value, no write explains that
    /// there was none.
    pub(super) fn new(ops: &[Op], may_lose: bool) -> Self {
        let mut seen = Self::default();
        if ops.iter().all(|op| op.sure) {
            return seen;
        }
        for op in ops {
            seen.note(op);
        }
        seen.none &= !may_lose;
        seen.values.sort_unstable();
        seen
    }

    /// As if everything were noticed.
    pub(super) fn everything() -> Self {
        Self {
            is_chained: true,
            ..Self::default()
        }
    }

    fn note(&mut self, op: &Op) {
        match (op.act, op.told) {
            (Act::Cas(..) | Act::Incr(_), _) if !op.sure => self.is_chained = true,
            (Act::Add(..), _) if !op.sure => self.none = true,
            _ if !op.sure => {}
            (Act::Get, Told::Value(Some(value))) => self.values.push(value),
            (Act::Cas(expected, ..), Told::Applied(true)) => self.values.push(expected),
            (Act::Get, _) | (Act::Add(..), Told::Applied(true)) => self.none = true,
            (Act::Add(..), Told::Applied(false)) => self.any = true,
            (Act::SetDeadline(_) | Act::Delete, Told::Applied(found)) => {
                self.any |= found;
                self.none |= !found;
            }
            (Act::Put(..) | Act::Delete, _) => {}
            _ => (self.any, self.none) = (true, true),
        }
    }

    /// Whether anything could notice that this one took effect.
    pub(super) fn may_help(&self, op: &Op) -> bool {
        match op.act {
            _ if self.is_chained => true,
            Act::Put(value, deadline) | Act::Add(value, deadline) => {
                let is_read = self.values.binary_search(&value).is_ok();
                is_read || self.any || (self.none && deadline != NEVER)
            }
            Act::Delete => self.none,
            Act::Get => false,
            Act::Cas(..) | Act::SetDeadline(_) | Act::Incr(_) => true,
        }
    }
}
