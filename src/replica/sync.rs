//! How replicas that lack something catch up: each asks all others for what it owns.

use std::collections::BTreeSet;

use super::message::{Bytes, Message, Record, RequestId, Version};
use super::{Context, MAX_HINTS, Replica};
use crate::config::Plant;
use crate::id::NodeId;
use crate::network::Endpoint;
use crate::time::Instant;

/// Whom a replica waits for to catch up.
pub struct Sync {
    id: RequestId,
    waiting: BTreeSet<NodeId>,
    hints: bool,
    pub due: Instant,
}

impl Replica {
    /// A number for something of its own that no request has: the top bit, the node, and how many
    /// it has begun.
    pub(super) fn own_id(&mut self) -> RequestId {
        self.begun += 1;
        let node = u64::from(self.id().0);
        RequestId(1 << 63 | node << 48 | (self.begun & ((1 << 48) - 1)))
    }

    /// Asks all other nodes for what this one owns, or for what they have kept for it.
    pub fn start_sync(&mut self, ctx: &mut Context<'_>, hints: bool) {
        let mut waiting = BTreeSet::new();
        if !ctx.rules.has_no_copies() {
            waiting = ctx.rules.members().collect();
            waiting.remove(&self.id());
        }
        let id = self.own_id();
        self.sync = Some(Sync {
            id,
            waiting,
            hints,
            due: ctx.now,
        });
        self.ask_again(ctx);
        self.finish_sync(ctx);
    }

    /// Asks those who have not answered yet.
    pub(super) fn ask_again(&mut self, ctx: &mut Context<'_>) {
        let Some(sync) = &mut self.sync else {
            return;
        };
        sync.due = ctx.now.later(ctx.rules.timeout);
        for &node in &sync.waiting {
            let (id, hints, lives) = (sync.id, sync.hints, self.lives.clone());
            ctx.send(node, Message::Sync { id, hints, lives });
        }
    }

    fn finish_sync(&mut self, ctx: &mut Context<'_>) {
        let sync = self.sync.as_ref();
        if sync.is_some_and(|sync| sync.waiting.is_empty()) {
            self.sync = None;
            self.serving = true;
            for (from, message) in std::mem::take(&mut self.early) {
                let key = match &message {
                    Message::Write { key, .. } => Some(key.clone()),
                    _ => None,
                };
                self.handle(ctx, from, message);
                // Others may have asked this one before.
                if let Some(key) = key {
                    self.start_repair(ctx, key);
                }
            }
        }
    }

    /// Waits for none but these any more.
    pub(super) fn wait_only_for(&mut self, ctx: &mut Context<'_>, members: &BTreeSet<NodeId>) {
        if let Some(sync) = &mut self.sync {
            sync.waiting.retain(|node| members.contains(node));
        }
        self.finish_sync(ctx);
    }

    /// Whether a write waits until this node has merged what its peers have: it was sent to who
    /// the node was before its crash, and what it now lacks may be later.
    pub(super) fn is_early(&self, message: &Message) -> bool {
        let born = self.lives.of(self.id());
        let is_old = matches!(message, Message::Write { stamp, .. } if *stamp < born);
        is_old && !self.serving && self.early.len() < MAX_HINTS
    }

    /// Answers a node that wants to catch up.
    pub(super) fn send_records(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        from: Endpoint,
        hints: bool,
    ) {
        let Endpoint::Node(node) = from else {
            return;
        };
        let owns = |key: &[u8]| ctx.rules.owners(key).contains(&node);
        let records: Vec<(Bytes, Record)> = match hints {
            true if ctx.is_planted(Plant::LostHints) => Vec::new(),
            true => {
                let mut kept = self.hints.remove(&node).unwrap_or_default();
                kept.retain(|(key, _)| owns(key));
                kept
            }
            false => self.records_if(owns).into_iter().collect(),
        };
        let stamp = *ctx.clock;
        let (mark, floor, lives) = (self.graves.dug(), self.floor, self.lives.clone());
        ctx.send(
            from,
            Message::Records {
                id,
                records,
                stamp,
                mark,
                floor,
                lives,
            },
        );
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of the message")]
    pub(super) fn take_records(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        from: Endpoint,
        records: Vec<(Bytes, Record)>,
        stamp: Version,
        mark: u64,
        floor: Version,
    ) {
        // What was sent to who it was before its crash may be out of date.
        if stamp < self.lives.of(self.id()) {
            return;
        }
        self.floor = self.floor.max(floor);
        for (key, record) in records {
            self.merge(ctx, &key, &record, None, stamp);
        }
        let lives = self.lives.clone();
        ctx.send(from, Message::Merged { mark, lives });
        self.caught_up_with(ctx, id, from);
    }

    /// Notes that a node has sent all it had, or is down and has nothing.
    pub(super) fn caught_up_with(&mut self, ctx: &mut Context<'_>, id: RequestId, from: Endpoint) {
        if let (Some(sync), Endpoint::Node(node)) = (&mut self.sync, from)
            && sync.id == id
        {
            sync.waiting.remove(&node);
        }
        self.finish_sync(ctx);
    }

    /// Notes that a node has merged what this one had; what all others have is settled.
    pub(super) fn note_merged(&mut self, ctx: &mut Context<'_>, from: Endpoint, mark: u64) {
        let Endpoint::Node(node) = from else {
            return;
        };
        let merged = self.merged.entry(node).or_default();
        *merged = (*merged).max(mark);
        let others = ctx.rules.members().filter(|&node| node != self.id());
        let least = others.map(|node| self.merged.get(&node).copied().unwrap_or(0));
        if let Some(least) = least.min() {
            self.graves.settle_up_to(least, ctx.stamp());
        }
    }

    /// Keeps a write for a node that did not take it.
    pub(super) fn keep_hint(&mut self, node: NodeId, key: &Bytes, record: &Record) {
        let hints = self.hints.entry(node).or_default();
        if hints.len() < MAX_HINTS {
            hints.push((key.clone(), record.clone()));
        }
    }
}
