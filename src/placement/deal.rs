//! Which member has which slot: a fresh table, and the table after a join or a leave. The docs of
//! `slots` give the rules.

use std::cmp::Ordering;
use std::iter::repeat_n;

use super::Members;

/// How many slots there are.
pub(super) const SLOTS: usize = 16_384;

/// For each slot the index of its node among the members.
pub(super) type Table = Box<[u16; SLOTS]>;

/// Marks the slots of a node that has just left.
const FREE: u16 = u16::MAX;

/// One range of slots for each member, as `redis-cli --cluster create` computes it: in 32-bit
/// floats, added up, with rounded ends. The last member gets the rest. While there are slots, every
/// member gets at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an end is between 0 and a little above the number of slots"
)]
pub(super) fn fresh(members: &Members) -> Table {
    let few = members.len() <= usize::from(FREE);
    assert!(few, "slots have 65,535 nodes at most");
    let mut table = vec![FREE; SLOTS].into_boxed_slice();
    let total = members.total_weight() as f32;
    let (mut first, mut cursor) = (0, 0.0);
    for (index, member) in (0..).zip(members.iter()) {
        let part = (SLOTS as u64 * u64::from(member.weight)) as f32 / total;
        let last = (cursor + part - 1.0).round() as usize;
        let end = SLOTS.min(last.max(first) + 1);
        table[first..end].fill(index);
        (first, cursor) = (end, cursor + part);
    }
    let last = members.len() - 1;
    table[first..].fill(u16::try_from(last).unwrap_or(FREE));
    table.try_into().expect("it was made with this many slots")
}

/// How many slots each member has.
pub(super) fn counts(table: &Table, members: usize) -> Vec<i32> {
    let mut counts = vec![0; members];
    for &owner in table.iter().filter(|&&owner| owner != FREE) {
        counts[usize::from(owner)] += 1;
    }
    counts
}

/// The table after a member has joined, with the index `newcomer`. It takes exactly its quota.
pub(super) fn joined(table: &Table, members: &Members, newcomer: u16) -> Table {
    let mut table = table.clone();
    for owner in table.iter_mut().filter(|owner| **owner >= newcomer) {
        *owner += 1;
    }
    let home = fresh(members);
    let mut donations = donations(&table, &home, members.len(), newcomer);
    let mut take = |owner: &mut u16| {
        let left = &mut donations[usize::from(*owner)];
        if *left > 0 {
            *left -= 1;
            *owner = newcomer;
        }
    };
    // First the slots whose home the newcomer is, then any, from the lowest.
    let with_home = table.iter_mut().zip(home.iter());
    let at_home = with_home.filter(|(_, home)| **home == newcomer);
    at_home.for_each(|(owner, _)| take(owner));
    table.iter_mut().for_each(take);
    table
}

/// How many slots each member gives to a newcomer, which gives none.
fn donations(table: &Table, home: &Table, members: usize, newcomer: u16) -> Vec<usize> {
    let quotas = counts(home, members);
    let mut have = counts(table, members);
    let mut donations = vec![0; members];
    for _ in 0..quotas[usize::from(newcomer)] {
        // The quotas add up to all slots: while the newcomer is below its own, another member is
        // above.
        let donor = furthest_above(&have, &quotas);
        have[donor] -= 1;
        donations[donor] += 1;
    }
    donations
}

/// The table after the member with the index `leaver` has left. `members` are those who stay.
pub(super) fn left(table: &Table, members: &Members, leaver: u16) -> Table {
    let mut table = table.clone();
    for owner in table.iter_mut() {
        *owner = match (*owner).cmp(&leaver) {
            Ordering::Less => *owner,
            Ordering::Equal => FREE,
            Ordering::Greater => *owner - 1,
        };
    }
    let home = fresh(members);
    let mut gains = gains(&table, &home, members.len());
    // First each free slot to its home, if that may gain one, then the others, from the lowest.
    let with_home = table.iter_mut().zip(home.iter());
    for (owner, home) in with_home.filter(|(owner, _)| **owner == FREE) {
        let left = &mut gains[usize::from(*home)];
        if *left > 0 {
            *left -= 1;
            *owner = *home;
        }
    }
    let rest = (0..).zip(gains);
    let rest = rest.flat_map(|(member, left)| repeat_n(member, left));
    let free = table.iter_mut().filter(|owner| **owner == FREE);
    free.zip(rest).for_each(|(owner, member)| *owner = member);
    table
}

/// How many of the free slots each member gets.
fn gains(table: &Table, home: &Table, members: usize) -> Vec<usize> {
    let quotas = counts(home, members);
    let mut have = counts(table, members);
    let mut gains = vec![0; members];
    for _ in table.iter().filter(|&&owner| owner == FREE) {
        let next = furthest_above(&quotas, &have);
        have[next] += 1;
        gains[next] += 1;
    }
    gains
}

/// The index at which `high` is most above `low`; the first of several.
fn furthest_above(high: &[i32], low: &[i32]) -> usize {
    let distances = high.iter().zip(low).map(|(high, low)| high - low);
    let furthest = distances.enumerate().rev().max_by_key(|&(_, by)| by);
    furthest.map_or(0, |(index, _)| index)
}
