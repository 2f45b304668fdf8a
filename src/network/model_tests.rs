//! The network against a naive one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::Endpoint::{Client, Node};
use super::tests::{A, B, C, at, balanced, millis, percent};
use super::*;

/// The bounds on what is held for one destination: small, so that they are reached.
const BOUNDS: (usize, usize) = (4, 9);

/// What a user may do, in a small world and at coarse times. Numbers stand for [`end`]s or
/// [`party`]s.
#[derive(Clone, Debug)]
enum Op {
    Send(usize, usize),
    Advance(u64),
    Jump,
    Partition(usize, usize, bool),
    Isolate(u32),
    Delay(usize, usize, u64),
    Hold(usize, usize),
    Release(usize, usize),
    Slow(u32, u64),
    Heal,
    Forget(usize),
}

fn op() -> impl Strategy<Value = Op> {
    use Op::{Advance, Delay, Forget, Heal, Hold, Isolate, Jump, Partition, Release, Send, Slow};
    let (node, party, end) = (|| 0..3_u32, || 0..4_usize, || 0..5_usize);
    let time = || 0..4_u64;
    prop_oneof![
        16 => (end(), end()).prop_map(|(a, b)| Send(a, b)),
        4 => time().prop_map(Advance),
        1 => Just(Jump),
        1 => (party(), party(), any::<bool>()).prop_map(|(a, b, oneway)| Partition(a, b, oneway)),
        1 => node().prop_map(Isolate),
        2 => (party(), party(), time()).prop_map(|(a, b, time)| Delay(a, b, time)),
        3 => (party(), party()).prop_map(|(a, b)| Hold(a, b)),
        1 => (party(), party()).prop_map(|(a, b)| Release(a, b)),
        1 => (node(), time()).prop_map(|(node, time)| Slow(node, time)),
        1 => Just(Heal),
        1 => end().prop_map(Forget),
    ]
}

/// Three nodes and two clients.
fn end(number: usize) -> Endpoint {
    [Node(A), Node(B), Node(C), Client(0), Client(1)][number]
}

/// Three nodes, and the clients.
fn party(number: usize) -> Party {
    end(number).into()
}

/// The same network, written down naively: sorted lists, and every direction by itself.
#[derive(Default)]
struct Naive {
    /// (arrives, sequence, from, to, message)
    flying: Vec<(u64, u64, Endpoint, Endpoint, u32)>,
    held: Vec<(Endpoint, Endpoint, u32)>,
    cut: BTreeSet<(Party, Party)>,
    isolated: BTreeSet<Party>,
    delay: BTreeMap<(Party, Party), u64>,
    hold: BTreeSet<(Party, Party)>,
    slow: BTreeMap<Party, u64>,
    last: BTreeMap<(Endpoint, Endpoint), u64>,
    /// (destination, sender), each loss by itself.
    overflow: Vec<(Party, Party)>,
    sequence: u64,
}

impl Naive {
    fn is_cut(&self, from: Party, to: Party) -> bool {
        let isolated = |party| self.isolated.contains(&party);
        let nodes = from != Party::Clients && to != Party::Clients;
        from != to && (self.cut.contains(&(from, to)) || nodes && (isolated(from) || isolated(to)))
    }

    fn put(&mut self, arrives: u64, from: Endpoint, to: Endpoint, message: u32) {
        self.flying
            .push((arrives, self.sequence, from, to, message));
        self.flying.sort_unstable();
        self.sequence += 1;
    }

    fn send(&mut self, now: u64, from: Endpoint, to: Endpoint, message: u32) {
        if from == to {
            return self.put(now, from, to, message);
        }
        let link: (Party, Party) = (from.into(), to.into());
        if self.is_cut(link.0, link.1) {
            return;
        }
        if self.hold.contains(&link) {
            return self.hold_back(from, to, message);
        }
        let delay = self.delay.get(&link).unwrap_or(&0);
        let arrives = now + delay + self.slow.get(&link.1).unwrap_or(&0);
        let last = self.last.entry((from, to)).or_default();
        *last = arrives.max(*last);
        let arrives = *last;
        self.put(arrives, from, to, message);
    }

