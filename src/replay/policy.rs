//! The policies of a replay by name, and their simulations.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::belady::Belady;
use super::fast::Fast;
use super::full::{Bounds, Full};
use super::gdsf::Gdsf;
use super::simulation::Simulation;
use super::{Ops, Rules, Ttl};
use crate::eviction::{
    self, BySlot, BySlotAndSize, Eviction, SharedKeys, Slot, StoredSizes, UnitSizes,
};
use crate::trace::Columns;

/// A policy of a replay: those of the nodes, and two that exist for traces only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// A policy that nodes have, too.
    Node(Eviction),
    /// Belady's MIN, which knows the future: the floor.
    Belady,
    /// Greedy Dual Size Frequency.
    Gdsf,
}

impl Policy {
    /// All policies.
    pub fn all() -> impl Iterator<Item = Self> {
        let of_nodes = Eviction::ALL.iter().copied().map(Self::Node);
        of_nodes.chain([Self::Gdsf, Self::Belady])
    }

    /// Whether it can be replayed by these rules: Belady's MIN needs to know what comes next.
    #[must_use]
    pub fn allows(self, rules: Rules) -> bool {
        self != Self::Belady || (rules.ops == Ops::Fill && rules.ttl == Ttl::None)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(policy) => policy.fmt(f),
            Self::Belady => f.write_str("belady"),
            Self::Gdsf => f.write_str("gdsf"),
        }
    }
}

/// The error of parsing a [`Policy`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no policy {name}; the policies are {}", names())]
pub struct UnknownPolicy {
    name: String,
}

fn names() -> String {
    let names: Vec<String> = Policy::all().map(|policy| policy.to_string()).collect();
    names.join(" ")
}

impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(name: &str) -> Result<Self, UnknownPolicy> {
        let found = Self::all().find(|policy| policy.to_string() == name);
        found.ok_or_else(|| UnknownPolicy { name: name.into() })
    }
}

/// The unit of a capacity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// A number of objects.
    #[default]
    Objects,
    /// The sum of their sizes.
    Bytes,
}

/// A trace with what its simulations share.
#[derive(Clone)]
pub struct Prepared<'t> {
    /// The trace.
    pub trace: &'t Columns,
    /// The place of the next request of each request, for `belady`.
    pub next: Option<Arc<[u32]>>,
    /// The hash of each object's key, for `w-tinylfu`. Without them its sketch counts numbers.
    pub hashes: Option<Arc<[u64]>>,
}

impl<'t> Prepared<'t> {
    /// A trace without what only some policies need.
    #[must_use]
    pub fn new(trace: &'t Columns) -> Self {
        Self {
            trace,
            next: None,
            hashes: None,
        }
    }

    /// Computes the next requests. Cost: a pass, and 4 bytes a request.
    #[must_use]
    pub fn foreseeing(mut self) -> Self {
        let next = super::belady::next_requests(&self.trace.ids, self.trace.objects);
        self.next = Some(next.into());
        self
    }

    fn hashes(&self) -> Arc<[u64]> {
        let numbers = || (0..self.trace.objects).map(spread).collect();
        self.hashes.clone().unwrap_or_else(numbers)
    }

    fn next(&self) -> Arc<[u32]> {
        let next = || super::belady::next_requests(&self.trace.ids, self.trace.objects).into();
        self.next.clone().unwrap_or_else(next)
    }
}

/// A hash of a number (the finalizer of splitmix64).
fn spread(number: u32) -> u64 {
    crate::rng::Rng::new(number.into()).next_u64()
}

/// Makes the policy with this identity and these sizes, and puts it into a simulation.
macro_rules! simulation {
    ($policy:expr, $prepared:expr, $seed:expr, $identity:ty, $sizes:ty, $make:ident) => {{
        let number = |object: Slot| u64::from(object);
        match $policy {
            Policy::Belady => {
                let belady = Belady::new($prepared.next(), $prepared.trace.objects);
                $make!(belady, number)
            }
            Policy::Gdsf => $make!(Gdsf::default(), number),
            Policy::Node(eviction) => match eviction {
                Eviction::None => $make!(eviction::NoEviction::default(), number),
                Eviction::Random => $make!(eviction::Random::new($seed), number),
                Eviction::Fifo => $make!(eviction::Fifo::default(), number),
                Eviction::Lru => $make!(eviction::Lru::default(), number),
                Eviction::Lfu => $make!(eviction::Lfu::default(), number),
                Eviction::SecondChance => $make!(eviction::SecondChance::default(), number),
                Eviction::Slru => $make!(eviction::Slru::<$sizes>::default(), number),
                Eviction::TwoQ => $make!(eviction::TwoQ::<$identity>::default(), number),
                Eviction::Arc => $make!(eviction::Arc::<$identity>::default(), number),
                Eviction::Lirs => $make!(eviction::Lirs::<$identity>::default(), number),
                Eviction::Sieve => $make!(eviction::Sieve::default(), number),
                Eviction::S3Fifo => $make!(eviction::S3Fifo::<$identity>::default(), number),
                Eviction::WTinyLfu => {
                    let hashes = $prepared.hashes();
                    let keys = SharedKeys(hashes.clone());
                    let policy = eviction::WTinyLfu::<SharedKeys, $sizes>::with_hashes(keys);
                    $make!(policy, move |object: Slot| hashes[object as usize])
                }
                Eviction::Hyperbolic => $make!(eviction::Hyperbolic::new($seed), number),
                Eviction::Ttl => $make!(eviction::Ttl::default(), number),
            },
        }
    }};
}

/// A new simulation of a policy at a size. `seed` is for the policies that choose at random.
#[must_use]
pub fn simulate(
    prepared: &Prepared<'_>,
    policy: Policy,
    capacity: u64,
    unit: Unit,
    rules: Rules,
    seed: u64,
) -> Box<dyn Simulation> {
    let objects = prepared.trace.objects;
    let by_bytes = unit == Unit::Bytes;
    let bounds = Bounds {
        capacity,
        by_bytes,
        largest: largest(policy, capacity, unit),
        inserts_first: policy == Policy::Gdsf,
    };
    macro_rules! full {
        ($made:expr, $key:expr) => {
            Box::new(Full::new($made, $key, objects, bounds, rules))
        };
    }
    if by_bytes {
        return simulation!(policy, prepared, seed, BySlotAndSize, StoredSizes, full);
    }
    let is_simple = rules.ops == Ops::Fill && rules.ttl == Ttl::None;
    if !is_simple || policy == Policy::Gdsf {
        return simulation!(policy, prepared, seed, BySlot, UnitSizes, full);
    }
    let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
    macro_rules! fast {
        ($made:expr, $key:expr) => {
            Box::new(Fast::new($made, $key, objects, capacity))
        };
    }
    simulation!(policy, prepared, seed, BySlot, UnitSizes, fast)
}

/// The largest object that is stored. S3-FIFO stores none that is larger than its small queue.
fn largest(policy: Policy, capacity: u64, unit: Unit) -> u64 {
    match (policy, unit) {
        (Policy::Node(Eviction::S3Fifo), Unit::Bytes) => (capacity / 10).max(1),
        _ => capacity,
    }
}
