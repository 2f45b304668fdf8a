//! Servers that join and leave, and the slots that move then.

use std::sync::Arc;
use std::time::Duration;

use super::backend::Engine;
use super::faults::node_of;
use super::limit::Limit;
use super::slots::{Mover, Plan};
use crate::cluster::MoveCost;
use crate::event::{Event, EventKind};
use crate::id::NodeId;
use crate::language::{Change, Error, ErrorKind};
use crate::time::Instant;

/// How many slots move in one step.
const SLOTS: usize = 64;
/// How often a server is tried to be ended, and the pause before the next time.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(200);
/// How long a step may take.
const STEP: Duration = Duration::from_secs(30);

/// Slots that move.
pub(super) struct Moving {
    mover: Mover,
    plan: Plan,
    /// How many slots there were to move.
    slots: usize,
    leaving: Option<NodeId>,
    cost: MoveCost,
}

impl Engine {
    /// Starts a change of the servers.
    ///
    /// # Errors
    /// If it is not possible, or a server does not answer. Nothing has changed then, except that a server
    /// may have joined without slots: REBALANCE gives it some.
    pub(super) fn start_change(
        &mut self,
        now: Instant,
        change: Change,
    ) -> Result<Option<NodeId>, Error> {
        let leaving = match change {
            Change::Leave { node } => Some(node),
            _ => None,
        };
        self.check_node(leaving)?;
        let keys = self.key_count();
        let joined = match change {
            Change::Join { weight } => Some(self.add_server(now, weight)?),
            _ => None,
        };
        self.meet_servers();
        let (mover, plan, repaired) = self.plan_moves(leaving)?;
        let primaries = self.client.topology.primaries().count() as u64 + 1;
        self.moving = Some(Moving {
            slots: plan.left(),
            mover,
            plan,
            leaving,
            cost: MoveCost {
                keys,
                moved: repaired,
                fair_share: joined.map(|_| keys / primaries),
                ..MoveCost::default()
            },
        });
        Ok(joined.or(leaving))
    }

    /// Starts a server without slots, with its replicas.
    fn add_server(&mut self, now: Instant, weight: u32) -> Result<NodeId, Error> {
        if weight != 1 {
            return Err(refused(
                "real servers have no weights: each gets the same share",
            ));
        }
        let replicas = self.replicas() - 1;
        let launched = self.launched.as_mut().ok_or_else(gone)?;
        let added = launched.add_server(replicas).map_err(refused)?;
        let node = added.first().copied().map(node_of).ok_or_else(gone)?;
        self.log
            .record(|| Event::of_node(now, node, EventKind::Joined));
        Ok(node)
    }

    /// Finishes moves that were interrupted, and plans those that give each primary its share, and one that
    /// leaves none. Returns also how many keys were moved.
    fn plan_moves(&mut self, leaving: Option<NodeId>) -> Result<(Mover, Plan, u64), Error> {
        let limit = Limit::after(STEP, &self.client.settings().stop);
        let login = self.client.settings().login.clone();
        let launched = self.launched.as_mut().ok_or_else(gone)?;
        let mut mover = Mover::new(launched.hosts(), login);
        let repaired = mover.repair(&limit).map_err(refused)?;
        let view = mover.view(&limit).map_err(refused)?;
        let server = leaving.and_then(|node| self.client.topology.get(node));
        let ids: Vec<&str> = server.iter().map(|it| it.id.as_str()).collect();
        let plan = Plan::fair(&view, &ids).map_err(refused)?;
        Ok((mover, plan, repaired.keys))
    }

    /// Moves some slots. Returns what the change has cost when no more can move.
    ///
    /// # Errors
    /// Why the rest cannot move, or a server cannot leave.
    pub(super) fn move_slots(&mut self, now: Instant) -> Result<Option<MoveCost>, Error> {
        let limit = Limit::after(STEP, &self.client.settings().stop);
        let Some(moving) = &mut self.moving else {
            return Ok(Some(MoveCost::default()));
        };
        match moving.mover.move_some(&mut moving.plan, SLOTS, &limit) {
            Ok(moved) => moving.cost.moved += moved.keys,
            Err(why) => {
                self.moving = None;
                let message = format!("{why}; REBALANCE moves the slots that are left");
                return Err(refused(message));
            }
        }
        if moving.plan.left() > 0 {
            return Ok(None);
        }
        let (leaving, mut cost) = (moving.leaving, moving.cost);
        self.moving = None;
        if let Some(node) = leaving {
            self.end_server(now, node)?;
        }
        cost.optimum = cost.moved;
        self.meet_servers();
        Ok(Some(cost))
    }

    /// Ends a server that has no slots. Others can take a while to see that it has none.
    fn end_server(&mut self, now: Instant, node: NodeId) -> Result<(), Error> {
        let launched = self.launched.as_mut().ok_or_else(gone)?;
        let mut removed = launched.remove_server(node.0 as usize);
        for _ in 0..TRIES {
            if removed.is_ok() {
                break;
            }
            std::thread::sleep(PAUSE);
            removed = launched.remove_server(node.0 as usize);
        }
        if let Err(why) = removed {
            let message = format!("{why}; LEAVE {node} again ends it");
            return Err(refused(message));
        }
        self.log
            .record(|| Event::of_node(now, node, EventKind::Left));
        Ok(())
    }

    /// How far the move has come, and how many keys have moved.
    pub(super) fn progress_of_move(&self) -> (f64, u64) {
        self.moving.as_ref().map_or((1.0, 0), |moving| {
            let left = moving.plan.left() as f64 / moving.slots.max(1) as f64;
            (1.0 - left, moving.cost.moved)
        })
    }

    /// The servers have changed: where they are reached, and their numbers.
    pub(super) fn meet_servers(&mut self) {
        let Some(launched) = &mut self.launched else {
            return;
        };
        let servers = launched.servers();
        let mut settings = self.client.settings().clone();
        settings.real = servers
            .iter()
            .map(|it| (it.announced, it.address))
            .collect();
        settings.seeds = servers.iter().map(|it| it.address).collect();
        for server in &servers {
            self.client
                .topology
                .number(&server.id, node_of(server.number));
        }
        self.client.set_settings(Arc::new(settings));
        let limit = self.client.limit();
        // The next request reads the topology again, if it has to.
        let _ = self.client.refresh(&limit);
        self.workers.restart();
        self.look_at_servers();
    }
}

fn refused(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Refused, why)
}

fn gone() -> Error {
    refused("the servers were not launched here")
}
