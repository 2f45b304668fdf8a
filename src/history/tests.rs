//! What a history records, keeps and forgets.

use super::*;
use crate::checker::fold;

const NOW: Instant = Instant::from_millis(5);

/// A put that is acknowledged at once.
fn put(history: &mut History, key: &[u8], value: &[u8]) -> OpId {
    let id = history.invoke(NOW, 0, key, Operation::put(value, None));
    history.complete(id, NOW, Outcome::Done);
    id
}

fn lost_put(history: &mut History, key: &[u8], value: &[u8]) -> OpId {
    let id = history.invoke(NOW, 0, key, Operation::put(value, None));
    history.complete(id, NOW, Outcome::Unknown);
    id
}

fn start_of<'a>(history: &'a mut History, key: &[u8]) -> &'a Start {
    let number = history.keys.number(key);
    history.start(number)
}

fn ids(history: &History) -> Vec<u64> {
    history.calls().iter().map(|call| call.id.0).collect()
}

#[test]
fn events_are_numbered_in_the_order_of_recording() {
    let mut history = History::new(9, fold);
    let put = history.invoke(NOW, 0, b"k", Operation::put(b"v", None));
    let get = history.invoke(NOW, 1, b"k", Operation::Get);
    history.complete(get, NOW, Outcome::value(b"v"));
    let spans: Vec<_> = history.calls().iter().map(|it| it.span).collect();
    let [first, second] = spans[..] else {
        panic!("two calls");
    };
    assert_eq!((first.begin, first.end), (1, None));
    assert_eq!((second.begin, second.end), (2, Some(3)));
    assert_eq!((put, get), (OpId(0), OpId(1)));
}

#[test]
fn only_the_first_outcome_counts_and_time_does_not_run_backwards() {
    let mut history = History::new(9, fold);
    let get = history.invoke(NOW, 0, b"k", Operation::Get);
    history.complete(get, Instant::START, Outcome::value(b"v"));
    history.complete(get, Instant::MAX, Outcome::Refused);
    history.complete(OpId(7), Instant::MAX, Outcome::Refused);
    let get = history.get(get).expect("recorded");
    let value = Outcome::Value(Some(Content::from(&b"v"[..])));
    assert_eq!((get.returned, &get.outcome), (Some(NOW), &Some(value)));
}

#[test]
fn calls_on_one_key_share_it() {
    let mut history = History::new(9, fold);
    put(&mut history, b"k", b"v");
    put(&mut history, b"k", b"w");
    let [one, two] = history.calls() else {
        panic!("two calls");
    };
    assert!(Arc::ptr_eq(&one.key, &two.key));
}

#[test]
fn all_is_kept_at_the_capacity_and_an_eighth_goes_beyond_it() {
    let mut history = History::new(16, fold);
    for n in 0..16 {
        put(&mut history, &[n], b"v");
    }
    assert_eq!((ids(&history).len(), history.forgotten()), (16, 0));
    assert_eq!(history.judged_from(), Instant::START);
    put(&mut history, b"next", b"v");
    assert_eq!(ids(&history), (2..17).collect::<Vec<_>>());
    assert_eq!((history.forgotten(), history.judged_from()), (2, NOW));
    assert_eq!(history.get(OpId(1)), None);
}

#[test]
fn a_capacity_of_nothing_is_one() {
    let mut history = History::new(0, fold);
    for n in 0..5 {
        put(&mut history, &[n], b"v");
        lost_put(&mut history, &[n], b"v");
        assert_eq!(history.calls().len(), 1);
    }
}

#[test]
fn a_key_starts_with_what_forgotten_calls_left() {
    let mut history = History::new(8, fold);
    let red = Content::from(&b"red"[..]);
    put(&mut history, b"apple", b"red");
    put(&mut history, b"pear", b"green");
    let delete = history.invoke(NOW, 0, b"pear", Operation::Delete);
    history.complete(delete, NOW, Outcome::Done);
    for n in 0..8 {
        put(&mut history, b"plum", &[n]);
    }
    assert_eq!(ids(&history), (3..11).collect::<Vec<_>>());
    let (value, deadline) = (red, None);
    let expected = Start::Value { value, deadline };
    assert_eq!(*start_of(&mut history, b"apple"), expected);
    assert_eq!(*start_of(&mut history, b"pear"), Start::Absent);
}

