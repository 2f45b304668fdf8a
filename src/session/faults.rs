//! Faults and their repair, the fault injector, and the messages in flight.

use std::collections::BTreeSet;
use std::time::Duration;

use super::backend::TraceStart;
use super::simulated::SimulatedCluster;
use crate::cluster::Status;
use crate::id::NodeId;
use crate::language::word::shown;
use crate::language::{Command, Error};
use crate::nemesis::{Bounds, FaultInjector, GRAIN, Nemesis};
use crate::network::{Envelope, Fault, Link};
use crate::replica::{Message, Restart};
use crate::reply::{Delivery, Reply, TracedMessage};
use crate::rng::Rng;
use crate::time::{Compact, Instant};

impl SimulatedCluster {
    /// Carries out a command that injects or repairs a fault, or shows the faults.
    pub(super) fn execute_fault(
        &mut self,
        now: Instant,
        command: Command<'_>,
    ) -> Result<Reply<'static>, Error> {
        match command {
            Command::Crash { node } => {
                self.expect_faults(now, &[node])?;
                self.cluster.crash(now, node)?;
            }
            Command::Restart { node, how } => {
                self.check_node(Some(node))?;
                self.cluster.restart(now, node, how)?;
            }
            Command::Pause { node } => {
                self.expect_faults(now, &[node])?;
                self.cluster.pause(now, node)?;
            }
            Command::Resume { node } => {
                self.check_node(Some(node))?;
                self.cluster.resume(now, node)?;
            }
            Command::Fault { fault } => self.inject_fault(now, &fault)?,
            Command::Release { link } => self.release(now, link)?,
            Command::Skew { node, nanos } => {
                self.expect_faults(now, &[node])?;
                self.cluster.skew(now, node, nanos)?;
            }
            Command::Heal { all } => {
                if all {
                    self.cluster.heal_all(now);
                } else {
                    self.cluster.heal(now);
                }
                return Ok(Reply::Healed(self.node_faults()));
            }
            Command::Faults => return Ok(Reply::Faults(self.faults())),
            Command::Nemesis { nemesis: None } => {
                let nemesis = self.injector.as_ref().map_or(Nemesis::Off, |it| it.0);
                return Ok(Reply::Nemesis(nemesis));
            }
            Command::Nemesis {
                nemesis: Some(nemesis),
            } => self.set_nemesis(now, nemesis),
            Command::Links => return Ok(Reply::Links(self.links())),
            Command::History { request } => return self.answer_history(now, request),
            Command::Check { promise } => return self.check(now, promise),
            other => unreachable!("{other:?} is handled elsewhere"),
        }
        Ok(Reply::Done)
    }

    pub(super) fn quorum(
        &mut self,
        now: Instant,
        quorums: Option<(usize, usize)>,
    ) -> Result<Reply<'static>, Error> {
        if let Some((write, read)) = quorums {
            self.cluster.set_quorum(now, write, read)?;
            return Ok(Reply::Done);
        }
        let config = self.cluster.config();
        Ok(Reply::Quorum {
            write: config.write_quorum,
            read: config.read_quorum,
            replicas: config.replicas,
            promise: self.cluster.promise(),
        })
    }

    fn inject_fault(&mut self, now: Instant, fault: &Fault) -> Result<(), Error> {
        self.expect_faults(now, &fault.nodes())?;
        self.cluster.inject(now, fault)?;
        Ok(())
    }

    fn release(&mut self, now: Instant, link: Link) -> Result<(), Error> {
        for node in link.nodes() {
            self.check_node(Some(node))?;
        }
        self.cluster.release(now, link)?;
        Ok(())
    }

    /// Checks that there are such nodes. From the first fault on, requests are recorded.
    fn expect_faults(&mut self, now: Instant, nodes: &[NodeId]) -> Result<(), Error> {
        for &node in nodes {
            self.check_node(Some(node))?;
        }
        self.is_timed = true;
        self.record(now);
        Ok(())
    }

    /// From now on faults come and go by themselves; with [`Nemesis::Off`] no more, and the active
    /// ones stay until HEAL, RESTART and RESUME.
    fn set_nemesis(&mut self, now: Instant, nemesis: Nemesis) {
        self.injector = None;
        if nemesis == Nemesis::Off {
            return;
        }
        self.is_timed = true;
        self.record(now);
        let bounds = Bounds {
            nemesis,
            restart: Restart::Resync,
            budget: self.budget(),
            only: &[],
            joins: false,
            leaves: false,
            skews: true,
            grain: GRAIN,
        };
        let rng = Rng::new(self.cluster.config().seed ^ now.as_nanos());
        self.injector = Some((nemesis, FaultInjector::new(now, &bounds, rng)));
    }

    /// How many nodes may be without their memory at a time: one fewer than have every
    /// acknowledged write. With one replica every crash loses something, and is allowed.
    fn budget(&self) -> usize {
        let config = self.cluster.config();
        config.write_quorum.saturating_sub(1).max(1)
    }

    /// Lets the fault injector act at its next instant, if that is not after `now`. Returns whether
    /// more is due; `None` if it has nothing to do.
    pub(super) fn inject(&mut self, now: Instant, limit: usize) -> Option<bool> {
        let budget = self.budget();
        let (_, injector) = self.injector.as_mut()?;
        let at = injector.next_at().filter(|at| *at <= now)?;
        if self.cluster.tick_some(at, limit) {
            return Some(true);
        }
        let members: Vec<NodeId> = self.cluster.node_ids().collect();
        if let Some(action) = injector.act(at, &members)
            && action.apply(&mut self.cluster, at, budget)
        {
            injector.note(at, &action);
            self.cluster.log_nemesis(at, &action.to_string());
        }
        Some(true)
    }

    /// The faults in force, as commands: those of the network, of nodes, and of clocks.
    fn faults(&mut self) -> Vec<String> {
        let network = self.cluster.network().faults();
        let mut faults: Vec<String> = network.iter().map(ToString::to_string).collect();
        faults.extend(self.node_faults());
        let dropped = self.cluster.dropped_for();
        faults.extend(dropped.map(|(node, count)| {
            format!("# {count} messages for paused node {node} were dropped: its inbox is full")
        }));
        let nodes: Vec<NodeId> = self.cluster.node_ids().collect();
        let lost = nodes.into_iter().filter_map(|node| {
            let count = self.cluster.network().overflow(node);
            let line = format!("# {count} messages to node {node} were dropped: too many wait");
            (count > 0).then_some(line)
        });
        faults.extend(lost);
        faults
    }

    /// The faults of nodes and clocks, as commands.
    fn node_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for node in self.cluster.node_ids() {
            match self.cluster.status(node) {
                Some(Status::Crashed) => faults.push(format!("CRASH {node}")),
                Some(Status::Paused) => faults.push(format!("PAUSE {node}")),
                _ => {}
            }
        }
        let skews = self.cluster.skews();
        faults.extend(skews.map(|(node, nanos)| {
            let sign = if nanos < 0 { "-" } else { "" };
            let time = Compact(Duration::from_nanos(nanos.unsigned_abs()));
            format!("SKEW {node} {sign}{time}")
        }));
        faults
    }

    /// The messages in flight, then those held, then those that wait for paused nodes.
    fn links(&self) -> Vec<TracedMessage> {
        let flying = self.cluster.in_flight().into_iter().map(|it| {
            let delivery = if it.held {
                Delivery::Held
            } else {
                Delivery::Travels(it.envelope.arrives)
            };
            traced(it.envelope, delivery)
        });
        let waiting = self.cluster.kept_waiting();
        let waiting = waiting.map(|it| traced(it, Delivery::Waits(it.arrives)));
        flying.chain(waiting).collect()
    }

    /// Delivers the next message.
    pub(super) fn deliver_one(&mut self, at: Instant) -> Option<TracedMessage> {
        let envelope = self.cluster.step(at)?;
        Some(traced(&envelope, Delivery::Delivered(envelope.arrives)))
    }

    /// Records the messages of the next command.
    pub(super) fn trace(&mut self, now: Instant) -> TraceStart {
        self.cluster.start_trace();
        self.cluster.network().watch_losses();
        let before = self.links().iter().map(|it| it.sequence).collect();
        TraceStart { at: now, before }
    }

    /// The messages since the start of the trace, in the order of their latest known instants.
    pub(super) fn traced(&mut self, trace: TraceStart) -> Reply<'static> {
        let TraceStart { at: start, before } = trace;
        let waiting: BTreeSet<u64> = self.cluster.kept_waiting().map(|it| it.sequence).collect();
        let lost = self.cluster.network().losses();
        let omitted = lost.omitted;
        let lost = lost.kept.iter();
        let lost = lost.map(|it| traced(it, Delivery::Lost(it.arrives)));
        let trace = self.cluster.end_trace();
        let delivered = trace.messages.iter().map(|it| {
            let waits = waiting.contains(&it.sequence);
            let delivery = if waits {
                Delivery::Waits
            } else {
                Delivery::Delivered
            };
            traced(it, delivery(it.arrives))
        });
        let before: BTreeSet<u64> = before.into_iter().collect();
        let in_flight = self.links().into_iter().filter(|it| {
            let new = !before.contains(&it.sequence);
            new && !matches!(it.delivery, Delivery::Waits(_))
        });
        let mut messages: Vec<TracedMessage> = lost.chain(delivered).chain(in_flight).collect();
        messages.sort_by_key(|it| (it.at(), it.sequence));
        Reply::Path {
            start,
            messages,
            omitted: trace.omitted + omitted,
        }
    }
}

fn traced(envelope: &Envelope<Message>, delivery: Delivery) -> TracedMessage {
    TracedMessage {
        from: envelope.from,
        to: envelope.to,
        kind: envelope.message.kind(),
        text: envelope.message.describe(shown),
        sent: envelope.sent,
        delivery,
        sequence: envelope.sequence,
    }
}
