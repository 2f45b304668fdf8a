//! Requests to the servers that have their keys, each with an outcome that is certain or said not to
//! be.
//!
//! A request is never sent again after the system has taken a byte of it, unless the server says that
//! it was not done.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Client, Failed, Hop};
use super::limit::Limit;
use crate::id::NodeId;
use crate::placement::slot_of;
use crate::resp::Answer;

/// How long to wait before what a server refuses for now is tried again.
const PAUSE: Duration = Duration::from_millis(20);
/// The most requests that are sent before their answers are read.
const AT_ONCE: usize = 1000;

/// A request for a key.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The slot of the key.
    pub slot: u16,
    /// The command with its arguments.
    pub words: Vec<Vec<u8>>,
    /// Whether it changes the key.
    pub is_write: bool,
}

impl Ask {
    /// A request for this key.
    #[must_use]
    pub fn new(key: &[u8], words: Vec<Vec<u8>>, is_write: bool) -> Self {
        Self {
            slot: slot_of(key),
            words,
            is_write,
        }
    }
}

/// An answer, or why there is none.
pub type Asked = Result<(NodeId, Answer), Failed>;

/// The requests of one call.
struct Run<'r> {
    asks: &'r [Ask],
    limit: Limit,
    results: Vec<Option<Asked>>,
    /// The requests that go to a server that has the key already, though not the slot.
    detours: BTreeMap<usize, SocketAddr>,
    /// Why requests were not done so far.
    refusals: BTreeMap<usize, Failed>,
    /// Whether to wait before the next round.
    is_held_up: bool,
}

/// The requests to one server: their numbers, and whether each is a detour.
type Group = Vec<(usize, bool)>;

impl Run<'_> {
    fn pending(&self) -> Vec<usize> {
        let results = self.results.iter().enumerate();
        let pending = results.filter(|(_, result)| result.is_none());
        pending.map(|(index, _)| index).take(AT_ONCE).collect()
    }

    fn refuse(&mut self, index: usize, failed: Failed) {
        self.is_held_up = true;
        self.refusals.insert(index, failed);
    }

    /// Gives all of these the same result.
    fn fail(&mut self, group: &[(usize, bool)], failed: &Failed) {
        for (index, _) in group {
            self.results[*index] = Some(Err(failed.clone()));
        }
    }

    fn has_writes(&self, group: &[(usize, bool)]) -> bool {
        group.iter().any(|(index, _)| self.asks[*index].is_write)
    }

    /// The time is over: what has no result was not done.
    fn end(mut self) -> Vec<Asked> {
        for (index, result) in self.results.iter_mut().enumerate() {
            let late = || Failed::refused(None, "it was not asked in time");
            let refusal = || Err(self.refusals.remove(&index).unwrap_or_else(late));
            result.get_or_insert_with(refusal);
        }
        self.results.into_iter().flatten().collect()
    }
}

impl Client {
    /// Sends each request to the server that has its slot, all that go to the same server in one
    /// pipeline. The results are in the order of the requests.
    pub fn run(&mut self, asks: &[Ask]) -> Vec<Asked> {
        self.run_within(asks, self.limit())
    }

    /// The same within another limit.
    pub fn run_within(&mut self, asks: &[Ask], limit: Limit) -> Vec<Asked> {
        let mut run = Run {
            asks,
            limit,
            results: vec![None; asks.len()],
            detours: BTreeMap::new(),
            refusals: BTreeMap::new(),
            is_held_up: false,
        };
        loop {
            let pending = run.pending();
            if pending.is_empty() || run.limit.left().is_none() {
                return run.end();
            }
            run.is_held_up = false;
            self.round(&mut run, &pending);
            if run.is_held_up {
                thread::sleep(PAUSE);
            }
            if self.is_stale {
                // The next round finds out whether the old topology will do.
                let _ = self.refresh(&run.limit);
            }
        }
    }

    fn round(&mut self, run: &mut Run<'_>, pending: &[usize]) {
        let mut sent = Vec::new();
        for (node, group) in self.groups(run, pending) {
            match self.send_group(node, run, &group) {
                Ok(()) => sent.push((node, group)),
                Err(failed) if failed.is_unknown => run.fail(&group, &failed),
                Err(failed) => {
                    let each = group.iter().map(|it| it.0);
                    each.for_each(|index| run.refuse(index, failed.clone()));
                }
            }
        }
        for (node, group) in sent {
            self.receive_group(node, run, &group);
        }
    }

    fn groups(&mut self, run: &mut Run<'_>, pending: &[usize]) -> BTreeMap<NodeId, Group> {
        let mut groups: BTreeMap<NodeId, Group> = BTreeMap::new();
        for &index in pending {
            let slot = run.asks[index].slot;
            let detour = run.detours.remove(&index);
            let detour = detour.and_then(|address| self.topology.at(address));
            if let Some(node) = detour.or_else(|| self.topology.primary(slot)) {
                let group = groups.entry(node).or_default();
                group.push((index, detour.is_some()));
            } else {
                self.is_stale = true;
                run.refuse(
                    index,
                    Failed::refused(None, format!("no server has slot {slot}")),
                );
            }
        }
        groups
    }

