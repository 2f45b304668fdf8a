//! Which keys make the requests of one node.

use super::Ops;
use crate::trace::{Columns, Op};

/// The requests of a node, and its most requested objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hottest {
    /// All requests of the node.
    pub requests: u64,
    /// Objects with their requests, the most requested first; of equal ones the one that came first.
    pub objects: Vec<(u32, u64)>,
}

impl Hottest {
    /// The share of the node's requests that these objects make, from 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        let hot: u64 = self.objects.iter().map(|it| it.1).sum();
        hot as f64 / self.requests.max(1) as f64
    }
}

/// Counts the requests from the place `from` on of the objects that `node` owns, and returns the `count`
/// hottest ones. `owners` has the node of each object. Exact. Cost: a pass, and 4 bytes an object.
#[must_use]
pub fn hottest(
    trace: &Columns,
    ops: Ops,
    owners: &[u16],
    node: u16,
    from: usize,
    count: usize,
) -> Hottest {
    let mut requests = vec![0_u32; owners.len()];
    for (at, &id) in trace.ids.iter().enumerate().skip(from) {
        if owners[id as usize] == node && ops.of(trace, at) == Op::Get {
            requests[id as usize] += 1;
        }
    }
    let all = requests.iter().map(|&count| u64::from(count)).sum();
    let mut objects: Vec<(u32, u64)> = (0..)
        .zip(&requests)
        .filter(|(_, count)| **count > 0)
        .map(|(id, &count)| (id, u64::from(count)))
        .collect();
    objects.sort_by_key(|&(id, count)| (std::cmp::Reverse(count), id));
    objects.truncate(count);
    Hottest {
        requests: all,
        objects,
    }
}
