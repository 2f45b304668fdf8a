//! All clients of all nodes, without sockets: bytes in, bytes out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::by_client::ByClient;
use super::channels::Channels;
use super::client::{Client, Exec, Running};
use super::config::ServerConfig;
use super::direct::Run;
use super::dispatch::{self, Entry};
use super::measures::Measures;
use super::settings::{OUTPUT_LIMIT, OUTPUT_PAUSE, Settings};
use super::topology::Topology;
use super::tracking::Tracking;
use crate::cluster::{Request, Started, Status};
use crate::event::Cursor;
use crate::id::NodeId;
use crate::network::Endpoint;
use crate::operation::{Found, Outcome};
use crate::resp::RequestParser;
use crate::resp::call::{Ask, Call, Step};
use crate::resp::commands::{self, Words};
use crate::resp::scripts::{self, Script};
use crate::resp::value::{Failure, Value};
use crate::session::{SimulatedCluster, World};
use crate::time::Instant;

/// The number of the first connection. Smaller numbers are those of CLIENT at the prompt.
const FIRST: u32 = 1001;

/// The clients, and what they share.
pub struct Hub {
    pub(super) settings: Settings,
    pub(super) clients: ByClient<Box<Client>>,
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
    /// Kept for their memory: the commands that are carried out, what finds them, and the replies.
    pub(super) run: Run,
    pub(super) parser: RequestParser,
    pub(super) output: Vec<u8>,
    /// How many commands were direct.
    #[cfg(test)]
    pub(super) direct: u64,
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
        if let Some(cluster) = world.backend.simulated() {
            cluster.set_move_time(settings.move_time);
        }
        let mut hub = Self {
            settings,
            clients: ByClient::default(),
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
            run: Run::default(),
            parser: RequestParser::default(),
            output: Vec::new(),
            #[cfg(test)]
            direct: 0,
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
        while self.clients.get(self.next_id).is_some() {
            self.next_id = next(self.next_id);
        }
        let id = self.next_id;
        self.next_id = next(id);
        let mut client = Client::new(id, node, addresses, now);
        client.is_authenticated = self.settings.password.is_none();
        self.clients.insert(id, Box::new(client));
        self.totals.connections += 1;
        Ok(id)
    }

    /// A client has disconnected.
    pub fn disconnect(&mut self, world: &mut World, id: u32) {
        let now = world.now();
        if let Some(mut client) = self.clients.remove(id) {
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
        let has_input = self.clients.get(id).is_some_and(|it| !it.input.is_empty());
        if has_input && let Some(mut client) = self.clients.remove(id) {
            let now = world.now();
            self.run_input(&mut Turn { world, now }, &mut client);
            self.put_back_touched(client);
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

    /// A number that stays the same as long as no node changes its state and nothing is disturbed; `None`
    /// while something is.
    pub fn calm(&self, world: &mut World) -> Option<u64> {
        let now = world.now();
        let mut turn = Turn { world, now };
        let is_calm = turn.cluster().cluster().is_quiescent();
        is_calm.then_some(self.topology.looks)
    }

    /// The clients that have something to send, or end, since the last call.
    pub fn take_touched(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.touched)
    }

    /// A client.
    pub fn client_mut(&mut self, id: u32) -> Option<&mut Client> {
        self.clients.get_mut(id).map(|client| &mut **client)
    }

    /// Whether a client is to be read from: its replies are taken, and its commands are carried out.
    #[must_use]
    pub fn wants_input(&self, id: u32) -> bool {
        self.clients.get(id).is_some_and(|client| {
            client.ending.is_none()
                && client.output.len() < OUTPUT_PAUSE
                && (!client.is_busy() || client.input.len() < OUTPUT_PAUSE)
        })
    }

    /// Returns a client to the others, and whether it has something to send, or ends.
    pub(super) fn put_back(&mut self, mut client: Box<Client>) -> bool {
        client.bound_output(OUTPUT_LIMIT);
        if client.is_busy() {
            self.waiting.insert(client.id);
        }
        if client.output.is_empty() && client.output.capacity() > 0 {
            self.reuse(std::mem::take(&mut client.output));
        }
        let has_output = !client.output.is_empty() || client.ending.is_some();
        self.clients.insert(client.id, client);
        has_output
    }

    /// The same, and notes what it has to send.
    fn put_back_touched(&mut self, client: Box<Client>) {
        let id = client.id;
        if self.put_back(client) {
            self.touched.insert(id);
        }
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
                name: client.command.map(|spec| spec.name),
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
            Err(failure) => self.measures.answer_failure(client, failure),
        }
    }

    /// Lets the cluster expire keys and deliver messages, tells clients of expiries and evictions, follows the states of
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
            if let Some(mut client) = self.clients.remove(id) {
                self.wake(&mut turn, &mut client);
                self.put_back_touched(client);
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
        let Some(mut client) = self.clients.remove(id) else {
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
        self.put_back_touched(client);
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

/// The number after this one. They begin anew at their end.
fn next(id: u32) -> u32 {
    id.checked_add(1).unwrap_or(FIRST)
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
