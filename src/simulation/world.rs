//! A cluster with its clients' requests under way: what a run acts on, whether it is wandered or
//! replayed.

use std::collections::BTreeMap;

use super::coverage::Coverage;
use super::options::Options;
use super::plan::{Ask, Deed, Step, key};
use super::setup::Setup;
use crate::cluster::{Cluster, Completion, Request, Status, Ticket};
use crate::id::NodeId;
use crate::nemesis::{FaultAction, Kind};
use crate::operation::Outcome;
use crate::replica::{Restart, Version};
use crate::time::Instant;

/// What is known of the writes to a key that has one writer.
#[derive(Clone, Copy)]
struct Line {
    /// How many writes were begun.
    writes: u64,
    /// Whether the fate of all of them is known.
    is_clear: bool,
    /// Whether nobody knows what became of one with a condition.
    is_doubtful: bool,
}

/// A request that has no answer yet.
struct Asked {
    ticket: Ticket,
    client: u32,
    key: usize,
    /// The number of the write among those to its key, and whether the key was clear before it.
    write: Option<(u64, bool)>,
    /// Whether it depends on what is there.
    has_condition: bool,
    /// The version that it writes, if it comes to that.
    version: Version,
}

/// A write that was acknowledged, and is at fewer nodes than that needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thin {
    /// The key.
    pub key: Vec<u8>,
    /// The write.
    pub version: Version,
    /// When it was acknowledged.
    pub at: Instant,
    /// How many owners had it then.
    pub holders: usize,
    /// How many should have had it.
    pub needed: usize,
}

/// A write that was acknowledged while a node was down, and that the node lacks although it has been
/// sent all that was kept for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostHint {
    /// The key.
    pub key: Vec<u8>,
    /// The write.
    pub version: Version,
    /// The node.
    pub node: NodeId,
    /// When it came back.
    pub at: Instant,
}

/// A client has its answer.
pub struct Told {
    /// Who.
    pub client: u32,
    /// Whether it was carried out.
    pub is_content: bool,
}

/// See the module's docs.
pub struct World {
    pub cluster: Cluster,
    pub now: Instant,
    budget: usize,
    asked: Vec<Asked>,
    lines: Vec<Line>,
    pub coverage: Coverage,
    /// Whether a clock was ever wrong.
    pub is_skewed: bool,
    /// The first write that was acknowledged by too few.
    pub thin: Option<Thin>,
    /// Whether nodes crash and nothing else goes wrong, so that all hints arrive.
    only_crashes: bool,
    /// Whether nodes evict what was acknowledged.
    evicts: bool,
    /// The latest write to each key that was acknowledged.
    acked: Vec<Version>,
    /// The latest write when a node crashed.
    crashed: BTreeMap<NodeId, Version>,
    /// The first write that a node should have been sent when it came back.
    pub lost_hint: Option<LostHint>,
}

impl World {
    /// A new cluster.
    pub fn new(setup: &Setup) -> Self {
        let cluster = Cluster::new(setup.config).expect("options are checked first");
        let line = Line {
            writes: 0,
            is_clear: true,
            is_doubtful: false,
        };
        Self {
            cluster,
            now: Instant::START,
            budget: setup.budget(),
            asked: Vec::new(),
            lines: vec![line; setup.shared + setup.clients],
            coverage: Coverage::default(),
            is_skewed: false,
            thin: None,
            only_crashes: setup.only_crashes,
            evicts: setup.evicts(),
            acked: vec![0; setup.shared + setup.clients],
            crashed: BTreeMap::new(),
            lost_hint: None,
        }
    }

    /// Lets time pass.
    pub fn advance(&mut self, to: Instant) {
        self.now = self.now.max(to);
        self.cluster.tick(self.now);
    }

