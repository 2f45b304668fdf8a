//! The start of a key: its possible states before the calls that are judged.

use super::call::{Call, OpId};
use super::content::Content;
use super::old_values::OldValues;
use crate::time::Instant;

/// The most possible states, and the most sources of reads, that are kept for a key.
pub const MAX_STATES: usize = 16;

/// What may be stored under a key when the calls begin that are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// There is no value.
    Absent,
    /// There is this value.
    Value {
        /// The value.
        value: Content,
        /// When it expires; `None`: never.
        deadline: Option<Instant>,
    },
    /// There may be any value, or none.
    Unknown,
    /// The effects of calls that were forgotten.
    Past(Box<Past>),
    /// Nothing can be said of any later call: too many calls were forgotten that may still take
    /// effect.
    Unjudged,
}

impl Start {
    /// Whether it says of each call in flight at the cut whether that has taken effect.
    pub(super) fn is_exact(&self) -> bool {
        match self {
            Self::Absent | Self::Value { .. } => true,
            Self::Unknown | Self::Unjudged => false,
            Self::Past(past) => past.strict.is_some() && past.lossy.is_some(),
        }
    }

    /// The values that may be there at the start, each with its deadline; no value is one of them.
    /// `None`: any.
    #[must_use]
    pub fn values(&self) -> Option<Vec<(Option<&Content>, Option<Instant>)>> {
        match self {
            Self::Absent => Some(vec![(None, None)]),
            Self::Value { value, deadline } => Some(vec![(Some(value), *deadline)]),
            Self::Unknown | Self::Unjudged => None,
            Self::Past(past) => {
                let states = past.strict.as_ref()?.iter();
                let mut values: Vec<_> =
                    states.map(|it| (it.value.as_ref(), it.deadline)).collect();
                values.dedup();
                Some(values)
            }
        }
    }
}

/// The effects of the forgotten calls on a key on the calls that are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The number of the event at which the forgotten calls end. What began before is kept if it
    /// was in flight then.
    pub cut: u64,
    /// The states that a register with expiry can be in; `None`: any.
    pub strict: Option<Vec<State>>,
    /// The same, if it may lose its value at any moment.
    pub lossy: Option<Vec<State>>,
    /// The values that a later read may find without being stale; `None`: any.
    pub sources: Option<Vec<Source>>,
    /// The latest deadline that an increment may find and keep: [`Instant::MAX`] is none,
    /// [`Instant::START`] one that has passed.
    pub inherited: Instant,
}

/// A state that a key may be in at a cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The value; `None`: absent.
    pub value: Option<Content>,
    /// When the value expires; `None`: never. [`Instant::MAX`]: at an unknown time.
    pub deadline: Option<Instant>,
    /// The earliest instant at which the key can be in this state.
    pub time: Instant,
    /// The calls in flight at the cut that have taken effect, in order. The others have not.
    pub taken: Vec<OpId>,
}

/// A value that a read after a cut may find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The value.
    pub value: Content,
    /// The latest deadline that it may have; `None`: never.
    pub deadline: Option<Instant>,
}

/// The calls on one key up to a cut.
pub struct Prefix<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The start before them.
    pub start: &'a Start,
    /// Those that were invoked before the cut, in this order. Those that are over at the cut are
    /// forgotten, the others are kept.
    pub calls: &'a [&'a Call],
    /// The number of the event at which the forgotten calls end.
    pub cut: u64,
}

/// The effects of a prefix.
pub struct Folded {
    /// The new start of the key.
    pub start: Start,
    /// Calls without a certain outcome that have certainly taken effect before the cut. They can
    /// be forgotten too.
    pub settled: Vec<OpId>,
}

/// Computes what follows from the calls that a history is about to forget, and adds the values
/// that can only be read again by a stale read. A history is below the checker, which knows how
/// a register behaves; so it is given the function: [`crate::checker::fold`].
pub type Fold = fn(&Prefix<'_>, &mut OldValues) -> Folded;
