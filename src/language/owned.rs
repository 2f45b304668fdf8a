//! Commands that own their bytes, so that they can outlive the line they were read from.

use super::command::{Action, Command, Input, Request, Script};
use super::word::Bytes;
use super::work::Replay;

impl Input<'_> {
    /// The same input with bytes of its own. Cost: a copy of each word that is still borrowed.
    #[must_use]
    pub fn into_owned(self) -> Input<'static> {
        Input {
            spec: self.spec,
            action: self.action.into_owned(),
        }
    }
}

impl Action<'_> {
    /// The same action with bytes of its own. Cost: a copy of each word that is still borrowed.
    #[must_use]
    pub fn into_owned(self) -> Action<'static> {
        match self {
            Self::Command(command) => Action::Command(command.into_owned()),
            Self::Request(request) => Action::Request(request.into_owned()),
            Self::Script(script) => Action::Script(script.into_owned()),
        }
    }
}

impl Request<'_> {
    /// The same request with bytes of its own. Cost: a copy of each word that is still borrowed.
    #[must_use]
    pub fn into_owned(self) -> Request<'static> {
        Request {
            client: self.client,
            via: self.via,
            spec: self.spec,
            command: self.command.into_owned(),
        }
    }
}

impl Script<'_> {
    /// The same command with bytes of its own. Cost: a copy of each word that is still borrowed.
    #[must_use]
    pub fn into_owned(self) -> Script<'static> {
        match self {
            Self::Sleep { time } => Script::Sleep { time },
            Self::Source { path } => Script::Source { path: own(path) },
            Self::Repeat { times, command } => Script::Repeat {
                times,
                command: own(command),
            },
            Self::Watch { every, command } => Script::Watch {
                every,
                command: own(command),
            },
            Self::Monitor { on } => Script::Monitor { on },
            Self::Notices { on } => Script::Notices { on },
            Self::Trace { command } => Script::Trace {
                command: own(command),
            },
            Self::Move(change) => Script::Move(change),
            Self::Replay(replay) => Script::Replay(Box::new(replay.into_owned())),
            Self::Load(load) => Script::Load(load),
            Self::Compare { words } => Script::Compare {
                words: own_all(words),
            },
            Self::Quit => Script::Quit,
        }
    }
}

impl Replay<'_> {
    fn into_owned(self) -> Replay<'static> {
        Replay {
            path: own(self.path),
            skip: self.skip,
            count: self.count,
            ttl: self.ttl,
            rate: self.rate,
            size: self.size,
            format: self.format,
        }
    }
}

impl Command<'_> {
    /// The same command with bytes of its own. Cost: a copy of each word that is still borrowed.
    #[must_use]
    pub fn into_owned(self) -> Command<'static> {
        match self {
            Self::Put { key, value, ttl } => Command::Put {
                key: own(key),
                value: own(value),
                ttl,
            },
            Self::Get { key } => Command::Get { key: own(key) },
            Self::Del { keys } => Command::Del {
                keys: own_all(keys),
            },
            Self::MGet { keys } => Command::MGet {
                keys: own_all(keys),
            },
            Self::MSet { pairs, ttl } => Command::MSet {
                pairs: own_pairs(pairs),
                ttl,
            },
            Self::Add { key, value, ttl } => Command::Add {
                key: own(key),
                value: own(value),
                ttl,
            },
            Self::Cas {
                key,
                expected,
                new,
                ttl,
            } => Command::Cas {
                key: own(key),
                expected: own(expected),
                new: own(new),
                ttl,
            },
            Self::Incr { key, delta } => Command::Incr {
                key: own(key),
                delta,
            },
            Self::Ttl { key } => Command::Ttl { key: own(key) },
            Self::Expire { key, ttl } => Command::Expire { key: own(key), ttl },
            Self::Persist { key } => Command::Persist { key: own(key) },
            Self::Exists { keys } => Command::Exists {
                keys: own_all(keys),
            },
            Self::Keys { pattern, node } => Command::Keys {
                pattern: pattern.map(own),
                node,
            },
            Self::Where { key } => Command::Where { key: own(key) },
            Self::Echo { text } => Command::Echo { text: own(text) },
            Self::Size => Command::Size,
            Self::Clear => Command::Clear,
            Self::Time => Command::Time,
            Self::Clock { kind } => Command::Clock { kind },
            Self::Nodes => Command::Nodes,
            Self::Ring => Command::Ring,
            Self::Placement => Command::Placement,
            Self::Eviction { policy } => Command::Eviction { policy },
            Self::Capacity { bound, node } => Command::Capacity { bound, node },
            Self::Stats { node } => Command::Stats { node },
            Self::ResetStats => Command::ResetStats,
            Self::Inspect { key } => Command::Inspect { key: own(key) },
            Self::Plan { change } => Command::Plan { change },
            Self::Fill {
                count,
                size,
                ttl,
                prefix,
            } => Command::Fill {
                count,
                size,
                ttl,
                prefix: own(prefix),
            },
            Self::Events { count, node } => Command::Events { count, node },
            Self::Hot { count } => Command::Hot { count },
            Self::Replicas => Command::Replicas,
            Self::Quorum { quorums } => Command::Quorum { quorums },
            Self::Failover { node } => Command::Failover { node },
            Self::Crash { node } => Command::Crash { node },
            Self::Restart { node, how } => Command::Restart { node, how },
            Self::Pause { node } => Command::Pause { node },
            Self::Resume { node } => Command::Resume { node },
            Self::Fault { fault } => Command::Fault { fault },
            Self::Release { link } => Command::Release { link },
            Self::Heal { all } => Command::Heal { all },
            Self::Skew { node, nanos } => Command::Skew { node, nanos },
            Self::Faults => Command::Faults,
            Self::Nemesis { nemesis } => Command::Nemesis { nemesis },
            Self::Links => Command::Links,
            Self::Step { count } => Command::Step { count },
            Self::History { request } => Command::History { request },
            Self::Check { promise } => Command::Check { promise },
            Self::Help { topic } => Command::Help { topic },
        }
    }
}

fn own(bytes: Bytes<'_>) -> Bytes<'static> {
    Bytes::Owned(bytes.into_owned())
}

fn own_all(all: Vec<Bytes<'_>>) -> Vec<Bytes<'static>> {
    all.into_iter().map(own).collect()
}

fn own_pairs(pairs: Vec<(Bytes<'_>, Bytes<'_>)>) -> Vec<(Bytes<'static>, Bytes<'static>)> {
    let pairs = pairs.into_iter();
    pairs.map(|(key, value)| (own(key), own(value))).collect()
}