    fn send_group(
        &mut self,
        node: NodeId,
        run: &Run<'_>,
        group: &[(usize, bool)],
    ) -> Result<(), Failed> {
        let others = self.write_quorum - 1;
        let timeout = self.settings().timeout.as_millis().max(1).to_string();
        let connection = self.connection(node, &run.limit)?;
        for &(index, is_detour) in group {
            if is_detour {
                connection.add(&["ASKING"]);
            }
            connection.add(&run.asks[index].words);
        }
        if others > 0 && run.has_writes(group) {
            connection.add(&["WAIT", &others.to_string(), &timeout]);
        }
        let sent = connection.send(&run.limit);
        sent.map_err(|lost| self.lose(node, lost))
    }

    fn receive_group(&mut self, node: NodeId, run: &mut Run<'_>, group: &[(usize, bool)]) {
        for (place, &(index, is_detour)) in group.iter().enumerate() {
            let begun = Instant::now();
            let asking = if is_detour {
                self.receive_from(node, &run.limit).map(drop)
            } else {
                Ok(())
            };
            let received = asking.and_then(|()| self.receive_from(node, &run.limit));
            self.note(node, &run.asks[index], begun, &received);
            match received {
                Ok(Answer::Error(error)) if self.is_for_now(&error, node, index, run) => {
                    run.refusals
                        .insert(index, Failed::refused(Some(node), error));
                }
                Ok(answer) => run.results[index] = Some(Ok((node, answer))),
                Err(failed) => return run.fail(&group[place..], &failed),
            }
        }
        self.suspects.remove(&node);
        if self.write_quorum > 1 && run.has_writes(group) {
            self.receive_wait(node, run, group);
        }
    }

    /// Reads how many replicas have the writes of a group. If they are too few, it is not known
    /// whether the writes last.
    fn receive_wait(&mut self, node: NodeId, run: &mut Run<'_>, group: &[(usize, bool)]) {
        let others = self.write_quorum - 1;
        // WAIT may take the whole time; its answer still has to travel.
        let limit = Limit {
            until: run.limit.until + PAUSE,
            ..run.limit.clone()
        };
        let failed = match self.receive_from(node, &limit) {
            Ok(answer) => {
                let count = answer.integer().and_then(|it| usize::try_from(it).ok());
                if count.is_some_and(|count| count >= others) {
                    return;
                }
                let count = count.unwrap_or(0);
                let why = format!("{count} of {others} replicas have it in time");
                Failed {
                    is_silent: true,
                    ..Failed::refused(Some(node), why)
                }
            }
            Err(failed) => failed,
        };
        let failed = Failed {
            is_unknown: true,
            ..failed
        };
        for &(index, _) in group {
            let is_done = matches!(&run.results[index], Some(Ok((_, answer))) if !matches!(answer, Answer::Error(_)));
            if is_done && run.asks[index].is_write {
                run.results[index] = Some(Err(failed.clone()));
            }
        }
    }

    /// Whether a server refuses a request only for now: then it was not done, and is sent again.
    fn is_for_now(&mut self, error: &str, node: NodeId, index: usize, run: &mut Run<'_>) -> bool {
        let mut words = error.split(' ');
        let (kind, slot, address) = (words.next(), words.next(), words.next());
        let address = || self.reached(address?, node);
        match kind {
            Some("MOVED") => {
                let (slot, address) = (slot.and_then(|it| it.parse().ok()), address());
                let moved = slot.zip(address);
                let is_known = moved.is_some_and(|(slot, to)| self.topology.move_slot(slot, to));
                self.is_stale |= !is_known;
            }
            Some("ASK") => {
                let address = address();
                self.is_stale |= address.is_none_or(|it| self.topology.at(it).is_none());
                run.detours.extend(address.map(|address| (index, address)));
            }
            Some("CLUSTERDOWN" | "MASTERDOWN") => {
                self.suspects.insert(node);
                self.is_stale = true;
                run.is_held_up = true;
            }
            Some("TRYAGAIN" | "LOADING") => run.is_held_up = true,
            _ => return false,
        }
        true
    }

    /// The address that a server names. `:port` is a port of the server itself.
    fn reached(&self, text: &str, node: NodeId) -> Option<SocketAddr> {
        let of_server = |port: &str| {
            let ip = self.topology.get(node)?.address.ip();
            Some(SocketAddr::new(ip, port.parse().ok()?))
        };
        let named = match text.strip_prefix(':') {
            Some(port) => of_server(port)?,
            None => text.parse().ok()?,
        };
        Some(self.settings().real.get(&named).copied().unwrap_or(named))
    }

    fn note(&mut self, node: NodeId, ask: &Ask, begun: Instant, received: &Result<Answer, Failed>) {
        if let Some(trace) = &mut self.trace {
            trace.push(Hop {
                node,
                words: ask.words.clone(),
                times: (begun, received.is_ok().then(Instant::now)),
                answer: received.clone().map_err(|failed| failed.why),
            });
        }
    }
}
