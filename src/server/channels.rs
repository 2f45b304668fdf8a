//! Channels: which clients listen to what.

use std::collections::{BTreeMap, BTreeSet};

use crate::language::glob;

/// The kinds of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// A channel, on every node.
    Plain,
    /// All channels that match a pattern.
    Pattern,
    /// A shard channel.
    Shard,
}

/// The listeners of each channel, by kind.
#[derive(Default)]
pub(super) struct Channels([BTreeMap<Vec<u8>, BTreeSet<u32>>; 3]);

impl Channels {
    /// A client listens.
    pub(super) fn join(&mut self, kind: Channel, channel: &[u8], client: u32) {
        let listeners = self.0[kind as usize].entry(channel.into()).or_default();
        listeners.insert(client);
    }

    /// A client stops to listen.
    pub(super) fn part(&mut self, kind: Channel, channel: &[u8], client: u32) {
        let channels = &mut self.0[kind as usize];
        if let Some(listeners) = channels.get_mut(channel) {
            listeners.remove(&client);
            if listeners.is_empty() {
                channels.remove(channel);
            }
        }
    }

    /// A client stops to listen to anything.
    pub(super) fn leave(&mut self, client: u32, channels: &[BTreeSet<Vec<u8>>; 3]) {
        for kind in [Channel::Plain, Channel::Pattern, Channel::Shard] {
            for channel in &channels[kind as usize] {
                self.part(kind, channel, client);
            }
        }
    }

    /// Whether no client listens to anything.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(BTreeMap::is_empty)
    }

    /// The listeners of a channel.
    pub(super) fn listeners(&self, kind: Channel, channel: &[u8]) -> Vec<u32> {
        let listeners = self.0[kind as usize].get(channel);
        listeners.into_iter().flatten().copied().collect()
    }

    /// The patterns that match a channel, each with its listeners.
    pub(super) fn matching(&self, channel: &[u8]) -> Vec<(Vec<u8>, Vec<u32>)> {
        let patterns = self.0[Channel::Pattern as usize].iter();
        let matching = patterns.filter(|(pattern, _)| glob::matches(pattern, channel));
        matching
            .map(|(pattern, listeners)| (pattern.clone(), listeners.iter().copied().collect()))
            .collect()
    }

    /// The channels of a kind with their listeners.
    pub(super) fn iter(&self, kind: Channel) -> impl Iterator<Item = (&[u8], &BTreeSet<u32>)> {
        let channels = self.0[kind as usize].iter();
        channels.map(|(channel, listeners)| (&channel[..], listeners))
    }
}
