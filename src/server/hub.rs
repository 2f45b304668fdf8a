//! All clients of all nodes, without sockets: bytes in, bytes out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::channels::Channels;
use super::client::{Client, Exec, Replies, Running};
use super::config::ServerConfig;
use super::dispatch::{self, Entry};
use super::measures::{End, Measures};
use super::settings::{OUTPUT_LIMIT, OUTPUT_PAUSE, Settings};
use super::topology::Topology;
use super::tracking::Tracking;
use crate::cluster::{Request, Started, Status};
use crate::event::Cursor;
use crate::id::NodeId;
use crate::network::Endpoint;
use crate::operation::{Found, Operation, Outcome};
use crate::resp::call::{Ask, Call, Step};
use crate::resp::commands::{self, Hash, Words};
use crate::resp::scripts::{self, Script};
use crate::resp::value::{Failure, Value};
use crate::resp::{Args, RequestLimits, RequestParser};
use crate::session::{SimulatedCluster, World};
use crate::time::Instant;

/// The number of the first connection. Smaller numbers are those of CLIENT at the prompt.
const FIRST: u32 = 1001;

/// The clients, and what they share.
pub struct Hub {
    pub(super) settings: Settings,
    pub(super) clients: BTreeMap<u32, Box<Client>>,
    next_id: u32,
    /// The clients whose commands wait.
    pub(super) waiting: BTreeSet<u32>,
    /// The clients that have something to send, or end.
    touched: BTreeSet<u32>,
    pub(super) channels: Channels,
    pub(super) config: ServerConfig,
    pub(super) topology: Topology,
    /// Up to where the event log was read.
    pub(super) seen: Cursor,
    /// Commands of the shell that wait to be run.
    shell_lines: Vec<(u32, Vec<u8>)>,
    /// Scripts by their SHA-1.
    pub(super) scripts: BTreeMap<String, Script>,
    pub(super) monitors: usize,
    pub(super) watchers: usize,
    /// How many connections and commands there were.
    pub(super) totals: Totals,
    pub(super) measures: Measures,
    pub(super) tracking: Tracking,
    /// Commands of clients wait until then.
    pub(super) paused_until: Option<(Instant, bool)>,
    /// The nodes that DEBUG SLEEP holds, until when.
    pub(super) asleep: BTreeMap<NodeId, Instant>,
    pub(super) is_shutting_down: bool,
    seed: u64,
}

/// Counts since the start, or CONFIG RESETSTAT.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub connections: u64,
    pub commands: u64,
    pub refused: u64,
}

/// What processing a command needs.
pub(super) struct Turn<'a> {
    pub world: &'a mut World,
    pub now: Instant,
}

impl Turn<'_> {
    pub(super) fn cluster(&mut self) -> &mut SimulatedCluster {
        self.world
            .backend
            .simulated()
            .expect("a server has a simulated cluster")
    }
}

impl Hub {
    /// No clients yet.
    pub fn new(settings: Settings, world: &mut World) -> Self {
        let mut hub = Self {
            settings,
            clients: BTreeMap::new(),
            next_id: FIRST,
            waiting: BTreeSet::new(),
            touched: BTreeSet::new(),
            channels: Channels::default(),
            config: ServerConfig::default(),
            topology: Topology::default(),
            seen: world.backend.events().end(),
            shell_lines: Vec::new(),
            scripts: BTreeMap::new(),
            monitors: 0,
            watchers: 0,
            totals: Totals::default(),
            measures: Measures::default(),
            tracking: Tracking::default(),
            paused_until: None,
            asleep: BTreeMap::new(),
            is_shutting_down: false,
            seed: 1,
        };
        hub.tick(world);
        hub
    }

