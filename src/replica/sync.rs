//! How a replica that may lack writes catches up: it asks all others for the records of its keys.

use std::collections::BTreeSet;

use super::message::{Message, Record, RequestId, Version};
use super::{Context, MAX_HINTS, Replica};
use crate::config::InjectedBug;
use crate::id::NodeId;
use crate::network::Endpoint;
use crate::node::Origin;
use crate::operation::Bytes;
use crate::time::Instant;

/// A sync that is not over.
#[derive(Clone)]
pub(super) struct Sync {
    id: RequestId,
    /// The nodes that have not answered.
    waiting: BTreeSet<NodeId>,
    hints: bool,
    pub due: Instant,
}

impl Replica {
    /// A number for a sync or a repair, different from those of all requests: the top bit, the node,
    /// and a counter.
    pub(super) fn own_id(&mut self) -> RequestId {
        self.started += 1;
        let node = u64::from(self.id().0);
        RequestId(1 << 63 | node << 48 | (self.started & ((1 << 48) - 1)))
    }

    /// Asks all other nodes for the records of this one's keys, or for the hints kept for it.
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

    /// Asks the nodes that have not answered.
    pub(super) fn ask_again(&mut self, ctx: &mut Context<'_>) {
        let Some(sync) = &mut self.sync else {
            return;
        };
        sync.due = ctx.now.saturating_add(ctx.rules.timeout);
        for &node in &sync.waiting {
            let (id, hints, crashes) = (sync.id, sync.hints, self.crashes.clone());
            ctx.send(node, Message::Sync { id, hints, crashes });
        }
    }

    fn finish_sync(&mut self, ctx: &mut Context<'_>) {
        let sync = self.sync.as_ref();
        if !sync.is_some_and(|sync| sync.waiting.is_empty()) {
            return;
        }
        self.sync = None;
        self.serving = true;
        for (from, message) in std::mem::take(&mut self.early) {
            let key = match &message {
                Message::Write { key, .. } => Some(key.clone()),
                _ => None,
            };
            self.handle(ctx, from, message);
            // Others may have read from this node before the write.
            if let Some(key) = key {
                self.start_repair(ctx, key);
            }
        }
    }

    /// Waits for no other nodes than these any more.
    pub(super) fn wait_only_for(&mut self, ctx: &mut Context<'_>, members: &BTreeSet<NodeId>) {
        if let Some(sync) = &mut self.sync {
            sync.waiting.retain(|node| members.contains(node));
        }
        self.finish_sync(ctx);
    }

    /// Whether a write waits until this node has merged the others' records: it was sent to an
    /// earlier incarnation, and the records may be later.
    pub(super) fn is_early(&self, message: &Message) -> bool {
        let incarnation = self.crashes.incarnation(self.id());
        let is_old = matches!(message, Message::Write { based_on, .. } if *based_on < incarnation);
        is_old && !self.serving && self.early.len() < MAX_HINTS
    }

    /// Answers a node that catches up.
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
            true if ctx.has_bug(InjectedBug::LostHints) => Vec::new(),
            true => {
                let mut kept = self.hints.remove(&node).unwrap_or_default();
                kept.retain(|(key, _)| owns(key));
                kept
            }
            false => self.records_if(owns).into_iter().collect(),
        };
        let based_on = *ctx.clock;
        let (mark, forgotten) = (self.tombstones.created(), self.forgotten_up_to);
        let crashes = self.crashes.clone();
        ctx.send(
            from,
            Message::Records {
                id,
                records,
                based_on,
                mark,
                forgotten,
                crashes,
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
        based_on: Version,
        mark: u64,
        forgotten: Version,
    ) {
        // Records for an earlier incarnation may be out of date.
        if based_on < self.crashes.incarnation(self.id()) {
            return;
        }
        self.forget_up_to(forgotten);
        for (key, record) in records {
            self.merge(ctx, &key, &record, None, based_on, Origin::Copy);
        }
        let crashes = self.crashes.clone();
        ctx.send(from, Message::Merged { mark, crashes });
        self.caught_up_with(ctx, id, from);
    }

    /// Notes that a node has sent all its records, or is down and has none.
    pub(super) fn caught_up_with(&mut self, ctx: &mut Context<'_>, id: RequestId, from: Endpoint) {
        if let (Some(sync), Endpoint::Node(node)) = (&mut self.sync, from)
            && sync.id == id
        {
            sync.waiting.remove(&node);
        }
        self.finish_sync(ctx);
    }

    /// Notes that a node has merged the records with this mark. The tombstones that all others have
    /// are settled.
    pub(super) fn note_merged(&mut self, ctx: &mut Context<'_>, from: Endpoint, mark: u64) {
        let Endpoint::Node(node) = from else {
            return;
        };
        let merged = self.merged.entry(node).or_default();
        *merged = (*merged).max(mark);
        let others = ctx.rules.members().filter(|&node| node != self.id());
        let least = others.map(|node| self.merged.get(&node).copied().unwrap_or(0));
        if let Some(least) = least.min() {
            self.tombstones.settle_up_to(least, ctx.next_clock());
        }
    }

    /// Keeps a write for a node that may lack it.
    pub(super) fn keep_hint(&mut self, node: NodeId, key: &Bytes, record: &Record) {
        let hints = self.hints.entry(node).or_default();
        if hints.len() < MAX_HINTS {
            hints.push((key.clone(), record.clone()));
        }
    }
}
