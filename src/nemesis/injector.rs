//! The fault injector: makes faults at random times, and ends them after a random time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Bounds, FaultAction, Kind, Nemesis, pick};
use crate::id::NodeId;
use crate::network::{Fault, Link, Percent};
use crate::replica::Restart;
use crate::rng::Rng;
use crate::time::Instant;

/// How many grains pass between two faults: often, sometimes, rarely.
const GAPS: [&[u64]; 3] = [&[1, 2, 5, 5, 10], &[5, 10, 20, 20, 50], &[20, 50, 100, 100]];
/// How many grains a fault lasts.
const LASTS: [u64; 10] = [0, 1, 2, 5, 10, 20, 20, 50, 100, 200];
/// By how many grains messages are late.
const DELAYS: [u64; 7] = [1, 1, 2, 2, 5, 10, 20];
/// The jitter of late messages, in grains.
const JITTERS: [u64; 4] = [0, 0, 10, 20];
/// The probability of a random fault, in percent.
const PERCENTS: [u32; 6] = [1, 5, 20, 50, 50, 100];
/// One in this many faults of a link is a burst: the same fault hits all links of one node.
const BURST: u64 = 3;
/// The weight of a node that joins.
const WEIGHTS: [u32; 5] = [1, 1, 1, 1, 4];
/// By how many grains a clock is wrong.
const SKEWS: [i64; 6] = [-100, -5, -1, 1, 5, 100];

/// Makes random faults, in the order of time, and ends each after a while.
///
/// The driver asks [`next_at`](Self::next_at), lets time pass until then, and calls
/// [`act`](Self::act) again and again as long as the next instant is not later. It calls
/// [`note`](Self::note) for each action that it carried out.
#[derive(Clone, Debug)]
pub struct FaultInjector {
    rng: Rng,
    kinds: Vec<Kind>,
    gaps: &'static [u64],
    restart: Restart,
    /// The unit of all times.
    grain: Duration,
    /// The latest instant at which it acted.
    latest: Instant,
    /// When it next makes a fault; `None`: never.
    next: Option<Instant>,
    /// The faults of a burst that are left, at the instant of its first; the next one is last.
    burst: Vec<FaultAction>,
    /// Whether a node has joined or left.
    has_moved: bool,
    /// The actions that end faults, by time, then in the order in which they were noted.
    ends: BTreeMap<(Instant, u64), FaultAction>,
    /// How many ends were noted.
    noted: u64,
}

impl FaultInjector {
    /// An injector that makes its first fault after `now`. The generator decides all that is random.
    #[must_use]
    pub fn new(now: Instant, bounds: &Bounds, mut rng: Rng) -> Self {
        let kinds = bounds.kinds(&mut rng);
        let gaps = match bounds.nemesis {
            Nemesis::Light => GAPS[1],
            Nemesis::Heavy => GAPS[0],
            Nemesis::Swarm | Nemesis::Off => pick(&mut rng, &GAPS),
        };
        let mut injector = Self {
            rng,
            gaps,
            restart: bounds.restart,
            grain: bounds.grain,
            latest: now,
            next: None,
            burst: Vec::new(),
            has_moved: false,
            ends: BTreeMap::new(),
            noted: 0,
            kinds,
        };
        injector.schedule(now);
        injector
    }

    /// Draws when the next fault comes: later than now, or never.
    fn schedule(&mut self, now: Instant) {
        let next = now.saturating_add(self.grains(self.gaps));
        self.next = Some(next).filter(|next| *next > now && !self.kinds.is_empty());
    }

