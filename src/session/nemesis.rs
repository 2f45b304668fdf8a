//! Faults that come by themselves as time passes.

use super::Session;
use crate::cache::Cache;
use crate::event::Event;
use crate::nemesis::{Bounds, Nemesis, Villain};
use crate::replica::Restart;
use crate::rng::Rng;
use crate::time::Instant;

impl Session {
    /// How much goes wrong by itself.
    pub(super) fn nemesis(&self) -> Nemesis {
        self.nemesis.as_ref().map_or(Nemesis::Off, |it| it.0)
    }

    /// From now on so much goes wrong by itself; with [`Nemesis::Off`] nothing more does, and what is
    /// broken stays so until HEAL, RESTART and RESUME.
    pub(super) fn set_nemesis(&mut self, now: Instant, nemesis: Nemesis) {
        self.nemesis = None;
        if nemesis == Nemesis::Off {
            return;
        }
        self.cluster.begin_history(now, super::checks::OPERATIONS);
        let bounds = Bounds {
            nemesis,
            nodes: self
                .cluster
                .node_ids()
                .map(|id| id.0 + 1)
                .max()
                .unwrap_or(1),
            restart: Restart::Resync,
            budget: self.budget(),
            only_crashes: false,
            joins: false,
            leaves: false,
        };
        let rng = Rng::new(self.cluster.config().seed ^ now.as_nanos());
        self.nemesis = Some((nemesis, Villain::new(now, &bounds, rng)));
    }

    /// How many nodes may be without their memory at a time: one fewer than have every
    /// acknowledged write. With one replica a crash always loses something, and is let happen.
    fn budget(&self) -> usize {
        let config = self.cluster.config();
        config.write_quorum.saturating_sub(1).max(1)
    }

    /// Does what the nemesis does up to `now`, each at its instant, and hands on what comes of it.
    pub(super) fn strike(&mut self, now: Instant, on_event: &mut impl FnMut(&Event)) {
        let budget = self.budget();
        while let Some((_, villain)) = &mut self.nemesis {
            let at = villain.next_at();
            if at > now {
                return;
            }
            let Some(trouble) = villain.act(at) else {
                return;
            };
            self.cluster.tick(at);
            if trouble.strike(&mut self.cluster, at, budget) {
                if let Some((_, villain)) = &mut self.nemesis {
                    villain.note(at, &trouble);
                }
                self.cluster.tell_nemesis(at, &trouble.to_string());
            }
            self.hand_on(&mut *on_event);
        }
    }
}