    /// A client connects to a node. Returns its number.
    ///
    /// # Errors
    /// If there are too many: what to send it instead.
    pub fn connect(
        &mut self,
        node: NodeId,
        addresses: (SocketAddr, SocketAddr),
        now: Instant,
    ) -> Result<u32, &'static [u8]> {
        if self.clients.len() >= self.settings.max_clients {
            self.totals.refused += 1;
            return Err(b"-ERR max number of clients reached\r\n");
        }
        let id = self.next_id;
        self.next_id = self.next_id.checked_add(1).unwrap_or(FIRST);
        let mut client = Client::new(id, node, addresses, now);
        client.is_authenticated = self.settings.password.is_none();
        self.clients.insert(id, Box::new(client));
        self.totals.connections += 1;
        Ok(id)
    }

    /// A client has disconnected.
    pub fn disconnect(&mut self, world: &mut World, id: u32) {
        let now = world.now();
        if let Some(mut client) = self.clients.remove(&id) {
            self.forget(&mut client);
            if client.is_cut_off {
                let mut turn = Turn { world, now };
                let cluster = turn.cluster().cluster();
                cluster.log_cut_off(now, client.node, id);
            }
            if let Some(running) = client.running.take() {
                let mut turn = Turn { world, now };
                for (_, ticket) in running.waits {
                    turn.cluster().cluster().abandon(now, ticket);
                }
            }
        }
        self.waiting.remove(&id);
        self.touched.remove(&id);
    }

    /// Undoes what a client has in common structures.
    pub(super) fn forget(&mut self, client: &mut Client) {
        self.channels.leave(client.id, &client.channels);
        self.stop_tracking(client);
        self.monitors -= usize::from(std::mem::take(&mut client.is_monitor));
        self.watchers -= usize::from(!client.watched.is_empty());
        client.watched.clear();
    }

    /// Whether clients have something to send, or end.
    #[must_use]
    pub fn has_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The replies of a client were taken: goes on with what it has sent meanwhile.
    pub fn resume(&mut self, world: &mut World, id: u32) {
        let has_input = self.clients.get(&id).is_some_and(|it| !it.input.is_empty());
        if has_input && let Some(mut client) = self.clients.remove(&id) {
            let now = world.now();
            self.run_input(&mut Turn { world, now }, &mut client);
            self.put_back(client);
        }
    }

    /// Whether a client has asked for the end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_shutting_down
    }

    /// The nodes with their states, and whether each is cut off from clients.
    pub fn nodes(world: &mut World) -> Vec<(NodeId, Status, bool)> {
        let now = world.now();
        let mut turn = Turn { world, now };
        let cluster = turn.cluster().cluster();
        let ids: Vec<NodeId> = cluster.node_ids().collect();
        let has_faults = cluster.fault_count() > 0;
        let any = Endpoint::Client(FIRST);
        let nodes = ids.into_iter().map(|node| {
            let status = cluster.status(node).unwrap_or_default();
            let network = cluster.network();
            let is_cut = has_faults && (network.is_cut(any, node) || network.is_cut(node, any));
            (node, status, is_cut)
        });
        nodes.collect()
    }

    /// The clients that have something to send, or end, since the last call.
    pub fn take_touched(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.touched)
    }

    /// A client.
    pub fn client_mut(&mut self, id: u32) -> Option<&mut Client> {
        self.clients.get_mut(&id).map(|client| &mut **client)
    }

    /// Whether a client is to be read from: its replies are taken, and its commands are carried out.
    #[must_use]
    pub fn wants_input(&self, id: u32) -> bool {
        self.clients.get(&id).is_some_and(|client| {
            client.ending.is_none()
                && client.output.len() < OUTPUT_PAUSE
                && (!client.is_busy() || client.input.len() < OUTPUT_PAUSE)
        })
    }

    /// Bytes of a client have arrived. Commands that are whole are carried out.
    pub fn receive(&mut self, world: &mut World, id: u32, bytes: &[u8]) {
        let Some(mut client) = self.clients.remove(&id) else {
            return;
        };
        let now = world.now();
        let mut turn = Turn { world, now };
        if client.input.is_empty() && !client.is_busy() {
            let used = self.run_all(&mut turn, &mut client, bytes);
            client.input.extend_from_slice(&bytes[used..]);
        } else {
            client.input.extend_from_slice(bytes);
            self.run_input(&mut turn, &mut client);
        }
        self.put_back(client);
    }

    /// Carries out what a client has sent, as far as it does not have to wait.
    fn run_input(&mut self, turn: &mut Turn<'_>, client: &mut Client) {
        let input = std::mem::take(&mut client.input);
        let used = self.run_all(turn, client, &input);
        client.input = input;
        client.input.drain(..used);
        if client.input.is_empty() && client.input.capacity() > OUTPUT_PAUSE {
            client.input = Vec::new();
        }
    }

    pub(super) fn put_back(&mut self, client: Box<Client>) {
        let mut client = client;
        client.bound_output(OUTPUT_LIMIT);
        if client.is_busy() {
            self.waiting.insert(client.id);
        }
        if !client.output.is_empty() || client.ending.is_some() {
            self.touched.insert(client.id);
        }
        self.clients.insert(client.id, client);
    }

    /// Carries out the commands in `input` in order. Returns how many bytes they took.
    fn run_all(&mut self, turn: &mut Turn<'_>, client: &mut Client, input: &[u8]) -> usize {
        let mut used = 0;
        while client.ending.is_none() && !client.is_busy() && client.output.len() < OUTPUT_PAUSE {
            let limits = Self::limits(client);
            let mut parser: RequestParser = std::mem::take(&mut client.parser);
            let parsed = parser.parse(&input[used..], &limits);
            match parsed {
                Ok(Some(length)) => {
                    let args = parser.args(&input[used..]);
                    if self.is_held(turn.now, client, args) {
                        client.is_held = true;
                        break;
                    }
                    if !args.is_empty() {
                        self.run_one(turn, client, args);
                    }
                    client.parser = parser;
                    used += length;
                }
                Ok(None) => {
                    client.parser = parser;
                    break;
                }
                Err(error) => {
                    client.reply(|frames| frames.error(format_args!("ERR {error}")));
                    client.end();
                }
            }
        }
        used
    }

    fn limits(client: &Client) -> RequestLimits {
        if client.is_authenticated {
            RequestLimits::default()
        } else {
            RequestLimits::UNAUTHENTICATED
        }
    }

    /// Carries out one command, or begins to.
    fn run_one(&mut self, turn: &mut Turn<'_>, client: &mut Client, args: Args<'_>) {
        self.totals.commands += 1;
        client.since.1 = turn.now;
        client.end = End::Called;
        let watch = self.measures.begin();
        if self.run_plain(turn, client, args) {
            return self.measures.plain(args.len() == 3, &watch, client.end);
        }
        let replies = client.replies;
        client.command = None;
        dispatch::run(self, turn, client, Words::from(args));
        self.note_end(turn, client, args, &watch);
        // A command that is skipped is over.
        if replies == Replies::SkipNext && client.replies == Replies::SkipNext {
            client.replies = Replies::On;
        }
        self.settle(client);
    }

    /// Carries out a GET or a SET without options, if nothing is special: these are most commands by
    /// far. Returns whether it did.
    #[inline]
    fn run_plain(&mut self, turn: &mut Turn<'_>, client: &mut Client, args: Args<'_>) -> bool {
        let operation = match (args.len(), &args[0]) {
            (2, [b'g' | b'G', b'e' | b'E', b't' | b'T']) => Operation::Get,
            (3, [b's' | b'S', b'e' | b'E', b't' | b'T']) if !Hash::is_hash(&args[2]) => {
                Operation::put(&args[2], None)
            }
            _ => return false,
        };
        if !self.is_plain(client) || self.serves(client, &args[1]).is_err() {
            return false;
        }
        let (now, is_look) = (turn.now, client.is_looking && operation.is_read());
        let cluster = turn.cluster().cluster();
        let request = Request {
            client: client.id,
            via: None,
            key: &args[1],
            operation,
            is_look,
        };
        let Some(outcome) = cluster.run_at_once(now, &request) else {
            return false;
        };
        client.last_command = if operation.is_read() { "get" } else { "set" };
        match outcome {
            Outcome::Done => client.reply(|frames| Value::Ok.write(frames)),
            Outcome::Value(Some(found)) if Hash::is_hash(&found.value) => {
                self.answer(client, Err(Failure::WRONG_TYPE));
            }
            Outcome::Value(found) => {
                client.reply(|frames| frames.bulk_or_null(found.as_ref().map(|it| &*it.value)));
            }
            outcome => {
                let failure = Failure::of(&outcome).unwrap_or(Failure::Unknown);
                self.answer(client, Err(failure));
            }
        }
        true
    }

    /// Whether nothing but the reply comes of a command of this client.
    #[inline]
    fn is_plain(&self, client: &Client) -> bool {
        self.watchers == 0
            && self.monitors == 0
            && !self.config.notifications.is_on()
            && self.tracking.clients == 0
            && !self.measures.times_all()
            && client.queue.is_none()
            && client.is_authenticated
            && client.subscriptions() == 0
            && client.replies == Replies::On
    }

    /// Starts a command on keys. `entry` is for its name.
    pub(super) fn start(
        &mut self,
        turn: &mut Turn<'_>,
        client: &mut Client,
        entry: &Entry,
        words: Words,
    ) {
        let name = entry.spec.name;
        let call = Call::new(
            self.settings.epoch,
            self.next_seed(),
            |context| async move {
                let result = commands::run(context, name, words).await;
                result.unwrap_or(Err(Failure::text("ERR unknown command")))
            },
        );
        self.begin(turn, client, call);
    }

    /// Starts a script.
    pub(super) fn start_script(
        &mut self,
        turn: &mut Turn<'_>,
        client: &mut Client,
        script: Script,
        words: Words,
    ) {
        let call = Call::new(self.settings.epoch, self.next_seed(), |context| {
            scripts::run(context, script, words)
        });
        self.begin(turn, client, call);
    }

    fn begin(&mut self, turn: &mut Turn<'_>, client: &mut Client, call: Call) {
        let running = Running {
            call,
            outcomes: Vec::new(),
            waits: Vec::new(),
            new_keys: BTreeSet::new(),
        };
        self.go_on(turn, client, running);
    }

    /// Goes on with a command, whose outcomes are known, until it is done or waits.
    fn go_on(&mut self, turn: &mut Turn<'_>, client: &mut Client, mut running: Running) {
        while running.waits.is_empty() {
            let outcomes = std::mem::take(&mut running.outcomes);
            let outcomes = outcomes.into_iter().flatten().collect();
            match running.call.resume(turn.now, outcomes) {
                Step::Done(result) => {
                    for change in running.take_changes() {
                        self.key_changed(Some(&mut *client), &change);
                    }
                    return self.answer(client, result);
                }
                Step::Asks(asks) => self.submit(turn, client, asks, &mut running),
            }
        }
        client.running = Some(running);
    }

    /// Submits what a command asks for.
    fn submit(
        &mut self,
        turn: &mut Turn<'_>,
        client: &Client,
        asks: Vec<Ask>,
        running: &mut Running,
    ) {
        let via = self.coordinator(turn, client);
        let now = turn.now;
        if self.config.notifications.has('n') {
            running.new_keys.extend(Self::absent(turn, &asks));
        }
        let cluster = turn.cluster().cluster();
        for (index, ask) in asks.into_iter().enumerate() {
            let request = Request {
                client: client.id,
                via,
                key: &ask.key,
                operation: ask.operation.borrowed(),
                is_look: ask.is_look || client.is_looking && ask.operation.is_read(),
            };
            running
                .outcomes
                .push(match cluster.start_request(now, &request) {
                    Ok(Started::Completed(_, outcome)) => Some(outcome),
                    Ok(Started::InFlight(ticket)) => {
                        running.waits.push((index, ticket));
                        None
                    }
                    Err(_) => Some(Outcome::Unknown(Box::default())),
                });
        }
        collect(turn, running);
    }

    /// The node that coordinates the requests of a client; `None`: the first owner of each key.
    fn coordinator(&self, turn: &mut Turn<'_>, client: &Client) -> Option<NodeId> {
        // Where nothing is disturbed, it makes no difference.
        let is_quiet = !self.settings.is_cluster && turn.cluster().cluster().is_quiescent();
        (!is_quiet).then_some(client.node)
    }

    /// Gives the result of a command to its client.
    pub(super) fn answer(&mut self, client: &mut Client, result: Result<Value, Failure>) {
        match result {
            Ok(value) => client.reply(|frames| value.write(frames)),
            Err(Failure::Error(text)) => {
                self.measures.failed(&text);
                client.end = End::Failed;
                client.reply(|frames| frames.error(text));
            }
            // No reply to this command, and none to those behind it.
            Err(Failure::Unknown) => client.end(),
        }
    }

    /// Lets the cluster do what is due, tells clients of expiries and evictions, follows the states of
    /// the nodes, and goes on with the commands whose outcomes have come.
    pub fn tick(&mut self, world: &mut World) {
        let now = world.now();
        while world.backend.tick_some(now, 1024) {}
        let mut turn = Turn { world, now };
        self.notify(&mut turn);
        self.send_broadcasts(None);
        self.update_topology(&mut turn);
        self.release(now);
        self.end_idle(now);
        for id in std::mem::take(&mut self.waiting) {
            if let Some(mut client) = self.clients.remove(&id) {
                self.wake(&mut turn, &mut client);
                self.put_back(client);
            }
        }
    }

    /// Goes on with the command of a client, if its outcomes have come, and with what it has sent since.
    fn wake(&mut self, turn: &mut Turn<'_>, client: &mut Client) {
        if let Some(mut running) = client.running.take() {
            collect(turn, &mut running);
            self.go_on(turn, client, running);
        }
        self.wake_asleep(turn, client);
        self.go_on_exec(turn, client);
        self.settle(client);
        if !client.is_busy() {
            self.run_input(turn, client);
        }
    }

    /// Runs the commands of a transaction that are left.
    pub(super) fn go_on_exec(&mut self, turn: &mut Turn<'_>, client: &mut Client) {
        while client.running.is_none() && !client.is_waiting() {
            let Some(exec) = &mut client.exec else { return };
            if let Some(words) = exec.left.pop_front() {
                dispatch::run_queued(self, turn, client, words);
                continue;
            }
            let Some(Exec { count, replies, .. }) = client.exec.take() else {
                return;
            };
            client.reply(|frames| {
                frames.array(count);
                frames.raw(&replies);
            });
        }
    }

    /// When something is due next on the clock of the cluster.
    pub fn next_deadline(&self, world: &mut World) -> Option<Instant> {
        let of_world = world.next_deadline();
        let of_pause = self.paused_until.map(|(until, _)| until);
        let of_sleep = self.asleep.values().min().copied();
        let of_topology = self.topology.next_change(self.settings.node_timeout);
        let all = [of_world, of_pause, of_sleep, of_topology, self.next_idle()];
        all.into_iter().flatten().min()
    }

    /// A seed for a command that chooses at random.
    pub(super) fn next_seed(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9);
        self.seed
    }

    /// These clients have something to send, or end.
    pub fn touch(&mut self, ids: impl IntoIterator<Item = u32>) {
        self.touched.extend(ids);
    }

    /// Shows a command to those that monitor.
    pub(super) fn show_monitors(
        &mut self,
        turn: &Turn<'_>,
        client: &Client,
        entry: &Entry,
        words: &Words,
    ) {
        if self.monitors == 0 || entry.spec.has("skip_monitor") || entry.spec.has("admin") {
            return;
        }
        let micros =
            i128::from(turn.now.as_nanos() / 1000) + i128::from(self.settings.epoch) * 1000;
        let address = client.addresses.0;
        let mut line = format!(
            "{}.{:06} [0 {address}]",
            micros / 1_000_000,
            micros % 1_000_000
        );
        for word in words.rest(0) {
            line.push_str(" \"");
            line.push_str(&escaped(word));
            line.push('"');
        }
        let monitors = self.clients.values_mut().filter(|it| it.is_monitor);
        let ids: Vec<u32> = monitors
            .map(|monitor| {
                monitor.push(|frames| frames.simple(&line));
                monitor.id
            })
            .collect();
        self.touch(ids);
    }

    /// Sends a line to the shell.
    pub(super) fn send_to_shell(&mut self, client: &mut Client, line: Vec<u8>) {
        client.awaits_shell = true;
        self.shell_lines.push((client.id, line));
    }

    /// The lines for the shell since the last call, each with its client.
    pub fn take_shell_lines(&mut self) -> Vec<(u32, Vec<u8>)> {
        std::mem::take(&mut self.shell_lines)
    }

    /// The shell has run the line of a client.
    pub fn shell_replied(&mut self, world: &mut World, id: u32, reply: Result<Vec<u8>, String>) {
        let Some(mut client) = self.clients.remove(&id) else {
            return;
        };
        client.awaits_shell = false;
        let result = match reply {
            Ok(json) => Ok(Value::bulk(json)),
            Err(message) => Err(Failure::new(format!("ERR {message}"))),
        };
        self.answer(&mut client, result);
        let now = world.now();
        self.wake(&mut Turn { world, now }, &mut client);
        self.put_back(client);
    }

    /// A value as WATCH sees it.
    pub(super) fn look(turn: &mut Turn<'_>, key: &[u8]) -> Option<Found> {
        let now = turn.now;
        match turn.cluster().cluster().call(now, Request::look(key)).1 {
            Outcome::Value(found) => found,
            _ => None,
        }
    }
}

/// Takes the outcomes that have come.
fn collect(turn: &mut Turn<'_>, running: &mut Running) {
    let cluster = turn.cluster();
    let outcomes = &mut running.outcomes;
    running.waits.retain(|&(index, ticket)| {
        outcomes[index] = cluster.take(ticket).map(|(_, outcome)| outcome);
        outcomes[index].is_none()
    });
}

/// Bytes as MONITOR shows them between quotes.
fn escaped(word: &[u8]) -> String {
    let mut text = String::new();
    for &byte in word {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            7 => text.push_str("\\a"),
            8 => text.push_str("\\b"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}
