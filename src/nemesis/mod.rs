//! Who breaks things, at random times.
//!
//! All times are multiples of [`GRAIN`], as are the clients', so that faults, deadlines, timeouts
//! and requests now and then fall on one instant.

mod trouble;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::id::NodeId;
use crate::network::{Fault, Link, Percent};
use crate::replica::Restart;
use crate::rng::Rng;
use crate::time::Instant;

pub use trouble::{Kind, Trouble};

/// What all times are multiples of.
pub const GRAIN: Duration = Duration::from_millis(10);

/// How many grains pass between two faults.
const GAPS: [&[u64]; 3] = [&[1, 2, 5, 5, 10], &[5, 10, 20, 20, 50], &[20, 50, 100, 100]];
/// How many grains a fault lasts.
const LASTS: [u64; 10] = [0, 1, 2, 5, 10, 20, 20, 50, 100, 200];
/// By how many grains messages are late.
const DELAYS: [u64; 7] = [1, 1, 2, 2, 5, 10, 20];
/// How often chance strikes, in percent.
const PERCENTS: [u32; 6] = [1, 5, 20, 50, 50, 100];
/// Of so many faults of a link, one strikes all links of a node.
const STORM: u64 = 3;
/// By how many grains a clock is wrong.
const SKEWS: [i64; 6] = [-100, -5, -1, 1, 5, 100];
/// [`GRAIN`] in nanoseconds.
const GRAIN_NANOS: i64 = 10_000_000;

/// How much goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nemesis {
    /// Messages are late, lost, doubled or overtaken, now and then.
    Light,
    /// Everything but wrong clocks, often.
    Heavy,
    /// Each run has its own few kinds of faults and its own rate. Source: Groce, Zhang, Eide, Chen,
    /// Regehr, "Swarm Testing", ISSTA 2012.
    #[default]
    Swarm,
    /// Nothing.
    Off,
}

impl Nemesis {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Light, Self::Heavy, Self::Swarm, Self::Off];
}

impl fmt::Display for Nemesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Light => "light",
            Self::Heavy => "heavy",
            Self::Swarm => "swarm",
            Self::Off => "off",
        })
    }
}

/// The error of parsing a [`Nemesis`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a nemesis is light, heavy, swarm or off")]
pub struct UnknownNemesis;

impl FromStr for Nemesis {
    type Err = UnknownNemesis;

    fn from_str(name: &str) -> Result<Self, UnknownNemesis> {
        let named = |it: &Self| name.eq_ignore_ascii_case(&it.to_string());
        Self::ALL.into_iter().find(named).ok_or(UnknownNemesis)
    }
}

/// What a villain may do, and to what.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How much goes wrong.
    pub nemesis: Nemesis,
    /// The nodes are numbered from 0 to one less than this; those that join go on from there.
    pub nodes: u32,
    /// How nodes come back after a crash.
    pub restart: Restart,
    /// How many nodes may be without their memory at a time.
    pub budget: usize,
    /// Whether nodes crash and nothing else goes wrong.
    pub only_crashes: bool,
    /// Whether nodes join, too.
    pub joins: bool,
    /// Whether nodes leave.
    pub leaves: bool,
}

/// One of these.
pub fn pick<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    let place = rng.below(of.len() as u64);
    of[usize::try_from(place).unwrap_or(0)]
}

/// So many grains.
#[must_use]
pub fn grains(count: u64) -> Duration {
    GRAIN * u32::try_from(count).unwrap_or(u32::MAX)
}

/// See the module's docs.
pub struct Villain {
    rng: Rng,
    kinds: Vec<Kind>,
    gaps: &'static [u64],
    /// All that it knows of; some may have left.
    nodes: Vec<NodeId>,
    restart: Restart,
    /// When it next breaks something.
    next: Instant,
    /// What it does besides at the same instant, last first.
    more: Vec<Trouble>,
    /// Whether a node has joined or left.
    has_moved: bool,
    /// What it will lift or mend, and when.
    ends: Vec<(Instant, Trouble)>,
}