    fn hold_back(&mut self, from: Endpoint, to: Endpoint, message: u32) {
        self.sequence += 1;
        let same = self.held.iter().filter(|it| Party::from(it.1) == to.into());
        let sizes: Vec<usize> = same.map(|it| it.2.bytes()).collect();
        let bytes = sizes.iter().sum::<usize>() + message.bytes();
        if sizes.len() < BOUNDS.0 && bytes <= BOUNDS.1 {
            self.held.push((from, to, message));
        } else if to != Client(0) && to != Client(1) {
            self.overflow.push((to.into(), from.into()));
        }
    }

    fn deliver(&mut self, now: u64) -> Option<(u64, u32)> {
        while self.flying.first().is_some_and(|first| first.0 <= now) {
            let (arrives, _, from, to, message) = self.flying.remove(0);
            if !self.is_cut(from.into(), to.into()) {
                return Some((arrives, message));
            }
        }
        None
    }

    fn send_on(&mut self, now: u64, pass: impl Fn(Party, Party) -> bool) {
        let held = std::mem::take(&mut self.held);
        let goes = |it: &(Endpoint, Endpoint, u32)| pass(it.0.into(), it.1.into());
        let (go, stay): (Vec<_>, _) = held.into_iter().partition(goes);
        self.held = stay;
        for (from, to, message) in go {
            self.send(now, from, to, message);
        }
    }

    /// The nodes whose losses are on one of these links, which are forgotten.
    fn reported(&mut self, on: impl Fn(Party, Party) -> bool) -> Vec<NodeId> {
        let losses = std::mem::take(&mut self.overflow);
        let (named, stay): (Vec<_>, _) = losses.into_iter().partition(|it| on(it.0, it.1));
        self.overflow = stay;
        let nodes: BTreeSet<NodeId> = named.iter().filter_map(|it| it.0.node()).collect();
        nodes.into_iter().collect()
    }

    fn release(&mut self, now: u64, a: Party, b: Party) -> Vec<NodeId> {
        let both = |from, to| (from, to) == (a, b) || (from, to) == (b, a);
        self.hold.retain(|&(from, to)| !both(from, to));
        self.send_on(now, both);
        // What a node lacks from one that has left is noted as from itself.
        self.reported(|to, from| [a, b].contains(&to) && [a, b].contains(&from))
    }

    fn heal(&mut self, now: u64) -> Vec<NodeId> {
        for it in self.flying.iter_mut().filter(|it| it.2 != it.3) {
            it.0 = it.0.min(now);
        }
        self.flying.sort_unstable();
        *self = Self {
            flying: std::mem::take(&mut self.flying),
            held: std::mem::take(&mut self.held),
            overflow: std::mem::take(&mut self.overflow),
            sequence: self.sequence,
            ..Self::default()
        };
        self.send_on(now, |_, _| true);
        self.reported(|_, _| true)
    }

    fn forget(&mut self, end: Endpoint) {
        self.flying.retain(|it| it.2 != end && it.3 != end);
        self.held.retain(|it| it.0 != end && it.1 != end);
        self.last.retain(|it, _| it.0 != end && it.1 != end);
        let Node(node) = end else {
            return;
        };
        let node = Party::Node(node);
        let of = |link: &(Party, Party)| link.0 == node || link.1 == node;
        self.cut.retain(|link| !of(link));
        self.hold.retain(|link| !of(link));
        self.delay.retain(|link, _| !of(link));
        self.slow.remove(&node);
        self.isolated.remove(&node);
        self.overflow.retain(|(to, _)| *to != node);
        for (to, from) in &mut self.overflow {
            *from = if *from == node { *to } else { *from };
        }
    }
}

/// Does one thing to both networks.
fn both(now: &mut u64, number: u32, op: &Op, real: &mut Network<u32>, naive: &mut Naive) {
    match *op {
        Op::Send(from, to) => {
            real.send(at(*now), end(from), end(to), number);
            naive.send(*now, end(from), end(to), number);
        }
        Op::Advance(by) => *now += by,
        Op::Jump => {
            let next = real.deliver(Instant::MAX);
            let next = next.map(|it| (it.arrives.as_millis(), it.message));
            assert_eq!(next, naive.deliver(u64::MAX));
            *now = next.map_or(*now, |(arrives, _)| arrives.max(*now));
        }
        Op::Isolate(node) => {
            real.isolate(NodeId(node)).expect("room");
            naive.isolated.insert(Party::Node(NodeId(node)));
        }
        Op::Slow(node, time) => {
            real.slow(NodeId(node), millis(time)).expect("room");
            naive.slow.insert(Party::Node(NodeId(node)), time);
        }
        Op::Heal => assert_eq!(real.heal(at(*now)), naive.heal(*now)),
        Op::Forget(number) => {
            real.forget(at(*now), end(number));
            naive.forget(end(number));
        }
        Op::Partition(a, b, _) | Op::Delay(a, b, _) | Op::Hold(a, b) | Op::Release(a, b)
            if a != b =>
        {
            change_link(*now, op, (party(a), party(b)), real, naive);
        }
        Op::Partition(..) | Op::Delay(..) | Op::Hold(..) | Op::Release(..) => (),
    }
}

