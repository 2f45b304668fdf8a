//! CLIENT TRACKING: clients that keep values are told when those change.
//!
//! A client that tracks by default is remembered with each key that it reads, and told once when the
//! key changes. One that broadcasts names prefixes instead, and is told of every change of a key that
//! begins with one of them; nothing is remembered then.
//!
//! A change is a command of a client, an expiry or an eviction. A command at the prompt is none.

use std::collections::{BTreeMap, BTreeSet};

use super::client::Client;
use super::hub::Hub;
use crate::id::NodeId;
use crate::resp::commands::Words;
use crate::resp::spec::Spec;
use crate::resp::{Frames, Protocol};

/// The channel that a client of RESP2 gets its messages on.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// Who is to be told of which changes.
pub(super) struct Tracking {
    /// The most keys that are remembered. Beyond it the first in order are forgotten, and their
    /// clients are told that they have changed. 0: no bound of its own.
    pub most: usize,
    /// How many clients track.
    pub clients: usize,
    keys: BTreeMap<Vec<u8>, BTreeSet<u32>>,
    prefixes: BTreeMap<Vec<u8>, BTreeSet<u32>>,
    /// Changes that are to be broadcast: by prefix the keys, each with the client that changed it last.
    changes: BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, Option<u32>>>,
}

impl Default for Tracking {
    fn default() -> Self {
        Self {
            most: 1_000_000,
            clients: 0,
            keys: BTreeMap::new(),
            prefixes: BTreeMap::new(),
            changes: BTreeMap::new(),
        }
    }
}

impl Tracking {
    /// The numbers of keys that are remembered, of clients with each, and of prefixes.
    pub fn counts(&self) -> [usize; 3] {
        let items = self.keys.values().map(BTreeSet::len).sum();
        [self.keys.len(), items, self.prefixes.len()]
    }

    /// A client has these prefixes.
    pub fn add_prefixes(&mut self, client: u32, prefixes: &BTreeSet<Vec<u8>>) {
        for prefix in prefixes {
            self.prefixes
                .entry(prefix.clone())
                .or_default()
                .insert(client);
        }
    }

    fn remove_prefixes(&mut self, client: u32, prefixes: &BTreeSet<Vec<u8>>) {
        for prefix in prefixes {
            if let Some(clients) = self.prefixes.get_mut(prefix) {
                clients.remove(&client);
                if clients.is_empty() {
                    self.prefixes.remove(prefix);
                    self.changes.remove(prefix);
                }
            }
        }
    }

    /// Remembers a change for those that broadcast.
    fn note_change(&mut self, key: &[u8], by: Option<u32>) {
        let prefixes = self.prefixes.keys();
        for prefix in prefixes.filter(|prefix| key.starts_with(prefix)) {
            let changes = self.changes.entry(prefix.clone()).or_default();
            changes.insert(key.into(), by);
        }
    }
}

/// The client that carries a command out is not among the others; it is handed along.
type Sender<'a, 'b> = &'a mut Option<&'b mut Client>;

impl Hub {
    /// Remembers the keys that a command of a client is about to read.
    pub(super) fn track(&mut self, client: &mut Client, spec: &Spec, words: &Words) {
        let Some(mode) = &client.tracking else { return };
        let reads = spec.has("readonly") || spec.name.starts_with("eval");
        if !reads || !mode.remembers() {
            return;
        }
        for key in words.keys(spec) {
            let clients = self.tracking.keys.entry(key.into()).or_default();
            clients.insert(client.id);
            if clients.len() > self.clients.len() + 1 {
                // Clients that are gone are not looked for when they go.
                clients.retain(|id| *id == client.id || self.clients.contains_key(id));
            }
        }
        self.bound_tracking(client);
    }

    /// CLIENT CACHING holds for one command, or a whole transaction.
    pub(super) fn end_caching(client: &mut Client, spec: &Spec) {
        let is_inside = client.queue.is_some() || client.exec.is_some();
        let is_over = !is_inside && !spec.name.starts_with("client");
        if let Some(mode) = client.tracking.as_mut().filter(|_| is_over) {
            mode.caching = None;
        }
    }

    /// Forgets keys beyond the bound.
    pub(super) fn bound_tracking(&mut self, client: &mut Client) {
        let most = self.tracking.most;
        let mut sender = Some(client);
        while most > 0 && self.tracking.keys.len() > most {
            let Some((key, clients)) = self.tracking.keys.pop_first() else {
                return;
            };
            self.tell_all(&mut sender, &clients, &key, None);
        }
    }

    /// A client tracks no more. What is remembered of it is forgotten when the keys change.
    pub(super) fn stop_tracking(&mut self, client: &mut Client) {
        if let Some(mode) = client.tracking.take() {
            self.tracking.clients -= 1;
            self.tracking.remove_prefixes(client.id, &mode.prefixes);
        }
    }

    /// A key has changed: tells those that have read it, and notes it for those that broadcast.
    pub(super) fn invalidate(&mut self, mut sender: Option<&mut Client>, key: &[u8]) {
        let by = sender.as_ref().map(|it| it.id);
        self.tracking.note_change(key, by);
        if let Some(clients) = self.tracking.keys.remove(key) {
            self.tell_all(&mut sender, &clients, key, by);
        }
    }

