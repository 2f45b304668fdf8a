//! FAILOVER: a replica takes the place of its primary, and no write is lost.

use std::thread;
use std::time::Duration;

use super::backend::Engine;
use super::limit::Limit;
use super::topology::Role;
use crate::event::{Event, EventKind};
use crate::id::NodeId;
use crate::language::catalog::Verb;
use crate::language::{Error, ErrorKind};
use crate::reply::Reply;
use crate::time::Instant;

/// How often it is asked whether the replica is a primary.
const PAUSE: Duration = Duration::from_millis(10);
/// How long the servers try a failover, with some time more.
const PATIENCE: Duration = Duration::from_secs(6);
/// How often they are asked for it.
const TRIES: u32 = 3;

impl Engine {
    /// Lets a replica take the place of its primary, or of a primary its first replica that is up, and
    /// waits until it has, at most some 20 seconds.
    ///
    /// # Errors
    /// If there is no such server or no replica, or the servers refuse it or are too slow.
    pub(super) fn fail_over(
        &mut self,
        now: Instant,
        node: NodeId,
    ) -> Result<Reply<'static>, Error> {
        self.check_write()?;
        self.primaries();
        self.check_node(Some(node))?;
        let (replica, primary) = self.successor(node)?;
        self.await_of(
            replica,
            "has not all data of its primary yet",
            Self::has_synced,
        )?;
        let mut tries = 0..TRIES;
        loop {
            tries.next();
            self.tell(Verb::Failover, replica, &["CLUSTER", "FAILOVER"])?;
            let is_primary = |it: &mut Self, node| it.primaries().contains(&node);
            match self.await_of(replica, "has not become a primary yet", is_primary) {
                // The servers give a failover up, as when another one has just ended.
                Err(_) if !tries.is_empty() && !self.is_stopped() => {}
                Err(why) => return Err(why),
                Ok(()) => break,
            }
        }
        // It is done, even if some servers do not hear of it yet.
        let _ = self.await_of(replica, "is not known to all", |it, _| it.agrees());
        self.log
            .record(|| Event::of_node(now, replica, EventKind::Promoted));
        Ok(Reply::Promoted { replica, primary })
    }

    /// Waits until something is true of a server.
    ///
    /// # Errors
    /// What it lacks, when the wait is too long or stopped.
    fn await_of(
        &mut self,
        node: NodeId,
        lack: &str,
        mut is_true: impl FnMut(&mut Self, NodeId) -> bool,
    ) -> Result<(), Error> {
        let limit = Limit::after(PATIENCE, &self.client.settings().stop);
        while !is_true(self, node) {
            if limit.left().is_none() {
                let message = format!("node {node} {lack}");
                return Err(Error::new(ErrorKind::Refused, message));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Whether a replica gets what its primary writes. Without that, the servers give a failover up after
    /// some seconds.
    fn has_synced(&mut self, replica: NodeId) -> bool {
        let info = self.client.ask(replica, &["INFO", "replication"]);
        info.is_ok_and(|it| {
            it.text()
                .is_some_and(|it| it.contains("master_link_status:up"))
        })
    }

    /// The replica that takes a place, and the primary whose place it is.
    fn successor(&self, node: NodeId) -> Result<(NodeId, NodeId), Error> {
        let topology = &self.client.topology;
        if let Some(Role::Replica(primary)) = topology.get(node).map(|it| it.role) {
            return Ok((node, primary));
        }
        let up = |it: &NodeId| !self.client.suspects.contains(it);
        let missing = || {
            let message = format!("node {node} has no replica that could take its place");
            Error::new(ErrorKind::Refused, message)
        };
        Ok((topology.replicas(node).find(up).ok_or_else(missing)?, node))
    }
}
