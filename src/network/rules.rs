//! The faults in force, and their verdict on a message.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Endpoint, Fault, Link, MAX_NODES, MAX_PARTITIONS, NetworkError, Party, Percent};
use crate::id::NodeId;
use crate::rng::Rng;

/// Random times are multiples of a tenth of their bound, so that now and then two are equal.
const PARTS: u64 = 10;

/// The least bound of the extra time of a message that REORDER lets others overtake.
const REORDER: Duration = Duration::from_millis(10);

/// The most links that may have faults: all between nodes, and one from each node to the clients.
const MAX_LINKS: usize = MAX_NODES * (MAX_NODES + 1) / 2;

/// What happens to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Drop,
    Hold,
    Deliver(Delay),
    Twice(Delay, Delay),
}

/// By how much a message is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delay {
    /// The time after which it arrives, if no message is ahead of it.
    pub(super) in_order: Duration,
    /// The time after its turn during which others may overtake it.
    pub(super) overtaken: Option<Duration>,
}

/// All faults in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// In the order in which they were made.
    partitions: Vec<Partition>,
    isolated: BTreeSet<NodeId>,
    /// Only links with a fault.
    links: BTreeMap<Link, LinkRules>,
    /// Only times above zero.
    slow: BTreeMap<NodeId, Duration>,
    /// Whether there is any fault: every message asks this.
    any: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Partition {
    left: Vec<Party>,
    right: Vec<Party>,
    oneway: bool,
}

/// The faults of one link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LinkRules {
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    pub(super) drop: Percent,
    pub(super) duplicate: Percent,
    pub(super) reorder: Percent,
    pub(super) hold: bool,
}

impl Rules {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        !self.any
    }

    /// Must be called after each change.
    fn changed(&mut self) {
        self.any = !(self.partitions.is_empty()
            && self.isolated.is_empty()
            && self.links.is_empty()
            && self.slow.is_empty());
    }

    /// What happens to a message from one endpoint to another. `rng` makes the message's random
    /// numbers. O(log links + partitions).
    pub(super) fn verdict(
        &self,
        from: Endpoint,
        to: Endpoint,
        rng: impl FnOnce() -> Rng,
    ) -> Verdict {
        let (from, to) = (from.into(), to.into());
        let slow = self.slow(to);
        let cut = self.cut(from, to);
        match Link::new(from, to).and_then(|link| self.links.get(&link)) {
            None if cut => Verdict::Drop,
            None => Verdict::Deliver(Delay::by(slow)),
            Some(rules) if rules.hold && !cut => Verdict::Hold,
            Some(rules) => {
                // A message into a partition takes its numbers, too: the partition must not change
                // what happens to those that follow.
                let verdict = rules.verdict(slow, &mut rng());
                if cut { Verdict::Drop } else { verdict }
            }
        }
    }

    /// Whether a partition stops every message from one party to another.
    pub(super) fn cut(&self, from: Party, to: Party) -> bool {
        from != to
            && (self.is_isolated(from, to) || self.partitions.iter().any(|it| it.cuts(from, to)))
    }

    fn is_isolated(&self, from: Party, to: Party) -> bool {
        let (Party::Node(from), Party::Node(to)) = (from, to) else {
            return false;
        };
        self.isolated.contains(&from) || self.isolated.contains(&to)
    }

    fn slow(&self, to: Party) -> Duration {
        let time = to.node().and_then(|node| self.slow.get(&node));
        time.copied().unwrap_or_default()
    }

    pub(super) fn partition(
        &mut self,
        left: Vec<Party>,
        right: Vec<Party>,
        oneway: bool,
    ) -> Result<(), NetworkError> {
        let partition = Partition::new(left, right, oneway)?;
        if self.partitions.contains(&partition) {
            return Ok(());
        }
        room(self.partitions.len(), MAX_PARTITIONS, "partitions")?;
        self.partitions.push(partition);
        self.changed();
        Ok(())
    }

    pub(super) fn isolate(&mut self, node: NodeId) -> Result<(), NetworkError> {
        if !self.isolated.contains(&node) {
            room(self.isolated.len(), MAX_NODES, "isolated nodes")?;
            self.isolated.insert(node);
            self.changed();
        }
        Ok(())
    }

    pub(super) fn set_slow(&mut self, node: NodeId, time: Duration) -> Result<(), NetworkError> {
        if time.is_zero() {
            self.slow.remove(&node);
        } else {
            if !self.slow.contains_key(&node) {
                room(self.slow.len(), MAX_NODES, "slow nodes")?;
            }
            self.slow.insert(node, time);
        }
        self.changed();
        Ok(())
    }

    /// Changes the faults of one link. Without any it is a healthy link.
    pub(super) fn change(
        &mut self,
        a: Party,
        b: Party,
        change: impl FnOnce(&mut LinkRules),
    ) -> Result<(), NetworkError> {
        let link = Link::new(a, b).ok_or(NetworkError::Itself(a))?;
        let before = self.links.get(&link).copied();
        let mut rules = before.unwrap_or_default();
        change(&mut rules);
        if rules == LinkRules::default() {
            self.links.remove(&link);
        } else {
            if before.is_none() {
                room(self.links.len(), MAX_LINKS, "links")?;
            }
            self.links.insert(link, rules);
        }
        self.changed();
        Ok(())
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.isolated.remove(&node);
        self.slow.remove(&node);
        let party = node.into();
        self.links.retain(|link, _| !link.touches(party));
        let mut left = Vec::new();
        for mut partition in std::mem::take(&mut self.partitions) {
            if partition.forget(party) && !left.contains(&partition) {
                left.push(partition);
            }
        }
        self.partitions = left;
        self.changed();
    }

    /// All faults: partitions in the order in which they were made, isolated nodes by number, links
    /// by their nodes' numbers, slow nodes by number.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let partitions = self.partitions.iter().map(Partition::fault);
        let isolated = self.isolated.iter().copied().map(Fault::Isolate);
        let links = self.links.iter();
        let links = links.flat_map(|(&link, rules)| rules.faults(link).into_iter().flatten());
        let slow = self.slow.iter();
        let slow = slow.map(|(&node, &time)| Fault::Slow { node, time });
        partitions
            .chain(isolated)
            .chain(links)
            .chain(slow)
            .collect()
    }
}