impl Villain {
    /// One whose mind is made up by the seed.
    #[must_use]
    pub fn new(now: Instant, bounds: &Bounds, mut rng: Rng) -> Self {
        let kinds = kinds(bounds, &mut rng);
        let gaps = match bounds.nemesis {
            Nemesis::Light => GAPS[1],
            Nemesis::Heavy => GAPS[0],
            Nemesis::Swarm | Nemesis::Off => pick(&mut rng, &GAPS),
        };
        let first = grains(pick(&mut rng, gaps));
        Self {
            rng,
            gaps,
            nodes: (0..bounds.nodes).map(NodeId).collect(),
            restart: bounds.restart,
            next: if kinds.is_empty() {
                Instant::MAX
            } else {
                now.saturating_add(first)
            },
            kinds,
            more: Vec::new(),
            has_moved: false,
            ends: Vec::new(),
        }
    }

    /// When it next acts.
    #[must_use]
    pub fn next_at(&self) -> Instant {
        if !self.more.is_empty() {
            return Instant::START;
        }
        let ends = self.ends.iter().map(|(at, _)| *at);
        ends.min().map_or(self.next, |end| end.min(self.next))
    }

    /// What it does now: lifts what has lasted long enough, or breaks something.
    pub fn act(&mut self, now: Instant) -> Option<Trouble> {
        if let Some(trouble) = self.more.pop() {
            return Some(trouble);
        }
        if let Some(place) = self.ends.iter().position(|(at, _)| *at <= now) {
            let (_, end) = self.ends.remove(place);
            if end == Trouble::Heal {
                // That lifts all the others, too.
                let is_network = |it: &Trouble| {
                    matches!(
                        it,
                        Trouble::Heal | Trouble::Network(_) | Trouble::Release(_)
                    )
                };
                self.ends.retain(|(_, end)| !is_network(end));
            }
            return Some(end);
        }
        if self.next > now {
            return None;
        }
        self.next = now.saturating_add(grains(pick(&mut self.rng, self.gaps)));
        let kind = pick(&mut self.rng, &self.kinds);
        let trouble = self.make(kind);
        if let Trouble::Network(fault) = &trouble
            && self.rng.below(STORM) == 0
        {
            self.storm(fault);
        }
        Some(trouble)
    }

    /// The same for all other links of one of the nodes.
    fn storm(&mut self, fault: &Fault) {
        let all = self.nodes.iter();
        let all = all.filter_map(|&node| elsewhere(fault, node));
        self.more = all.map(Trouble::Network).collect();
    }

    /// Notes that a fault came about: in time it ends.
    pub fn note(&mut self, now: Instant, trouble: &Trouble) {
        let lasts = grains(pick(&mut self.rng, &LASTS));
        self.has_moved |= matches!(trouble, Trouble::Join | Trouble::Leave(_));
        if *trouble == Trouble::Join {
            let joined = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
            self.nodes.push(NodeId(joined));
        }
        if let Some(end) = self.end(trouble) {
            self.ends.push((now.saturating_add(lasts), end));
        }
    }

    fn end(&self, trouble: &Trouble) -> Option<Trouble> {
        trouble.kind()?;
        Some(match trouble {
            Trouble::Crash(node) => Trouble::Restart(*node, self.restart),
            Trouble::Pause(node) => Trouble::Resume(*node),
            Trouble::Skew(node, _) => Trouble::Skew(*node, 0),
            Trouble::Network(fault) => lift(fault),
            Trouble::Join | Trouble::Leave(_) => Trouble::Rebalance,
            _ => return None,
        })
    }

    fn make(&mut self, kind: Kind) -> Trouble {
        let node = self.node();
        let (time, percent) = (grains(pick(&mut self.rng, &DELAYS)), self.percent());
        let Some(link) = self.link(node) else {
            return Trouble::Pause(node);
        };
        Trouble::Network(match kind {
            Kind::Crash => return Trouble::Crash(node),
            Kind::Pause => return Trouble::Pause(node),
            Kind::Skew => {
                let nanos = GRAIN_NANOS * pick(&mut self.rng, &SKEWS);
                return Trouble::Skew(node, nanos);
            }
            Kind::Partition => self.partition(false),
            Kind::Oneway => self.partition(true),
            Kind::Isolate => Fault::Isolate(node),
            Kind::Delay => {
                let jitter = grains(pick(&mut self.rng, &[0, 0, 10, 20]));
                Fault::Delay { link, time, jitter }
            }
            Kind::Drop => Fault::Drop { link, percent },
            Kind::Duplicate => Fault::Duplicate { link, percent },
            Kind::Reorder => Fault::Reorder { link, percent },
            Kind::Hold => Fault::Hold(link),
            Kind::Join | Kind::Leave if self.has_moved && self.rng.below(3) == 0 => {
                return Trouble::Rebalance;
            }
            Kind::Join => return Trouble::Join,
            Kind::Leave => return Trouble::Leave(node),
            Kind::Slow => Fault::Slow { node, time },
        })
    }

