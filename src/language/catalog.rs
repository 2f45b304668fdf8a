//! The one table of all commands. Parsing, arity errors, HELP, hints, completion and the README's
//! table come from it.

use std::fmt;

use super::error::{Error, ErrorKind};

/// Which command a row is about.
#[allow(missing_docs, reason = "each row of the table documents its own")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Put,
    Get,
    Del,
    MGet,
    MSet,
    Add,
    Cas,
    Incr,
    Ttl,
    Expire,
    Persist,
    Exists,
    Keys,
    Size,
    Clear,
    Sleep,
    Time,
    Clock,
    Nodes,
    Where,
    Ring,
    Join,
    Leave,
    Placement,
    Replicas,
    Quorum,
    Rebalance,
    Eviction,
    Capacity,
    Crash,
    Restart,
    Pause,
    Resume,
    Partition,
    Isolate,
    Heal,
    Delay,
    Drop,
    Dup,
    Reorder,
    Hold,
    Release,
    Slow,
    Skew,
    Faults,
    Nemesis,
    Links,
    Step,
    Stats,
    Events,
    Trace,
    Hot,
    Monitor,
    Watch,
    History,
    Check,
    Echo,
    Source,
    Repeat,
    Help,
    Quit,
}

/// What a command is for.
#[allow(missing_docs, reason = "the words are those of HELP")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Data,
    Time,
    Cluster,
    Faults,
    Seeing,
    Script,
}

impl Group {
    /// All groups, in the order in which HELP shows them.
    pub const ALL: [Self; 6] = [
        Self::Data,
        Self::Time,
        Self::Cluster,
        Self::Faults,
        Self::Seeing,
        Self::Script,
    ];

    /// The group's rows of the table.
    pub fn commands(self) -> impl Iterator<Item = &'static Spec> {
        COMMANDS.iter().filter(move |spec| spec.group == self)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "data",
            Self::Time => "time",
            Self::Cluster => "cluster",
            Self::Faults => "faults",
            Self::Seeing => "seeing",
            Self::Script => "script",
        })
    }
}

/// A row of the table.
#[derive(Debug)]
pub struct Spec {
    /// Which command this is.
    pub verb: Verb,
    /// The canonical name, in capitals.
    pub name: &'static str,
    /// Other names for the same.
    pub aliases: &'static [&'static str],
    /// What it is for.
    pub group: Group,
    /// The words that follow: `[optional]`, `repeated...`.
    pub syntax: &'static str,
    /// One line of what it does.
    pub summary: &'static str,
    /// Lines to type on a new cluster with the virtual clock, and what each prints.
    pub example: &'static [(&'static str, &'static str)],
    /// The fewest words that may follow.
    pub min_words: usize,
    /// The most.
    pub max_words: usize,
}

impl Eq for Spec {}

impl PartialEq for Spec {
    fn eq(&self, other: &Self) -> bool {
        self.verb == other.verb
    }
}

impl Spec {
    /// Name and syntax.
    #[must_use]
    pub fn usage(&self) -> String {
        format!("{} {}", self.name, self.syntax).trim_end().into()
    }

    /// Every name that the command goes by, the canonical one first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// The parts of the syntax that are still open after `words` words: `value`, `[ttl]`.
    pub fn parts_after(&self, words: usize) -> impl Iterator<Item = &'static str> {
        let parts = parts(self.syntax);
        let repeated = parts.iter().position(|part| part.ends_with("..."));
        let done = repeated.map_or(words, |repeated| words.min(repeated));
        parts.into_iter().skip(done)
    }

    /// # Errors
    /// A usage error if the command can't have `words` words after its name.
    pub fn check_words(&self, words: usize) -> Result<(), Error> {
        if words < self.min_words {
            return Err(self.too_few_words(words));
        }
        if words > self.max_words {
            return Err(self.usage_error("too many words"));
        }
        Ok(())
    }

    /// The error of a line that ends after `words` words.
    #[must_use]
    pub fn too_few_words(&self, words: usize) -> Error {
        let parts = parts(self.syntax).into_iter();
        let mut missing = parts.filter(|part| !part.starts_with('[')).skip(words);
        let missing = missing.next().unwrap_or("a word").trim_end_matches('.');
        self.usage_error(&format!("{missing} is missing"))
    }

    /// A usage error: what is wrong, and the usage line.
    #[must_use]
    pub fn usage_error(&self, problem: &str) -> Error {
        let message = format!("{problem}; usage: {}", self.usage());
        Error::new(ErrorKind::Usage, message)
    }
}

