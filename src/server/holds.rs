//! What holds commands back: CLIENT PAUSE holds those of all clients, DEBUG SLEEP those of a node.

use std::time::Duration;

use super::client::{Client, Ending, Sleep};
use super::dispatch;
use super::hub::{Hub, Turn};
use super::measures::{End, Slow, Watch, kept_args};
use crate::resp::Args;
use crate::resp::commands::Words;
use crate::resp::value::Value;
use crate::time::Instant;

impl Hub {
    /// Whether a command is held back. CLIENT goes through a pause, and SHARDLAB through everything: it
    /// is what lets virtual time pass.
    #[inline]
    pub(super) fn is_held(&self, now: Instant, client: &Client, args: Args<'_>) -> bool {
        (self.paused_until.is_some() || !self.asleep.is_empty())
            && self.is_held_now(now, client, args)
    }

    fn is_held_now(&self, now: Instant, client: &Client, args: Args<'_>) -> bool {
        let Some(name) = args.get(0) else {
            return false;
        };
        // What is refused is refused at once.
        if name.eq_ignore_ascii_case(b"shardlab") || !dispatch::takes(name, args.len()) {
            return false;
        }
        let sleeps = |until: &Instant| now < *until;
        if self.asleep.get(&client.node).is_some_and(sleeps) {
            return true;
        }
        let Some((until, holds_reads)) = self.paused_until else {
            return false;
        };
        now < until
            && !name.eq_ignore_ascii_case(b"client")
            && (holds_reads || may_write(client, name))
    }

    /// Holds a node for a time. The client gets its reply at the end of it.
    pub(super) fn sleep(
        &mut self,
        now: Instant,
        client: &mut Client,
        words: &Words,
        time: Duration,
    ) {
        let until = now.saturating_add(time);
        client.asleep = Some(Sleep {
            since: now,
            until,
            args: kept_args(words.rest(0)),
        });
        let held = self.asleep.entry(client.node).or_default();
        *held = until.max(*held);
    }

    /// Lets clients go on whose pause or sleep is over.
    pub(super) fn release(&mut self, now: Instant) {
        let is_pause_over = self.paused_until.is_some_and(|(until, _)| until <= now);
        if is_pause_over {
            self.paused_until = None;
        }
        let before = self.asleep.len();
        self.asleep.retain(|_, until| *until > now);
        if is_pause_over || self.asleep.len() < before {
            for (id, client) in &mut self.clients {
                client.is_held = false;
                self.waiting.insert(*id);
            }
        }
    }

    /// When a client is to be cut off that sends nothing; `None` if it may be idle.
    fn idle_until(&self, client: &Client) -> Option<Instant> {
        let limit = self.config.idle_limit;
        let is_told = client.is_monitor || client.subscriptions() > 0;
        let may_be = is_told || client.is_busy() || client.ending.is_some();
        let limit = (limit > 0 && !may_be).then(|| Duration::from_secs(limit));
        limit.map(|limit| client.since.1.saturating_add(limit))
    }

    /// When the next client is to be cut off that sends nothing. Cost: linear in the clients, if there is
    /// a limit.
    pub(super) fn next_idle(&self) -> Option<Instant> {
        let clients = self.clients.values().filter(|_| self.config.idle_limit > 0);
        clients.filter_map(|client| self.idle_until(client)).min()
    }

    /// Cuts clients off that have sent nothing for too long.
    pub(super) fn end_idle(&mut self, now: Instant) {
        if self.config.idle_limit == 0 {
            return;
        }
        let is_over = |client: &Client| self.idle_until(client).is_some_and(|at| at <= now);
        let clients = self.clients.values().filter(|client| is_over(client));
        let ids: Vec<u32> = clients.map(|client| client.id).collect();
        for id in &ids {
            if let Some(client) = self.clients.get_mut(id) {
                client.ending = Some(Ending::Now);
            }
        }
        self.touch(ids);
    }

    /// Replies to a client that has slept.
    pub(super) fn wake_asleep(&mut self, turn: &Turn<'_>, client: &mut Client) {
        let Some(sleep) = client.asleep.take_if(|sleep| sleep.until <= turn.now) else {
            return;
        };
        client.reply(|frames| Value::Ok.write(frames));
        let took = turn.now.saturating_duration_since(sleep.since);
        self.note_slow(turn, client, sleep.args, took);
    }

    /// Notes how a command has ended, and how long it took.
    pub(super) fn note_end(
        &mut self,
        turn: &Turn<'_>,
        client: &Client,
        args: Args<'_>,
        watch: &Watch,
    ) {
        let Some(spec) = client.command else { return };
        let took = watch.elapsed();
        self.measures.end(spec, watch, took, client.end);
        let is_kept = client.end != End::Rejected && !spec.has("skip_slowlog");
        if let Some(took) = took.filter(|_| is_kept)
            && spec.name != "exec"
            && client.asleep.is_none()
        {
            self.note_slow_if(turn, client, took, || kept_args(args.iter()));
        }
    }

    /// Carries a command of a transaction out, and notes how it has ended.
    pub(super) fn note_queued(
        &mut self,
        turn: &Turn<'_>,
        client: &Client,
        words: &Words,
        watch: &Watch,
    ) {
        let Some(spec) = client.command else { return };
        let took = watch.elapsed();
        self.measures.end(spec, watch, took, client.end);
        if let Some(took) = took.filter(|_| client.asleep.is_none()) {
            self.note_slow_if(turn, client, took, || kept_args(words.rest(0)));
        }
    }

    fn note_slow_if(
        &mut self,
        turn: &Turn<'_>,
        client: &Client,
        took: Duration,
        args: impl FnOnce() -> Vec<Vec<u8>>,
    ) {
        if self.measures.slow.wants(took) || self.measures.spikes.threshold > 0 {
            self.note_slow(turn, client, args(), took);
        }
    }

    fn note_slow(&mut self, turn: &Turn<'_>, client: &Client, args: Vec<Vec<u8>>, took: Duration) {
        let since_start = i64::try_from(turn.now.as_millis()).unwrap_or(i64::MAX);
        let at = self.settings.epoch.saturating_add(since_start) / 1000;
        let is_fast = client.command.is_some_and(|spec| spec.has("fast"));
        let event = if is_fast { "fast-command" } else { "command" };
        self.measures.spikes.note(event, at, took);
        if self.measures.slow.wants(took) {
            self.measures.slow.push(Slow {
                id: 0,
                at,
                took,
                args,
                address: client.addresses.0.to_string(),
                name: client.names.name.clone(),
            });
        }
    }
}

/// Whether a command may change something: of a transaction only EXEC, if one of its commands may.
fn may_write(client: &Client, name: &[u8]) -> bool {
    let Some(queue) = &client.queue else {
        return dispatch::may_write(name);
    };
    let mut queued = queue.commands.iter().filter_map(|words| words.get(0));
    name.eq_ignore_ascii_case(b"exec") && queued.any(dispatch::may_write)
}
