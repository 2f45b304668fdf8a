//! The network against a naive one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::Endpoint::{Client, Node};
use super::tests::{A, B, C, at, balanced, millis, percent};
use super::*;

/// What a user may do, in a small world and at coarse times.
#[derive(Clone, Debug)]
enum Op {
    Send(usize, usize),
    Timer(u64, usize),
    Advance(u64),
    Step,
    Partition(u32, u32, bool),
    Isolate(u32),
    Delay(u32, u32, u64),
    Hold(u32, u32),
    Release(u32, u32),
    Slow(u32, u64),
    Heal,
    Forget(u32),
}

fn op() -> impl Strategy<Value = Op> {
    use Op::{
        Advance, Delay, Forget, Heal, Hold, Isolate, Partition, Release, Send, Slow, Step, Timer,
    };
    let node = || 0..3_u32;
    let time = || 0..4_u64;
    prop_oneof![
        12 => (0..4_usize, 0..4_usize).prop_map(|(a, b)| Send(a, b)),
        2 => (0..30_u64, 0..4_usize).prop_map(|(at, to)| Timer(at, to)),
        4 => time().prop_map(Advance),
        1 => Just(Step),
        1 => (node(), node(), any::<bool>()).prop_map(|(a, b, oneway)| Partition(a, b, oneway)),
        1 => node().prop_map(Isolate),
        2 => (node(), node(), time()).prop_map(|(a, b, time)| Delay(a, b, time)),
        1 => (node(), node()).prop_map(|(a, b)| Hold(a, b)),
        1 => (node(), node()).prop_map(|(a, b)| Release(a, b)),
        1 => (node(), time()).prop_map(|(node, time)| Slow(node, time)),
        1 => Just(Heal),
        1 => node().prop_map(Forget),
    ]
}

/// Endpoints by number: three nodes and the client.
fn end(number: usize) -> Endpoint {
    [Node(A), Node(B), Node(C), Client][number]
}

/// The same network, written down naively: sorted lists, and every direction by itself.
#[derive(Default)]
struct Naive {
    /// (arrives, sequence, from, to, message)
    flying: Vec<(u64, u64, Endpoint, Endpoint, u32)>,
    held: Vec<(Endpoint, Endpoint, u32)>,
    cut: BTreeSet<(Endpoint, Endpoint)>,
    isolated: BTreeSet<Endpoint>,
    delay: BTreeMap<(Endpoint, Endpoint), u64>,
    hold: BTreeSet<(Endpoint, Endpoint)>,
    slow: BTreeMap<Endpoint, u64>,
    last: BTreeMap<(Endpoint, Endpoint), u64>,
    sequence: u64,
}

impl Naive {
    fn is_cut(&self, from: Endpoint, to: Endpoint) -> bool {
        let isolated = |end| self.isolated.contains(&end);
        from != to
            && from != Client
            && to != Client
            && (self.cut.contains(&(from, to)) || isolated(from) || isolated(to))
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
        if self.is_cut(from, to) {
            return;
        }
        if self.hold.contains(&(from, to)) {
            return self.held.push((from, to, message));
        }
        let delay = self.delay.get(&(from, to)).unwrap_or(&0);
        let arrives = now + delay + self.slow.get(&to).unwrap_or(&0);
        let last = self.last.entry((from, to)).or_default();
        *last = arrives.max(*last);
        let arrives = *last;
        self.put(arrives, from, to, message);
    }

    fn deliver(&mut self, now: u64) -> Option<(u64, u32)> {
        while self.flying.first().is_some_and(|first| first.0 <= now) {
            let (arrives, _, from, to, message) = self.flying.remove(0);
            if !self.is_cut(from, to) {
                return Some((arrives, message));
            }
        }
        None
    }

    fn send_on(&mut self, now: u64, pass: impl Fn(Endpoint, Endpoint) -> bool) {
        let held = std::mem::take(&mut self.held);
        let (go, stay): (Vec<_>, _) = held.into_iter().partition(|it| pass(it.0, it.1));
        self.held = stay;
        for (from, to, message) in go {
            self.send(now, from, to, message);
        }
    }

    fn heal(&mut self, now: u64) {
        for it in self.flying.iter_mut().filter(|it| it.2 != it.3) {
            it.0 = it.0.min(now);
        }
        self.flying.sort_unstable();
        let (flying, held) = (
            std::mem::take(&mut self.flying),
            std::mem::take(&mut self.held),
        );
        let sequence = self.sequence;
        *self = Self {
            flying,
            held,
            sequence,
            ..Self::default()
        };
        self.send_on(now, |_, _| true);
    }

