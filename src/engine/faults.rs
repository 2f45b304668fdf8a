//! Faults of servers that were launched here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::backend::{Engine, unsupported};
use super::launch::{self, State};
use super::proxy::{End, LinkFault};
use crate::cluster::Status;
use crate::event::{Event, EventKind};
use crate::id::NodeId;
use crate::language::catalog::Verb;
use crate::language::{Command, Error, ErrorKind};
use crate::nemesis::FaultAction;
use crate::network::{Fault, Link, Party};
use crate::replica::Restart;
use crate::reply::Reply;
use crate::time::Instant;

/// What is wrong with the links between servers, by direction.
type Links = BTreeMap<(End, End), LinkFault>;

impl Engine {
    /// Carries out a command that brings a fault about or repairs it, or shows the faults.
    pub(super) fn execute_fault(
        &mut self,
        now: Instant,
        command: &Command<'_>,
    ) -> Result<Reply<'static>, Error> {
        match command {
            Command::Crash { node } => {
                self.launched(*node)?.crash(number(*node)).map_err(failed)?;
                self.has_changed(now, *node, EventKind::Crashed);
            }
            Command::Restart { node, how } => self.restart(now, *node, *how)?,
            Command::Pause { node } => {
                self.launched(*node)?.pause(number(*node)).map_err(failed)?;
                self.has_changed(now, *node, EventKind::Paused);
            }
            Command::Resume { node } => {
                self.launched(*node)?
                    .resume(number(*node))
                    .map_err(failed)?;
                self.has_changed(now, *node, EventKind::Resumed);
            }
            Command::Fault { fault } => self.inject(now, fault)?,
            Command::Skew { node, nanos } => self.skew(now, *node, *nanos)?,
            Command::Release { link } => self.release(*link)?,
            Command::Heal { all } => return self.heal(now, *all),
            _ => return Ok(Reply::Faults(self.all_faults())),
        }
        Ok(Reply::Done)
    }

    /// The servers, if they were launched here and this is one of them.
    fn launched(&mut self, node: NodeId) -> Result<&mut launch::Launched, Error> {
        self.check_node(Some(node))?;
        let missing = || Error::new(ErrorKind::Refused, "the servers were not launched here");
        self.launched.as_mut().ok_or_else(missing)
    }

    fn restart(&mut self, now: Instant, node: NodeId, how: Restart) -> Result<(), Error> {
        let how = match how {
            Restart::Resync => launch::Restart::Resync,
            Restart::Cold => launch::Restart::Cold,
            Restart::Hints | Restart::Stale => {
                let why = "a real server comes back by resync or cold; the simulated cluster has the other ways";
                return Err(unsupported(Verb::Restart, why));
            }
        };
        self.launched(node)?
            .restart(number(node), how)
            .map_err(failed)?;
        self.has_changed(now, node, EventKind::Restarted);
        Ok(())
    }

    fn skew(&mut self, now: Instant, node: NodeId, nanos: i64) -> Result<(), Error> {
        self.launched(node)?
            .skew(number(node), nanos)
            .map_err(failed)?;
        if nanos == 0 {
            self.skews.remove(&node);
        } else {
            self.skews.insert(node, nanos);
        }
        self.log
            .record(|| Event::of_node(now, node, EventKind::Skewed(nanos)));
        Ok(())
    }

    /// Notes the states of the servers, and what has happened to one of them.
    fn has_changed(&mut self, now: Instant, node: NodeId, kind: EventKind) {
        self.log.record(|| Event::of_node(now, node, kind));
        self.look_at_servers();
    }

    /// Notes the states of the servers that were launched.
    pub(super) fn look_at_servers(&mut self) {
        let Some(launched) = &mut self.launched else {
            return;
        };
        let states = launched.servers().into_iter().map(|server| {
            let state = match server.state {
                State::Up => Status::Up,
                State::Crashed => Status::Crashed,
                State::Paused => Status::Paused,
            };
            (node_of(server.number), state)
        });
        self.states = states.collect();
    }

    fn inject(&mut self, now: Instant, fault: &Fault) -> Result<(), Error> {
        for node in fault.nodes() {
            self.check_node(Some(node))?;
        }
        if names_clients(fault) {
            let why = "clients reach every server that was launched here: name servers only";
            return Err(Error::new(ErrorKind::Refused, why));
        }
        let mut faults = self.faults.clone();
        faults.retain(|old| !replaces(fault, old));
        if !lifts(fault) {
            faults.push(fault.clone());
        }
        self.set_faults(faults)?;
        if let Fault::Partition { .. } | Fault::Isolate(_) = fault {
            let text = fault.to_string().into();
            self.log
                .record(|| Event::of_cluster(now, EventKind::Partitioned(text)));
        }
        Ok(())
    }

    fn release(&mut self, link: Link) -> Result<(), Error> {
        let mut faults = self.faults.clone();
        faults.retain(|old| *old != Fault::Hold(link));
        self.set_faults(faults)
    }

    fn heal(&mut self, now: Instant, all: bool) -> Result<Reply<'static>, Error> {
        self.set_faults(Vec::new())?;
        self.log
            .record(|| Event::of_cluster(now, EventKind::Healed));
        for (node, state) in self.states.clone() {
            match state {
                Status::Crashed if all => self.restart(now, node, Restart::Resync)?,
                Status::Paused if all => {
                    self.launched(node)?.resume(number(node)).map_err(failed)?;
                    self.has_changed(now, node, EventKind::Resumed);
                }
                _ => {}
            }
        }
        let skewed = self.skews.keys().copied();
        let skewed = skewed.filter(|node| all && self.states.contains_key(node));
        let skewed: Vec<NodeId> = skewed.collect();
        for node in skewed {
            self.skew(now, node, 0)?;
        }
        Ok(Reply::Healed(self.faults_of_nodes()))
    }

    fn set_faults(&mut self, faults: Vec<Fault>) -> Result<(), Error> {
        let servers: Vec<NodeId> = self.states.keys().copied().collect();
        let (old, new) = (links(&self.faults, &servers), links(&faults, &servers));
        let ends: BTreeSet<(End, End)> = old.keys().chain(new.keys()).copied().collect();
        if ends.is_empty() {
            return Ok(());
        }
        let proxies = self.launched.as_mut().and_then(launch::Launched::proxies);
        let why = "a single server has no links to others";
        let proxies = proxies.ok_or_else(|| Error::new(ErrorKind::Refused, why))?;
        for (from, to) in ends {
            let fault = new.get(&(from, to)).copied().unwrap_or_default();
            if old.get(&(from, to)).copied().unwrap_or_default() != fault {
                proxies.set(from, to, fault);
            }
        }
        self.faults = faults;
        Ok(())
    }

    fn faults_of_nodes(&self) -> Vec<String> {
        let faults = self.states.iter().filter_map(|(node, state)| match state {
            Status::Crashed => Some(format!("CRASH {node}")),
            Status::Paused => Some(format!("PAUSE {node}")),
            _ => None,
        });
        let skews = self
            .skews
            .iter()
            .filter(|it| self.states.contains_key(it.0));
        let skews = skews.map(|(node, nanos)| FaultAction::Skew(*node, *nanos).to_string());
        faults.chain(skews).collect()
    }

    /// The faults as commands that bring them about.
    fn all_faults(&self) -> Vec<String> {
        let links = self.faults.iter().map(ToString::to_string);
        links.chain(self.faults_of_nodes()).collect()
    }
}

