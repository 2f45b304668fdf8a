//! The catalog: one table of all commands. Parsing, errors about the number of words, `HELP`,
//! hints, completion and the README's table use it.

use super::command::{Change, Command, Script};
use super::lookup;
use super::parsers::{cluster, data, faults, links, planning, requests, script, seeing, work};
use super::spec::Columns;
pub use super::spec::Spec;
pub use super::verb::{Capability, Group, Verb};
use super::words::Parser::{Rest, Words};
use super::words::Row;

/// All commands, by group.
pub fn commands() -> impl Iterator<Item = &'static Spec> {
    ROWS.iter().map(|row| &row.spec)
}

/// The name of a command.
#[must_use]
pub fn name(verb: Verb) -> &'static str {
    let mut specs = commands().filter(|spec| spec.verb == verb);
    specs.next().map_or("", |spec| spec.name)
}

/// The command with this name or alias, in any letter case.
#[must_use]
pub fn find(name: &[u8]) -> Option<&'static Spec> {
    lookup::find(ROWS, name).map(|row| &row.spec)
}

macro_rules! rows {
    ($($verb:ident $names:expr, $group:ident, $needs:ident, $parser:expr, $syntax:expr,
       $summary:expr, $example:expr;)*) => {
        &[$(Row {
            spec: Spec::new(&Columns {
                verb: Verb::$verb,
                names: &$names,
                group: Group::$group,
                needs: Capability::$needs,
                syntax: $syntax,
                summary: $summary,
                example: &$example,
            }),
            parser: $parser,
        }),*]
    };
}

