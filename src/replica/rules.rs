//! What all replicas go by: who owns what, how many are enough, and what each is given with a message.

use std::time::Duration;

use smallvec::SmallVec;

use super::message::{Message, Version};
use super::owners::Owners;
use crate::config::Plant;
use crate::event::EventLog;
use crate::id::NodeId;
use crate::network::Endpoint;
use crate::placement::Placement;
use crate::time::Instant;

/// What holds for all replicas of a cluster.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Who owns what.
    pub layout: Layout<'a>,
    /// Who owned it before, while keys are on their way to new owners.
    pub before: Option<Layout<'a>>,
    /// The logical clock when that was last changed.
    pub since: Version,
    /// W: how many owners must have a write before it is acknowledged.
    pub write_quorum: usize,
    /// R: how many owners are asked.
    pub read_quorum: usize,
    /// How long a coordinator waits for owners.
    pub timeout: Duration,
    /// How long tombstones are kept at least.
    pub grace: Duration,
    /// For tests of the tests.
    pub plant: Option<Plant>,
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
    /// The owners of a key, primary first; while keys move, those that it had before, too.
    #[must_use]
    pub fn owners(&self, key: &[u8]) -> Owners {
        let owners = self.layout.owners(key);
        match &self.before {
            Some(before) => Owners::moving(owners, &before.owners(key)),
            None => Owners::new(owners),
        }
    }

    /// The nodes that may own keys; while keys move, some are there twice.
    pub(super) fn members(&self) -> impl Iterator<Item = NodeId> {
        let before = self.before.iter().flat_map(Layout::members);
        self.layout.members().chain(before)
    }

    /// Whether there is nobody to have copies beside the one owner of each key.
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
    /// The cluster's logical clock. It goes on with every write, and whenever somebody learns that
    /// all owners have one, so that what is sent after that can be told from what was sent before.
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

    /// The present of the logical clock, which is over then.
    pub(super) fn stamp(&mut self) -> Version {
        let stamp = *self.clock;
        *self.clock += 1;
        stamp
    }

    pub(super) fn is_planted(&self, plant: Plant) -> bool {
        self.rules.plant == Some(plant)
    }
}