    /// When it next acts, at the earliest; `None`: never again. It is never before the latest
    /// action.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        if !self.burst.is_empty() {
            return Some(self.latest);
        }
        let end = self.ends.keys().next().map(|(at, _)| *at);
        let next = end.into_iter().chain(self.next).min();
        next.map(|next| next.max(self.latest))
    }

    /// The next action that is due at `now`: the end of a fault, or a new one. It names only
    /// `members`: the nodes that the cluster has at this moment, by ascending number. `None` if
    /// nothing is due any more.
    pub fn act(&mut self, now: Instant, members: &[NodeId]) -> Option<FaultAction> {
        self.latest = self.latest.max(now);
        let now = self.latest;
        let is_known = |action: &FaultAction| {
            let nodes = action.nodes();
            nodes.iter().all(|node| members.binary_search(node).is_ok())
        };
        loop {
            let planned = self.burst.pop().or_else(|| self.take_end(now));
            match planned {
                None => return self.make_fault(now, members),
                // A fault of a node that has left ended with it.
                Some(action) if is_known(&action) => return Some(action),
                Some(_) => {}
            }
        }
    }

    /// The action that ends a fault, if one is due.
    fn take_end(&mut self, now: Instant) -> Option<FaultAction> {
        let first = self.ends.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let end = first.remove();
        if end == FaultAction::Heal {
            // It ends all other faults of the network, too.
            self.ends.retain(|_, end| !end.is_of_network());
        }
        Some(end)
    }

    /// A new fault, if it is time. Where the members allow none of the kind that was drawn, the turn
    /// is missed.
    fn make_fault(&mut self, now: Instant, members: &[NodeId]) -> Option<FaultAction> {
        self.next.filter(|next| *next <= now)?;
        self.schedule(now);
        let kind = pick(&mut self.rng, &self.kinds);
        let action = self.draw(kind, members)?;
        if let FaultAction::Network(fault) = &action
            && self.rng.below(BURST) == 0
        {
            let others = members.iter().filter_map(|&node| moved_to(fault, node));
            self.burst = others.map(FaultAction::Network).collect();
        }
        Some(action)
    }

    /// Notes that an action was carried out: a fault ends after a while.
    pub fn note(&mut self, now: Instant, action: &FaultAction) {
        let lasts = self.grains(&LASTS);
        self.has_moved |= matches!(action, FaultAction::Join(_) | FaultAction::Leave(_));
        if let Some(end) = action.end(self.restart) {
            self.ends
                .insert((now.saturating_add(lasts), self.noted), end);
            self.noted += 1;
        }
    }

    /// Puts the end of a fault off, which is not possible yet at `now`.
    pub fn put_off(&mut self, now: Instant, end: FaultAction) {
        let later = now.saturating_add(self.grain);
        self.ends.insert((later, self.noted), end);
        self.noted += 1;
    }

    /// A random fault of a kind; `None` if there are too few members.
    fn draw(&mut self, kind: Kind, members: &[NodeId]) -> Option<FaultAction> {
        if members.is_empty() {
            return None;
        }
        let index = self.index(members.len());
        let node = members[index];
        let (time, percent) = (self.grains(&DELAYS), self.percent());
        let link = self.link(index, members);
        Some(FaultAction::Network(match kind {
            Kind::Crash => return Some(FaultAction::Crash(node)),
            Kind::Pause => return Some(FaultAction::Pause(node)),
            Kind::Skew => return Some(FaultAction::Skew(node, self.skew())),
            Kind::Join | Kind::Leave => return Some(self.change(kind, node)),
            Kind::Partition => self.partition(members, false)?,
            Kind::Oneway => self.partition(members, true)?,
            Kind::Isolate => link.map(|_| Fault::Isolate(node))?,
            Kind::Delay => self.delay(link?, time),
            Kind::Drop => link.map(|link| Fault::Drop { link, percent })?,
            Kind::Duplicate => link.map(|link| Fault::Duplicate { link, percent })?,
            Kind::Reorder => link.map(|link| Fault::Reorder { link, percent })?,
            Kind::Hold => Fault::Hold(link?),
            Kind::Slow => Fault::Slow { node, time },
        }))
    }

    /// A join or a leave, or another attempt at moving what a former one left behind.
    fn change(&mut self, kind: Kind, node: NodeId) -> FaultAction {
        if self.has_moved && self.rng.below(3) == 0 {
            FaultAction::Rebalance
        } else if kind == Kind::Join {
            FaultAction::Join(pick(&mut self.rng, &WEIGHTS))
        } else {
            FaultAction::Leave(node)
        }
    }

    /// As many grains as one of these numbers says.
    fn grains(&mut self, of: &[u64]) -> Duration {
        let count = pick(&mut self.rng, of);
        self.grain * u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn skew(&mut self) -> i64 {
        let nanos = i64::try_from(self.grain.as_nanos()).unwrap_or(i64::MAX);
        nanos.saturating_mul(pick(&mut self.rng, &SKEWS))
    }

    fn delay(&mut self, link: Link, time: Duration) -> Fault {
        let jitter = self.grains(&JITTERS);
        Fault::Delay { link, time, jitter }
    }

    fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.rng.below(count as u64)).unwrap_or(0)
    }

    /// A link from the member with this index to another; `None` if it is alone.
    fn link(&mut self, index: usize, members: &[NodeId]) -> Option<Link> {
        let step = 1 + self.index(members.len() - 1);
        let other = (index + step) % members.len();
        Link::new(members[index], members[other])
    }

    fn percent(&mut self) -> Percent {
        let percent = pick(&mut self.rng, &PERCENTS);
        Percent::from_millionths(percent * 10_000).unwrap_or(Percent::ALL)
    }

    /// Each node on one side or the other at random, or now and then on none; where a side is empty,
    /// one node is isolated. `None` if there is only one node.
    fn partition(&mut self, members: &[NodeId], oneway: bool) -> Option<Fault> {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let has_bridge = self.rng.below(4) == 0;
        for &node in members {
            match self.rng.below(5) {
                0 if has_bridge => {}
                side if side % 2 == 0 => left.push(node.into()),
                _ => right.push(node.into()),
            }
        }
        let lone = members[self.index(members.len())];
        if left.is_empty() || right.is_empty() {
            return (members.len() > 1).then_some(Fault::Isolate(lone));
        }
        Some(Fault::Partition {
            left,
            right,
            oneway,
        })
    }
}

/// The fault of a link at the link between the same lower node and another one.
fn moved_to(fault: &Fault, node: NodeId) -> Option<Fault> {
    let mut fault = fault.clone();
    let link = match &mut fault {
        Fault::Delay { link, .. }
        | Fault::Drop { link, .. }
        | Fault::Duplicate { link, .. }
        | Fault::Reorder { link, .. }
        | Fault::Hold(link) => link,
        Fault::Partition { .. } | Fault::Isolate(_) | Fault::Slow { .. } => return None,
    };
    let other = Link::new(link.low, node).filter(|other| other != link)?;
    *link = other;
    Some(fault)
}