pub(super) fn number(node: NodeId) -> usize {
    node.0 as usize
}

/// The number of a server as that of a node.
pub(super) fn node_of(number: usize) -> NodeId {
    NodeId(u32::try_from(number).unwrap_or(u32::MAX))
}

fn failed(why: String) -> Error {
    Error::new(ErrorKind::Refused, why)
}

fn names_clients(fault: &Fault) -> bool {
    let is_clients = |party: &Party| party.node().is_none();
    match fault {
        Fault::Partition { left, right, .. } => left.iter().chain(right).any(is_clients),
        Fault::Isolate(_) | Fault::Slow { .. } => false,
        Fault::Delay { link, .. }
        | Fault::Drop { link, .. }
        | Fault::Duplicate { link, .. }
        | Fault::Reorder { link, .. }
        | Fault::Hold(link) => is_clients(&link.low) || is_clients(&link.high),
    }
}

/// Whether a fault takes the place of an older one.
fn replaces(new: &Fault, old: &Fault) -> bool {
    match (new, old) {
        (Fault::Delay { link, .. }, Fault::Delay { link: old, .. })
        | (Fault::Drop { link, .. }, Fault::Drop { link: old, .. })
        | (Fault::Duplicate { link, .. }, Fault::Duplicate { link: old, .. })
        | (Fault::Reorder { link, .. }, Fault::Reorder { link: old, .. }) => link == old,
        (Fault::Slow { node, .. }, Fault::Slow { node: old, .. }) => node == old,
        (new, old) => new == old,
    }
}

