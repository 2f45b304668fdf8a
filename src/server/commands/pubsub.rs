//! Channels and keyspace notifications.

use super::{Result, help, subcommand};
use crate::event::EventKind;
use crate::language::glob;
use crate::operation::Operation;
use crate::resp::call::{Ask, KeyEvent};
use crate::resp::commands::Words;
use crate::resp::value::{Failure, Value};
use crate::resp::{Frames, Protocol};
use crate::server::channels::Channel;
use crate::server::client::Client;
use crate::server::hub::{Hub, Turn};
use crate::server::settings::WATCH_LIMIT;
use crate::session::{ChangeKind, KeyChange};

fn kind_of(name: &str) -> Channel {
    match name.as_bytes().first() {
        Some(b'p') if name != "publish" && name != "pubsub" => Channel::Pattern,
        Some(b's') if name != "subscribe" => Channel::Shard,
        _ => Channel::Plain,
    }
}

pub fn subscribe(hub: &mut Hub, _: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let name = words.name();
    if client.exec.is_some() && client.protocol == Protocol::Resp2 {
        return Err(Failure::new(format!(
            "ERR {} is not allowed in a transaction",
            name.to_uppercase()
        )));
    }
    let kind = kind_of(&name);
    if client.channels[kind as usize].len() + words.len() > WATCH_LIMIT {
        return Err(Failure::text("ERR too many channels for one client"));
    }
    for channel in words.rest(1) {
        client.channels[kind as usize].insert(channel.into());
        hub.channels.join(kind, channel, client.id);
        confirm(client, kind, &name, Some(channel));
    }
    Ok(Value::Later)
}

pub fn unsubscribe(hub: &mut Hub, _: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let name = words.name();
    let kind = kind_of(name.strip_prefix("un").unwrap_or(&name));
    let mut channels: Vec<Vec<u8>> = words.rest(1).map(<[u8]>::to_vec).collect();
    if channels.is_empty() {
        channels = client.channels[kind as usize].iter().cloned().collect();
    }
    for channel in &channels {
        client.channels[kind as usize].remove(channel);
        hub.channels.part(kind, channel, client.id);
        confirm(client, kind, &name, Some(channel));
    }
    if channels.is_empty() {
        confirm(client, kind, &name, None);
    }
    Ok(Value::Later)
}

/// Confirms a change of subscriptions. Shard channels are counted apart from the others.
fn confirm(client: &mut Client, kind: Channel, name: &str, channel: Option<&[u8]>) {
    let [channels, patterns, shards] = client
        .channels
        .each_ref()
        .map(std::collections::BTreeSet::len);
    let count = match kind {
        Channel::Shard => shards,
        Channel::Plain | Channel::Pattern => channels + patterns,
    };
    client.confirm(|frames| {
        frames.push(3);
        frames.bulk(name.as_bytes());
        frames.bulk_or_null(channel);
        frames.count(count);
    });
}

pub fn publish(hub: &mut Hub, _: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let kind = match words.name().as_str() {
        "spublish" => Channel::Shard,
        _ => Channel::Plain,
    };
    let received = hub.publish(Some(client), kind, &words[1], &words[2]);
    Ok(Value::count(received))
}

pub fn pubsub(hub: &mut Hub, _: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let sub = subcommand(words);
    let kind = if sub.starts_with("shard") {
        Channel::Shard
    } else {
        Channel::Plain
    };
    // The present client is not among the others while its command runs.
    let is_local = |hub: &Hub, id: &u32| {
        *id == client.id
            || hub
                .clients
                .get(*id)
                .is_some_and(|it| it.node == client.node)
    };
    Ok(match sub.as_str() {
        "channels" | "shardchannels" => {
            let pattern = words.get(2);
            let channels = hub.channels.iter(kind).filter(|(channel, listeners)| {
                listeners.iter().any(|id| is_local(hub, id))
                    && pattern.is_none_or(|pattern| glob::matches(pattern, channel))
            });
            Value::Array(channels.map(|(channel, _)| Value::bulk(channel)).collect())
        }
        "numsub" | "shardnumsub" => {
            let counts = words.rest(2).flat_map(|channel| {
                let listeners = hub.channels.listeners(kind, channel);
                let count = listeners.iter().filter(|id| is_local(hub, id)).count();
                [Value::bulk(channel), Value::count(count)]
            });
            Value::Array(counts.collect())
        }
        "numpat" => Value::count(hub.channels.iter(Channel::Pattern).count()),
        _ => help("pubsub"),
    })
}