    /// Whether a client waits for an answer.
    pub fn is_awaited(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Whether the fate of all writes to a key is known.
    pub fn is_clear(&self, key: usize) -> bool {
        self.lines[key].is_clear
    }

    /// The keys on which nobody knows what became of a write with a condition.
    pub fn doubtful(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let lines = self.lines.iter().enumerate();
        let doubtful = lines.filter(|(_, line)| line.is_doubtful);
        doubtful.map(|(number, _)| key(number))
    }

    /// Does what a step says, at the present, if it can be done.
    pub fn act(&mut self, deed: &Deed) -> bool {
        match deed {
            Deed::Ask(ask) => self.ask(ask),
            Deed::Fault(action) => self.apply_fault(action),
        }
    }

    fn apply_fault(&mut self, action: &FaultAction) -> bool {
        let done = action.apply(&mut self.cluster, self.now, self.budget);
        if let (true, Some(kind)) = (done, action.kind()) {
            self.coverage.faults[kind as usize] += 1;
            self.is_skewed |= kind == Kind::Skew;
        }
        match action {
            FaultAction::Crash(node) if done => {
                self.crashed.insert(*node, self.cluster.version());
            }
            FaultAction::Restart(node, Restart::Hints) if done && self.only_crashes => {
                self.look_for_hints(*node);
            }
            _ => {}
        }
        done
    }

    /// Sees whether a node that has come back has what was kept for it.
    fn look_for_hints(&mut self, node: NodeId) {
        let since = self.crashed.get(&node).copied().unwrap_or(0);
        let writes = self.acked.iter().enumerate();
        let mut lost = writes.filter(|&(number, &version)| {
            version > since && !self.cluster.knows_its_own(node, &key(number), version)
        });
        let lost = lost.next().map(|(number, &version)| LostHint {
            key: key(number),
            version,
            node,
            at: self.now,
        });
        self.lost_hint = self.lost_hint.take().or(lost);
    }

    fn ask(&mut self, ask: &Ask) -> bool {
        let line = &mut self.lines[ask.key];
        if ask.operation.is_conditional() && !line.is_clear {
            return false;
        }
        let is_write = !ask.operation.is_read();
        let write = is_write.then_some((line.writes + 1, line.is_clear));
        if is_write {
            line.writes += 1;
            line.is_clear = false;
        }
        let version = self.cluster.version() + 1;
        let key = key(ask.key);
        let request = Request::new(&key, ask.operation.borrowed());
        let request = request.of(ask.client).via(ask.via);
        let Ok(ticket) = self.cluster.submit(self.now, request) else {
            return false;
        };
        self.asked.push(Asked {
            ticket,
            client: ask.client,
            key: ask.key,
            write,
            has_condition: ask.operation.is_conditional(),
            version,
        });
        true
    }

    /// The clients whose requests have an outcome now.
    pub fn told(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        while let Some(Completion {
            ticket, outcome, ..
        }) = self.cluster.poll()
        {
            let Some(place) = self.asked.iter().position(|it| it.ticket == ticket) else {
                continue;
            };
            let asked = self.asked.remove(place);
            self.note(&asked, &outcome);
            self.weigh(&asked, &outcome);
            told.push(Told {
                client: asked.client,
                is_content: outcome.is_certain(),
            });
        }
        told
    }

    fn note(&mut self, asked: &Asked, answer: &Outcome) {
        let line = &mut self.lines[asked.key];
        line.is_doubtful |= asked.has_condition && matches!(answer, Outcome::Unknown(_));
        if let Some((write, was_clear)) = asked.write
            && write == line.writes
        {
            line.is_clear = match answer {
                Outcome::Unknown(_) => false,
                Outcome::Refused(_) => was_clear,
                _ => true,
            };
        }
    }

    /// Sees whether an acknowledged write is where it should be. A node that has lost its memory
    /// since, within the budget, may have had it.
    fn weigh(&mut self, asked: &Asked, answer: &Outcome) {
        let is_written = match answer {
            Outcome::Done | Outcome::Number(_) => true,
            Outcome::Applied(applied) => *applied && asked.write.is_some(),
            Outcome::Value(_) | Outcome::Refused(_) | Outcome::Unknown(_) => false,
        };
        if !is_written {
            return;
        }
        self.acked[asked.key] = self.acked[asked.key].max(asked.version);
        if self.thin.is_some() || self.evicts {
            return;
        }
        let key = key(asked.key);
        let (holders, needed) = (
            self.cluster.holders(&key, asked.version),
            self.cluster.config().write_quorum,
        );
        if holders < needed {
            self.thin = Some(Thin {
                key,
                version: asked.version,
                at: self.now,
                holders,
                needed,
            });
        }
    }

    /// Mends and lifts everything, with `restart` for nodes that have crashed.
    pub fn mend(&mut self, options: &Options) {
        let nodes: Vec<NodeId> = self.cluster.node_ids().collect();
        for node in nodes {
            let _ = self.cluster.skew(self.now, node, 0);
            match self.cluster.status(node) {
                Some(Status::Crashed) => {
                    let _ = self.cluster.restart(self.now, node, options.restart());
                }
                Some(Status::Paused) => {
                    let _ = self.cluster.resume(self.now, node);
                }
                _ => {}
            }
        }
        self.cluster.heal(self.now);
        if self.cluster.is_moving() {
            self.cluster.move_all(self.now);
        }
    }

    /// Lets time pass until nothing is on its way any more; `false` if that takes longer than it
    /// may.
    pub fn rest(&mut self, until: Instant) -> bool {
        while !self.cluster.is_at_rest() {
            let next = self.cluster.next_deadline();
            let Some(next) = next.filter(|it| *it <= until) else {
                return false;
            };
            self.advance(next);
        }
        self.told();
        true
    }

    /// Does what a plan says, step by step.
    pub fn replay(&mut self, plan: &[Step]) {
        for step in plan {
            self.advance(step.at);
            self.told();
            self.act(&step.deed);
            self.told();
        }
    }
}
