//! A slot moved by hand, or ranges of slots by the server itself.

use std::time::Duration;

use super::hosts::{Host, Hosts, View};
use super::plan::{Plan, SlotMove};
use crate::engine::limit::Limit;
use crate::engine::url::Credentials;
use crate::operation::Bytes;
use crate::resp::Answer;

/// Keys that are moved at once.
const CHUNK: &str = "100";
/// How long a server may take to hand over a chunk, in milliseconds.
const HAND_OVER: &str = "5000";
/// How long to wait before asking how far a server is.
const PAUSE: Duration = Duration::from_millis(10);

/// What has been moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many slots.
    pub slots: usize,
    /// How many keys. Where the server moves them itself, those that there were before.
    pub keys: u64,
}

/// Who moves the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// We do: MIGRATE, slot by slot.
    ByHand,
    /// The server does: CLUSTER MIGRATESLOTS.
    ByServer,
}

/// Moves slots between the primaries of a cluster.
pub struct Mover {
    pub(super) hosts: Hosts,
    way: Option<Way>,
    /// The primaries, as they were at the latest look.
    primaries: Vec<String>,
}

impl Mover {
    /// For these servers, which are all that are up. The connections are made when they are needed.
    #[must_use]
    pub fn new(hosts: Vec<Host>, login: Credentials) -> Self {
        Self {
            hosts: Hosts::new(hosts, login),
            way: None,
            primaries: Vec::new(),
        }
    }

    /// Moves slots by hand even if the server could do it itself.
    #[must_use]
    pub fn by_hand(mut self) -> Self {
        self.way = Some(Way::ByHand);
        self
    }

    /// What the servers say about the slots.
    ///
    /// # Errors
    /// If no server answers.
    pub fn view(&mut self, limit: &Limit) -> Result<View, String> {
        let view = self.hosts.view(limit)?;
        self.primaries = view.primaries().map(|it| it.id.clone()).collect();
        Ok(view)
    }

    /// Moves the next slots of a plan, at most so many, and takes them off the plan. What is left is
    /// [`Plan::left`].
    ///
    /// # Errors
    /// If a server does not answer, or refuses. A slot may be open then: [`Mover::repair`] it, and make a
    /// new plan.
    pub fn move_some(
        &mut self,
        plan: &mut Plan,
        most: usize,
        limit: &Limit,
    ) -> Result<Moved, String> {
        let mut moved = Moved::default();
        let way = self.way(limit)?;
        self.view(limit)?;
        while moved.slots < most {
            let most = if way == Way::ByHand {
                1
            } else {
                most - moved.slots
            };
            let Some(step) = plan.next(most) else {
                break;
            };
            moved.keys += match way {
                Way::ByHand => self.move_slot(*step.slots.start(), &step.from, &step.to, limit)?,
                Way::ByServer => self.move_range(&step, limit)?,
            };
            moved.slots += step.slots.len();
            plan.done(&step);
        }
        Ok(moved)
    }

    /// Who moves the keys. The first server is asked whether it can.
    pub(super) fn way(&mut self, limit: &Limit) -> Result<Way, String> {
        if let Some(way) = self.way {
            return Ok(way);
        }
        let view = self.view(limit)?;
        let mut can = true;
        for member in view.primaries() {
            let refused = self
                .hosts
                .ask(&member.id, &["CLUSTER", "MIGRATESLOTS"], limit);
            can &= refused.is_err_and(|error| error.contains("wrong number of arguments"));
        }
        let way = if can { Way::ByServer } else { Way::ByHand };
        self.way = Some(way);
        Ok(way)
    }

    /// Moves one slot by hand, and tells the primaries of the latest view. Returns how many keys that were.
    ///
    /// # Errors
    /// As [`Mover::move_some`].
    pub fn move_slot(
        &mut self,
        slot: u16,
        from: &str,
        to: &str,
        limit: &Limit,
    ) -> Result<u64, String> {
        self.set_slot(to, slot, &["IMPORTING", from], limit)?;
        self.set_slot(from, slot, &["MIGRATING", to], limit)?;
        let keys = self.drain(slot, from, to, true, limit)?;
        self.close_slot(slot, from, to, limit)?;
        Ok(keys)
    }

