//! Whether the nodes agree, once they are at rest.
//!
//! The answers that clients got show no fault of a copy that no client has read yet. So when all
//! faults have ended and no message is in flight, the nodes themselves are compared: every key must be
//! at all of its owners, the same at each, and nowhere else, and the counters of each node must be what
//! a recount gives.
//!
//! Cost: all records of all nodes, sorted.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::Cluster;
use super::hosted::HostedNode;
use crate::history::Outcome;
use crate::id::NodeId;
use crate::operation::Bytes;
use crate::replica::{Record, Version};
use crate::time::Instant;

/// Something that is not as it should be with nodes at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disorder {
    /// Something is still to come: messages, answers, a node that merges or does not run.
    Unfinished(String),
    /// The owners of a key do not have the same.
    Diverged {
        /// The key.
        key: Bytes,
        /// What each owner knows, primary first.
        copies: Vec<(NodeId, Option<Record>)>,
    },
    /// A node knows a key that it does not own.
    Misplaced {
        /// The key.
        key: Bytes,
        /// The node.
        node: NodeId,
    },
    /// A node knows a write that is later than all writes.
    FromTheFuture {
        /// The key.
        key: Bytes,
        /// The node.
        node: NodeId,
        /// The version there.
        version: Version,
    },
    /// A node keeps a value beyond its deadline.
    Expired {
        /// The key.
        key: Bytes,
        /// The node.
        node: NodeId,
    },
    /// A counter differs from a recount.
    Miscounted(String),
}

impl Disorder {
    /// The kind of disorder, in a word or two, without keys and nodes.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unfinished(_) => "unfinished",
            Self::Diverged { .. } => "diverged copies",
            Self::Misplaced { .. } => "misplaced copy",
            Self::FromTheFuture { .. } => "version from the future",
            Self::Expired { .. } => "expired copy",
            Self::Miscounted(_) => "miscounted",
        }
    }
}

/// The most owners of a key that a description names.
const MAX_NAMED: usize = 10;

impl Disorder {
    /// The disorder in one line. `name` renders a key.
    pub fn describe(&self, name: impl Fn(&[u8]) -> String) -> String {
        match self {
            Self::Unfinished(what) => format!("not at rest: {what}"),
            Self::Diverged { key, copies } => {
                format!("the owners of {} differ: {}", name(key), listed(copies))
            }
            Self::Misplaced { key, node } => {
                format!("node {node} has {}, which it does not own", name(key))
            }
            Self::FromTheFuture { key, node, version } => {
                let key = name(key);
                format!("node {node} has v{version} of {key}, later than all")
            }
            Self::Expired { key, node } => {
                format!("node {node} has {} beyond its deadline", name(key))
            }
            Self::Miscounted(what) => what.clone(),
        }
    }
}

impl fmt::Display for Disorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |key: &[u8]| String::from_utf8_lossy(key).escape_debug().to_string();
        f.write_str(&self.describe(name))
    }
}

fn listed(copies: &[(NodeId, Option<Record>)]) -> String {
    let has = |(node, record): &(NodeId, Option<Record>)| {
        format!("node {node} has {}", Shown(record.as_ref()))
    };
    let mut listed: Vec<String> = copies.iter().take(MAX_NAMED).map(has).collect();
    if copies.len() > MAX_NAMED {
        listed.push(format!("and {} more", copies.len() - MAX_NAMED));
    }
    listed.join("; ")
}

struct Shown<'a>(Option<&'a Record>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(record) = self.0 else {
            return f.write_str("nothing");
        };
        write!(f, "v{}", record.version)?;
        match (&record.value, record.deadline) {
            (None, _) => f.write_str(" (gone)"),
            (Some(_), None) => Ok(()),
            (Some(_), Some(deadline)) => {
                let time = Duration::from_millis(deadline.as_millis());
                write!(f, " until {}", humantime::format_duration(time))
            }
        }
    }
}

/// What the nodes know of each key.
type Copies = BTreeMap<Bytes, Vec<(NodeId, Record)>>;