/// All commands, by group. The columns are: names, group, capability, parser, syntax, summary, and
/// lines to type with their output.
pub(super) static ROWS: &[Row] = rows! {
    Put ["PUT", "SET"], Data, Data, Words(data::put), "key value [ttl]",
        "Store a value; with a TTL the key expires after that time, without one it stays.",
        [("PUT apple red 2s", ""), ("GET apple", "apple -> red")];
    Get ["GET"], Data, Data, Words(data::get), "key",
        "Show the value of a key, or null if it is absent.",
        [("GET apple", "apple -> null")];
    Del ["DEL", "REMOVE", "DELETE"], Data, Data, Words(|words| Ok(data::del(words).into())), "key...",
        "Remove keys. An absent key is no error.",
        [("PUT apple red", ""), ("DEL apple pear", ""), ("GET apple", "apple -> null")];
    MGet ["MGET"], Data, Data, Words(|words| Ok(data::mget(words).into())), "key...",
        "Show the values of several keys, in the order asked.",
        [("PUT apple red", ""), ("MGET apple pear", "apple -> red\npear -> null")];
    MSet ["MSET"], Data, Data, Words(data::mset), "key value [key value]... [ttl]",
        "Store several values; an odd last word is a TTL for all of them.",
        [("MSET apple red banana yellow 5s", ""), ("TTL banana", "banana -> 5s")];
    Add ["ADD"], Data, Data, Words(data::add), "key value [ttl]",
        "Store a value only if the key is absent.",
        [("ADD apple red", "apple -> stored"), ("ADD apple green", "apple -> not stored")];
    Cas ["CAS"], Data, Data, Words(data::cas), "key expected new [ttl]",
        "Store a new value only if the key has the expected one.",
        [("PUT apple red", ""), ("CAS apple red green", "apple -> stored"),
         ("CAS apple red blue", "apple -> not stored")];
    Incr ["INCR"], Data, Data, Words(data::incr), "key [delta]",
        "Add to a whole number (1, or delta); an absent key counts as 0. The TTL stays.",
        [("INCR visits", "visits -> 1"), ("INCR visits -5", "visits -> -4")];
    Ttl ["TTL"], Data, Data, Words(data::ttl_of), "key",
        "Show how long a key has left: a time, none if it has no deadline, null if it is absent.",
        [("PUT apple red 2s", ""), ("TTL apple", "apple -> 2s"), ("TTL pear", "pear -> null")];
    Expire ["EXPIRE"], Data, Data, Words(data::expire), "key ttl",
        "Give a key a new TTL, counted from now.",
        [("PUT apple red", ""), ("EXPIRE apple 1500ms", ""), ("TTL apple", "apple -> 1s 500ms")];
    Persist ["PERSIST"], Data, Data, Words(data::persist), "key",
        "Remove the TTL of a key.",
        [("PUT apple red 2s", ""), ("PERSIST apple", ""), ("TTL apple", "apple -> none")];
    Exists ["EXISTS"], Data, Data, Words(|words| Ok(data::exists(words).into())), "key...",
        "Count the keys that are present.",
        [("PUT apple red", ""), ("EXISTS apple pear", "1")];
    Fill ["FILL"], Data, Data, Words(data::fill), "n [SIZE bytes] [TTL time[..time]] [PREFIX p]",
        "Store n keys, key1 to keyn, with values of 16 bytes (or SIZE). With two times, each key gets a random TTL between them.",
        [("FILL 3 SIZE 100 TTL 1s..10s", ""), ("KEYS", "key1\nkey2\nkey3")];
    Keys ["KEYS"], Data, Data, Words(data::keys), "[glob] [NODE n]",
        "List the keys that match a pattern (* ? [a-z] [^a] \\x), all or those on one node.",
        [("MSET apple red avocado green banana yellow", ""), ("KEYS a*", "apple\navocado")];
    Size ["SIZE"], Data, Data, Words(|_| Ok(Command::Size.into())), "",
        "Count the keys of the whole cluster.",
        [("MSET apple red banana yellow", ""), ("SIZE", "2")];
    Clear ["CLEAR"], Data, Data, Words(|_| Ok(Command::Clear.into())), "",
        "Remove every key.",
        [("PUT apple red", ""), ("CLEAR", ""), ("SIZE", "0")];
    Sleep ["SLEEP", "ADVANCE"], Time, Nothing, Words(script::sleep), "time",
        "Let time pass. Expiries are printed when they happen.",
        [("PUT apple red 2s", ""), ("SLEEP 3s", "Server 2 expired key: apple")];
    Time ["TIME"], Time, Nothing, Words(|_| Ok(Command::Time.into())), "",
        "Show the time since the start.",
        [("SLEEP 90", ""), ("TIME", "1m 30s")];
    Clock ["CLOCK"], Time, Nothing, Words(cluster::clock), "[real|virtual]",
        "Show or set the clock. On the virtual clock SLEEP jumps. It can be set only before the first deadline.",
        [("CLOCK", "virtual")];
    Nodes ["NODES"], Cluster, Statistics, Words(|_| Ok(Command::Nodes.into())), "",
        "Show the state, the share of the keys and the counters of each node.",
        [];
    Where ["WHERE"], Cluster, Placement, Words(cluster::where_), "key",
        "Show the owners of a key, its hash, and where the hash falls.",
        [("WHERE apple", "apple -> node 2 (modulo, hash 0x10bc2abf, bucket 2)")];
    Ring ["RING"], Cluster, Placement, Words(|_| Ok(Command::Ring.into())), "",
        "Draw the placement: the part of all hashes that each node owns.",
        [];
    Join ["JOIN"], Cluster, Membership, Words(cluster::join), "[WEIGHT w]",
        "Add a node and move its share of the keys to it. A node of WEIGHT 2 owns twice as many.",
        [("MSET apple red banana yellow", ""),
         ("JOIN", "Node 3 joined: 2 of 2 keys moved (fair share 1) in 0s")];
    Leave ["LEAVE"], Cluster, Membership, Words(cluster::leave), "n",
        "Move the keys of a node to the others, then remove it. Its number is not used again.",
        [("PUT apple red", ""),
         ("LEAVE 2", "Node 2 left: 1 of 1 key moved (optimum 1) in 0s")];
    Placement ["PLACEMENT"], Cluster, Placement, Words(cluster::placement), "[placement]",
        "Show or set the placement policy (HELP PLACEMENT lists the policies).",
        [("PLACEMENT", "modulo"), ("PLACEMENT modulo", "Placement modulo: 0 of 0 keys moved (optimum 0) in 0s")];
    Replicas ["REPLICAS"], Cluster, Replication, Words(cluster::replicas), "[n]",
        "Show or set the number of owners of each key, and make the copies.",
        [("REPLICAS", "1"), ("PUT apple red", ""),
         ("REPLICAS 3", "Replicas 3: 2 copies of 1 key made (optimum 2) in 0s")];
    Quorum ["QUORUM"], Cluster, Replication, Words(cluster::quorum), "[w r]",
        "Show or set how many owners must have a write before it is acknowledged, and how many owners a read asks.",
        [("QUORUM", "writes 1, reads 1, of 1 replica: linearizable")];
    Rebalance ["REBALANCE"], Cluster, Membership, Words(|_| Ok(Change::Rebalance.into())), "",
        "Finish an interrupted move of keys, or make the copies that are missing.",
        [("REBALANCE", "Balanced: 0 of 0 keys moved (optimum 0) in 0s")];
    Plan ["PLAN"], Cluster, Membership, Rest(planning::plan), "JOIN|LEAVE|PLACEMENT|REPLICAS [word]...",
        "Show what a change would move, without changing anything: PLAN JOIN WEIGHT 2, PLAN LEAVE 1.",
        [("MSET apple red banana yellow", ""),
         ("PLAN JOIN", "Node 3 would join: 2 of 2 keys would move (fair share 1)"), ("SIZE", "2")];
    Eviction ["EVICTION"], Cluster, Eviction, Words(cluster::eviction), "[policy]",
        "Show or set the eviction policy (HELP EVICTION lists the policies).",
        [("EVICTION", "lru"), ("EVICTION s3-fifo", ""), ("EVICTION", "s3-fifo")];
    Capacity ["CAPACITY"], Cluster, Eviction, Words(cluster::capacity), "[entries|bytes|none [ENTRIES|BYTES]] [NODE n]",
        "Show or set the capacity of each node, or of one: a number of entries, a size such as 64MiB, or both. none removes it.",
        [("CAPACITY 1", ""), ("MSET apple red grape purple", ""), ("MGET apple grape",
          "apple -> null\ngrape -> purple")];
    Failover ["FAILOVER"], Cluster, Failover, Words(cluster::failover), "n",
        "On real servers: let replica n take the place of its primary, without a loss. Of a primary, the first replica does.",
        [];
    Crash ["CRASH", "KILL"], Faults, NodeFaults, Words(faults::crash), "n",
        "Crash a node. It loses its data and stops responding, but remains a member.",
        [("PUT apple red", ""), ("CRASH 2", ""), ("EVENTS", "0s Node 2 crashed")];
    Restart ["RESTART"], Faults, NodeFaults, Words(faults::restart), "n [resync|hints|cold|stale]",
        "Restart a crashed node (HELP RESTART lists the modes).",
        [("PUT apple red", ""), ("CRASH 2", ""), ("RESTART 2", ""), ("GET apple", "apple -> null")];
    Pause ["PAUSE"], Faults, NodeFaults, Words(faults::pause), "n",
        "Pause a node. Messages to it wait, at most 10,000 or 16 MiB.",
        [("PAUSE 2", ""), ("FAULTS", "PAUSE 2")];
    Resume ["RESUME"], Faults, NodeFaults, Words(faults::resume), "n",
        "Resume a paused node. It handles the messages that waited.",
        [("PAUSE 2", ""), ("RESUME 2", ""), ("EVENTS", "0s Node 2 paused\n0s Node 2 resumed")];
    Partition ["PARTITION"], Faults, LinkFaults, Rest(links::partition), "a,b | c [ONEWAY]",
        "Cut all links between two sides, with ONEWAY only from left to right. Clients still reach every node.",
        [("PARTITION 0,1 | 2", ""), ("FAULTS", "PARTITION 0,1 | 2")];
    Isolate ["ISOLATE"], Faults, LinkFaults, Words(links::isolate), "n",
        "Cut a node off from all other nodes.",
        [("ISOLATE 2", ""), ("FAULTS", "ISOLATE 2")];
    Heal ["HEAL"], Faults, LinkFaults, Words(faults::heal), "[ALL]",
        "Remove all network faults. With ALL also restart crashed nodes, resume paused ones and correct clocks.",
        [("ISOLATE 2", ""), ("HEAL", ""), ("FAULTS", "")];
    Delay ["DELAY"], Faults, LinkFaults, Words(links::delay), "a b time [JITTER time]",
        "Delay the messages between two nodes, with JITTER by a random time more; 0 turns it off.",
        [("DELAY 0 1 20ms JITTER 5ms", ""), ("FAULTS", "DELAY 0 1 20ms JITTER 5ms")];
    Drop ["DROP"], Faults, MessageFaults, Words(links::drop), "a b percent",
        "Drop this percentage of the messages between two nodes; 0% turns it off.",
        [("DROP 0 1 5%", ""), ("FAULTS", "DROP 0 1 5%")];
    Dup ["DUP"], Faults, MessageFaults, Words(links::dup), "a b percent",
        "Duplicate this percentage of the messages between two nodes; 0% turns it off.",
        [("DUP 0 1 5%", ""), ("FAULTS", "DUP 0 1 5%")];
    Reorder ["REORDER"], Faults, MessageFaults, Words(links::reorder), "a b percent",
        "Reorder this percentage of the messages between two nodes; 0% turns it off.",
        [("REORDER 0 1 5%", ""), ("FAULTS", "REORDER 0 1 5%")];
    Hold ["HOLD"], Faults, LinkFaults, Words(links::hold), "a b",
        "Hold the messages between two nodes until RELEASE, at most 10,000 or 16 MiB for each node.",
        [("HOLD 0 1", ""), ("FAULTS", "HOLD 0 1")];
    Release ["RELEASE"], Faults, LinkFaults, Words(links::release), "a b",
        "Deliver the messages that HOLD has held, in their order.",
        [("HOLD 0 1", ""), ("RELEASE 0 1", ""), ("FAULTS", "")];
    Slow ["SLOW"], Faults, LinkFaults, Words(links::slow), "n time",
        "Delay every message to a node, also those of clients; 0 turns it off.",
        [("SLOW 2 1s", ""), ("PUT apple red", ""), ("TIME", "1s")];
    Skew ["SKEW"], Faults, ClockSkew, Words(faults::skew), "n time",
        "Set the clock of a node ahead, or behind with a negative time; 0 corrects it.",
        [("SKEW 2 -2s", ""), ("FAULTS", "SKEW 2 -2s")];
    Faults ["FAULTS"], Faults, LinkFaults, Words(|_| Ok(Command::Faults.into())), "",
        "List the active faults as the commands that recreate them.",
        [("CRASH 1", ""), ("DROP 0 2 5%", ""), ("FAULTS", "DROP 0 2 5%\nCRASH 1")];
    Nemesis ["NEMESIS"], Faults, LinkFaults, Words(faults::nemesis), "[light|heavy|swarm|off]",
        "Inject random faults as time passes. off stops that; HEAL ALL repairs the rest.",
        [("NEMESIS", "off")];
    Links ["LINKS"], Faults, Delivery, Words(|_| Ok(Command::Links.into())), "",
        "Show the messages in flight, the next to arrive first.",
        [];
    Step ["STEP"], Faults, Delivery, Words(faults::step), "[n]",
        "Deliver the next message, or the next n, and advance the time to its arrival.",
        [];
    Stats ["STATS"], Seeing, Statistics, Words(seeing::stats), "[n|RESET]",
        "Show the counters of the cluster, or of one node. RESET sets them to zero.",
        [];
    Inspect ["INSPECT"], Seeing, Placement, Words(seeing::inspect), "key",
        "Show the copy of a key at each owner: version, TTL, bytes, and rank in the eviction order (1 is evicted next).",
        [("PUT apple red 2s", ""), ("INSPECT apple",
          "node  state  holds  version  ttl  bytes  rank\n   2  up     value        1  2s      48     -")];
    Events ["EVENTS"], Seeing, Statistics, Words(seeing::events), "[count] [NODE n]",
        "Show the latest events (10, or count), of all nodes or of one.",
        [("PUT apple red 2s", ""), ("SLEEP 3s", "Server 2 expired key: apple"),
         ("EVENTS", "2s Server 2 expired key: apple")];
    Trace ["TRACE"], Seeing, Tracing, Rest(seeing::trace), "command",
        "Run a command and show the messages delivered meanwhile, with their times.",
        [];
    Hot ["HOT"], Seeing, Statistics, Words(seeing::hot), "[count]",
        "Show the most requested keys of each node (10, or count), and how much of the skew they explain. `unsure` is the possible overcount.",
        [];
    Monitor ["MONITOR"], Seeing, Statistics, Words(seeing::monitor), "[on|off]",
        "Print every event as it happens, also with --quiet, until Ctrl-C or MONITOR off.",
        [("MONITOR", ""), ("PUT apple red 2s", ""), ("SLEEP 3s", "Server 2 expired key: apple")];
    Notices ["NOTICES"], Seeing, Nothing, Words(seeing::notices), "[on|off]",
        "Show or set whether expiries are printed as they happen.",
        [("NOTICES", "on"), ("NOTICES off", ""), ("PUT apple red 2s", ""), ("SLEEP 3s", "")];
    Watch ["WATCH"], Seeing, Nothing, Rest(seeing::watch), "[time] command",
        "Repeat a command every second (or time) until Ctrl-C; in a batch until no key has a deadline.",
        [("PUT apple red 2s", ""),
         ("WATCH 1s GET apple",
          "apple -> red\napple -> red\nServer 2 expired key: apple\napple -> null")];
    History ["HISTORY"], Seeing, History, Words(seeing::history), "[count|on|off|CLEAR]",
        "Show the latest operations of clients (10, or count) with their outcomes; turn recording on or off; clear it.",
        [("HISTORY on", ""), ("PUT apple red", ""),
         ("HISTORY", "client  invoked  returned  command        outcome\n     \
                      0  0s       0s        PUT apple red  acknowledged")];
    Check ["CHECK"], Seeing, History, Words(seeing::check), "[promise]",
        "Judge the history: name the strongest promise that was kept, and the operations that break a stronger one.",
        [("REPLICAS 3", "Replicas 3: 0 copies of 0 keys made (optimum 0) in 0s"), ("HISTORY on", ""),
         ("PUT apple red", ""), ("CRASH 2", ""), ("PUT apple green", ""),
         ("RESTART 2 stale", ""), ("GET apple", "apple -> red"),
         ("CHECK",
          "no expired read: 3 operations on 1 key\n\
           apple: no expired read; an overwritten value was read\n  \
           client  invoked  returned  command          outcome\n       \
           0  0s       0s        PUT apple red    acknowledged\n       \
           0  0s       0s        PUT apple green  acknowledged\n       \
           0  0s       0s        GET apple        -> red\n\
           state: the owners of apple differ: node 2 has v4; node 0 has v5; node 1 has v5")];
    Replay ["REPLAY"], Work, Work, Words(work::replay),
        "file [SKIP n] [COUNT n] [TTL time] [RATE n] [SIZE bytes] [FORMAT spec]",
        "Send the requests of a trace to the cluster. A get that misses stores the value. The next REPLAY of the file goes on where this one stops.",
        [];
    Load ["LOAD"], Work, Work, Words(work::load), "workload [option value]...",
        "Send the requests of a synthetic workload (HELP LOAD lists workloads and options). A get that misses stores the value.",
        [("LOAD zipf KEYS 100 REQUESTS 1000",
          "zipf: 1,000 requests, in 999ms\n\
           count      value\n\
           hits         904\n\
           misses        96\n\
           evicted        0\n\
           expired        0\n\
           hit ratio  90.4%\n\
           of bytes   90.4%\n\
           \n\
           node  requests  misses  share\n\
           \x20  0       323      27  32.3%\n\
           \x20  1       398      36  39.8%\n\
           \x20  2       279      33  27.9%\n\
           skew 1.19 (max / mean requests)\n\
           \n\
           hit ratio over time, 0% to 100.0%\n\
           ==*##++#+###*@@*@#@#@@@#@#@@@@@#@#@@@##@@@@@@@@@@@@@@@@@@@@@@@@")];
    Compare ["COMPARE"], Work, Nothing, Words(work::compare), "file... [option value]...",
        "Find which policy and size a trace needs, with the options of shardlab compare as words.",
        [];
    Via ["VIA"], Script, Clients, Rest(requests::via), "n command",
        "Run a command on keys with node n as its coordinator.",
        [("VIA 1 PUT apple red", ""), ("TRACE VIA 1 GET apple",
          "+0ms client -> 1: GET apple\n+0ms 1 -> 2: read apple\n+0ms 2 -> 1: found v2\n+0ms 1 -> client: answer: v2\napple -> red")];
    Client ["CLIENT"], Script, Clients, Rest(requests::client), "n command",
        "Send a command on keys as client n without waiting. Its reply is printed when it comes.",
        [("SLOW 2 1s", ""), ("CLIENT 1 PUT apple red", ""), ("TIME", "0s"),
         ("SLEEP 2s", "client 1: OK")];
    Echo ["ECHO"], Script, Nothing, Rest(|rest| Ok(script::echo(rest).into())), "[text]",
        "Print the rest of the line unchanged.",
        [("ECHO It's # no comment", "It's # no comment")];
    Source ["SOURCE"], Script, Nothing, Words(script::source), "file",
        "Run the lines of a file.",
        [];
    Repeat ["REPEAT"], Script, Nothing, Rest(script::repeat), "n command",
        "Run a command n times, until one fails. {i} in it is the number of the turn, from 1.",
        [("REPEAT 2 PUT key{i} {i}", ""), ("MGET key1 key2", "key1 -> 1\nkey2 -> 2")];
    Help ["HELP", "?"], Script, Nothing, Words(script::help), "[command|@group]",
        "List the commands, or explain a group, or one command with an example.",
        [];
    Quit ["QUIT", "EXIT"], Script, Nothing, Words(|_| Ok(Script::Quit.into())), "",
        "End the session.",
        [("QUIT", "")];
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_capitals() {
        let mut names: Vec<&str> = commands().flat_map(Spec::names).collect();
        assert!(names.iter().all(|name| *name == name.to_ascii_uppercase()));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn only_a_similar_name_is_suggested() {
        let suggest = |name: &str| lookup::suggest(ROWS, name);
        assert_eq!(suggest("gte"), Some("GET"));
        assert_eq!(suggest("PUTT"), Some("PUT"));
        assert_eq!(suggest("persits"), Some("PERSIST"));
        assert_eq!(suggest("nope"), None);
        assert_eq!(suggest("frobnicate"), None);
        assert_eq!(suggest("x"), None);
        assert_eq!(suggest(&"x".repeat(1_000_000)), None);
    }

    #[test]
    fn data_needs_data_and_time_needs_nothing() {
        let needs = |group| commands().filter(move |spec| spec.group == group);
        assert!(needs(Group::Data).all(|spec| spec.needs() == Capability::Data));
        assert!(needs(Group::Time).all(|spec| spec.needs() == Capability::Nothing));
        assert!(needs(Group::Faults).all(|spec| spec.needs() != Capability::Nothing));
        let requests = commands().filter(|spec| spec.verb.is_request());
        let names_keys = |spec: &&Spec| spec.needs() == Capability::Data && spec.min_words > 0;
        assert!(requests.eq(commands().filter(names_keys)));
    }
}
