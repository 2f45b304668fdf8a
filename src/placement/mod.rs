//! Where keys live: pure functions from a key to the node that owns it.

mod modulo;

pub use modulo::Modulo;

use crate::id::NodeId;

/// A pure function from keys to owners. It never changes: a change of members makes a new one, so
/// what must move is the difference of two.
pub trait Placement: Send {
    /// The name by which it is chosen.
    fn name(&self) -> &'static str;

    /// The hash by which this placement knows a key.
    fn hash(&self, key: &[u8]) -> u64;

    /// The node that owns the keys with this hash.
    fn owner(&self, hash: u64) -> NodeId;
}
