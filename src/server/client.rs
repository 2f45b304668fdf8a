//! One connection, without its socket.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use super::settings::PUBSUB_LIMIT;
use crate::cluster::Ticket;
use crate::id::NodeId;
use crate::operation::{Found, Outcome};
use crate::resp::call::{Call, KeyEvent};
use crate::resp::commands::Words;
use crate::resp::spec::Spec;
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
    /// The command that it runs or has run last; `None` if there is none of its name.
    pub(super) command: Option<&'static Spec>,
    /// How that command has ended so far.
    pub(super) end: End,
    /// What has parsed the start of a request that has not arrived whole.
    pub(super) parser: Option<RequestParser>,
    /// Bytes that were not parsed yet.
    pub(super) input: Vec<u8>,
    /// Replies that were not sent yet.
    pub output: Vec<u8>,
    /// The command that waits for outcomes.
    pub(super) running: Option<Running>,
    /// The DEBUG SLEEP that holds its reply.
    pub(super) asleep: Option<Sleep>,
    /// Whether its next command is held back by CLIENT PAUSE or DEBUG SLEEP.
    pub(super) is_held: bool,
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
    /// Messages that came of its own command, and follow the reply.
    pub(super) pushes: Vec<u8>,
    /// Whether it is told of changes of what it has read, and how.
    pub(super) tracking: Option<Mode>,
    /// Whether it gets all commands.
    pub(super) is_monitor: bool,
    /// Whether it was sent to its node for the keys of its next command.
    pub(super) is_asking: bool,
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

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was carried out, or waits for nodes.
    Called,
    /// It was carried out, and has failed.
    Failed,
    /// It was not begun.
    Rejected,
}

/// A command that waits.
pub(super) struct Running {
    pub call: Call,
    /// The outcomes of what it has asked for, in order, as far as they are known.
    pub outcomes: Vec<Option<Outcome>>,
    /// Those that are not, with their requests.
    pub waits: Vec<(usize, Ticket)>,
    /// The keys that it writes and that were not there, if that is to be told.
    pub new_keys: BTreeSet<Vec<u8>>,
}

impl Running {
    /// The changes of keys since the last call; the first of a new key says so.
    pub fn take_changes(&mut self) -> Vec<KeyEvent> {
        let mut changes = Vec::new();
        for change in self.call.take_changes() {
            if self.new_keys.remove(&change.key) {
                changes.push(KeyEvent {
                    class: 'n',
                    name: "new",
                    key: change.key.clone(),
                });
            }
            changes.push(change);
        }
        changes
    }
}

/// A DEBUG SLEEP that is not over.
pub(super) struct Sleep {
    /// When it began, and when it ends.
    pub since: Instant,
    pub until: Instant,
    /// The command, for the slow log.
    pub args: Vec<Vec<u8>>,
}

/// How a client tracks.
#[derive(Clone, Debug, Default)]
pub(super) struct Mode {
    /// Whether it is told of all changes of keys with its prefixes.
    pub broadcasts: bool,
    /// Its prefixes.
    pub prefixes: BTreeSet<Vec<u8>>,
    /// Which of its reads count.
    pub choice: Choice,
    /// What CLIENT CACHING said of the next command.
    pub caching: Option<bool>,
    /// Whether its own changes are kept from it.
    pub no_loop: bool,
    /// The client that is told instead.
    pub redirect: Option<u32>,
    /// Whether that client is gone.
    pub is_broken: bool,
}

/// Which reads of a client count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Choice {
    /// All.
    #[default]
    All,
    /// Those behind CLIENT CACHING yes.
    In,
    /// All but those behind CLIENT CACHING no.
    Out,
}

impl Mode {
    /// Whether the keys of its command are remembered.
    pub fn remembers(&self) -> bool {
        !self.broadcasts
            && match self.choice {
                Choice::All => true,
                Choice::In => self.caching == Some(true),
                Choice::Out => self.caching != Some(false),
            }
    }
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
            command: None,
            end: End::Called,
            parser: None,
            input: Vec::new(),
            output: Vec::new(),
            running: None,
            asleep: None,
            is_held: false,
            awaits_shell: false,
            queue: None,
            exec: None,
            watched: BTreeMap::new(),
            is_watch_broken: false,
            channels: Default::default(),
            replies: Replies::On,
            pushes: Vec::new(),
            tracking: None,
            is_monitor: false,
            is_asking: false,
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
        self.running.is_some() || self.exec.is_some() || self.is_waiting()
    }

    /// Whether it waits for something else than nodes.
    pub(super) fn is_waiting(&self) -> bool {
        self.awaits_shell || self.asleep.is_some()
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

    /// Sends a message that came of its own command: it follows the reply.
    pub(super) fn push_later(&mut self, write: impl FnOnce(&mut Frames<'_>)) {
        write(&mut Frames::new(&mut self.pushes, self.protocol));
    }

    /// Writes a reply that is a message: it comes also if replies are off.
    pub(super) fn confirm(&mut self, write: impl FnOnce(&mut Frames<'_>)) {
        if self.exec.is_some() {
            self.reply(write);
        } else {
            self.push(write);
        }
    }

    /// Its command is over: sends the messages that came of it.
    pub(super) fn send_pushes(&mut self) {
        if !self.pushes.is_empty() && self.ending != Some(Ending::Now) {
            self.output.append(&mut self.pushes);
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
        self.is_asking = false;
        self.is_looking = false;
        self.tracking = None;
    }
}