    /// All keys are gone, or those of a node: the clients there are told that everything has changed.
    pub(super) fn invalidate_all(&mut self, client: &mut Client, node: Option<NodeId>) {
        let is_there =
            |it: &Client| it.tracking.is_some() && node.is_none_or(|node| it.node == node);
        let others = self.clients.values().map(|it| &**it);
        let all = others.chain([&*client]);
        let ids: BTreeSet<u32> = all.filter(|it| is_there(it)).map(|it| it.id).collect();
        self.tracking.keys.retain(|_, clients| {
            clients.retain(|id| !ids.contains(id));
            !clients.is_empty()
        });
        let mut sender = Some(client);
        for id in ids {
            self.tell(&mut sender, id, None);
        }
    }

    /// Sends the changes since the last call to those that broadcast: a message for each prefix.
    pub(super) fn send_broadcasts(&mut self, mut sender: Option<&mut Client>) {
        for (prefix, keys) in std::mem::take(&mut self.tracking.changes) {
            let clients = self.tracking.prefixes.get(&prefix).cloned();
            for id in clients.unwrap_or_default() {
                let spares = self.with(&mut sender, id, |client| {
                    client.tracking.as_ref().is_some_and(|mode| mode.no_loop)
                });
                let told = keys
                    .iter()
                    .filter(|(_, by)| spares != Some(true) || **by != Some(id));
                let told: Vec<&[u8]> = told.map(|(key, _)| &key[..]).collect();
                if !told.is_empty() {
                    self.tell(&mut sender, id, Some(&told));
                }
            }
        }
    }

    /// The command of a client is over: sends what came of it.
    pub(super) fn settle(&mut self, client: &mut Client) {
        if client.is_busy() {
            return;
        }
        if !self.tracking.changes.is_empty() {
            self.send_broadcasts(Some(&mut *client));
        }
        client.send_pushes();
    }

    /// Tells clients that track by default of a change.
    fn tell_all(
        &mut self,
        sender: Sender<'_, '_>,
        clients: &BTreeSet<u32>,
        key: &[u8],
        by: Option<u32>,
    ) {
        for &id in clients {
            let wants = self.with(sender, id, |client| {
                let mode = client.tracking.as_ref();
                mode.is_some_and(|mode| !(mode.broadcasts || mode.no_loop && by == Some(id)))
            });
            if wants == Some(true) {
                self.tell(sender, id, Some(&[key]));
            }
        }
    }

    /// Tells a client, or the one that is told instead; `None`: of all keys.
    fn tell(&mut self, sender: Sender<'_, '_>, id: u32, keys: Option<&[&[u8]]>) {
        let redirect = self.with(sender, id, |client| {
            client.tracking.as_ref().and_then(|mode| mode.redirect)
        });
        let target = redirect.flatten().unwrap_or(id);
        let is_redirected = target != id;
        let told = self.with(sender, target, |client| {
            (client.protocol == Protocol::Resp3)
                .then_some(false)
                .or((is_redirected && client.subscriptions() > 0).then_some(true))
        });
        match told {
            Some(Some(by_channel)) => self.post(sender, target, |frames| {
                write_message(frames, by_channel, keys);
            }),
            Some(None) => {}
            None => self.tell_broken(sender, id, target),
        }
    }

    /// Tells a client that the one that is told instead of it is gone.
    fn tell_broken(&mut self, sender: Sender<'_, '_>, id: u32, redirect: u32) {
        let is_told = self.with(sender, id, |client| {
            if let Some(mode) = &mut client.tracking {
                mode.is_broken = true;
            }
            client.protocol == Protocol::Resp3
        });
        if is_told == Some(true) {
            self.post(sender, id, |frames| {
                frames.push(2);
                frames.bulk(b"tracking-redir-broken");
                frames.integer(redirect.into());
            });
        }
    }

    /// Uses a client, which may be the one whose command runs; `None` if it is not connected.
    fn with<T>(
        &mut self,
        sender: Sender<'_, '_>,
        id: u32,
        use_it: impl FnOnce(&mut Client) -> T,
    ) -> Option<T> {
        match sender {
            Some(client) if client.id == id => Some(use_it(client)),
            _ => self.clients.get_mut(&id).map(|client| use_it(client)),
        }
    }

    /// Sends a message to a client, behind its reply if its command runs.
    fn post(&mut self, sender: Sender<'_, '_>, id: u32, write: impl FnOnce(&mut Frames<'_>)) {
        if let Some(client) = sender.as_mut().filter(|it| it.id == id) {
            return client.push_later(write);
        }
        if let Some(client) = self.clients.get_mut(&id) {
            client.push(write);
            self.touch([id]);
        }
    }
}

fn write_message(frames: &mut Frames<'_>, by_channel: bool, keys: Option<&[&[u8]]>) {
    if by_channel {
        frames.push(3);
        frames.bulk(b"message");
        frames.bulk(CHANNEL);
    } else {
        frames.push(2);
        frames.bulk(b"invalidate");
    }
    let Some(keys) = keys else {
        return frames.null();
    };
    frames.array(keys.len());
    for key in keys {
        frames.bulk(key);
    }
}