    fn forget(&mut self, node: Endpoint) {
        self.flying.retain(|it| it.2 != node && it.3 != node);
        self.held.retain(|it| it.0 != node && it.1 != node);
        let of = |link: &(Endpoint, Endpoint)| link.0 == node || link.1 == node;
        self.cut.retain(|link| !of(link));
        self.hold.retain(|link| !of(link));
        self.delay.retain(|link, _| !of(link));
        self.last.retain(|link, _| !of(link));
        self.slow.remove(&node);
        self.isolated.remove(&node);
    }
}

/// Does one thing to both networks.
fn both(now: &mut u64, number: u32, op: &Op, real: &mut Network<u32>, naive: &mut Naive) {
    let ends = |a: u32, b: u32| (Node(NodeId(a)), Node(NodeId(b)));
    match *op {
        Op::Send(from, to) => {
            real.send(at(*now), end(from), end(to), number);
            naive.send(*now, end(from), end(to), number);
        }
        Op::Timer(when, to) => {
            real.schedule(at(when), end(to), number).expect("room");
            naive.put(when, end(to), end(to), number);
        }
        Op::Advance(by) => *now += by,
        Op::Step => {
            let stepped = real.step().map(|it| (it.arrives.as_millis(), it.message));
            assert_eq!(stepped, naive.deliver(u64::MAX));
            *now = stepped.map_or(*now, |(arrives, _)| arrives.max(*now));
        }
        Op::Partition(a, b, oneway) if a != b => {
            real.partition(&[NodeId(a)], &[NodeId(b)], oneway)
                .expect("room");
            let (a, b) = ends(a, b);
            naive.cut.insert((a, b));
            if !oneway {
                naive.cut.insert((b, a));
            }
        }
        Op::Isolate(node) => {
            real.isolate(NodeId(node)).expect("room");
            naive.isolated.insert(Node(NodeId(node)));
        }
        Op::Delay(a, b, time) if a != b => {
            real.delay(NodeId(a), NodeId(b), millis(time), Duration::ZERO)
                .expect("two");
            let (a, b) = ends(a, b);
            naive.delay.extend([((a, b), time), ((b, a), time)]);
        }
        Op::Hold(a, b) if a != b => {
            real.hold(NodeId(a), NodeId(b)).expect("two");
            let (a, b) = ends(a, b);
            naive.hold.extend([(a, b), (b, a)]);
        }
        Op::Release(a, b) if a != b => {
            real.release(at(*now), NodeId(a), NodeId(b)).expect("two");
            let (a, b) = ends(a, b);
            naive.hold.retain(|&link| link != (a, b) && link != (b, a));
            naive.send_on(*now, |from, to| {
                (from, to) == (a, b) || (from, to) == (b, a)
            });
        }
        Op::Slow(node, time) => {
            real.slow(NodeId(node), millis(time)).expect("room");
            naive.slow.insert(Node(NodeId(node)), time);
        }
        Op::Heal => {
            real.heal(at(*now));
            naive.heal(*now);
        }
        Op::Forget(node) => {
            real.forget(NodeId(node));
            naive.forget(Node(NodeId(node)));
        }
        Op::Partition(..) | Op::Delay(..) | Op::Hold(..) | Op::Release(..) => (),
    }
}

/// All that is due: when it arrived, and what it says.
fn drain_real(network: &mut Network<u32>, now: u64) -> Vec<(u64, u32)> {
    let due = std::iter::from_fn(|| network.deliver(at(now)));
    due.map(|it| (it.arrives.as_millis(), it.message)).collect()
}

fn drain_naive(network: &mut Naive, now: u64) -> Vec<(u64, u32)> {
    std::iter::from_fn(|| network.deliver(now)).collect()
}

proptest! {
    #[test]
    fn it_agrees_with_the_naive_network(ops in prop::collection::vec((op(), any::<bool>()), 0..80)) {
        let (mut real, mut naive, mut now) = (Network::new(0), Naive::default(), 0);
        for (number, (op, drain)) in (0..).zip(&ops) {
            both(&mut now, number, op, &mut real, &mut naive);
            let order: Vec<u32> = real.in_flight().iter().map(|it| it.envelope.message).collect();
            let held = naive.held.iter().map(|it| it.2);
            let expected: Vec<u32> = naive.flying.iter().map(|it| it.4).chain(held).collect();
            prop_assert_eq!(order, expected);
            prop_assert_eq!(real.next_at(), naive.flying.first().map(|first| at(first.0)));
            prop_assert!(balanced(&real));
            if *drain {
                prop_assert_eq!(drain_real(&mut real, now), drain_naive(&mut naive, now));
            }
        }
    }

    /// With all that chance can do at once, each direction of a link keeps its order, but for what
    /// REORDER lets others overtake, and nothing is lost from the counts.
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
