//! How much each node may hold, and which entries leave a full one.

use std::sync::Arc;

use super::{Cluster, FaultError, Policies};
use crate::config::{Capacity, Config};
use crate::eviction::{Eviction, EvictionPolicy};
use crate::id::NodeId;
use crate::time::Instant;

impl Cluster {
    /// The default capacity of a node.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        self.config.capacity
    }

    /// Which entries leave a full node; `None`: as [`Cluster::set_eviction_with`] says.
    #[must_use]
    pub fn eviction(&self) -> Option<Eviction> {
        self.policies.is_none().then_some(self.config.eviction)
    }

    /// How much this node may hold.
    #[must_use]
    pub fn capacity_of(&self, node: NodeId) -> Capacity {
        let own = self.nodes.get(node).and_then(|hosted| hosted.capacity);
        own.unwrap_or(self.config.capacity)
    }

    /// Changes how much each node may hold, also those with a capacity of their own and those that
    /// join. Entries over the capacity leave at once, as the policy chooses; those of a crashed or
    /// paused node when it is back.
    pub fn set_capacity(&mut self, now: Instant, capacity: Capacity) {
        self.tick(now);
        self.config.capacity = capacity;
        for hosted in self.nodes.iter_mut() {
            hosted.capacity = None;
        }
        self.change_bounds();
    }

    /// Changes how much one node may hold, as [`Cluster::set_capacity`] does for all.
    ///
    /// # Errors
    /// [`FaultError::NoSuchNode`].
    pub fn set_node_capacity(
        &mut self,
        now: Instant,
        node: NodeId,
        capacity: Capacity,
    ) -> Result<(), FaultError> {
        self.tick(now);
        let hosted = self.nodes.get_mut(node);
        let hosted = hosted.ok_or(FaultError::NoSuchNode(node))?;
        hosted.capacity = Some(capacity);
        self.change_bounds();
        Ok(())
    }

    pub(super) fn note_bounds(&mut self) {
        let mut own = self.nodes.iter().filter_map(|hosted| hosted.capacity);
        self.is_bounded = self.config.capacity.is_bounded() || own.any(|it| it.is_bounded());
    }

    pub(super) fn change_bounds(&mut self) {
        self.note_bounds();
        self.weaken();
        for node in self.nodes.running() {
            self.apply_capacity(self.present, node);
        }
    }

    /// Changes which entries leave a full node. The new policy starts with the present entries.
    pub fn set_eviction(&mut self, now: Instant, eviction: Eviction) {
        self.config.eviction = eviction;
        self.renew_policies(now, None);
    }

    /// As [`Cluster::set_eviction`], with policies of your own: `make` makes one for each node, also
    /// for nodes that join later. [`EvictionPolicy`] has an example.
    pub fn set_eviction_with(
        &mut self,
        now: Instant,
        make: impl Fn(NodeId) -> Box<dyn EvictionPolicy> + Send + Sync + 'static,
    ) {
        self.renew_policies(now, Some(Arc::new(make)));
    }

    fn renew_policies(&mut self, now: Instant, policies: Option<Policies>) {
        self.tick(now);
        self.policies = policies;
        let nodes: Vec<NodeId> = self.node_ids().collect();
        for node in nodes {
            self.bound(self.present, node);
        }
        self.weaken();
    }

    /// Gives a node its capacity, if it has another one. Its policy stays.
    pub(super) fn apply_capacity(&mut self, now: Instant, node: NodeId) {
        let (capacity, log) = (self.capacity_of(node), &mut self.log);
        let Some(hosted) = self.nodes.get_mut(node) else {
            return;
        };
        let node = &mut hosted.replica.node;
        if node.capacity() == capacity {
            return;
        }
        if capacity.is_bounded() && node.is_bound() {
            node.resize(now, capacity, log);
        } else {
            let id = node.id();
            self.bound(now, id);
        }
    }

    /// Gives a node its capacity, and a new policy.
    pub(super) fn bound(&mut self, now: Instant, id: NodeId) {
        let (capacity, Config { eviction, seed, .. }) = (self.capacity_of(id), self.config);
        let Some(hosted) = self.nodes.get_mut(id) else {
            return;
        };
        let node = &mut hosted.replica.node;
        if capacity.is_bounded() {
            let policy = match &self.policies {
                Some(make) => make(id),
                None => eviction.policy(seed ^ u64::from(id.0) << 32),
            };
            node.bound(now, capacity, policy, &mut self.log);
        } else {
            node.unbound();
        }
    }
}
