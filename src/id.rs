//! Names of things.

use std::fmt;
use std::str::FromStr;

/// A node's number, counted from 0 and never reused in one cluster.
///
/// ```
/// use shardlab::id::NodeId;
///
/// assert_eq!("2".parse(), Ok(NodeId(2)));
/// assert_eq!(NodeId(2).to_string(), "2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for NodeId {
    type Err = std::num::ParseIntError;

    fn from_str(number: &str) -> Result<Self, Self::Err> {
        number.parse().map(Self)
    }
}
