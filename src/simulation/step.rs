//! The steps of a run, each with the command that does the same in a script.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

use crate::id::NodeId;
use crate::nemesis::FaultAction;
use crate::operation::Operation;
use crate::time::{Compact, Instant};

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Instant,
    /// The action.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A client sends a request.
    Request(ClientRequest),
    /// A fault begins or ends, or the members change.
    Fault(FaultAction),
    /// A read-only command is run.
    Look(Look),
}

/// A request of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRequest {
    /// The client, from 1. 0 is the prompt, which waits for the outcome.
    pub client: u32,
    /// The node that coordinates; `None`: the first owner that is not down.
    pub via: Option<NodeId>,
    /// The number of the key.
    pub key: usize,
    /// The operation. PERSIST first reads whether there is a deadline, as the command does.
    pub operation: Operation<Vec<u8>>,
    /// Whether TRACE records its messages.
    pub is_traced: bool,
}

/// A read-only command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the commands of these names")]
pub enum Look {
    Keys,
    KeysOf(NodeId),
    Size,
    Nodes,
    Stats,
    Hot,
    Where(usize),
    Ring,
    Check,
    Faults,
    Links,
    Events,
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys => f.write_str("KEYS"),
            Self::KeysOf(node) => write!(f, "KEYS * NODE {node}"),
            Self::Size => f.write_str("SIZE"),
            Self::Nodes => f.write_str("NODES"),
            Self::Stats => f.write_str("STATS"),
            Self::Hot => f.write_str("HOT"),
            Self::Where(key) => write!(f, "WHERE k{key}"),
            Self::Ring => f.write_str("RING"),
            Self::Check => f.write_str("CHECK nothing"),
            Self::Faults => f.write_str("FAULTS"),
            Self::Links => f.write_str("LINKS"),
            Self::Events => f.write_str("EVENTS"),
        }
    }
}

/// The key with this number: `k0` and so on.
#[must_use]
pub(super) fn key(number: usize) -> Vec<u8> {
    format!("k{number}").into_bytes()
}

impl Step {
    /// The command that does the same, typed at `now`.
    #[must_use]
    pub fn command(&self, now: Instant) -> String {
        match &self.action {
            Action::Fault(action) => action.to_string(),
            Action::Look(look) => look.to_string(),
            Action::Request(request) => request.command(now),
        }
    }

    /// The same step without looks: `None` if it is one.
    pub(super) fn without_looks(&self) -> Option<Self> {
        let mut step = self.clone();
        match &mut step.action {
            Action::Look(_) => return None,
            Action::Request(request) => request.is_traced = false,
            Action::Fault(_) => {}
        }
        Some(step)
    }
}

impl ClientRequest {
    fn command(&self, now: Instant) -> String {
        let mut line = String::new();
        if self.is_traced {
            line.push_str("TRACE ");
        }
        if self.client > 0 {
            let _ = write!(line, "CLIENT {} ", self.client);
        }
        if let Some(node) = self.via {
            let _ = write!(line, "VIA {node} ");
        }
        let key = String::from_utf8_lossy(&key(self.key)).into_owned();
        line + &command(&key, &self.operation, now)
    }
}

/// The command for an operation on a key, typed at `now`.
pub(super) fn command<V: AsRef<[u8]>>(key: &str, operation: &Operation<V>, now: Instant) -> String {
    let mut line = format!("{} {key}", operation.name());
    let deadline = match operation {
        Operation::Get | Operation::Delete => None,
        Operation::Put { value, deadline } | Operation::Add { value, deadline } => {
            let _ = write!(line, " {}", text(value.as_ref()));
            *deadline
        }
        Operation::Cas {
            expected,
            new,
            deadline,
        } => {
            let _ = write!(line, " {} {}", text(expected.as_ref()), text(new.as_ref()));
            *deadline
        }
        Operation::Swap {
            expected,
            new,
            deadline,
            ..
        } => {
            let _ = write!(line, " {}", text(expected.as_ref()));
            if let Some(new) = new {
                let _ = write!(line, " {}", text(new.as_ref()));
            }
            *deadline
        }
        Operation::SetDeadline { deadline } => *deadline,
        Operation::Incr { delta } => {
            let _ = write!(line, " {delta}");
            None
        }
    };
    if let Some(deadline) = deadline {
        let _ = write!(
            line,
            " {}",
            Compact(deadline.saturating_duration_since(now))
        );
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

/// For people: `120ms CLIENT 2 VIA 3 PUT k1 17 50ms`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms {}", self.at.as_millis(), self.command(self.at))
    }
}
