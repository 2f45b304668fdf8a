//! How replicas that lack something catch up: each asks all others for what it owns.

use std::collections::{BTreeMap, BTreeSet};

use super::message::{Bytes, Message, Record, RequestId, Version};
use super::{Context, MAX_HINTS, Replica};
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

/// A number for a sync that no request has: the top bit, the node, and the logical clock.
fn sync_id(node: NodeId, clock: Version) -> RequestId {
    RequestId(1 << 63 | u64::from(node.0) << 48 | (clock & ((1 << 48) - 1)))
}

impl Replica {
    /// Asks all other nodes for what this one owns, or for what they have kept for it.
    pub fn start_sync(&mut self, ctx: &mut Context<'_>, hints: bool) {
        let members = ctx.rules.placement.members().iter();
        let others = members.map(|it| it.node).filter(|&it| it != self.id());
        let waiting: BTreeSet<NodeId> = if ctx.rules.replicas > 1 {
            others.collect()
        } else {
            BTreeSet::new()
        };
        self.sync = Some(Sync {
            id: sync_id(self.id(), ctx.clock),
            waiting,
            hints,
            due: ctx.now,
        });
        self.ask_again(ctx);
        self.finish_sync();
    }

    /// Asks those who have not answered yet.
    pub(super) fn ask_again(&mut self, ctx: &mut Context<'_>) {
        let Some(sync) = &mut self.sync else {
            return;
        };
        sync.due = ctx.now.later(ctx.rules.timeout);
        for &node in &sync.waiting {
            let (id, hints) = (sync.id, sync.hints);
            ctx.send(node, Message::Sync { id, hints });
        }
    }

    fn finish_sync(&mut self) {
        if self
            .sync
            .as_ref()
            .is_some_and(|sync| sync.waiting.is_empty())
        {
            self.sync = None;
            self.serving = true;
        }
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
        let records: Vec<(Bytes, Record)> = if hints {
            self.hints.remove(&node).unwrap_or_default()
        } else {
            let all: BTreeMap<Bytes, Record> = self.records();
            let all = all.into_iter();
            all.filter(|(key, _)| ctx.rules.owners(key).contains(&node))
                .collect()
        };
        let stamp = ctx.clock;
        ctx.send(from, Message::Records { id, records, stamp });
    }

    pub(super) fn take_records(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        from: Endpoint,
        records: Vec<(Bytes, Record)>,
        stamp: Version,
    ) {
        for (key, record) in records {
            self.merge(ctx, &key, &record, None, stamp);
        }
        ctx.send(from, Message::Merged { stamp });
        self.caught_up_with(id, from);
    }

    /// Notes that a node has sent all it had, or is down and has nothing.
    pub(super) fn caught_up_with(&mut self, id: RequestId, from: Endpoint) {
        if let (Some(sync), Endpoint::Node(node)) = (&mut self.sync, from)
            && sync.id == id
        {
            sync.waiting.remove(&node);
        }
        self.finish_sync();
    }

    /// Notes that a node has merged what this one had; what all others have is settled.
    pub(super) fn note_merged(&mut self, ctx: &Context<'_>, from: Endpoint, stamp: Version) {
        let Endpoint::Node(node) = from else {
            return;
        };
        let merged = self.merged.entry(node).or_default();
        *merged = (*merged).max(stamp);
        let members = ctx.rules.placement.members().iter();
        let others = members.filter(|member| member.node != self.id());
        let least = others.map(|it| self.merged.get(&it.node).copied().unwrap_or(0));
        if let Some(least) = least.min() {
            self.graves.settle_up_to(least, ctx.clock);
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