struct Row {
    verb: Verb,
    names: &'static [&'static str],
    group: Group,
    syntax: &'static str,
    summary: &'static str,
    example: &'static [(&'static str, &'static str)],
}

const fn spec(row: &Row) -> Spec {
    let (name, aliases) = row.names.split_at(1);
    let (min_words, max_words) = words_in(row.syntax.as_bytes());
    Spec {
        verb: row.verb,
        name: name[0],
        aliases,
        group: row.group,
        syntax: row.syntax,
        summary: row.summary,
        example: row.example,
        min_words,
        max_words,
    }
}

/// The fewest and the most words that a syntax line stands for.
const fn words_in(syntax: &[u8]) -> (usize, usize) {
    let (mut min, mut max, mut depth, mut at) = (0, 0, 0, 0);
    let mut unbounded = false;
    while at < syntax.len() {
        let starts = at == 0 || matches!(syntax[at - 1], b' ' | b'[');
        match syntax[at] {
            b'[' => depth += 1,
            b']' => depth -= 1,
            b'.' => unbounded = true,
            b' ' => {}
            _ if starts && depth == 0 => (min, max) = (min + 1, max + 1),
            _ if starts => max += 1,
            _ => {}
        }
        at += 1;
    }
    (min, if unbounded { usize::MAX } else { max })
}

/// Splits a syntax line at the spaces outside of brackets.
fn parts(syntax: &'static str) -> Vec<&'static str> {
    let mut depth = 0;
    let ends = move |char: char| {
        depth += i32::from(char == '[') - i32::from(char == ']');
        char == ' ' && depth == 0
    };
    syntax.split(ends).filter(|part| !part.is_empty()).collect()
}

/// The row of the command with this name, in whatever letter case.
#[must_use]
pub fn find(name: &[u8]) -> Option<&'static Spec> {
    COMMANDS.iter().find(|spec| {
        let same = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        same(spec.name) || spec.aliases.iter().any(|alias| same(alias))
    })
}

/// The one name that is near to `name`, if there is one: a slip of a finger or two.
#[must_use]
pub fn suggest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    if name.len() > 12 {
        return None;
    }
    let known = COMMANDS.iter().flat_map(Spec::names);
    let near = known.map(|known| (strsim::damerau_levenshtein(&name, known), known));
    let (distance, known) = near.min_by_key(|(distance, _)| *distance)?;
    let bearable = if known.len() > 4 { 2 } else { 1 };
    (distance <= bearable && known.len() > 1 && name.len() > 1).then_some(known)
}

macro_rules! commands {
    ($($verb:ident $names:expr, $group:ident, $syntax:expr, $summary:expr, $example:expr;)*) => {
        &[$(spec(&Row {
            verb: Verb::$verb,
            names: &$names,
            group: Group::$group,
            syntax: $syntax,
            summary: $summary,
            example: &$example,
        })),*]
    };
}