/// Whether a fault only lifts an older one.
fn lifts(fault: &Fault) -> bool {
    match fault {
        Fault::Delay { time, jitter, .. } => time.is_zero() && jitter.is_zero(),
        Fault::Drop { percent, .. }
        | Fault::Duplicate { percent, .. }
        | Fault::Reorder { percent, .. } => *percent == crate::network::Percent::NONE,
        Fault::Slow { time, .. } => time.is_zero(),
        Fault::Partition { .. } | Fault::Isolate(_) | Fault::Hold(_) => false,
    }
}

/// What the faults do to each link of these servers.
fn links(faults: &[Fault], servers: &[NodeId]) -> Links {
    let mut links = Links::new();
    for fault in faults {
        match fault {
            Fault::Partition {
                left,
                right,
                oneway,
            } => {
                for (one, other) in pairs(left, right) {
                    links.entry((one, other)).or_default().is_cut = true;
                    if !oneway {
                        links.entry((other, one)).or_default().is_cut = true;
                    }
                }
            }
            Fault::Isolate(node) => {
                each_link(&mut links, *node, servers, true, |it| it.is_cut = true);
            }
            Fault::Slow { node, time } => {
                each_link(&mut links, *node, servers, false, |it| it.delay += *time);
            }
            Fault::Delay { link, time, jitter } => both(&mut links, *link, |it| {
                it.delay += *time;
                it.jitter = (*jitter).max(Duration::ZERO);
            }),
            Fault::Drop { link, percent } => both(&mut links, *link, |it| it.drop = *percent),
            Fault::Duplicate { link, percent } => {
                both(&mut links, *link, |it| it.duplicate = *percent);
            }
            Fault::Reorder { link, percent } => both(&mut links, *link, |it| it.reorder = *percent),
            Fault::Hold(link) => both(&mut links, *link, |it| it.is_held = true),
        }
    }
    links
}

fn end(party: Party) -> End {
    party
        .node()
        .map_or(End::Clients, |node| End::Server(number(node)))
}

fn pairs<'p>(left: &'p [Party], right: &'p [Party]) -> impl Iterator<Item = (End, End)> + 'p {
    left.iter()
        .flat_map(move |&one| right.iter().map(move |&other| (end(one), end(other))))
}

fn both(links: &mut Links, link: Link, mut change: impl FnMut(&mut LinkFault)) {
    let (low, high) = (end(link.low), end(link.high));
    change(links.entry((low, high)).or_default());
    change(links.entry((high, low)).or_default());
}

/// Changes all links to a node, and with `both_ways` those from it.
fn each_link(
    links: &mut Links,
    node: NodeId,
    servers: &[NodeId],
    both_ways: bool,
    mut change: impl FnMut(&mut LinkFault),
) {
    let own = End::Server(number(node));
    for other in servers.iter().filter(|&&other| other != node) {
        let other = End::Server(number(*other));
        change(links.entry((other, own)).or_default());
        if both_ways {
            change(links.entry((own, other)).or_default());
        }
    }
}