impl Hub {
    /// Sends a message to the listeners of a channel on all nodes. Returns how many are connected to
    /// the node of `sender`.
    pub(in crate::server) fn publish(
        &mut self,
        mut sender: Option<&mut Client>,
        kind: Channel,
        channel: &[u8],
        message: &[u8],
    ) -> usize {
        if self.channels.is_empty() {
            return 0;
        }
        let node = sender.as_ref().map(|it| it.node);
        let mut received = 0;
        let name: &[u8] = if kind == Channel::Shard {
            b"smessage"
        } else {
            b"message"
        };
        for id in self.channels.listeners(kind, channel) {
            received += self.send(&mut sender, id, node, |frames| {
                frames.push(3);
                frames.bulk(name);
                frames.bulk(channel);
                frames.bulk(message);
            });
        }
        if kind == Channel::Shard {
            return received;
        }
        for (pattern, listeners) in self.channels.matching(channel) {
            for id in listeners {
                received += self.send(&mut sender, id, node, |frames| {
                    frames.push(4);
                    frames.bulk(b"pmessage");
                    frames.bulk(&pattern);
                    frames.bulk(channel);
                    frames.bulk(message);
                });
            }
        }
        received
    }

    /// Sends a message to a client. Returns 1 if it is connected to this node.
    fn send(
        &mut self,
        sender: &mut Option<&mut Client>,
        id: u32,
        node: Option<crate::id::NodeId>,
        write: impl FnOnce(&mut Frames<'_>),
    ) -> usize {
        if let Some(sender) = sender.as_mut().filter(|it| it.id == id) {
            sender.push_later(write);
            return 1;
        }
        let Some(client) = self.clients.get_mut(id) else {
            return 0;
        };
        client.push(write);
        let is_local = Some(client.node) == node;
        self.touch([id]);
        usize::from(is_local)
    }

    /// The keys that are about to be written and are not there.
    pub(in crate::server) fn absent(turn: &mut Turn<'_>, asks: &[Ask]) -> Vec<Vec<u8>> {
        let is_write = |ask: &&Ask| !matches!(ask.operation, Operation::Get | Operation::Delete);
        let keys = asks.iter().filter(is_write).map(|ask| &ask.key);
        let absent = keys.filter(|key| Self::look(turn, key).is_none());
        absent.cloned().collect()
    }

    /// Passes changes of keys on to those that watch them, and to channels.
    pub(in crate::server) fn key_changed(
        &mut self,
        mut client: Option<&mut Client>,
        event: &KeyEvent,
    ) {
        if self.watchers > 0 {
            let others = self.clients.values_mut().map(|it| &mut **it);
            let sender = client.as_deref_mut();
            for other in others.chain(sender) {
                let watches = other.watched.contains_key(&event.key);
                other.is_watch_broken |= watches;
            }
        }
        if self.tracking.clients > 0 {
            self.invalidate(client.as_deref_mut(), &event.key);
        }
        let notifications = &self.config.notifications;
        if !notifications.is_on() || !notifications.has(event.class) {
            return;
        }
        let (of_key, of_event) = (notifications.keyspace, notifications.keyevent);
        if of_key {
            let channel = [b"__keyspace@0__:", &event.key[..]].concat();
            self.publish(
                client.as_deref_mut(),
                Channel::Plain,
                &channel,
                event.name.as_bytes(),
            );
        }
        if of_event {
            let channel = format!("__keyevent@0__:{}", event.name);
            self.publish(client, Channel::Plain, channel.as_bytes(), &event.key);
        }
    }

    /// Passes on what commands at the prompt have changed.
    fn notify_of_prompt(&mut self, turn: &mut Turn<'_>) {
        for KeyChange { kind, key } in turn.cluster().take_changes() {
            let (class, name) = match kind {
                ChangeKind::Stored => ('$', "set"),
                ChangeKind::Added => ('$', "incrby"),
                ChangeKind::Expires => ('g', "expire"),
                ChangeKind::Persists => ('g', "persist"),
                ChangeKind::Removed => ('g', "del"),
            };
            self.key_changed(None, &KeyEvent { class, name, key });
        }
        self.keep_changes(turn);
    }

    /// Lets changes at the prompt be kept, if clients are told of them.
    pub(in crate::server) fn keep_changes(&self, turn: &mut Turn<'_>) {
        let is_told = self.watchers + self.tracking.clients > 0;
        let is_on = is_told || self.config.notifications.is_on();
        turn.cluster().keep_changes(is_on);
    }

    /// Passes on what the cluster has done by itself, and commands at the prompt.
    pub(in crate::server) fn notify(&mut self, turn: &mut Turn<'_>) {
        self.notify_of_prompt(turn);
        let log = turn.world.backend.events();
        if self.seen == log.end() {
            return;
        }
        let since = log.since(self.seen);
        let mut is_stale = since.missed > 0;
        let mut changes = Vec::new();
        for event in since.events {
            let (class, name) = match event.kind {
                EventKind::Expired => ('x', "expired"),
                EventKind::Evicted => ('e', "evicted"),
                _ => {
                    if !event.kind.has_key() {
                        is_stale = true;
                        self.topology.changed_at = event.at;
                    }
                    continue;
                }
            };
            let key = event.key.to_vec();
            changes.push(KeyEvent { class, name, key });
        }
        self.seen = log.end();
        self.topology.is_stale |= is_stale;
        for change in &changes {
            self.key_changed(None, change);
        }
    }
}
