//! Samples beside whole traces.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// A trace with keys of all kinds, and all columns.
fn csv(seed: u64, requests: u64) -> String {
    let mut rng = crate::rng::Rng::new(seed);
    let mut text = String::from("time,key,size,op,ttl\n");
    for at in 0..requests {
        let key = match rng.below(3_000).cast_signed() - 1_000 {
            key if key % 3 == 0 => format!("key{key}"),
            key => key.to_string(),
        };
        let op = if rng.below(5) == 0 { "set" } else { "get" };
        text += &format!("{at},{key},{},{op},{}\n", 1 + rng.below(900), rng.below(50));
    }
    text
}

fn sampled(csv: &str, limit: u64, sampling: Sampling) -> Columns {
    let spec = "csv".parse::<Spec>().expect("a format");
    let input = Input::new(Box::new(std::io::Cursor::new(csv.to_owned())), "csv", None);
    let mut trace = spec.read(input.expect("bytes")).expect("a trace");
    let wanted = Wanted {
        sizes: true,
        times: true,
        ops: true,
        ttls: true,
        follows: true,
        keys: true,
    };
    let mut limits = Limits {
        requests: limit,
        go_on: &mut |_| true,
    };
    Columns::sample(&mut trace, wanted, &mut limits, sampling).expect("a sample")
}

fn row(columns: &Columns, at: usize) -> (Vec<u8>, Option<u64>, u64, Op, Option<u64>) {
    let key = columns.keys.get(columns.ids[at]).expect("a key");
    (
        key.to_bytes(),
        columns.sizes.get(at),
        columns.times[at],
        columns.ops[at],
        columns.ttls.get(at),
    )
}

fn assert_same(one: &Columns, other: &Columns, what: &str) {
    assert_eq!(one.ids, other.ids, "{what}");
    assert_eq!(one.sample, other.sample, "{what}");
    for at in 0..one.ids.len() {
        assert_eq!(row(one, at), row(other, at), "{what}, request {at}");
    }
}

#[test]
fn a_sample_has_all_requests_for_its_keys_and_counts_all() {
    for seed in 0..5 {
        let csv = csv(seed, 20_000);
        let whole = sampled(&csv, u64::MAX, Sampling::at(1.0));
        assert_eq!(whole.sample, None, "at rate 1 nothing is sampled");
        for (rate, least, most) in [(0.5, 1_300, 1_700), (0.1, 230, 370), (1e-9, 0, 0)] {
            let columns = sampled(&csv, u64::MAX, Sampling::at(rate));
            let sample = columns.sample.as_ref().expect("a sample");
            let what = format!("seed {seed}, rate {rate}");
            assert!(
                (least..=most).contains(&columns.objects),
                "{what}: {}",
                columns.objects
            );
            let keys: BTreeSet<Vec<u8>> = (0..columns.ids.len())
                .map(|at| row(&columns, at).0)
                .collect();
            let rows = (0..whole.ids.len()).map(|at| row(&whole, at));
            let expected: Vec<_> = rows.clone().filter(|row| keys.contains(&row.0)).collect();
            let found: Vec<_> = (0..columns.ids.len()).map(|at| row(&columns, at)).collect();
            assert_eq!(found, expected, "{what}");
            let gets: Vec<u64> = rows
                .filter(|row| row.3 == Op::Get)
                .filter_map(|row| row.1)
                .collect();
            let expected = Position {
                kept: columns.ids.len(),
                requests: 20_000,
                gets: gets.len() as u64,
                bytes: gets.iter().sum(),
            };
            assert_eq!(sample.whole, expected, "{what}");
            assert_eq!(sample.groups.len(), columns.objects as usize, "{what}");
        }
    }
}

