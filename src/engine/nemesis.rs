//! The fault injector on servers that were launched here.

use std::time::Duration;

use super::backend::Engine;
use crate::cluster::Status;
use crate::event::{Event, EventKind};
use crate::id::NodeId;
use crate::language::Command;
use crate::nemesis::{Bounds, FaultAction, FaultInjector, GRAIN, Nemesis};
use crate::replica::Restart;
use crate::reply::Reply;
use crate::rng::Rng;
use crate::time::Instant;

/// How many servers may be down at a time. A second one could be the replica of the first.
const DOWN: usize = 1;
/// The injector's unit of time, as a part of the node timeout. A fault that lasts a tenth of it is not
/// noticed, and most are longer.
const GRAINS: u32 = 10;

impl Engine {
    /// Answers NEMESIS: shows what the fault injector does, or starts or stops it. The faults in force
    /// stay when it stops.
    pub(super) fn nemesis(&mut self, now: Instant, nemesis: Option<Nemesis>) -> Reply<'static> {
        let Some(nemesis) = nemesis else {
            let nemesis = self.injector.as_ref().map_or(Nemesis::Off, |it| it.0);
            return Reply::Nemesis(nemesis);
        };
        self.injector = self
            .launched
            .as_ref()
            .filter(|_| nemesis != Nemesis::Off)
            .map(|launched| {
                let timeout = launched.options().node_timeout;
                let bounds = bounds(nemesis, timeout);
                let rng = Rng::new(launched.options().seed ^ now.as_nanos());
                (nemesis, FaultInjector::new(now, &bounds, rng))
            });
        Reply::Done
    }

    /// When the fault injector acts next.
    pub(super) fn next_strike(&self) -> Option<Instant> {
        self.injector.as_ref()?.1.next_at()
    }

    /// Lets the fault injector act once, if it is time. Returns whether it was.
    pub(super) fn strike(&mut self, now: Instant) -> bool {
        let members: Vec<NodeId> = self.states.keys().copied().collect();
        let Some((_, injector)) = &mut self.injector else {
            return false;
        };
        if injector.next_at().is_none_or(|at| at > now) {
            return false;
        }
        let Some(action) = injector.act(now, &members) else {
            return true;
        };
        if !self.is_time_for(&action) {
            if let Some((_, injector)) = &mut self.injector {
                injector.put_off(now, action);
            }
        } else if self.carries_out(now, &action)
            && let Some((_, injector)) = &mut self.injector
        {
            injector.note(now, &action);
            let kind = EventKind::Nemesis(action.to_string().into());
            self.log.record(|| Event::of_cluster(now, kind));
        }
        true
    }

    /// A server that has crashed returns when a replica has taken its place, or none can.
    fn is_time_for(&mut self, action: &FaultAction) -> bool {
        match (action, &mut self.launched) {
            (FaultAction::Restart(node, _), Some(launched)) => {
                launched.is_replaced(super::faults::number(*node))
            }
            _ => true,
        }
    }

    /// Carries an action out, if it is possible.
    fn carries_out(&mut self, now: Instant, action: &FaultAction) -> bool {
        let command = match action.clone() {
            FaultAction::Crash(node) => {
                let mut down = self.states.values().filter(|it| **it == Status::Crashed);
                if down.nth(DOWN - 1).is_some() {
                    return false;
                }
                Command::Crash { node }
            }
            FaultAction::Restart(node, how) => Command::Restart { node, how },
            FaultAction::Pause(node) => Command::Pause { node },
            FaultAction::Resume(node) => Command::Resume { node },
            FaultAction::Network(fault) => Command::Fault { fault },
            FaultAction::Release(link) => Command::Release { link },
            FaultAction::Heal => Command::Heal { all: false },
            FaultAction::Skew(..)
            | FaultAction::Join(_)
            | FaultAction::Leave(_)
            | FaultAction::Rebalance => return false,
        };
        self.execute_fault(now, &command).is_ok()
    }
}

fn bounds(nemesis: Nemesis, node_timeout: Duration) -> Bounds {
    Bounds {
        nemesis,
        restart: Restart::Resync,
        budget: DOWN,
        only: &[],
        joins: false,
        leaves: false,
        skews: false,
        grain: (node_timeout / GRAINS).max(GRAIN),
    }
}
