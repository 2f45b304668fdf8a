//! What clients send: the requests in their bytes, carried out in order.

use super::client::{Client, End, Replies};
use super::direct::Run;
use super::dispatch;
use super::hub::{Hub, Turn};
use super::settings::{OUTPUT_KEPT, OUTPUT_PAUSE};
use crate::resp::commands::Words;
use crate::resp::{Args, ProtocolError, RequestLimits, RequestParser};
use crate::session::World;

/// What follows the direct commands that were found.
enum Next {
    /// Perhaps more of them.
    More,
    /// A request that is not direct, of so many bytes. The parser has its arguments.
    General(usize),
    /// More bytes are needed.
    Incomplete,
    /// Bytes that are no request.
    Broken(ProtocolError),
}

impl Hub {
    /// Bytes of a client have arrived. Commands that are whole are carried out. Returns whether it has
    /// something to send, or ends.
    pub fn receive(&mut self, world: &mut World, id: u32, bytes: &[u8]) -> bool {
        let Some(mut client) = self.clients.remove(id) else {
            return false;
        };
        if client.output.capacity() == 0 {
            client.output = std::mem::take(&mut self.output);
        }
        let now = world.now();
        let mut turn = Turn { world, now };
        if client.input.is_empty() && !client.is_busy() {
            let used = self.run_all(&mut turn, &mut client, bytes);
            client.input.extend_from_slice(&bytes[used..]);
        } else {
            client.input.extend_from_slice(bytes);
            self.run_input(&mut turn, &mut client);
        }
        self.put_back(client)
    }

    /// Takes the memory of replies that are all sent, for those of other clients.
    pub(super) fn reuse(&mut self, mut output: Vec<u8>) {
        output.clear();
        if output.capacity() <= OUTPUT_KEPT {
            self.output = output;
        }
    }

    /// Carries out what a client has sent, as far as it does not have to wait.
    pub(super) fn run_input(&mut self, turn: &mut Turn<'_>, client: &mut Client) {
        let input = std::mem::take(&mut client.input);
        let used = self.run_all(turn, client, &input);
        client.input = input;
        client.input.drain(..used);
        if client.input.is_empty() && client.input.capacity() > OUTPUT_PAUSE {
            client.input = Vec::new();
        }
    }

    /// Carries out the commands in `input` in order. Returns how many bytes they took.
    fn run_all(&mut self, turn: &mut Turn<'_>, client: &mut Client, input: &[u8]) -> usize {
        let parser = client.parser.take();
        let mut parser = parser.unwrap_or_else(|| std::mem::take(&mut self.parser));
        let mut run = std::mem::take(&mut self.run);
        let (mut used, mut may_be_direct) = (0, true);
        while goes_on(client) {
            let rest = &input[used..];
            let next = self.find(turn, client, may_be_direct, &mut parser, &mut run, rest);
            let done = self.run_direct(turn.cluster().cluster(), client, &run, rest);
            used += run.bytes(done);
            may_be_direct = done == run.len();
            if !may_be_direct || !goes_on(client) {
                // What follows is parsed again.
                parser.restart();
                continue;
            }
            match next {
                Next::More => {}
                Next::Incomplete => break,
                Next::General(length) => {
                    let args = parser.args(&input[used..]);
                    if self.is_held(turn.now, client, args) {
                        client.is_held = true;
                        parser.restart();
                        break;
                    }
                    self.run_one(turn, client, args);
                    used += length;
                }
                Next::Broken(error) => {
                    client.reply(|frames| frames.error(format_args!("ERR {error}")));
                    client.end();
                }
            }
        }
        self.run = run;
        if parser.is_between() {
            self.parser = parser;
        } else {
            client.parser = Some(parser);
        }
        used
    }

    /// Finds the direct commands at the start of `input`.
    fn find(
        &self,
        turn: &mut Turn<'_>,
        client: &Client,
        may_be_direct: bool,
        parser: &mut RequestParser,
        run: &mut Run,
        input: &[u8],
    ) -> Next {
        run.clear();
        let (limits, now) = (limits(client), turn.now);
        let cluster = turn.cluster().cluster();
        let is_direct = may_be_direct && self.is_plain(client) && cluster.opens(now);
        let mut at = 0;
        while !run.is_full() {
            let length = match parser.parse(&input[at..], &limits) {
                Ok(Some(length)) => length,
                Ok(None) => return Next::Incomplete,
                Err(error) => return Next::Broken(error),
            };
            let args = parser.args(&input[at..]);
            let request = at..at + length;
            let ranges = parser.ranges().filter(|_| is_direct);
            let is_added = ranges
                .is_some_and(|ranges| self.collect(run, client, cluster, (request, ranges), args));
            if !is_added {
                return Next::General(length);
            }
            at += length;
        }
        Next::More
    }

    /// Carries out one command, or begins to. A request without arguments is ignored.
    fn run_one(&mut self, turn: &mut Turn<'_>, client: &mut Client, args: Args<'_>) {
        if args.is_empty() {
            return;
        }
        self.totals.commands += 1;
        client.since.1 = turn.now;
        client.end = End::Called;
        let watch = self.measures.begin();
        let replies = client.replies;
        client.command = None;
        dispatch::run(self, turn, client, Words::from(args));
        self.keep_changes(turn);
        // ASKING is for one command, or a transaction.
        let is_over = client.queue.is_none() && client.command.is_none_or(|it| it.name != "asking");
        client.is_asking &= !is_over;
        self.note_end(turn, client, args, &watch);
        // A command that is skipped is over.
        if replies == Replies::SkipNext && client.replies == Replies::SkipNext {
            client.replies = Replies::On;
        }
        self.settle(client);
    }
}

/// Whether the commands of a client are carried out: it has taken its replies, and waits for none.
fn goes_on(client: &Client) -> bool {
    client.ending.is_none() && !client.is_busy() && client.output.len() < OUTPUT_PAUSE
}

fn limits(client: &Client) -> RequestLimits {
    if client.is_authenticated {
        RequestLimits::default()
    } else {
        RequestLimits::UNAUTHENTICATED
    }
}