    /// Gives a slot whose keys are all at `to` to that one.
    pub(super) fn close_slot(
        &mut self,
        slot: u16,
        from: &str,
        to: &str,
        limit: &Limit,
    ) -> Result<(), String> {
        // The new owner first: it may be the only one that learns of it.
        self.set_slot(to, slot, &["NODE", to], limit)?;
        self.set_slot(from, slot, &["NODE", to], limit)?;
        let others = self.primaries.clone();
        for other in others.iter().filter(|&it| it != to && it != from) {
            // It would learn of it from the others too.
            let _ = self.set_slot(other, slot, &["NODE", to], limit);
        }
        Ok(())
    }

    pub(super) fn set_slot(
        &mut self,
        id: &str,
        slot: u16,
        state: &[&str],
        limit: &Limit,
    ) -> Result<(), String> {
        let slot = slot.to_string();
        let words = [&["CLUSTER", "SETSLOT", &slot], state].concat();
        self.hosts.ask(id, &words, limit).map(|_| ())
    }

    /// Moves all keys of a slot from one server to another. A key that both have is taken from `from` if
    /// it replaces, else it is dropped there. Returns how many keys there were.
    pub(super) fn drain(
        &mut self,
        slot: u16,
        from: &str,
        to: &str,
        replaces: bool,
        limit: &Limit,
    ) -> Result<u64, String> {
        let slot = slot.to_string();
        let mut count = 0;
        loop {
            let words = ["CLUSTER", "GETKEYSINSLOT", &slot, CHUNK];
            let answer = self.hosts.ask(from, &words, limit)?;
            let keys: Vec<Bytes> = answer
                .array()
                .unwrap_or_default()
                .iter()
                .filter_map(key)
                .collect();
            if keys.is_empty() {
                return Ok(count);
            }
            match self.hand_over(&keys, from, to, replaces, limit) {
                Err(error) if !replaces && error.contains("BUSYKEY") => {
                    self.drop_keys(&keys, from, limit)?;
                }
                handed => handed?,
            }
            count += keys.len() as u64;
        }
    }

    fn hand_over(
        &mut self,
        keys: &[Bytes],
        from: &str,
        to: &str,
        replaces: bool,
        limit: &Limit,
    ) -> Result<(), String> {
        let target = self.hosts.get(to)?.announced;
        let (ip, port) = (target.ip().to_string(), target.port().to_string());
        let login = self.hosts.login.clone();
        let login = login.words().unwrap_or_default();
        let mut words: Vec<&[u8]> = [&b"MIGRATE"[..], ip.as_bytes(), port.as_bytes()].into();
        words.extend([&b""[..], b"0", HAND_OVER.as_bytes()]);
        words.extend(replaces.then_some(&b"REPLACE"[..]));
        match login.as_slice() {
            [_, password] => words.extend([b"AUTH", password.as_bytes()]),
            [_, user, password] => words.extend([b"AUTH2", user.as_bytes(), password.as_bytes()]),
            _ => {}
        }
        words.push(b"KEYS");
        words.extend(keys.iter().map(AsRef::<[u8]>::as_ref));
        self.hosts.ask(from, &words, limit).map(|_| ())
    }

