//! What all replicas have in common: who owns what, how many owners are enough, and the context in
//! which a replica handles a message.

use std::time::Duration;

use smallvec::SmallVec;

use super::message::{Message, Version};
use super::owners::Owners;
use crate::config::InjectedBug;
use crate::event::EventLog;
use crate::id::NodeId;
use crate::network::Endpoint;
use crate::placement::Placement;
use crate::time::Instant;

/// The rules that all replicas of a cluster follow.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Who owns what.
    pub layout: Layout<'a>,
    /// Who owned it before, while keys move.
    pub before: Option<Layout<'a>>,
    /// The logical clock when the layout last changed.
    pub layout_version: Version,
    /// W: how many owners must have a write before it is acknowledged.
    pub write_quorum: usize,
    /// R: how many owners a read asks.
    pub read_quorum: usize,
    /// How long a coordinator waits for owners.
    pub timeout: Duration,
    /// How long tombstones are kept at least.
    pub grace: Duration,
    /// An injected bug, to test the checks.
    pub bug: Option<InjectedBug>,
}

/// Who owns what.
#[derive(Clone, Copy)]
pub struct Layout<'a> {
    /// How keys are placed.
    pub placement: &'a dyn Placement,
    /// How many owners a key has, at least 1.
    pub replicas: usize,
}

impl Layout<'_> {
    /// The owners of a key, primary first.
    pub(crate) fn owners(&self, key: &[u8]) -> SmallVec<[NodeId; 4]> {
        let hash = self.placement.hash(key);
        if self.replicas == 1 {
            return SmallVec::from_slice(&[self.placement.owner(hash)]);
        }
        let mut owners = Vec::with_capacity(self.replicas);
        self.placement.owners(hash, self.replicas, &mut owners);
        SmallVec::from_vec(owners)
    }

    fn members(&self) -> impl Iterator<Item = NodeId> {
        self.placement.members().iter().map(|member| member.node)
    }
}

impl Rules<'_> {
    /// The owners of a key, primary first; while keys move, also those from before.
    #[must_use]
    pub fn owners(&self, key: &[u8]) -> Owners {
        let owners = self.layout.owners(key);
        match &self.before {
            Some(before) => Owners::moving(owners, &before.owners(key)),
            None => Owners::new(owners),
        }
    }

    /// The nodes that may own keys; while keys move, some are named twice.
    pub(super) fn members(&self) -> impl Iterator<Item = NodeId> {
        let before = self.before.iter().flat_map(Layout::members);
        self.layout.members().chain(before)
    }

    /// Whether each key has one owner, and so no other copy.
    pub(super) fn has_no_copies(&self) -> bool {
        self.layout.replicas == 1 && self.before.is_none()
    }
}

/// What a replica is given with each message, and where its own messages go.
pub struct Context<'a> {
    /// The present.
    pub now: Instant,
    /// When the message was sent.
    pub sent: Instant,
    /// The cluster's logical clock. It advances with every write, and whenever a replica learns that
    /// all owners have one, so that messages from before and after that differ.
    pub clock: &'a mut Version,
    /// See [`Rules`].
    pub rules: &'a Rules<'a>,
    /// Where events go.
    pub log: &'a mut EventLog,
    /// Where messages go.
    pub out: &'a mut Vec<(Endpoint, Message)>,
}

impl Context<'_> {
    pub(super) fn send(&mut self, to: impl Into<Endpoint>, message: Message) {
        self.out.push((to.into(), message));
    }

    /// Returns the logical time and advances it.
    pub(super) fn next_clock(&mut self) -> Version {
        let clock = *self.clock;
        *self.clock += 1;
        clock
    }

    pub(super) fn has_bug(&self, bug: InjectedBug) -> bool {
        self.rules.bug == Some(bug)
    }
}
