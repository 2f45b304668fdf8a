//! Slots that an interrupted move left open, and keys where they do not belong.
//!
//! After any interruption the keys of a slot are at its owner, at the server that was to get them, or at
//! the replica that took the place of one of both. The marks of the move may be at one, at both or, since a
//! replica may know nothing of them, nowhere. So each primary is asked for its marks, and for how many keys
//! it has of slots that it does not have. All keys of such a slot then go to one server, which gets the slot:
//!
//! 1. the one to which the owner's mark says that it goes, if that is up;
//! 2. else one that has a mark that it gets the slot;
//! 3. else, with no mark, the owner.
//!
//! The owner's keys replace others: clients were sent elsewhere only for keys that it did not have.

use std::collections::{BTreeMap, BTreeSet};

use super::SLOTS;
use super::hosts::View;
use super::mover::{Mover, Way};
use crate::engine::limit::Limit;
use crate::engine::members::Member;

/// What was repaired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// How many slots were open, or had keys elsewhere.
    pub slots: usize,
    /// How many keys were moved.
    pub keys: u64,
}

/// The primaries, other than its owner, that have keys of a slot.
type Strays = BTreeMap<u16, Vec<String>>;

impl Mover {
    /// Finishes all moves that were interrupted. It may itself be interrupted, and repeated.
    ///
    /// # Errors
    /// If a server does not answer or refuses, or an open slot has no owner that is up.
    pub fn repair(&mut self, limit: &Limit) -> Result<Repaired, String> {
        let by_server = self.way(limit)? == Way::ByServer;
        let mut view = self.view(limit)?;
        if by_server {
            for member in view.primaries() {
                self.await_migrations(&member.id, None, limit)?;
            }
            view = self.view(limit)?;
        }
        let strays = self.strays(&view, limit)?;
        let marked = view
            .primaries()
            .flat_map(|it| it.migrating.iter().chain(&it.importing));
        let mut slots: BTreeSet<u16> = marked.map(|&(slot, _)| slot).collect();
        slots.extend(strays.keys());
        let mut repaired = Repaired::default();
        for &slot in &slots {
            let strays = strays.get(&slot).map_or(&[][..], Vec::as_slice);
            repaired.keys += self.repair_slot(&view, slot, strays, limit)?;
            repaired.slots += 1;
        }
        Ok(repaired)
    }

    fn strays(&mut self, view: &View, limit: &Limit) -> Result<Strays, String> {
        let mut strays = Strays::new();
        for member in view.primaries() {
            let is_foreign =
                |&slot: &u16| view.owner(slot).is_none_or(|owner| owner.id != member.id);
            let foreign: Vec<u16> = (0..SLOTS).filter(is_foreign).collect();
            for (slot, _) in self.count_keys(&member.id, foreign.into_iter(), limit)? {
                strays.entry(slot).or_default().push(member.id.clone());
            }
        }
        Ok(strays)
    }

    fn repair_slot(
        &mut self,
        view: &View,
        slot: u16,
        strays: &[String],
        limit: &Limit,
    ) -> Result<u64, String> {
        let owner = view
            .owner(slot)
            .ok_or_else(|| format!("no server that is up has slot {slot}"))?;
        let owner = owner.id.as_str();
        let goal = goal(view, slot, owner);
        let mut keys = 0;
        if goal != owner {
            self.set_slot(goal, slot, &["IMPORTING", owner], limit)?;
            self.set_slot(owner, slot, &["MIGRATING", goal], limit)?;
            keys += self.drain(slot, owner, goal, true, limit)?;
        } else if !strays.is_empty() {
            // With a mark it would send keys that it does not have elsewhere.
            self.set_slot(owner, slot, &["STABLE"], limit)?;
        }
        for stray in strays.iter().filter(|&it| it != goal && it != owner) {
            // Without a mark it would send us to the owner.
            self.set_slot(stray, slot, &["IMPORTING", owner], limit)?;
            keys += self.drain(slot, stray, goal, false, limit)?;
        }
        if goal != owner {
            self.close_slot(slot, owner, goal, limit)?;
        }
        let has_mark = |it: &&Member| {
            mark(&it.migrating, slot)
                .or(mark(&it.importing, slot))
                .is_some()
        };
        let marked = view.primaries().filter(has_mark).map(|it| &it.id);
        let marked: BTreeSet<&String> = marked.chain(strays).collect();
        for id in marked {
            self.set_slot(id, slot, &["STABLE"], limit)?;
        }
        Ok(keys)
    }
}

fn mark(marks: &[(u16, String)], slot: u16) -> Option<&str> {
    marks
        .iter()
        .find(|(marked, _)| *marked == slot)
        .map(|(_, id)| id.as_str())
}

/// The server that gets an open slot, and all its keys.
fn goal<'a>(view: &'a View, slot: u16, owner: &'a str) -> &'a str {
    let is_up = |id: &str| view.primaries().any(|it| it.id == id);
    let owners_mark = view.primaries().find(|it| it.id == owner);
    let marked = owners_mark
        .and_then(|it| mark(&it.migrating, slot))
        .filter(|id| is_up(id));
    let mut others = view.primaries().filter(|it| it.id != owner);
    let importing = others.find(|it| mark(&it.importing, slot).is_some());
    marked
        .or(importing.map(|it| it.id.as_str()))
        .unwrap_or(owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::members::parse;

    #[test]
    fn the_goal_is_named_by_the_owner_or_else_by_itself() {
        for (a, b, expected) in [
            ("0-9 [5->-b]", "", "b"),
            ("0-9", "[5-<-a]", "b"),
            ("0-9", "[5-<-gone]", "b"),
            ("0-9 [5->-gone]", "", "a"),
            ("0-9 [5->-c]", "[5-<-a]", "c"),
            ("0-9 [6->-b]", "[7-<-a]", "a"),
            ("0-9", "", "a"),
        ] {
            let line = |(id, slots): (&str, &str)| {
                let line = format!("{id} :1@2 myself,master - 0 0 1 connected {slots}");
                parse(line.trim_end()).expect("a member")
            };
            let members = [("a", a), ("b", b), ("c", "")].into_iter().flat_map(line);
            let view = View {
                members: members.collect(),
            };
            assert_eq!(goal(&view, 5, "a"), expected, "{a} {b}");
        }
    }
}
