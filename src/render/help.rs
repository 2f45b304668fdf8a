//! `HELP`, from the catalog.

use std::fmt::Display;

use serde_json::{Value, json};

use super::style::{Paint, Style};
use super::text::wrapped;
use crate::eviction::Eviction;
use crate::language::catalog::{Group, Spec, Verb, commands};
use crate::language::{Behind, Topic};
use crate::placement::PlacementKind;
use crate::replica::Restart;
use crate::trace::Kind;

/// The columns of help where the output is no terminal.
const WIDTH: usize = 80;
/// The widest column of usages.
const WIDEST_USAGE: usize = 30;
/// Terminals with fewer columns get summaries below the usages, not beside them.
const NARROW: usize = 60;

pub fn topic(style: Style, topic: Topic, behind: Behind, out: &mut Vec<u8>) {
    let text = match topic {
        Topic::All => overview(style, behind),
        Topic::Group(group) => group_text(style, group, behind),
        Topic::Command(spec) => command_text(style, spec, behind),
    };
    out.extend_from_slice(text.as_bytes());
}

/// The groups with the names of their commands: on one screen.
fn overview(style: Style, behind: Behind) -> String {
    let mut text = String::new();
    for group in Group::ALL {
        let title = format!("{:<10}", format!("@{group}"));
        let title = style.painted(Paint::Heading, &title);
        let names = commands().filter(|spec| spec.group == group && is_available(spec, behind));
        let names = names.map(|spec| style.painted(Paint::Command, spec.name));
        text += &paragraph(style, &names.collect::<Vec<_>>().join(" "), &title, 10);
    }
    text.push('\n');
    text += &paragraph(
        style,
        "HELP PUT explains a command; HELP @data explains a group.",
        "",
        0,
    );
    text += &paragraph(
        style,
        "A time is a whole number of seconds (3), or 3s, 1500ms, \"1h 30m\".",
        "",
        0,
    );
    let lacking = commands().filter(|spec| !is_available(spec, behind));
    let lacking: Vec<&str> = lacking.map(|spec| spec.name).collect();
    if !lacking.is_empty() {
        let lacking = format!("Not here: {}. HELP says why.", lacking.join(" "));
        text += &paragraph(style, &lacking, "", 0);
    }
    text
}

fn is_available(spec: &Spec, behind: Behind) -> bool {
    behind.refusal(spec).is_none()
}

fn group_text(style: Style, group: Group, behind: Behind) -> String {
    let is_wanted = move |spec: &&Spec| spec.group == group && is_available(spec, behind);
    let of_group = || commands().filter(is_wanted);
    let usages = of_group().map(|spec| spec.usage().len());
    let column = usages.filter(|&len| len <= WIDEST_USAGE).max().unwrap_or(0) + 4;
    let mut text = style.painted(Paint::Heading, &format!("@{group}")) + "\n";
    for spec in of_group() {
        let usage = format!("  {}", usage(style, spec));
        let room = column.saturating_sub(2 + spec.usage().len());
        if columns(style) < NARROW || room < 2 {
            let indent = if columns(style) < NARROW { 4 } else { column };
            let space = " ".repeat(indent);
            text += &paragraph(style, usage.trim_start(), "  ", 6);
            text += &paragraph(style, spec.summary, &space, indent);
        } else {
            let first = usage + &" ".repeat(room);
            text += &paragraph(style, spec.summary, &first, column);
        }
    }
    text
}

fn columns(style: Style) -> usize {
    style.width.unwrap_or(WIDTH)
}

/// Wraps a text behind `first`, with its other lines behind `indent` spaces.
fn paragraph(style: Style, text: &str, first: &str, indent: usize) -> String {
    wrapped(text, columns(style), first, indent) + "\n"
}

fn command_text(style: Style, spec: &Spec, behind: Behind) -> String {
    let mut text = format!("{}\n", usage(style, spec));
    text += &paragraph(style, spec.summary, "  ", 2);
    if let Some(why) = behind.refusal(spec) {
        text += &paragraph(style, &format!("Not available here: {why}."), "  ", 2);
    }
    if !spec.aliases.is_empty() {
        text += &format!("  Also: {}\n", spec.aliases.join(", "));
    }
    text += &choices(style, spec.verb);
    for note in notes(spec.verb) {
        text += &paragraph(style, note, "  ", 2);
    }
    if !spec.example.is_empty() {
        text += "  Example:\n";
    }
    for (line, output) in spec.example {
        text += &format!("    {}\n", style.painted(Paint::Command, line));
        for line in output.lines() {
            text += &match style.width {
                Some(_) => paragraph(style, line, "      ", 8),
                None => format!("      {line}\n"),
            };
        }
    }
    text
}