/// Whether one more is allowed.
fn room(len: usize, max: usize, of: &'static str) -> Result<(), NetworkError> {
    if len < max {
        Ok(())
    } else {
        Err(NetworkError::TooMany { of, max })
    }
}

impl Partition {
    fn new(left: Vec<Party>, right: Vec<Party>, oneway: bool) -> Result<Self, NetworkError> {
        let (mut left, mut right) = (side(left)?, side(right)?);
        let both = left.iter().find(|party| right.contains(party));
        if let Some(&party) = both {
            return Err(NetworkError::BothSides(party));
        }
        if !oneway && right < left {
            std::mem::swap(&mut left, &mut right);
        }
        Ok(Self {
            left,
            right,
            oneway,
        })
    }

    fn cuts(&self, from: Party, to: Party) -> bool {
        let across = |a: &[Party], b: &[Party]| {
            a.binary_search(&from).is_ok() && b.binary_search(&to).is_ok()
        };
        across(&self.left, &self.right) || !self.oneway && across(&self.right, &self.left)
    }

    /// Removes a party. `false` if a side is empty then.
    fn forget(&mut self, party: Party) -> bool {
        self.left.retain(|&it| it != party);
        self.right.retain(|&it| it != party);
        !self.left.is_empty() && !self.right.is_empty()
    }

    fn fault(&self) -> Fault {
        Fault::Partition {
            left: self.left.clone(),
            right: self.right.clone(),
            oneway: self.oneway,
        }
    }
}

/// The parties of a side in ascending order, each once.
fn side(mut parties: Vec<Party>) -> Result<Vec<Party>, NetworkError> {
    parties.sort_unstable();
    parties.dedup();
    let others = parties.len().checked_sub(1).ok_or(NetworkError::NoNodes)?;
    room(others, MAX_NODES, "nodes on a side")?;
    Ok(parties)
}

impl LinkRules {
    /// The verdict on a message. Each rule takes the same of the message's random numbers, in force
    /// or not, so that no rule changes what another does.
    fn verdict(&self, slow: Duration, rng: &mut Rng) -> Verdict {
        let dropped = self.drop.happens(rng);
        let twice = self.duplicate.happens(rng);
        let (first, second) = (self.delay(slow, rng), self.delay(slow, rng));
        match (dropped, twice) {
            (true, _) => Verdict::Drop,
            (false, true) => Verdict::Twice(first, second),
            (false, false) => Verdict::Deliver(first),
        }
    }

    fn delay(&self, slow: Duration, rng: &mut Rng) -> Delay {
        let jitter = part(self.jitter, rng.below(PARTS + 1));
        let overtaken = self.reorder.happens(rng);
        let bound = self.delay.saturating_add(self.jitter).max(REORDER);
        let extra = part(bound, 1 + rng.below(PARTS));
        Delay {
            in_order: slow.saturating_add(self.delay).saturating_add(jitter),
            overtaken: overtaken.then_some(extra),
        }
    }

    /// The faults in force.
    fn faults(&self, link: Link) -> [Option<Fault>; 5] {
        let (time, jitter) = (self.delay, self.jitter);
        let in_force = |percent: Percent| Some(percent).filter(|&it| it != Percent::NONE);
        [
            (!time.is_zero()).then_some(Fault::Delay { link, time, jitter }),
            in_force(self.drop).map(|percent| Fault::Drop { link, percent }),
            in_force(self.duplicate).map(|percent| Fault::Duplicate { link, percent }),
            in_force(self.reorder).map(|percent| Fault::Reorder { link, percent }),
            self.hold.then_some(Fault::Hold(link)),
        ]
    }
}

/// `parts` of the [`PARTS`] of a bound, rounded down to nanoseconds.
fn part(bound: Duration, parts: u64) -> Duration {
    let nanos = bound.as_nanos() * u128::from(parts) / u128::from(PARTS);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl Delay {
    fn by(in_order: Duration) -> Self {
        Self {
            in_order,
            overtaken: None,
        }
    }
}
