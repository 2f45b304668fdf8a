//! Changes of members, placement and replicas, and plans of them.

use super::simulated::SimulatedCluster;
use crate::cluster::Cluster;
use crate::id::NodeId;
use crate::language::{Change, Error};
use crate::reply::{Moved, Reply};
use crate::time::Instant;

impl SimulatedCluster {
    /// Starts a change. Returns the node that joins or leaves.
    pub(super) fn start_change(
        &mut self,
        now: Instant,
        change: Change,
    ) -> Result<Option<NodeId>, Error> {
        self.check_change(change)?;
        start(&mut self.cluster, now, change)
    }

    /// What a change would do. It is carried out on a clone of the cluster.
    pub(super) fn plan(&self, now: Instant, change: Change) -> Result<Reply<'static>, Error> {
        self.check_change(change)?;
        let mut fork = self.cluster.clone();
        let node = start(&mut fork, now, change)?;
        let cost = fork.move_all(now);
        Ok(Reply::Moved(Moved {
            change,
            is_planned: true,
            node,
            replicas: fork.config().replicas,
            cost,
            time: now.saturating_duration_since(now),
        }))
    }

    fn check_change(&self, change: Change) -> Result<(), Error> {
        match change {
            Change::Leave { node } => self.check_node(Some(node)),
            _ => Ok(()),
        }
    }
}

fn start(cluster: &mut Cluster, now: Instant, change: Change) -> Result<Option<NodeId>, Error> {
    match change {
        Change::Join { weight } => return Ok(Some(cluster.join(now, weight)?)),
        Change::Leave { node } => {
            cluster.leave(now, node)?;
            return Ok(Some(node));
        }
        Change::Place { kind } => cluster.set_placement(now, kind)?,
        Change::Replicate { replicas } => cluster.set_replicas(now, replicas)?,
        Change::Rebalance => {
            cluster.rebalance(now);
            return Ok(cluster.leaving());
        }
    }
    Ok(None)
}
