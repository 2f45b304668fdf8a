//! Which entry leaves a full store: the policies, and what they share.
//!
//! The store notifies a policy when a slot of its slab is inserted, accessed or removed.
//! [`EvictionPolicy::evict`] returns the next victim. The policy chooses; the store removes. It
//! owns no keys: it knows an entry by its slot, and, for what has left, by the 64-bit hash of its
//! key.

mod arc;
mod fifo;
mod ghosts;
mod hyperbolic;
mod lfu;
mod lirs;
mod list;
mod lru;
mod none;
mod pool;
mod random;
mod s3_fifo;
mod second_chance;
mod sieve;
mod sketch;
mod slru;
mod ttl;
mod two_q;
mod w_tinylfu;

pub use arc::Arc;
pub use fifo::Fifo;
pub use hyperbolic::Hyperbolic;
pub use lfu::Lfu;
pub use lirs::Lirs;
pub use lru::Lru;
pub use none::NoEviction;
pub use random::Random;
pub use s3_fifo::S3Fifo;
pub use second_chance::SecondChance;
pub use sieve::Sieve;
pub use slru::Slru;
pub use ttl::Ttl;
pub use two_q::TwoQ;
pub use w_tinylfu::WTinyLfu;

#[doc(hidden)]
pub use ghosts::{ByHash, BySlot, BySlotAndSize, Identity, Keys, SharedKeys};
#[doc(hidden)]
pub use lirs::Numbering;
#[doc(hidden)]
pub use list::{Sizes, StoredSizes, UnitSizes};

use std::fmt;
use std::str::FromStr;

use crate::time::Instant;

/// A place in the store's slab. The slots in use are numbered densely from 0.
pub type Slot = u32;

/// Chooses which entry leaves a full store.
///
/// A new entry comes in three steps: [`admit`](Self::admit) announces it, [`evict`](Self::evict)
/// makes room for it as often as the store needs, and [`insert`](Self::insert) names the slot that
/// it got. Every inserted slot leaves exactly once: through [`remove`](Self::remove), or because
/// the policy returned it as a victim.
///
/// # A policy of your own
///
/// [`Cluster::set_eviction_with`](crate::Cluster::set_eviction_with) takes any type with this
/// trait. A node panics if its policy returns a slot that is not in use. This one keeps what came
/// first, which is right for a loop over more keys than fit:
///
/// ```
/// use std::collections::BTreeMap;
/// use shardlab::config::Capacity;
/// use shardlab::eviction::{EvictionPolicy, Slot};
/// use shardlab::time::Instant;
/// use shardlab::{Cache, Cluster, Config};
///
/// /// The most recently used entry goes.
/// #[derive(Clone, Default)]
/// struct Mru {
///     clock: u64,
///     used_at: BTreeMap<Slot, u64>,
///     by_use: BTreeMap<u64, Slot>,
/// }
///
/// impl EvictionPolicy for Mru {
///     fn evict(&mut self) -> Option<Slot> {
///         let (_, slot) = self.by_use.pop_last()?;
///         self.used_at.remove(&slot);
///         Some(slot)
///     }
///     fn insert(&mut self, slot: Slot, _hash: u64) -> Option<Slot> {
///         self.access(slot)
///     }
///     fn access(&mut self, slot: Slot) -> Option<Slot> {
///         self.remove(slot);
///         self.clock += 1;
///         self.used_at.insert(slot, self.clock);
///         self.by_use.insert(self.clock, slot);
///         None
///     }
///     fn remove(&mut self, slot: Slot) {
///         if let Some(use_) = self.used_at.remove(&slot) {
///             self.by_use.remove(&use_);
///         }
///     }
/// }
///
/// let config = Config::new().nodes(1).capacity(Capacity::entries(2));
/// let mut cluster = Cluster::new(config)?;
/// let now = Instant::START;
/// cluster.set_eviction_with(now, |_node| Box::new(Mru::default()));
/// for key in [b"a", b"b", b"c"] {
///     cluster.put(now, key, b"value", None)?;
/// }
/// assert!(cluster.get(now, b"a")?.is_some());
/// assert!(cluster.get(now, b"b")?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait EvictionPolicy: ClonePolicy + Send {
    /// How many entries the store can hold, at least 1. Called once before any other method, and
    /// again whenever it changes: the sizes of a policy's parts follow. A policy that holds more
    /// than this names nothing by itself: the store calls [`evict`](Self::evict) until all fits.
    fn resize(&mut self, capacity: usize) {
        let _ = capacity;
    }

    /// The entry that comes next counts so much against a capacity in bytes. Only a replay calls
    /// this, before [`admit`](Self::admit); a store's policies count entries.
    fn announce_size(&mut self, size: u64) {
        let _ = size;
    }

    /// An entry that is not in the store, and whose key has this hash, is about to come in.
    fn admit(&mut self, hash: u64) {
        let _ = hash;
    }

    /// Names the entry that goes next, and forgets it. `None` if it holds none, or never evicts.
    fn evict(&mut self) -> Option<Slot>;

    /// The entry that was announced is in `slot` now. Returns an entry that this pushes out,
    /// already forgotten; hardly any policy ever does that.
    fn insert(&mut self, slot: Slot, hash: u64) -> Option<Slot>;

    /// The entry was read or overwritten. Returns an entry that this pushes out, as
    /// [`insert`](Self::insert) does.
    fn access(&mut self, slot: Slot) -> Option<Slot>;

    /// The entry was deleted or has expired.
    fn remove(&mut self, slot: Slot);

    /// The entry's deadline was set to this, or taken away.
    fn set_deadline(&mut self, slot: Slot, deadline: Option<Instant>) {
        let _ = (slot, deadline);
    }

    /// Whether the eviction order is deterministic until the next access, insert or remove.
    fn is_ordered(&self) -> bool {
        true
    }

    /// How often the entry was used, where the policy counts that.
    fn frequency(&self, slot: Slot) -> Option<u64> {
        let _ = slot;
        None
    }

    /// Checks everything that can be recounted, for tests. By default nothing.
    ///
    /// # Panics
    /// If the policy does not hold exactly `slots` (sorted), or its parts disagree.
    fn validate(&self, slots: &[Slot]) {
        let _ = slots;
    }
}

