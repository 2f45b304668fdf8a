//! How slots are dealt out to the members, and who gives and gets when one joins or leaves: see the
//! docs of `slots`.

use std::cmp::Ordering;
use std::iter::repeat_n;

use super::Members;
use super::slots::SLOTS;

/// For each slot the place of its node among the members.
pub(super) type Table = Box<[u16; SLOTS]>;

/// Stands for a node that has just left.
const NOBODY: u16 = u16::MAX;

/// A range for each member, as `redis-cli` computes it: in floats of 32 bits, summed up, the ends
/// rounded; the last gets the rest, and nobody gets nothing while there are slots.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an end is between 0 and a little above the number of slots"
)]
pub(super) fn fresh(members: &Members) -> Table {
    let few = members.len() <= usize::from(NOBODY);
    assert!(few, "slots have 65,535 nodes at most");
    let mut table = vec![NOBODY; SLOTS].into_boxed_slice();
    let total = members.total_weight() as f32;
    let (mut first, mut cursor) = (0, 0.0);
    for (place, member) in (0..).zip(members.iter()) {
        let part = (SLOTS as u64 * u64::from(member.weight)) as f32 / total;
        let last = (cursor + part - 1.0).round() as usize;
        let end = SLOTS.min(last.max(first) + 1);
        table[first..end].fill(place);
        (first, cursor) = (end, cursor + part);
    }
    let rest = members.len() - 1;
    table[first..].fill(u16::try_from(rest).unwrap_or(NOBODY));
    table.try_into().expect("it was made with so many slots")
}

/// How many slots each of so many members has.
pub(super) fn counts(table: &Table, members: usize) -> Vec<i32> {
    let mut counts = vec![0; members];
    for &place in table.iter().filter(|&&place| place != NOBODY) {
        counts[usize::from(place)] += 1;
    }
    counts
}

/// A table after a member has joined at some place. It takes its due, and only that.
pub(super) fn joined(table: &Table, members: &Members, newcomer: u16) -> Table {
    let mut table = table.clone();
    for place in table.iter_mut().filter(|place| **place >= newcomer) {
        *place += 1;
    }
    let home = fresh(members);
    let mut gives = gives(&table, &home, members.len(), newcomer);
    let mut take = |place: &mut u16| {
        let left = &mut gives[usize::from(*place)];
        if *left > 0 {
            *left -= 1;
            *place = newcomer;
        }
    };
    let homes = table.iter_mut().zip(home.iter());
    let come_home = homes.filter(|(_, home)| **home == newcomer);
    come_home.for_each(|(place, _)| take(place));
    table.iter_mut().for_each(take);
    table
}

/// How many slots each member gives to a newcomer, which gives none.
fn gives(table: &Table, home: &Table, members: usize, newcomer: u16) -> Vec<usize> {
    let due = counts(home, members);
    let mut have = counts(table, members);
    let mut gives = vec![0; members];
    for _ in 0..due[usize::from(newcomer)] {
        // While the newcomer lacks some of its due, somebody else has too much.
        let donor = furthest_above(&have, &due);
        have[donor] -= 1;
        gives[donor] += 1;
    }
    gives
}

/// A table after the member at some place has left. `members` are those who stay.
pub(super) fn left(table: &Table, members: &Members, leaver: u16) -> Table {
    let mut table = table.clone();
    for place in table.iter_mut() {
        *place = match (*place).cmp(&leaver) {
            Ordering::Less => *place,
            Ordering::Equal => NOBODY,
            Ordering::Greater => *place - 1,
        };
    }
    let home = fresh(members);
    let mut gets = gets(&table, &home, members.len());
    let homes = table.iter_mut().zip(home.iter());
    for (place, home) in homes.filter(|(place, _)| **place == NOBODY) {
        let left = &mut gets[usize::from(*home)];
        if *left > 0 {
            *left -= 1;
            *place = *home;
        }
    }
    let heirs = (0..)
        .zip(gets)
        .flat_map(|(heir, left)| repeat_n(heir, left));
    let others = table.iter_mut().filter(|place| **place == NOBODY);
    others.zip(heirs).for_each(|(place, heir)| *place = heir);
    table
}

/// How many of the slots that nobody has each member gets.
fn gets(table: &Table, home: &Table, members: usize) -> Vec<usize> {
    let due = counts(home, members);
    let mut have = counts(table, members);
    let mut gets = vec![0; members];
    for _ in table.iter().filter(|&&place| place == NOBODY) {
        let heir = furthest_above(&due, &have);
        have[heir] += 1;
        gets[heir] += 1;
    }
    gets
}

/// The place where one number is most above the other, of several the first.
fn furthest_above(high: &[i32], low: &[i32]) -> usize {
    let distances = high.iter().zip(low).map(|(high, low)| high - low);
    let furthest = distances.enumerate().rev().max_by_key(|&(_, by)| by);
    furthest.map_or(0, |(place, _)| place)
}