impl Cluster {
    /// Whether nothing is on its way or waited for, and all nodes serve.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.unfinished().is_none()
    }

    /// What is not as it should be at `now`, if all faults have been lifted and
    /// [`Cluster::is_at_rest`] holds; before that, what is still to come. Empty: all is well.
    pub fn verify(&mut self, now: Instant) -> Vec<Disorder> {
        self.tick(now);
        if let Some(what) = self.unfinished() {
            return vec![Disorder::Unfinished(what)];
        }
        let mut found = Vec::new();
        for (key, copies) in &self.all_copies() {
            self.verify_key(self.present, key, copies, &mut found);
        }
        self.verify_counts(&mut found);
        found
    }

    /// Whether a node has crashed or does not serve yet: it may lack what was acknowledged.
    #[must_use]
    pub fn lacks_memory(&self, node: NodeId) -> bool {
        let hosted = self.nodes.get(node);
        hosted.is_some_and(|it| it.crashed || !it.replica.is_serving())
    }

    /// The version of the latest write.
    #[must_use]
    pub fn version(&self) -> Version {
        self.clock
    }

    /// How many owners of a key have a write to it or a later one, those included that may have
    /// lost it with their memory and are not in sync again. While the key moves: of the owners that
    /// it had or of those that it is to have, whichever are fewer.
    #[must_use]
    pub fn holders(&self, key: &[u8], version: Version) -> usize {
        let has = |it: &HostedNode| {
            it.crashed || !it.replica.is_serving() || it.replica.knows(key, version)
        };
        let owners = self.rules().owners(key);
        owners.min_per_group(|node| self.nodes.get(node).is_some_and(has))
    }

    /// Whether a node knows a write to a key, or a later one, if it owns the key at all.
    #[must_use]
    pub fn knows_its_own(&self, node: NodeId, key: &[u8], version: Version) -> bool {
        let hosted = self.nodes.get(node);
        let knows = hosted.is_some_and(|it| it.replica.knows(key, version));
        knows || !self.rules().owners(key).contains(&node)
    }

    /// How many tombstones all nodes keep.
    #[must_use]
    pub fn tombstones(&self) -> usize {
        self.nodes.iter().map(|it| it.replica.tombstones()).sum()
    }

    fn unfinished(&self) -> Option<String> {
        if self.moving.is_some() {
            return Some("keys are still on their way: REBALANCE moves them".into());
        }
        let in_flight = self.network.in_flight_count();
        if in_flight > 0 {
            let are = if in_flight == 1 { " is" } else { "s are" };
            return Some(format!("{in_flight} message{are} on the way"));
        }
        let waiting = self.clients.in_flight();
        if waiting > 0 {
            let have = if waiting == 1 { " has" } else { "s have" };
            return Some(format!("{waiting} request{have} no answer"));
        }
        let busy = self.nodes.iter().find(|it| !it.rests())?;
        let node = busy.replica.id();
        Some(match self.status(node) {
            Some(status) if status != super::Status::Up => format!("node {node} is {status}"),
            _ => format!("node {node} waits for others"),
        })
    }

    fn all_copies(&self) -> Copies {
        let mut copies = Copies::new();
        for hosted in self.nodes.iter() {
            for (key, record) in hosted.replica.records() {
                let all = copies.entry(key).or_default();
                all.push((hosted.replica.id(), record));
            }
        }
        copies
    }

    fn verify_key(
        &self,
        now: Instant,
        key: &Bytes,
        copies: &[(NodeId, Record)],
        found: &mut Vec<Disorder>,
    ) {
        let owners = self.rules().owners(key);
        for (node, record) in copies {
            let (key, node, version) = (key.clone(), *node, record.version);
            if !owners.contains(&node) {
                found.push(Disorder::Misplaced { key, node });
            } else if version > self.clock {
                found.push(Disorder::FromTheFuture { key, node, version });
            } else if record.value.is_some() && !record.is_live(now) {
                found.push(Disorder::Expired { key, node });
            }
        }
        let copy = |node: NodeId| copies.iter().find(|(at, _)| *at == node);
        let copies = owners.iter().map(|&node| (node, copy(node)));
        let copies: Vec<(NodeId, Option<Record>)> = copies
            .map(|(node, copy)| (node, copy.map(|(_, record)| record.clone())))
            .collect();
        if !agree(now, &copies) {
            let key = key.clone();
            found.push(Disorder::Diverged { key, copies });
        }
    }

    fn verify_counts(&self, found: &mut Vec<Disorder>) {
        for hosted in self.nodes.iter() {
            if let Some(what) = hosted.replica.node.miscounted() {
                found.push(Disorder::Miscounted(what));
            }
        }
        let Some(history) = &self.history else { return };
        if self.nodes.iter().count() < self.nodes.next_id().0 as usize {
            // One that has left has taken its counts along.
            return;
        }
        let answered = history.calls().iter();
        let answered = answered
            .filter(|it| it.operation.is_read() && matches!(it.outcome, Some(Outcome::Value(_))));
        let answered = answered.count() as u64;
        let counts = self.nodes.iter().map(HostedNode::stats);
        let counted: u64 = counts.map(|it| it.hits + it.misses).sum();
        if counted < answered {
            let what = format!("{answered} gets were answered, and {counted} are counted");
            found.push(Disorder::Miscounted(what));
        }
    }
}

/// Whether the copies of a key are what they should be at `now`: all the same; or all gone, where
/// some have forgotten that it was ever there. One may be gone before its time, if a clock was
/// ahead.
fn agree(now: Instant, copies: &[(NodeId, Option<Record>)]) -> bool {
    let is_gone = |copy: &Option<Record>| copy.as_ref().is_none_or(|it| it.value.is_none());
    let is_early = |copy: &Record| copy.value.is_none() && copy.deadline.is_some_and(|it| now < it);
    let is_same = |one: &Option<Record>, other: &Option<Record>| match (one, other) {
        (Some(one), Some(other)) if is_early(one) || is_early(other) => {
            (one.version, one.deadline) == (other.version, other.deadline)
        }
        (one, other) => one == other,
    };
    let all_gone = copies.iter().all(|(_, copy)| is_gone(copy));
    all_gone
        || copies
            .windows(2)
            .all(|pair| is_same(&pair[0].1, &pair[1].1))
}
