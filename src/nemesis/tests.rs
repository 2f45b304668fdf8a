use std::collections::BTreeSet;

use super::*;
use crate::id::NodeId;
use crate::time::Instant;

const HEAVY: Bounds = Bounds {
    nemesis: Nemesis::Heavy,
    restart: Restart::Resync,
    budget: 1,
    only: &[],
    joins: true,
    leaves: true,
    skews: true,
    grain: GRAIN,
};

fn nodes(numbers: impl IntoIterator<Item = u32>) -> Vec<NodeId> {
    numbers.into_iter().map(NodeId).collect()
}

fn injector(bounds: &Bounds, seed: u64) -> FaultInjector {
    FaultInjector::new(Instant::START, bounds, Rng::new(seed))
}

/// The next action and its instant. Every action counts as carried out.
fn step(injector: &mut FaultInjector, members: &[NodeId]) -> (Instant, Option<FaultAction>) {
    let at = injector.next_at().expect("there is more to come");
    let action = injector.act(at, members);
    if let Some(action) = &action {
        injector.note(at, action);
    }
    (at, action)
}

#[test]
fn names_are_parsed_and_printed_alike() {
    for nemesis in Nemesis::ALL {
        assert_eq!(nemesis.to_string().to_uppercase().parse(), Ok(nemesis));
    }
    assert_eq!("lightly".parse::<Nemesis>(), Err(UnknownNemesis));
}

/// Also in the middle of a burst, whose faults come at one instant.
#[test]
fn time_never_runs_backwards() {
    let members = nodes(0..5);
    let mut bursts = 0;
    for seed in 0..20 {
        let mut injector = injector(&HEAVY, seed);
        let mut latest = Instant::START;
        let mut latest_kind = None;
        for _ in 0..500 {
            let (at, action) = step(&mut injector, &members);
            assert!(at >= latest, "seed {seed}: {at:?} after {latest:?}");
            let next = injector.next_at().expect("there is more to come");
            assert!(next >= at, "seed {seed}: {next:?} after {at:?}");
            let kind = action.and_then(|action| action.kind());
            let is_hold = kind == Some(Kind::Hold);
            bursts += u32::from(is_hold && (at, kind) == (latest, latest_kind));
            (latest, latest_kind) = (at, kind);
        }
    }
    assert!(bursts > 20, "{bursts}");
}

#[test]
fn only_members_are_named() {
    for seed in 0..50 {
        let mut injector = injector(&HEAVY, seed);
        let mut rng = Rng::new(seed);
        let mut members = nodes([1, 4, 7]);
        let mut seen = BTreeSet::new();
        for next in 8..400 {
            let (_, action) = step(&mut injector, &members);
            let named = action.iter().flat_map(FaultAction::nodes);
            for node in named {
                assert!(members.contains(&node), "seed {seed}: {action:?}");
                seen.insert(node);
            }
            match rng.below(20) {
                0 => members.push(NodeId(next)),
                1 if members.len() > 1 => {
                    members.remove(0);
                }
                _ => {}
            }
        }
        let joined = seen.iter().any(|node| node.0 > 7);
        assert!(joined, "seed {seed}: {seen:?}");
    }
}

#[test]
fn the_end_of_a_fault_is_left_out_when_its_node_has_left() {
    let bounds = Bounds {
        only: &[Kind::Crash],
        ..HEAVY
    };
    let mut injector = injector(&bounds, 7);
    let (at, crash) = step(&mut injector, &nodes([3]));
    assert_eq!(crash, Some(FaultAction::Crash(NodeId(3))));
    for _ in 0..200 {
        let (_, action) = step(&mut injector, &nodes([5]));
        assert!(
            action.is_none_or(|action| action.nodes() == [NodeId(5)]),
            "after {at:?}"
        );
    }
}

#[test]
fn one_node_has_no_faults_of_links_and_none_has_no_faults() {
    for (members, nemesis) in [
        (1, Nemesis::Heavy),
        (1, Nemesis::Light),
        (0, Nemesis::Heavy),
    ] {
        let members = nodes(0..members);
        let mut injector = injector(&Bounds { nemesis, ..HEAVY }, 3);
        for _ in 0..300 {
            let (_, action) = step(&mut injector, &members);
            let kind = action.and_then(|action| action.kind());
            let alone = [
                Kind::Crash,
                Kind::Pause,
                Kind::Slow,
                Kind::Join,
                Kind::Leave,
            ];
            let fits = kind.is_none_or(|kind| alone.contains(&kind) && nemesis == Nemesis::Heavy);
            assert!(fits, "{kind:?} of {members:?}");
        }
    }
}

#[test]
fn nothing_happens_when_it_is_off_or_time_is_at_its_end() {
    let off = Bounds {
        nemesis: Nemesis::Off,
        ..HEAVY
    };
    let mut nothing = injector(&off, 1);
    assert_eq!(nothing.next_at(), None);
    assert_eq!(nothing.act(Instant::MAX, &nodes(0..3)), None);
    let mut late = FaultInjector::new(Instant::MAX, &HEAVY, Rng::new(1));
    assert_eq!(late.next_at(), None);
    assert_eq!(late.act(Instant::MAX, &nodes(0..3)), None);
}

#[test]
fn the_seed_decides_and_it_is_pinned() {
    let bounds = Bounds {
        joins: false,
        leaves: false,
        ..HEAVY
    };
    let actions = |seed| {
        let mut injector = injector(&bounds, seed);
        let members = nodes(0..4);
        let steps = (0..9).map(|_| step(&mut injector, &members));
        let text = |(at, action): (Instant, Option<FaultAction>)| {
            format!(
                "{} {}",
                at.as_millis(),
                action.expect("four nodes are enough")
            )
        };
        steps.map(text).collect::<Vec<_>>()
    };
    assert_eq!(actions(1), actions(1));
    assert_ne!(actions(1), actions(2));
    let pinned = [
        "20 HOLD 0 2",
        "20 HOLD 0 3",
        "20 HOLD 0 1",
        "30 RELEASE 0 2",
        "30 RELEASE 0 1",
        "30 HOLD 0 2",
        "120 RELEASE 0 3",
        "130 ISOLATE 3",
        "150 CRASH 1",
    ];
    assert_eq!(actions(7), pinned);
}
