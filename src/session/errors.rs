//! Errors of the cluster, for people: the true cause, and the node.

use crate::cluster::{Cluster, FaultError, MoveError, Status, TooManyRequests};
use crate::config::ConfigError;
use crate::id::NodeId;
use crate::language::catalog::{self, Verb};
use crate::language::word::Shown;
use crate::language::{Error, ErrorKind, Responses};
use crate::network::NetworkError;
use crate::operation::{Group, Outcome, PutError, Refusal, Shortfall, node_list};
use crate::time::TimeError;

/// The command that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context(pub Verb);

impl Context {
    /// What the command does to a key; `None`: it reads.
    fn done(self) -> Option<&'static str> {
        match self.0 {
            Verb::Put | Verb::MSet | Verb::Fill | Verb::Add | Verb::Cas => Some("stored"),
            Verb::Del | Verb::Clear => Some("removed"),
            Verb::Incr | Verb::Expire | Verb::Persist => Some("changed"),
            _ => None,
        }
    }

    /// The outcome of a request, or the error for the user.
    #[inline]
    pub(super) fn check(
        self,
        cluster: &Cluster,
        key: &[u8],
        (node, outcome): (NodeId, Outcome),
    ) -> Result<Outcome, Error> {
        match outcome {
            Outcome::Refused(refusal) => Err(self.refused(cluster, key, node, refusal)),
            Outcome::Unknown(short) => Err(self.unknown(cluster, key, &short)),
            outcome => Ok(outcome),
        }
    }

    #[cold]
    fn refused(self, cluster: &Cluster, key: &[u8], node: NodeId, refusal: Refusal) -> Error {
        match (refusal, self.done()) {
            (Refusal::Quorum(short), Some(done)) => {
                let end = match self.0 {
                    // Other keys may have been.
                    Verb::Clear => ": it was not removed".into(),
                    _ => format!(": nothing was {done}"),
                };
                self.failure(
                    ErrorKind::Refused,
                    key,
                    &cause(cluster, &short),
                    &short,
                    &end,
                )
            }
            (Refusal::Quorum(short), None) => self.unreadable(cluster, key, &short),
            (Refusal::Put(PutError::Full), _) => Error::new(
                ErrorKind::Refused,
                PutError::Full
                    .to_string()
                    .replace("the node", &format!("node {node}")),
            ),
            (refusal, _) => Error::new(ErrorKind::Refused, refusal.to_string()),
        }
    }

    #[cold]
    fn unknown(self, cluster: &Cluster, key: &[u8], short: &Shortfall) -> Error {
        match self.done() {
            Some(done) => {
                let end = format!(": it may or may not have been {done}");
                self.failure(ErrorKind::Unknown, key, &cause(cluster, short), short, &end)
            }
            None => self.unreadable(cluster, key, short),
        }
    }

    fn unreadable(self, cluster: &Cluster, key: &[u8], short: &Shortfall) -> Error {
        let end = ": the value is unknown";
        self.failure(ErrorKind::Refused, key, &cause(cluster, short), short, end)
    }

    fn failure(
        self,
        kind: ErrorKind,
        key: &[u8],
        cause: &str,
        short: &Shortfall,
        end: &str,
    ) -> Error {
        let (name, shown) = (catalog::name(self.0), Shown(key));
        let message = format!("{name} {shown}: {cause}{end}");
        Error::new(kind, message).with_responses(Responses {
            missing: short.missing(),
            answered: short.answered.clone(),
        })
    }
}

/// Why there are too few nodes.
fn cause(cluster: &Cluster, short: &Shortfall) -> String {
    let one = match short.group {
        Group::Owners => "owner",
        Group::OwnersBefore => "owner before the move",
        Group::Coordinators => "coordinator",
    };
    let many = one.replacen("owner", "owners", 1);
    let missing = short.missing();
    let reasons = reasons(cluster, short);
    let all_silent = short.silent.len() == missing.len();
    match (short.answered.len(), missing.as_slice()) {
        (0, []) => "its owners did not agree".into(),
        (0, [_]) if short.group == Group::Coordinators => reasons,
        (0, [node]) => {
            let reason = reasons.replacen(&format!("node {node} "), "", 1);
            format!("its {one}, node {node}, {reason}")
        }
        (0, missing) if all_silent => {
            format!("none of its {many} answered ({})", node_list(missing))
        }
        (0, _) => format!("none of its {many} did it: {reasons}"),
        (answered, _) => format!(
            "{answered} of the {} required {many} answered ({}); {reasons}",
            short.needed,
            node_list(&short.answered),
        ),
    }
}

/// The state of each node that is missing. A node that did not serve when it was asked is
/// named by its present state.
fn reasons(cluster: &Cluster, short: &Shortfall) -> String {
    let mut reasons = Vec::new();
    let mut add = |nodes: &[NodeId], one: &str, many: &str| {
        if !nodes.is_empty() {
            let what = if nodes.len() == 1 { one } else { many };
            reasons.push(format!("{} {what}", node_list(nodes)));
        }
    };
    let (syncing, other) = partition(&short.down, |node| {
        cluster.status(node) == Some(Status::Syncing)
    });
    let (down, returned) = partition(&other, |node| cluster.lacks_memory(node));
    add(&short.silent, "did not answer", "did not answer");
    add(&down, "is down", "are down");
    add(&syncing, "is syncing", "are syncing");
    add(&returned, "was down", "were down");
    let full: Vec<NodeId> = short.refused.iter().map(|(node, _)| *node).collect();
    add(&full, "is full", "are full");
    let (one, many) = ("has a later write", "have a later write");
    add(&short.outdated, one, many);
    if reasons.is_empty() {
        return "the others did not".into();
    }
    reasons.join("; ")
}

fn partition(nodes: &[NodeId], is_so: impl Fn(NodeId) -> bool) -> (Vec<NodeId>, Vec<NodeId>) {
    nodes.iter().partition(|node| is_so(**node))
}

macro_rules! refused {
    ($($error:ty),*) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::new(ErrorKind::Refused, error.to_string())
            }
        })*
    };
}

refused!(PutError, MoveError, FaultError, TooManyRequests);

impl From<NetworkError> for Error {
    fn from(error: NetworkError) -> Self {
        let kind = match error {
            NetworkError::TooMany { .. } => ErrorKind::Refused,
            _ => ErrorKind::Invalid,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::new(ErrorKind::Invalid, error.to_string())
    }
}

impl From<TimeError> for Error {
    fn from(error: TimeError) -> Self {
        Self::new(ErrorKind::Invalid, error.to_string())
    }
}