/// More about a command, a paragraph each.
fn notes(verb: Verb) -> &'static [&'static str] {
    match verb {
        Verb::Quorum => &[
            "With w + r > replicas, and r > 1 or one replica, every key is a linearizable register with expiry. That holds as long as fewer than w of its owners are crashed or still resynchronizing at the same time, none of them restarts cold, stale or with hints, and ADD, CAS, INCR, EXPIRE and PERSIST do not overlap other writes to the key.",
            "With w = replicas and r = 1 there is no stale read, but a write with an unknown outcome may be seen and then not be seen. With less, requests are faster, and reads may be stale while a fault is active.",
            "While a clock is wrong (SKEW) the promise is at most no stale read. With replicas on nodes that evict it is at most no expired read.",
            "The promise shown is the weakest since the history began. CHECK judges by it.",
        ],
        Verb::Heal => &[
            "Without ALL, crashed and paused nodes and wrong clocks stay so; at a prompt and in JSON the reply names them. With ALL, nodes restart with resync.",
        ],
        Verb::Fill => &[
            "Options come in any order. At most 1,000,000 keys and 1 GiB. TTLs between two times come from the seed, in steps of a millisecond.",
        ],
        Verb::Plan => {
            &["It carries the change out on a copy of the cluster and then drops the copy."]
        }
        Verb::Capacity => &[
            "CAPACITY none BYTES removes one of the two limits. Without NODE it sets all nodes, also those with their own capacity and those that join later.",
        ],
        Verb::Stats => &[
            "requests, p50 ms and p99 ms are the number of requests on keys in the cluster and their latency, in the time of the cluster. A request that completes in its own instant takes 0 ms. A time with a ~ is at most a sixteenth too long.",
            "timeouts counts requests that failed because nodes did not answer in time; retries counts how often a client asked another owner.",
            "copies missing is the number of copies that owners lack; REBALANCE makes them.",
            "RESET also forgets the keys of HOT. Contents stay.",
        ],
        Verb::Inspect => &[
            "rank is - where a node has no capacity, or the policy chooses at random. The order holds until an entry is used, stored or removed.",
        ],
        Verb::Hot => &[
            "A request counts if the key was present. So storing new keys, as FILL does, makes none of them hot, although STATS counts these requests.",
        ],
        Verb::Nodes => &[
            "hit % is hits / (hits + misses). used is the part of the capacity that is in use, - without a capacity. share is the node's part of all keys. skew is the largest number of keys on a node, divided by the mean.",
        ],
        Verb::Nemesis => &[
            "light delays, drops, duplicates and reorders messages now and then. heavy injects all kinds of faults but wrong clocks, often. swarm picks a few kinds, and how often they happen, by the seed.",
        ],
        Verb::Replay => &[
            "Options come in any order. The format is detected as by shardlab inspect, or given: FORMAT csv,obj-id-col=2. COUNT is the most requests. SKIP n starts at request n, from 0. After the end the next REPLAY starts again. The last 16 workloads of REPLAY and LOAD can go on.",
            "On the virtual clock requests come in the time of the trace, of which the first one is now; where a trace has no times, all come at once. On the real clock they come as fast as possible. RATE n sends n a second on either clock.",
            "A get of the trace is sent as a GET; if it misses, an ADD stores the value. A set is sent as a PUT, a delete as a DEL. Values have the TTL and the size of the trace, unless TTL and SIZE are given. A value is cut at 64 KiB; without a size it has 16 bytes. All values differ, so that CHECK can tell writes apart. A key that is a number is sent in decimal digits.",
            "Requests that fail are counted by reason, and do not end it. Ctrl-C does. As long as messages take time, up to 1,000 requests are in flight, each of a client of its own (1001 to 2000).",
        ],
        Verb::Load => &[
            "Options, in any order: KEYS n (100,000); REQUESTS n (1,000,000) or FOR time; SKEW s, of Zipf's law (1; ycsb 0.99); SIZE bytes[..bytes] (16); TTL time[..time]; WRITES percent (0%); CLIENTS n (1), at most 1,000; RATE n, requests a second: on the virtual clock 1,000, on the real one as fast as possible.",
            "AT time fault, any number of times, brings a fault about meanwhile: LOAD zipf FOR 10s CLIENTS 8 AT 2s \"CRASH 0\" AT 5s \"RESTART 0\". LOAD does not end before the last of them.",
            "If a get misses, an ADD stores the value (read-through). ycsb-f writes with a GET, and a CAS that expects the value that the GET found; a CAS that fails because another client has written meanwhile counts as a lost race. All values differ, so that CHECK can tell writes apart. Each client has one request in flight. Their numbers start at 1001.",
            "A LOAD of the same workload, KEYS, SKEW, SIZE, TTL and WRITES goes on where the one before stopped.",
        ],
        Verb::Compare => &[
            "Files come first, then options as words: COMPARE web.csv policies lru,arc sizes 1%,10%. shardlab compare --help explains them. It replays the files by itself; the cluster does not change.",
        ],
        Verb::Repeat => {
            &["In JSON the reply is one object with the latest 1,000 objects of its turns."]
        }
        Verb::Step => &[
            "Messages of one instant are delivered one by one. Timers that are due then run before the next command other than LINKS and STEP. On the real clock STEP waits.",
        ],
        Verb::Trace => &[
            "While it runs, requests go by message, as they do when a fault is active. It keeps the first 10,000 messages and counts the rest.",
        ],
        Verb::History => &[
            "With --replicas above 1 it is recorded from the start, otherwise from the first fault, HISTORY or CHECK on; keys that are present then count as put at that time. It holds the latest 10,000 operations. Values over 64 bytes are kept as length and hash.",
        ],
        Verb::Check => &[
            "It judges what was recorded. With --replicas above 1 recording starts with the program, otherwise at the first fault, HISTORY or CHECK: so the first CHECK may find no operations.",
            "The promises, strongest first: linearizable; linearizable but for losses; no stale read; no expired read; no invented value; nothing. For a key that falls short it shows the fewest operations that prove it.",
            "It fails (exit status 1) if the promise that you name is broken, or else the weakest promise since the history began (QUORUM shows it). If it cannot decide, it says so (exit status 3). The state of the copies never makes it fail.",
            "It also names a write that got no reply, took effect and was sent again, as some client libraries do in silence: an INCR counts twice then. That breaks no promise of the cluster.",
        ],
        Verb::Clear => &[
            "At a terminal it asks before it removes more than 100 keys. Ctrl-L clears \
             the screen.",
        ],
        Verb::Watch => &[
            "At a terminal it redraws in place, and goes on when the command fails; \
             the virtual clock advances in real time meanwhile.",
        ],
        Verb::Notices => &[
            "At a terminal, expiries that come faster than one can read are counted: \
             28,571 keys expired on 4 servers. MONITOR prints each of them.",
        ],
        Verb::Quit => &["In a file that SOURCE runs it ends that file only."],
        _ => &[],
    }
}