    /// Deletes keys of a slot at a server that imports it.
    fn drop_keys(&mut self, keys: &[Bytes], at: &str, limit: &Limit) -> Result<(), String> {
        let delete = |key: &Bytes| {
            [
                vec![b"ASKING".to_vec()],
                vec![b"DEL".to_vec(), key.to_vec()],
            ]
        };
        let requests: Vec<Vec<Vec<u8>>> = keys.iter().flat_map(delete).collect();
        let answers = self.hosts.ask_all(at, &requests, limit)?;
        match answers.into_iter().find_map(error) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Has a server move slots by itself.
    fn move_range(&mut self, step: &SlotMove, limit: &Limit) -> Result<u64, String> {
        let keys = self.count_keys(&step.from, step.slots.clone(), limit)?;
        let keys = keys.into_iter().map(|(_, keys)| keys).sum();
        let (first, last) = (step.slots.start().to_string(), step.slots.end().to_string());
        let words = [
            "CLUSTER",
            "MIGRATESLOTS",
            "SLOTSRANGE",
            &first,
            &last,
            "NODE",
            &step.to,
        ];
        self.hosts.ask(&step.from, &words, limit)?;
        let range = format!("{first}-{last}");
        self.await_migrations(&step.from, Some(&range), limit)?;
        Ok(keys)
    }

    /// Waits until a server has ended its moves. With a range the latest one of that range must have been a
    /// success.
    pub(super) fn await_migrations(
        &mut self,
        id: &str,
        range: Option<&str>,
        limit: &Limit,
    ) -> Result<(), String> {
        loop {
            let words = ["CLUSTER", "GETSLOTMIGRATIONS"];
            let answer = self.hosts.ask(id, &words, limit)?;
            let all = answer.array().unwrap_or_default().iter();
            let mut asked = all.filter(|it| {
                let is_asked = range.is_none() || field(it, "slot_ranges") == range;
                is_asked && field(it, "operation") == Some("EXPORT")
            });
            match range {
                None if asked.all(|it| is_over(field(it, "state"))) => return Ok(()),
                None => {}
                // The latest comes first.
                Some(range) => match asked.next() {
                    None => return Err("the server does not know its own move".into()),
                    Some(it) if field(it, "state") == Some("success") => return Ok(()),
                    Some(it) if is_over(field(it, "state")) => {
                        let why = field(it, "message").unwrap_or_default();
                        return Err(format!("slots {range} were not moved: {why}"));
                    }
                    Some(_) => {}
                },
            }
            if limit.left().is_none() {
                return Err("the move takes too long".into());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// How many keys a server has of each of these slots. Slots with none are left out.
    pub(super) fn count_keys(
        &mut self,
        id: &str,
        slots: impl Iterator<Item = u16>,
        limit: &Limit,
    ) -> Result<Vec<(u16, u64)>, String> {
        let slots: Vec<u16> = slots.collect();
        let count =
            |slot: &u16| ["CLUSTER".into(), "COUNTKEYSINSLOT".into(), slot.to_string()].into();
        let requests: Vec<Vec<String>> = slots.iter().map(count).collect();
        let answers = self.hosts.ask_all(id, &requests, limit)?;
        let counts = answers
            .iter()
            .map(|it| it.integer().and_then(|it| u64::try_from(it).ok()));
        let counts = counts.map(|it| it.ok_or("CLUSTER COUNTKEYSINSLOT has another form"));
        let counts = counts.collect::<Result<Vec<u64>, _>>()?;
        Ok(slots
            .into_iter()
            .zip(counts)
            .filter(|&(_, keys)| keys > 0)
            .collect())
    }
}

/// Whether a move has ended.
fn is_over(state: Option<&str>) -> bool {
    matches!(state, Some("success" | "failed" | "cancelled"))
}

fn key(answer: &Answer) -> Option<Bytes> {
    match answer {
        Answer::Bulk(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

fn error(answer: Answer) -> Option<String> {
    match answer {
        Answer::Error(error) => Some(error),
        _ => None,
    }
}

/// A field of an answer that is names and values in turn.
fn field<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut pairs = answer.array()?.chunks_exact(2);
    pairs.find(|pair| pair[0].text() == Some(name))?[1].text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_names() {
        let text = |text: &str| Answer::Bulk(text.as_bytes().into());
        let answer = Answer::Array(["name", "state", "state", "success"].map(text).into());
        assert_eq!(field(&answer, "state"), Some("success"));
        assert_eq!(field(&answer, "success"), None);
        assert_eq!(field(&Answer::Nil, "state"), None);
    }
}
