//! One connection, without its socket.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use super::settings::PUBSUB_LIMIT;
use crate::cluster::Ticket;
use crate::id::NodeId;
use crate::operation::{Found, Outcome};
use crate::resp::call::Call;
use crate::resp::commands::Words;
use crate::resp::{Frames, Protocol, RequestParser};
use crate::time::Instant;

/// A client: the state of its connection.
pub struct Client {
    /// Its number: that of its connection, and its number in the history.
    pub id: u32,
    /// The node that it is connected to.
    pub node: NodeId,
    /// Its address, and the one that it has connected to.
    pub addresses: (SocketAddr, SocketAddr),
    /// The protocol that it speaks.
    pub protocol: Protocol,
    /// Its name, and those of its library.
    pub names: Names,
    /// Whether it has given the password, or none is needed.
    pub is_authenticated: bool,
    /// When it has connected, and when it sent its last command.
    pub since: (Instant, Instant),
    /// The name of its last command.
    pub last_command: &'static str,
    pub(super) parser: RequestParser,
    /// Bytes that were not parsed yet.
    pub(super) input: Vec<u8>,
    /// Replies that were not sent yet.
    pub output: Vec<u8>,
    /// The command that waits for outcomes.
    pub(super) running: Option<Running>,
    /// Whether a line that it has sent runs in the shell.
    pub(super) awaits_shell: bool,
    /// The transaction that is being queued.
    pub(super) queue: Option<Queue>,
    /// The transaction that runs.
    pub(super) exec: Option<Exec>,
    /// The keys that WATCH named, with what was there.
    pub(super) watched: BTreeMap<Vec<u8>, Option<Found>>,
    /// Whether a key that it watches has changed.
    pub(super) is_watch_broken: bool,
    /// The channels, patterns and shard channels that it listens to.
    pub(super) channels: [BTreeSet<Vec<u8>>; 3],
    /// What is replied.
    pub(super) replies: Replies,
    /// Whether it gets all commands.
    pub(super) is_monitor: bool,
    /// Whether its commands count as no access.
    pub(super) is_looking: bool,
    /// How it ends.
    pub ending: Option<Ending>,
    /// Whether it ends because it did not take what was sent to it.
    pub(super) is_cut_off: bool,
}

/// The names that a client has given.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Its own.
    pub name: Vec<u8>,
    /// That of its library.
    pub library: Vec<u8>,
    /// The version of its library.
    pub version: Vec<u8>,
}

/// What CLIENT REPLY chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replies {
    /// Everything.
    #[default]
    On,
    /// Nothing.
    Off,
    /// Everything but the reply to the next command.
    SkipNext,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is closed when its replies are sent.
    AfterReplies,
    /// It is closed at once.
    Now,
}

/// A command that waits.
pub(super) struct Running {
    pub call: Call,
    /// The outcomes of what it has asked for, in order, as far as they are known.
    pub outcomes: Vec<Option<Outcome>>,
    /// Those that are not, with their requests.
    pub waits: Vec<(usize, Ticket)>,
}

/// Commands between MULTI and EXEC.
#[derive(Default)]
pub(super) struct Queue {
    pub commands: VecDeque<Words>,
    pub bytes: usize,
    /// Whether a command was refused, so that EXEC must fail.
    pub is_broken: bool,
}

/// A transaction that runs.
pub(super) struct Exec {
    pub left: VecDeque<Words>,
    pub count: usize,
    /// The replies so far.
    pub replies: Vec<u8>,
}

impl Client {
    pub(super) fn new(
        id: u32,
        node: NodeId,
        addresses: (SocketAddr, SocketAddr),
        now: Instant,
    ) -> Self {
        Self {
            id,
            node,
            addresses,
            protocol: Protocol::Resp2,
            names: Names::default(),
            is_authenticated: false,
            since: (now, now),
            last_command: "NULL",
            parser: RequestParser::default(),
            input: Vec::new(),
            output: Vec::new(),
            running: None,
            awaits_shell: false,
            queue: None,
            exec: None,
            watched: BTreeMap::new(),
            is_watch_broken: false,
            channels: Default::default(),
            replies: Replies::On,
            is_monitor: false,
            is_looking: false,
            ending: None,
            is_cut_off: false,
        }
    }

    /// Whether it listens to anything.
    pub(super) fn subscriptions(&self) -> usize {
        self.channels.iter().map(BTreeSet::len).sum()
    }

    /// Whether it waits for the outcome of a command.
    pub(super) fn is_busy(&self) -> bool {
        self.running.is_some() || self.exec.is_some() || self.awaits_shell
    }

    /// Writes a reply, unless replies are off.
    #[inline]
    pub(super) fn reply(&mut self, write: impl FnOnce(&mut Frames<'_>)) {
        let protocol = self.protocol;
        if let Some(exec) = &mut self.exec {
            write(&mut Frames::new(&mut exec.replies, protocol));
        } else if self.replies == Replies::On {
            write(&mut Frames::new(&mut self.output, protocol));
        }
    }

    /// Sends a message that is no reply. A client that takes too little of them is cut off.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Frames<'_>)) {
        if self.ending != Some(Ending::Now) {
            write(&mut Frames::new(&mut self.output, self.protocol));
            self.bound_output(PUBSUB_LIMIT);
        }
    }

    /// Cuts a client off that has more to take than this.
    pub(super) fn bound_output(&mut self, most: usize) {
        if self.output.len() > most {
            self.output = Vec::new();
            self.ending = Some(Ending::Now);
            self.is_cut_off = true;
        }
    }

    /// Ends it after its replies.
    pub(super) fn end(&mut self) {
        self.ending.get_or_insert(Ending::AfterReplies);
    }

    /// Sets it back to its start, for RESET.
    pub(super) fn reset(&mut self) {
        self.protocol = Protocol::Resp2;
        self.names.name.clear();
        self.queue = None;
        self.watched.clear();
        self.is_watch_broken = false;
        self.channels = Default::default();
        self.replies = Replies::On;
        self.is_monitor = false;
        self.is_looking = false;
    }
}
