//! Which life of each node a replica has heard of.
//!
//! A crash ends a node's life with all that it had acknowledged. Who counts acknowledgements must not
//! count one from a life that is over: the node may have merged what others have before they had
//! that write. So a node is born with the logical clock of its restart, tells it when it asks others
//! for what they have, and everybody passes on what he has heard with what he acknowledges. Then
//! either the coordinator hears of the new life in time, or what the node merged included the write.
//!
//! Source: Michael, Ports, Sharma, Szekeres, "Recovering Shared Objects Without Stable Storage",
//! DISC 2017, where this is a crash vector.

use std::sync::Arc;

use super::message::Version;
use crate::id::NodeId;

/// When the present life of each node began, as far as is known; those that have not crashed are
/// left out. A copy costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lives(Option<Arc<[(NodeId, Version)]>>);

impl Lives {
    /// All that are known to have begun after the start, by ascending node.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, Version)> {
        self.0.iter().flat_map(|lives| lives.iter().copied())
    }

    /// When a node's life began; 0 at the start.
    pub(super) fn of(&self, node: NodeId) -> Version {
        let mut lives = self.iter();
        lives
            .find(|(at, _)| *at == node)
            .map_or(0, |(_, born)| born)
    }

    /// Notes when a life began; `true` if that is news.
    pub(super) fn note(&mut self, node: NodeId, born: Version) -> bool {
        if self.of(node) >= born {
            return false;
        }
        let others = self.iter().filter(|(at, _)| *at != node);
        let mut lives: Vec<_> = others.chain([(node, born)]).collect();
        lives.sort_unstable();
        self.0 = Some(lives.into());
        true
    }

    /// Whether they are certainly the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}
