//! Transactions.
//!
//! The commands of a transaction are carried out one after the other. Where nothing is disturbed,
//! all happen at one instant. Otherwise each waits for its nodes, and commands of other clients can
//! come in between.

use super::Result;
use crate::resp::commands::Words;
use crate::resp::value::{Failure, Value};
use crate::server::client::{Client, Exec, Queue};
use crate::server::hub::{Hub, Turn};
use crate::server::settings::WATCH_LIMIT;

pub fn multi(_: &mut Hub, _: &mut Turn<'_>, client: &mut Client, _: &Words) -> Result {
    if client.queue.is_some() {
        return Err(Failure::text("ERR MULTI calls can not be nested"));
    }
    client.queue = Some(Queue::default());
    Ok(Value::Ok)
}

pub fn discard(hub: &mut Hub, _: &mut Turn<'_>, client: &mut Client, _: &Words) -> Result {
    if client.queue.take().is_none() {
        return Err(Failure::text("ERR DISCARD without MULTI"));
    }
    hub.unwatch(client);
    Ok(Value::Ok)
}

pub fn watch(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    if client.queue.is_some() {
        return Err(Failure::text("ERR WATCH inside MULTI is not allowed"));
    }
    if client.watched.len() + words.len() > WATCH_LIMIT {
        return Err(Failure::text("ERR too many keys are watched"));
    }
    hub.watchers += usize::from(client.watched.is_empty());
    for key in words.rest(1) {
        if !client.watched.contains_key(key) {
            let found = Hub::look(turn, key);
            client.watched.insert(key.into(), found);
        }
    }
    Ok(Value::Ok)
}

pub fn unwatch(hub: &mut Hub, _: &mut Turn<'_>, client: &mut Client, _: &Words) -> Result {
    hub.unwatch(client);
    Ok(Value::Ok)
}

pub fn exec(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, _: &Words) -> Result {
    let Some(queue) = client.queue.take() else {
        return Err(Failure::text("ERR EXEC without MULTI"));
    };
    let is_changed = client.is_watch_broken || has_changed(turn, client);
    hub.unwatch(client);
    if queue.is_broken {
        return Err(Failure::text(
            "EXECABORT Transaction discarded because of previous errors.",
        ));
    }
    if is_changed {
        return Ok(Value::NullArray);
    }
    client.exec = Some(Exec {
        count: queue.commands.len(),
        left: queue.commands,
        replies: Vec::new(),
    });
    hub.go_on_exec(turn, client);
    Ok(Value::Later)
}

/// Whether what a client watches differs from what it was, as after a write at the prompt.
fn has_changed(turn: &mut Turn<'_>, client: &Client) -> bool {
    let mut watched = client.watched.iter();
    watched.any(|(key, before)| {
        let now = Hub::look(turn, key);
        let content = |it: &Option<crate::operation::Found>| {
            it.as_ref()
                .map(|found| (found.value.clone(), found.deadline))
        };
        content(before) != content(&now)
    })
}

impl Hub {
    /// Answers a command that is not begun. A refused EXEC ends its transaction.
    pub(crate) fn refuse(&mut self, client: &mut Client, failure: Failure) {
        let is_exec = client.command.is_some_and(|spec| spec.name == "exec");
        let failure = match failure {
            Failure::Error(why) if is_exec && client.queue.take().is_some() => {
                self.unwatch(client);
                Failure::new(format!("EXECABORT Transaction discarded because of: {why}"))
            }
            other => other,
        };
        self.answer(client, Err(failure));
    }

    /// A client watches nothing any more.
    pub(crate) fn unwatch(&mut self, client: &mut Client) {
        self.watchers -= usize::from(!client.watched.is_empty());
        client.watched.clear();
        client.is_watch_broken = false;
    }
}