/// Clones a boxed policy. Implemented for every `Clone` policy.
pub trait ClonePolicy {
    /// A policy that names the same victims for the same calls. Cost: a copy of all that it knows.
    fn clone_policy(&self) -> Box<dyn EvictionPolicy>;
}

impl<P: EvictionPolicy + Clone + 'static> ClonePolicy for P {
    fn clone_policy(&self) -> Box<dyn EvictionPolicy> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn EvictionPolicy> {
    fn clone(&self) -> Self {
        (**self).clone_policy()
    }
}

impl EvictionPolicy for Box<dyn EvictionPolicy> {
    fn resize(&mut self, capacity: usize) {
        (**self).resize(capacity);
    }

    fn announce_size(&mut self, size: u64) {
        (**self).announce_size(size);
    }

    fn admit(&mut self, hash: u64) {
        (**self).admit(hash);
    }

    fn evict(&mut self) -> Option<Slot> {
        (**self).evict()
    }

    fn insert(&mut self, slot: Slot, hash: u64) -> Option<Slot> {
        (**self).insert(slot, hash)
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        (**self).access(slot)
    }

    fn remove(&mut self, slot: Slot) {
        (**self).remove(slot);
    }

    fn set_deadline(&mut self, slot: Slot, deadline: Option<Instant>) {
        (**self).set_deadline(slot, deadline);
    }

    fn is_ordered(&self) -> bool {
        (**self).is_ordered()
    }

    fn frequency(&self, slot: Slot) -> Option<u64> {
        (**self).frequency(slot)
    }

    fn validate(&self, slots: &[Slot]) {
        (**self).validate(slots);
    }
}

macro_rules! policies {
    ($($variant:ident $name:literal $summary:literal $make:expr;)*) => {
        /// The policies that can be chosen by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Eviction {
            $(#[doc = $summary] $variant,)*
        }

        impl Default for Eviction {
            fn default() -> Self {
                Self::Lru
            }
        }

        impl Eviction {
            /// All policies.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name that is typed and printed.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// One line of which entry goes.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self {
                    $(Self::$variant => $summary,)*
                }
            }

            /// A new policy of this kind; `seed` is what its random choices come from.
            #[must_use]
            pub fn policy(self, seed: u64) -> Box<dyn EvictionPolicy> {
                match self {
                    $(Self::$variant => Box::new($make(seed)),)*
                }
            }
        }

        impl fmt::Display for Eviction {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

policies! {
    None "none" "None: a full node refuses the write." |_| NoEviction::default();
    Random "random" "A random entry." Random::new;
    Fifo "fifo" "The oldest." |_| Fifo::default();
    Lru "lru" "The least recently used." |_| Lru::default();
    Lfu "lfu" "The least frequently used, of those the least recently." |_| Lfu::default();
    SecondChance "second-chance" "The oldest; an entry used since the last pass gets a second chance." |_| SecondChance::default();
    Slru "slru" "Least recently used first among entries used once, then among entries used again." |_| <Slru>::default();
    TwoQ "2q" "New entries in FIFO order; entries requested again soon after move to an LRU queue." |_| <TwoQ>::default();
    Arc "arc" "The least recently or the least frequently used, whichever list was worth less lately." |_| <Arc>::default();
    Lirs "lirs" "The entry with the longest time between its last two uses." |_| <Lirs>::default();
    Sieve "sieve" "A hand sweeps from old to new and evicts the first entry not used since its last pass." |_| Sieve::default();
    S3Fifo "s3-fifo" "The oldest newcomer; an entry that is used twice moves to a main queue." |_| <S3Fifo>::default();
    WTinyLfu "w-tinylfu" "The newest and the oldest entry compete; the less popular one goes." |_| <WTinyLfu>::default();
    Hyperbolic "hyperbolic" "Of 64 random entries the one with the fewest uses for its age." Hyperbolic::new;
    Ttl "ttl" "The entry with the nearest deadline." |_| Ttl::default();
}

/// The error of parsing an [`Eviction`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPolicy {
    /// Belady's policy has to be made of a whole trace.
    #[error("belady needs the future: it is only for whole traces")]
    Belady,
    /// There is no such policy.
    #[error("there is no such policy; the policies are {}", names())]
    Name,
}

fn names() -> String {
    let names: Vec<String> = Eviction::ALL.iter().map(ToString::to_string).collect();
    names.join(" ")
}

impl FromStr for Eviction {
    type Err = UnknownPolicy;

    fn from_str(name: &str) -> Result<Self, UnknownPolicy> {
        if name == "belady" {
            return Err(UnknownPolicy::Belady);
        }
        let mut all = Self::ALL.iter().copied();
        all.find(|policy| policy.to_string() == name)
            .ok_or(UnknownPolicy::Name)
    }
}

#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
pub(crate) mod traces;