/// The names that the command takes, with what each means.
fn choices(style: Style, verb: Verb) -> String {
    match verb {
        Verb::Eviction => choice_lines(style, Eviction::ALL, |it| it.summary()),
        Verb::Placement => choice_lines(style, PlacementKind::ALL, |it| it.summary()),
        Verb::Load => choice_lines(style, &Kind::ALL, |it| it.summary()),
        Verb::Restart => choice_lines(style, &Restart::ALL, |it| it.summary()),
        _ => String::new(),
    }
}

fn choice_lines<T: Display>(
    style: Style,
    all: &[T],
    summary: impl Fn(&T) -> &'static str,
) -> String {
    let line = |it| {
        let name = format!("    {:14}", format!("{it}"));
        paragraph(style, summary(it), &name, 18)
    };
    all.iter().map(line).collect()
}

fn usage(style: Style, spec: &Spec) -> String {
    let name = style.painted(Paint::Command, spec.name);
    format!("{name} {}", spec.syntax).trim_end().into()
}

pub fn objects(topic: Topic, behind: Behind) -> Value {
    let wanted = |spec: &&Spec| match topic {
        Topic::All => true,
        Topic::Group(group) => spec.group == group,
        Topic::Command(one) => *spec == one,
    };
    let wanted = commands().filter(wanted);
    wanted.map(|spec| object(spec, behind)).collect()
}

fn object(spec: &Spec, behind: Behind) -> Value {
    let example = spec.example.iter();
    let example = example.map(|(line, output)| json!({ "line": line, "output": output }));
    let mut object = json!({
        "name": spec.name,
        "aliases": spec.aliases,
        "group": spec.group.to_string(),
        "syntax": spec.syntax,
        "summary": spec.summary,
        "example": example.collect::<Value>(),
    });
    if let Some(why) = behind.refusal(spec) {
        object["unavailable"] = why.into();
    }
    object
}