    fn node(&mut self) -> NodeId {
        let place = self.rng.below(self.nodes.len() as u64);
        self.nodes[usize::try_from(place).unwrap_or(0)]
    }

    /// A link of this node; `None` if it is alone.
    fn link(&mut self, node: NodeId) -> Option<Link> {
        let others = (self.nodes.len() as u64).saturating_sub(1);
        let step = 1 + usize::try_from(self.rng.below(others)).unwrap_or(0);
        let place = (node.0 as usize + step) % self.nodes.len();
        Link::new(node, self.nodes[place])
    }

    fn percent(&mut self) -> Percent {
        let percent = pick(&mut self.rng, &PERCENTS);
        Percent::from_millionths(percent * 10_000).unwrap_or(Percent::ALL)
    }

    /// Each node on one side or the other, at random; or, now and then, on none.
    fn partition(&mut self, oneway: bool) -> Fault {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let bridge = self.rng.below(4) == 0;
        for place in 0..self.nodes.len() {
            let node = self.nodes[place];
            match self.rng.below(5) {
                0 if bridge => {}
                side if side % 2 == 0 => left.push(node.into()),
                _ => right.push(node.into()),
            }
        }
        let lone = self.node();
        if left.is_empty() || right.is_empty() {
            return Fault::Isolate(lone);
        }
        Fault::Partition {
            left,
            right,
            oneway,
        }
    }
}

/// Which kinds of faults a run has.
fn kinds(bounds: &Bounds, rng: &mut Rng) -> Vec<Kind> {
    let possible = Kind::ALL.into_iter();
    let possible = possible.filter(|kind| is_possible(bounds, *kind));
    match bounds.nemesis {
        Nemesis::Off => Vec::new(),
        Nemesis::Light => {
            let light = [Kind::Delay, Kind::Drop, Kind::Duplicate, Kind::Reorder];
            possible.filter(|kind| light.contains(kind)).collect()
        }
        Nemesis::Heavy => possible.filter(|kind| *kind != Kind::Skew).collect(),
        Nemesis::Swarm => {
            let skew = rng.below(8) == 0;
            let possible: Vec<Kind> = possible
                .filter(|kind| *kind != Kind::Skew || skew)
                .collect();
            let some = possible.iter().filter(|_| rng.below(2) == 0);
            let some: Vec<Kind> = some.copied().collect();
            if some.is_empty() { possible } else { some }
        }
    }
}

/// Whether there is anything that such a fault could strike.
fn is_possible(bounds: &Bounds, kind: Kind) -> bool {
    match kind {
        Kind::Crash => bounds.budget > 0,
        _ if bounds.only_crashes => false,
        Kind::Join => bounds.joins,
        Kind::Leave => bounds.leaves,
        Kind::Pause | Kind::Skew | Kind::Slow => true,
        _ => bounds.nodes > 1,
    }
}

/// The same fault on the link between its lower node and another one.
fn elsewhere(fault: &Fault, node: NodeId) -> Option<Fault> {
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

/// What lifts a fault of the network.
fn lift(fault: &Fault) -> Trouble {
    let (none, zero) = (Percent::NONE, Duration::ZERO);
    Trouble::Network(match *fault {
        Fault::Partition { .. } | Fault::Isolate(_) => return Trouble::Heal,
        Fault::Hold(link) => return Trouble::Release(link),
        Fault::Delay { link, .. } => Fault::Delay {
            link,
            time: zero,
            jitter: zero,
        },
        Fault::Drop { link, .. } => Fault::Drop {
            link,
            percent: none,
        },
        Fault::Duplicate { link, .. } => Fault::Duplicate {
            link,
            percent: none,
        },
        Fault::Reorder { link, .. } => Fault::Reorder {
            link,
            percent: none,
        },
        Fault::Slow { node, .. } => Fault::Slow { node, time: zero },
    })
}