/// All commands, by group.
pub static COMMANDS: &[Spec] = commands! {
    Put ["PUT", "SET"], Data, "key value [ttl]",
        "Store a value; with a TTL the key expires after that time, without one it stays.",
        [("PUT apple red 2s", ""), ("GET apple", "apple -> red")];
    Get ["GET"], Data, "key",
        "Show the value of a key, or null if there is none.",
        [("GET apple", "apple -> null")];
    Del ["DEL", "REMOVE", "DELETE"], Data, "key...",
        "Remove keys; one that is absent is no error.",
        [("PUT apple red", ""), ("DEL apple pear", ""), ("GET apple", "apple -> null")];
    MGet ["MGET"], Data, "key...",
        "Show the values of several keys, in the order asked.",
        [("PUT apple red", ""), ("MGET apple pear", "apple -> red\npear -> null")];
    MSet ["MSET"], Data, "key value [key value]... [ttl]",
        "Store several values; an odd last word is a TTL for all of them.",
        [("MSET apple red banana yellow 5s", ""), ("TTL banana", "banana -> 5s")];
    Add ["ADD"], Data, "key value [ttl]",
        "Store a value only if the key is absent.",
        [("ADD apple red", "apple -> stored"), ("ADD apple green", "apple -> not stored")];
    Cas ["CAS"], Data, "key expected new [ttl]",
        "Store a new value only if the present one is the one expected.",
        [("PUT apple red", ""), ("CAS apple red green", "apple -> stored"),
         ("CAS apple red blue", "apple -> not stored")];
    Incr ["INCR"], Data, "key [delta]",
        "Add to a whole number (1, or delta); an absent key counts as 0. The TTL stays.",
        [("INCR visits", "visits -> 1"), ("INCR visits -5", "visits -> -4")];
    Ttl ["TTL"], Data, "key",
        "Show how long a key has left: a time, none if it has no deadline, null if it is absent.",
        [("PUT apple red 2s", ""), ("TTL apple", "apple -> 2s"), ("TTL pear", "pear -> null")];
    Expire ["EXPIRE"], Data, "key ttl",
        "Give a key a new TTL, counted from now.",
        [("PUT apple red", ""), ("EXPIRE apple 1500ms", ""), ("TTL apple", "apple -> 1s 500ms")];
    Persist ["PERSIST"], Data, "key",
        "Take a key's TTL away, so that it stays.",
        [("PUT apple red 2s", ""), ("PERSIST apple", ""), ("TTL apple", "apple -> none")];
    Exists ["EXISTS"], Data, "key...",
        "Count how many of the keys are there.",
        [("PUT apple red", ""), ("EXISTS apple pear", "1")];
    Keys ["KEYS"], Data, "[glob] [NODE n]",
        "List the keys that match a pattern (* ? [a-z] [^a] \\x), all or those on one node.",
        [("MSET apple red avocado green banana yellow", ""), ("KEYS a*", "apple\navocado")];
    Size ["SIZE"], Data, "",
        "Count the keys of the whole cluster.",
        [("MSET apple red banana yellow", ""), ("SIZE", "2")];
    Clear ["CLEAR"], Data, "",
        "Remove every key.",
        [("PUT apple red", ""), ("CLEAR", ""), ("SIZE", "0")];
    Sleep ["SLEEP"], Time, "time",
        "Let time pass; what expires meanwhile is told when it happens.",
        [("PUT apple red 2s", ""), ("SLEEP 3s", "Server 2 expired key: apple")];
    Time ["TIME"], Time, "",
        "Show the time since the start.",
        [("SLEEP 90", ""), ("TIME", "1m 30s")];
    Clock ["CLOCK"], Time, "[real|virtual]",
        "Show or choose the clock: on the virtual one SLEEP jumps. Only before the first deadline.",
        [("CLOCK", "virtual")];
    Nodes ["NODES"], Cluster, "",
        "Show each node: its state, its share of the keys, and what it has counted.",
        [];
    Where ["WHERE"], Cluster, "key",
        "Show the key's hash, what it falls on, and which node owns it.",
        [("WHERE apple", "apple -> server 2 (modulo, hash 0x10bc2abf, bucket 2)")];
    Ring ["RING"], Cluster, "",
        "Draw the placement: which part of all hashes each node owns.",
        [];
    Join ["JOIN"], Cluster, "[WEIGHT w]",
        "Add a node; the keys that it is to own move there. With WEIGHT 2 it owns twice as many.",
        [("MSET apple red banana yellow", ""),
         ("JOIN", "Server 3 joined: 2 of 2 keys moved (optimum 1) in 0s")];
    Leave ["LEAVE"], Cluster, "n",
        "Let a node go when its keys have moved to the others. Its number is not used again.",
        [("PUT apple red", ""),
         ("LEAVE 2", "Server 2 left: 1 of 1 key moved (optimum 1) in 0s")];
    Placement ["PLACEMENT"], Cluster, "[placement]",
        "Show or choose how keys are placed on nodes (HELP PLACEMENT lists the placements).",
        [("PLACEMENT", "modulo"), ("PLACEMENT modulo", "Placement modulo: 0 of 0 keys moved (optimum 0) in 0s")];
    Replicas ["REPLICAS"], Cluster, "[n]",
        "Show or set how many owners each key has; the copies that this takes are made.",
        [("REPLICAS", "1"), ("PUT apple red", ""),
         ("REPLICAS 3", "Replicas 3: 2 copies of 1 key made (optimum 2) in 0s")];
    Quorum ["QUORUM"], Cluster, "[w r]",
        "Show or set how many owners must have a write before it is acknowledged, and how many a read asks.",
        [("QUORUM", "writes 1, reads 1, of 1 replica: linearizable but for losses")];
    Rebalance ["REBALANCE"], Cluster, "",
        "Finish a move of keys that was interrupted.",
        [("REBALANCE", "Balanced: 0 of 0 keys moved (optimum 0) in 0s")];
    Eviction ["EVICTION"], Cluster, "[policy]",
        "Show or choose which entries leave a full node (HELP EVICTION lists the policies).",
        [("EVICTION", "lru"), ("EVICTION s3-fifo", ""), ("EVICTION", "s3-fifo")];
    Capacity ["CAPACITY"], Cluster, "[entries|bytes|none]",
        "Show or set how much each node may hold: a number of entries, or a size such as 64MiB.",
        [("CAPACITY 1", ""), ("MSET apple red grape purple", ""), ("MGET apple grape",
          "apple -> null\ngrape -> purple")];
    Crash ["CRASH", "KILL"], Faults, "n",
        "Let a node crash: it loses its memory and answers nobody, and keeps its place.",
        [("PUT apple red", ""), ("CRASH 2", ""), ("EVENTS", "0s Server 2 crashed")];
    Restart ["RESTART"], Faults, "n [resync|hints|cold|stale]",
        "Bring a crashed node back (HELP RESTART says in which ways).",
        [("PUT apple red", ""), ("CRASH 2", ""), ("RESTART 2", ""), ("GET apple", "apple -> null")];
    Pause ["PAUSE"], Faults, "n",
        "Let a node stand still; what is sent to it waits.",
        [("PAUSE 2", ""), ("FAULTS", "PAUSE 2")];
    Resume ["RESUME"], Faults, "n",
        "Let a paused node go on, with what has come meanwhile.",
        [("PAUSE 2", ""), ("RESUME 2", ""), ("EVENTS", "0s Server 2 paused\n0s Server 2 resumed")];
    Partition ["PARTITION"], Faults, "a,b | c [ONEWAY]",
        "Cut all links between two sides; with ONEWAY only from the left to the right. Clients reach every node.",
        [("PARTITION 0,1 | 2", ""), ("FAULTS", "PARTITION 0,1 | 2")];
    Isolate ["ISOLATE"], Faults, "n",
        "Cut a node off from all other nodes.",
        [("ISOLATE 2", ""), ("FAULTS", "ISOLATE 2")];
    Heal ["HEAL"], Faults, "",
        "Lift all faults of the network, and let the nodes that run merge what they have.",
        [("ISOLATE 2", ""), ("HEAL", ""), ("FAULTS", "")];
    Delay ["DELAY"], Faults, "a b time [JITTER time]",
        "Let messages between two nodes take longer, with JITTER at random up to so much more; 0 lifts it.",
        [("DELAY 0 1 20ms JITTER 5ms", ""), ("FAULTS", "DELAY 0 1 20ms JITTER 5ms")];
    Drop ["DROP"], Faults, "a b percent",
        "Let so many of the messages between two nodes get lost; 0% lifts it.",
        [("DROP 0 1 5%", ""), ("FAULTS", "DROP 0 1 5%")];
    Dup ["DUP"], Faults, "a b percent",
        "Let so many of the messages between two nodes arrive twice; 0% lifts it.",
        [("DUP 0 1 5%", ""), ("FAULTS", "DUP 0 1 5%")];
    Reorder ["REORDER"], Faults, "a b percent",
        "Let so many of the messages between two nodes be overtaken; 0% lifts it.",
        [("REORDER 0 1 5%", ""), ("FAULTS", "REORDER 0 1 5%")];
    Hold ["HOLD"], Faults, "a b",
        "Let messages between two nodes wait until RELEASE.",
        [("HOLD 0 1", ""), ("FAULTS", "HOLD 0 1")];
    Release ["RELEASE"], Faults, "a b",
        "Let the messages go that HOLD has held, in their order.",
        [("HOLD 0 1", ""), ("RELEASE 0 1", ""), ("FAULTS", "")];
    Slow ["SLOW"], Faults, "n time",
        "Let every message to a node take longer, the clients' too; 0 lifts it.",
        [("SLOW 2 1s", ""), ("PUT apple red", ""), ("TIME", "1s")];
    Skew ["SKEW"], Faults, "n time",
        "Set a node's clock ahead, or with a negative time behind; 0 sets it right.",
        [("SKEW 2 -2s", ""), ("FAULTS", "SKEW 2 -2s")];
    Faults ["FAULTS"], Faults, "",
        "Show the faults in force, as commands that bring them about.",
        [("CRASH 1", ""), ("DROP 0 2 5%", ""), ("FAULTS", "DROP 0 2 5%\nCRASH 1")];
    Nemesis ["NEMESIS"], Faults, "[light|heavy|swarm|off]",
        "Let faults come and go by themselves as time passes; off leaves what is broken to HEAL, RESTART and RESUME.",
        [("NEMESIS", "off")];
    Links ["LINKS"], Faults, "",
        "Show the messages in flight, the next to arrive first.",
        [];
    Step ["STEP"], Faults, "[n]",
        "Deliver the next message (or n), and let time pass until it arrives.",
        [];
    Stats ["STATS"], Seeing, "[n]",
        "Show the counts of the whole cluster, or of one node.",
        [];
    Events ["EVENTS"], Seeing, "[count] [NODE n]",
        "Show the latest events (10, or count), of all nodes or of one.",
        [("PUT apple red 2s", ""), ("SLEEP 3s", "Server 2 expired key: apple"),
         ("EVENTS", "2s Server 2 expired key: apple")];
    Trace ["TRACE"], Seeing, "command",
        "Run a command and show the messages that were delivered meanwhile, with their times.",
        [];
    Hot ["HOT"], Seeing, "[count]",
        "Show the most requested keys of each node (10, or count), and how much of the skew they explain; of the requests, `unsure` may be other keys'.",
        [];
    Monitor ["MONITOR"], Seeing, "[on|off]",
        "Print events of every kind as they happen, with --quiet too, until Ctrl-C or MONITOR off.",
        [("MONITOR", ""), ("PUT apple red 2s", ""), ("SLEEP 3s", "Server 2 expired key: apple")];
    Watch ["WATCH"], Seeing, "[time] command",
        "Run a command again every second (or time) until Ctrl-C; in a batch, until no key has a deadline left.",
        [("PUT apple red 2s", ""),
         ("WATCH 1s GET apple",
          "apple -> red\napple -> red\nServer 2 expired key: apple\napple -> null")];
    History ["HISTORY"], Seeing, "[count]",
        "Show what clients asked last (10 operations, or count) and what they were told.",
        [];
    Check ["CHECK"], Seeing, "",
        "Judge what clients were told: the strongest promise kept, and what breaks a stronger one.",
        [("ISOLATE 0", ""), ("PUT apple red", ""), ("GET apple", "apple -> red"),
         ("CHECK", "linearizable: 2 operations on 1 key\nstate: the copies agree")];
    Echo ["ECHO"], Script, "[text]",
        "Print the rest of the line as it stands.",
        [("ECHO It's # no comment", "It's # no comment")];
    Source ["SOURCE"], Script, "file",
        "Run the lines of a file.",
        [];
    Repeat ["REPEAT"], Script, "n command",
        "Run a command n times; stops at the first that fails.",
        [("REPEAT 2 INCR visits", "visits -> 1\nvisits -> 2")];
    Help ["HELP", "?"], Script, "[command|@group]",
        "Show all commands, a group of them, or one with an example.",
        [];
    Quit ["QUIT", "EXIT"], Script, "",
        "Leave.",
        [("QUIT", "")];
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_lines_count_words() {
        let words = |name: &str| {
            let spec = find(name.as_bytes()).expect(name);
            (spec.min_words, spec.max_words)
        };
        assert_eq!(words("put"), (2, 3));
        assert_eq!(words("REMOVE"), (1, usize::MAX));
        assert_eq!(words("mset"), (2, usize::MAX));
        assert_eq!(words("keys"), (0, 3));
        assert_eq!(words("size"), (0, 0));
        assert_eq!(words("watch"), (1, 2));
        assert_eq!(words("help"), (0, 1));
    }

    #[test]
    fn names_are_unique_capitals() {
        let mut names: Vec<&str> = COMMANDS.iter().flat_map(Spec::names).collect();
        assert!(names.iter().all(|name| *name == name.to_ascii_uppercase()));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn one_suggestion_and_only_a_near_one() {
        assert_eq!(suggest("gte"), Some("GET"));
        assert_eq!(suggest("PUTT"), Some("PUT"));
        assert_eq!(suggest("persits"), Some("PERSIST"));
        assert_eq!(suggest("frobnicate"), None);
        assert_eq!(suggest("x"), None);
        assert_eq!(suggest(&"x".repeat(1_000_000)), None);
    }
}
