//! What was done in a run, and when: enough to do it again, or a part of it.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

use crate::id::NodeId;
use crate::nemesis::FaultAction;
use crate::operation::Operation;
use crate::time::{Compact, Instant};

/// One thing that was done from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Instant,
    /// What.
    pub deed: Deed,
}

/// What can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A client asks for something.
    Ask(Ask),
    /// The nemesis makes or ends a fault.
    Fault(FaultAction),
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who.
    pub client: u32,
    /// Which node it asks; `None`: the first owner.
    pub via: Option<NodeId>,
    /// The key, as a number.
    pub key: usize,
    /// What is to be done with it.
    pub operation: Operation<Vec<u8>>,
}

/// The key with this number: `k0` and so on.
#[must_use]
pub fn key(number: usize) -> Vec<u8> {
    format!("k{number}").into_bytes()
}

impl Step {
    /// The command that does the same, typed at `now`.
    #[must_use]
    pub fn command(&self, now: Instant) -> String {
        match &self.deed {
            Deed::Fault(action) => action.to_string(),
            Deed::Ask(ask) => command(ask, now),
        }
    }
}

fn command(ask: &Ask, now: Instant) -> String {
    let mut line = format!("{} k{}", ask.operation.name(), ask.key);
    let deadline = match &ask.operation {
        Operation::Get | Operation::Delete => None,
        Operation::Put { value, deadline } | Operation::Add { value, deadline } => {
            let _ = write!(line, " {}", text(value));
            *deadline
        }
        Operation::Cas {
            expected,
            new,
            deadline,
        } => {
            let _ = write!(line, " {} {}", text(expected), text(new));
            *deadline
        }
        Operation::SetDeadline { deadline } => *deadline,
        Operation::Incr { delta } => {
            let _ = write!(line, " {delta}");
            None
        }
    };
    if let Some(deadline) = deadline {
        let _ = write!(line, " {}", Compact(deadline.since(now)));
    }
    line
}

/// A value as it is typed.
fn text(value: &[u8]) -> Cow<'_, str> {
    if value.is_empty() {
        return "\"\"".into();
    }
    String::from_utf8_lossy(value)
}

/// For people: `120ms client 2 via 3: PUT k1 17 50ms`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms ", self.at.as_millis())?;
        if let Deed::Ask(ask) = &self.deed {
            write!(f, "client {}", ask.client)?;
            if let Some(node) = ask.via {
                write!(f, " via {node}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.command(self.at))
    }
}