#[test]
fn a_call_in_flight_is_kept_however_old_it_is() {
    let mut history = History::new(16, fold);
    let pending = history.invoke(NOW, 1, b"k", Operation::put(b"late", None));
    let unknown = lost_put(&mut history, b"k", b"unknown");
    for n in 0..100 {
        put(&mut history, b"k", &[n]);
    }
    assert_eq!(ids(&history)[..2], [pending.0, unknown.0]);
    assert!(history.calls().len() <= 16);
    history.complete(pending, NOW, Outcome::Done);
    let call = history.get(pending).expect("it is kept");
    assert!(
        call.is_blurred,
        "its outcome may depend on what is forgotten"
    );
}

#[test]
fn a_pending_read_does_not_hold_up_anything() {
    let mut history = History::new(8, fold);
    let get = history.invoke(NOW, 1, b"k", Operation::Get);
    for n in 0..8 {
        put(&mut history, b"k", &[n]);
    }
    assert_eq!(history.get(get), None);
    history.complete(get, NOW, Outcome::value(b"late"));
    assert_eq!(history.get(get), None);
}

#[test]
fn a_write_that_certainly_took_effect_is_not_kept_for_its_unknown_outcome() {
    let mut history = History::new(8, fold);
    let unknown = lost_put(&mut history, b"k", b"v");
    let get = history.invoke(NOW, 1, b"k", Operation::Get);
    history.complete(get, NOW, Outcome::value(b"v"));
    for n in 0..7 {
        put(&mut history, b"other", &[n]);
    }
    assert_eq!(history.get(unknown), None);
    let value = Content::from(&b"v"[..]);
    let deadline = None;
    assert_eq!(
        *start_of(&mut history, b"k"),
        Start::Value { value, deadline }
    );
}

#[test]
fn the_key_with_the_oldest_of_too_many_open_calls_is_given_up() {
    let mut history = History::new(8, fold);
    for n in 0..3 {
        lost_put(&mut history, b"lost", &[n]);
    }
    for n in 0..20 {
        lost_put(&mut history, b"k", &[n]);
        put(&mut history, b"k", &[n]);
        assert!(history.calls().len() <= 8);
    }
    assert_eq!(*start_of(&mut history, b"lost"), Start::Unjudged);
    assert_eq!(*start_of(&mut history, b"k"), Start::Unjudged);
    let get = history.invoke(NOW, 0, b"k", Operation::Get);
    history.complete(get, NOW, Outcome::value(b"never written"));
    put(&mut history, b"fresh", b"v");
    let verdict = crate::checker::check(&history, 1_000);
    assert_eq!((verdict.calls, verdict.checked_keys), (1, 1));
    assert!(verdict.keys.is_empty(), "{verdict:?}");
    assert_eq!(verdict.calls as u64 + verdict.forgotten, 45);
}

#[test]
fn long_values_take_no_room() {
    let mut history = History::new(100, fold);
    let long = vec![7; 1 << 20];
    let id = put(&mut history, b"k", &long);
    let call = history.get(id).expect("recorded");
    let Operation::Put { value, .. } = &call.operation else {
        panic!("a put");
    };
    assert_eq!((value.whole(), value.length()), (None, 1 << 20));
    assert_eq!(value.head(), &long[..16]);
}

#[test]
fn a_recording_that_begins_late_knows_what_is_stored() {
    let mut history = History::new(9, fold);
    history.begin_late(NOW);
    history.start_from(b"apple", b"red", Some(Instant::MAX));
    history.start_unknown();
    assert_eq!(history.judged_from(), NOW);
    put(&mut history, b"apple", b"green");
    history.start_from(b"pear", b"too late", None);
    history.begin_late(Instant::MAX);
    let values = |start: &Start| start.values().map(|it| it.len());
    assert_eq!(values(start_of(&mut history, b"apple")), Some(1));
    assert_eq!(*start_of(&mut history, b"pear"), Start::Unknown);
    assert_eq!((history.judged_from(), history.calls().len()), (NOW, 1));
}

#[test]
fn keys_have_a_bound() {
    let mut history = History::new(8, fold);
    for n in 0..MAX_KEYS as u64 + 20 {
        put(&mut history, &n.to_le_bytes(), b"v");
    }
    assert!(history.keys.len() < 100, "{}", history.keys.len());
    let late = put(&mut history, &0_u64.to_le_bytes(), b"v");
    let number = history.get(late).expect("recorded").key_number;
    assert_eq!(*history.start(number), Start::Unknown);
}
