//! Changes of members, placement and replicas, and plans of them.

use std::time::Duration;

use super::simulated::{SLOTS, SimulatedCluster};
use crate::cluster::{Cluster, PacedMove};
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
        let node = start(&mut self.cluster, now, change)?;
        self.paced = None;
        if !self.move_time.is_zero() && change != Change::Rebalance {
            self.paced = PacedMove::new(&mut self.cluster, now, self.move_time);
            self.is_timed |= self.paced.is_some();
        }
        Ok(node)
    }

    /// Lets slots of Redis Cluster that go to other nodes take so long from now on, all together; zero:
    /// they move at once. REBALANCE moves what is left at once.
    pub fn set_move_time(&mut self, time: Duration) {
        self.move_time = time;
    }

    /// The cluster, and the move that takes its time, if there is one.
    pub(crate) fn shown(&mut self) -> (&mut Cluster, Option<&mut PacedMove>) {
        (&mut self.cluster, self.paced.as_mut())
    }

    /// Moves the keys that are due. Returns whether more are.
    pub(super) fn go_on_moving(&mut self, now: Instant) -> bool {
        let Some(paced) = &mut self.paced else {
            return false;
        };
        let is_over = !self.cluster.is_moving() || paced.is_over();
        if !is_over {
            return paced.next_at() <= now && paced.step(&mut self.cluster, now);
        }
        if self.cluster.move_some(now, SLOTS).is_some() {
            self.paced = None;
        }
        self.paced.is_some()
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
            left: None,
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