#[test]
fn a_place_of_the_whole_is_found_in_the_sample() {
    let csv = csv(7, 20_000);
    let whole = sampled(&csv, u64::MAX, Sampling::at(1.0));
    let columns = sampled(&csv, u64::MAX, Sampling::at(0.25));
    let sample = columns.sample.as_ref().expect("a sample");
    for percent in 0..=100_u32 {
        let place = sample.place(f64::from(percent) / 100.0);
        assert!(
            place.requests.abs_diff(u64::from(percent) * 200) <= 1,
            "{percent} %"
        );
        // The times of this trace are the places of its requests.
        let is_before = |time: &&u64| *time / 1_000_000_000 < place.requests;
        let kept = columns.times.iter().filter(is_before).count();
        let gets = whole.ops.iter().zip(0..place.requests);
        let gets = gets.filter(|(op, _)| **op == Op::Get).count() as u64;
        // 4,096 requests have about 1,024 of the sample and 3,277 gets: standard deviations 28 and 26.
        assert!(place.kept.abs_diff(kept) < 100, "{percent} %: {kept}");
        assert!(place.gets.abs_diff(gets) < 100, "{percent} %: {gets}");
        if percent == 0 || percent == 100 {
            assert_eq!((place.kept, place.gets), (kept, gets));
        }
    }
    assert_eq!(sample.place(1.0), sample.whole);
}

/// Halving while reading gives the same as reading at the last rate at once.
#[test]
fn a_sample_that_shrinks_is_the_sample_of_the_lower_rate() {
    for seed in 0..3 {
        let csv = csv(seed, 200_000);
        let mut rates = BTreeSet::new();
        for requests in [150_000, 60_000, 20_000, 500] {
            let room = Room {
                requests,
                bytes: u64::MAX,
            };
            let shrunk = sampled(&csv, u64::MAX, Sampling::within(room));
            let rate = shrunk.sample.as_ref().expect("it does not fit").rate;
            let at_once = sampled(&csv, u64::MAX, Sampling::at(rate));
            assert_same(
                &shrunk,
                &at_once,
                &format!("seed {seed}, {requests} requests"),
            );
            assert!(shrunk.ids.len() as u64 <= requests);
            rates.insert(rate.to_bits());
        }
        assert_eq!(rates.len(), 4, "seed {seed}: the rates differ");
        let of_memory = Room {
            requests: u64::MAX,
            bytes: 1_000_000,
        };
        let shrunk = sampled(&csv, u64::MAX, Sampling::within(of_memory));
        assert!(shrunk.sample.is_some() && shrunk.ids.len() * 22 <= 1_000_000);
        let enough = Room {
            requests: 200_000,
            bytes: 200_000 * 22 + 3_000 * 40,
        };
        assert_eq!(
            sampled(&csv, u64::MAX, Sampling::within(enough)).sample,
            None
        );
    }
}

#[test]
fn the_limit_counts_all_requests() {
    let csv = csv(3, 10_000);
    let columns = sampled(&csv, 4_000, Sampling::at(0.2));
    let sample = columns.sample.as_ref().expect("a sample");
    assert_eq!((sample.whole.requests, columns.is_cut), (4_000, true));
    assert!(
        columns.ids.len().abs_diff(800) < 300,
        "{}",
        columns.ids.len()
    );
}

/// Groups and salts are spread evenly, and a salt gives another sample.
#[test]
fn groups_and_salts_are_even() {
    let csv: String = (0..80_000).map(|key| format!("{key}\n")).collect();
    let csv = format!("key\n{csv}");
    let mut in_samples = BTreeMap::new();
    let mut of_the_first = BTreeSet::new();
    for salt in 0..6 {
        let sampling = Sampling {
            salt,
            ..Sampling::at(0.1)
        };
        let columns = sampled(&csv, u64::MAX, sampling);
        let sample = columns.sample.as_ref().expect("a sample");
        for group in 0..8 {
            let in_group = (0..80_000)
                .filter(|&id| sample.groups.get(id) == Some(&group))
                .count();
            // 1,000 expected, standard deviation 31.
            assert!(
                (860..1_140).contains(&in_group),
                "salt {salt}, group {group}: {in_group}"
            );
        }
        let is_small = |id: &u32| matches!(columns.keys.get(*id), Some(Key::Number(0..128)));
        of_the_first.insert((0..columns.objects).filter(is_small).count());
        for id in 0..columns.objects {
            *in_samples
                .entry(columns.keys.get(id).expect("a key").to_bytes())
                .or_insert(0) += 1;
        }
    }
    assert!(of_the_first.len() > 1, "a salt does more than to swap keys");
    let twice = in_samples.values().filter(|&&count| count == 2).count();
    // 15 * 0.01 * 0.9^4 of 80,000 keys: 7,873, standard deviation 84.
    assert!(
        (7_450..8_300).contains(&twice),
        "{twice} keys are in two of six samples"
    );
}