fn change_link(
    now: u64,
    op: &Op,
    (a, b): (Party, Party),
    real: &mut Network<u32>,
    naive: &mut Naive,
) {
    match *op {
        Op::Partition(_, _, oneway) => {
            real.partition(&[a], &[b], oneway).expect("room");
            naive.cut.insert((a, b));
            if !oneway {
                naive.cut.insert((b, a));
            }
        }
        Op::Delay(_, _, time) => {
            real.delay(a, b, millis(time), Duration::ZERO).expect("two");
            naive.delay.extend([((a, b), time), ((b, a), time)]);
        }
        Op::Hold(..) => {
            real.hold(a, b).expect("two");
            naive.hold.extend([(a, b), (b, a)]);
        }
        _ => {
            let short = real.release(at(now), a, b).expect("two");
            assert_eq!(short, naive.release(now, a, b));
        }
    }
}

/// All that is due: when it arrived, and its content.
fn drain_real(network: &mut Network<u32>, now: u64) -> Vec<(u64, u32)> {
    let due = std::iter::from_fn(|| network.deliver(at(now)));
    due.map(|it| (it.arrives.as_millis(), it.message)).collect()
}

fn drain_naive(network: &mut Naive, now: u64) -> Vec<(u64, u32)> {
    std::iter::from_fn(|| network.deliver(now)).collect()
}

fn check(real: &Network<u32>, naive: &Naive) {
    let order = real.in_flight().into_iter();
    let order: Vec<u32> = order.map(|it| it.envelope.message).collect();
    let held = naive.held.iter().map(|it| it.2);
    let expected: Vec<u32> = naive.flying.iter().map(|it| it.4).chain(held).collect();
    assert_eq!(order, expected);
    assert_eq!(real.in_flight_count(), expected.len());
    assert_eq!(
        real.next_at(),
        naive.flying.first().map(|first| at(first.0))
    );
    for node in [A, B, C] {
        let lost = naive.overflow.iter().filter(|it| it.0 == node.into());
        assert_eq!(real.overflow(node), lost.count() as u64, "{node}");
    }
    assert!(balanced(real));
}

proptest! {
    #[test]
    fn it_agrees_with_the_naive_network(
        ops in prop::collection::vec((op(), any::<bool>()), 0..120),
    ) {
        let (mut real, mut naive, mut now) = (Network::new(0), Naive::default(), 0);
        real.held.bounds = BOUNDS;
        for (number, (op, drain)) in (0..).zip(&ops) {
            both(&mut now, number, op, &mut real, &mut naive);
            check(&real, &naive);
            if *drain {
                prop_assert_eq!(drain_real(&mut real, now), drain_naive(&mut naive, now));
            }
        }
    }

    /// With all kinds of random faults at once, each direction of a link keeps its order, except for
    /// messages that REORDER selects, and the counts miss nothing.
    #[test]
    fn links_keep_their_order(
        seed: u64,
        steps in prop::collection::vec((0..4_usize, 0..4_usize, 0..9_u64, 0..3_u64), 1..200),
    ) {
        let mut network = Network::new(seed);
        network.drop(A, B, percent("20%")).expect("two");
        network.duplicate(A, B, percent("40%")).expect("two");
        let (mut now, mut seen) = (0, BTreeMap::new());
        for (number, &(from, to, delay, by)) in (0..).zip(&steps) {
            network.delay(A, B, millis(delay), millis(delay)).expect("two");
            network.slow(C, millis(9 - delay)).expect("room");
            now += by;
            network.send(at(now), end(from), end(to), number);
            while let Some(it) = network.deliver(at(now)) {
                let before = seen.insert((it.from, it.to), it.message);
                prop_assert!(before <= Some(it.message), "{:?} after {:?}", it, before);
            }
        }
        prop_assert!(balanced(&network));
    }
}
