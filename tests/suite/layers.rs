//! The architecture, compared with the source: which module may use which, which files may import
//! each other, and what only the edges may call.

use super::imports::Imports;
use super::source::{Source, sources};

/// Each module with the modules that it may use. It may always use its own parts.
const LAYERS: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("id", &[]),
    ("hash", &[]),
    ("rng", &[]),
    ("stats", &[]),
    ("operation", &["id", "time"]),
    ("eviction", &["rng", "time"]),
    ("store", &["hash", "time"]),
    ("event", &["id", "time"]),
    ("cache", &["operation", "time"]),
    ("hot", &[]),
    ("config", &["eviction", "placement", "time"]),
    (
        "node",
        &[
            "config",
            "event",
            "eviction",
            "hash",
            "hot",
            "id",
            "operation",
            "stats",
            "store",
            "time",
        ],
    ),
    ("placement", &["hash", "id", "rng"]),
    ("network", &["id", "rng", "time"]),
    ("history", &["hash", "operation", "time"]),
    ("checker", &["history", "operation", "rng", "time"]),
    (
        "replica",
        &[
            "config",
            "event",
            "hash",
            "id",
            "network",
            "node",
            "operation",
            "placement",
            "time",
        ],
    ),
    (
        "cluster",
        &[
            "cache",
            "checker",
            "config",
            "event",
            "eviction",
            "hash",
            "history",
            "hot",
            "id",
            "network",
            "node",
            "operation",
            "placement",
            "replica",
            "stats",
            "time",
        ],
    ),
    ("trace", &["hash", "rng"]),
    (
        "language",
        &[
            "checker",
            "config",
            "eviction",
            "id",
            "nemesis",
            "network",
            "placement",
            "replica",
            "time",
            "trace",
        ],
    ),
    (
        "reply",
        &[
            "checker",
            "cluster",
            "config",
            "event",
            "history",
            "hot",
            "id",
            "language",
            "nemesis",
            "network",
            "operation",
            "placement",
            "stats",
            "time",
        ],
    ),
    (
        "session",
        &[
            "checker",
            "cluster",
            "config",
            "event",
            "eviction",
            "history",
            "id",
            "language",
            "nemesis",
            "network",
            "operation",
            "replica",
            "reply",
            "rng",
            "stats",
            "time",
            "trace",
        ],
    ),
    (
        "render",
        &[
            "checker",
            "cluster",
            "config",
            "event",
            "eviction",
            "history",
            "id",
            "language",
            "network",
            "operation",
            "placement",
            "replica",
            "reply",
            "stats",
            "time",
            "trace",
        ],
    ),
    (
        "nemesis",
        &["cluster", "id", "network", "replica", "rng", "time"],
    ),
    (
        "simulation",
        &[
            "checker",
            "cluster",
            "config",
            "event",
            "eviction",
            "history",
            "id",
            "nemesis",
            "network",
            "operation",
            "placement",
            "replica",
            "rng",
            "time",
        ],
    ),
    (
        "replay",
        &[
            "cluster",
            "config",
            "event",
            "eviction",
            "hash",
            "id",
            "network",
            "operation",
            "placement",
            "rng",
            "time",
            "trace",
        ],
    ),
    ("report", &["eviction", "placement", "render", "replay"]),
    (
        "shared",
        &["cache", "cluster", "event", "operation", "time"],
    ),
    ("resp", &["language", "operation", "rng", "time"]),
    (
        "engine",
        &[
            "checker",
            "cluster",
            "config",
            "event",
            "eviction",
            "history",
            "hot",
            "id",
            "language",
            "nemesis",
            "network",
            "operation",
            "placement",
            "replica",
            "reply",
            "resp",
            "rng",
            "session",
            "stats",
            "time",
        ],
    ),
    (
        "server",
        &[
            "cache",
            "cluster",
            "config",
            "event",
            "eviction",
            "hash",
            "id",
            "language",
            "network",
            "operation",
            "placement",
            "resp",
            "rng",
            "session",
            "stats",
            "time",
        ],
    ),
    (
        "shell",
        &[
            "checker",
            "cluster",
            "config",
            "engine",
            "event",
            "eviction",
            "hash",
            "history",
            "id",
            "language",
            "nemesis",
            "network",
            "placement",
            "render",
            "replay",
            "replica",
            "reply",
            "report",
            "server",
            "session",
            "simulation",
            "time",
            "trace",
        ],
    ),
];

/// Files of one folder that may import each other in a circle, each with the reason.
const CIRCLES: &[(&str, &[&str], &str)] = &[
    (
        "replica",
        &["crash_vector", "message"],
        "message.rs declares Version, which crash vectors hold, and messages carry crash vectors",
    ),
    (
        "replica",
        &["owners", "rules"],
        "owners.rs reads the rules, and rules.rs makes owners by them",
    ),
    (
        "session",
        &["backend", "checks", "requests", "simulated"],
        "the trait of backends returns commands that wait, which the simulated cluster carries out",
    ),
    (
        "engine",
        &[
            "backend",
            "data",
            "deadlines",
            "expiries",
            "failover",
            "faults",
            "moves",
            "nemesis",
            "parameters",
            "seeing",
            "state",
            "workers",
        ],
        "the commands are functions on the backend",
    ),
    (
        "server",
        &[
            "commands", "config", "direct", "dispatch", "holds", "hub", "topology", "tracking",
        ],
        "the hub carries out commands, which are functions on the hub",
    ),
];

/// The edges. Each may do all that is banned elsewhere.
const EDGES: &[&str] = &["engine", "server", "shared", "shell"];

/// Paths for the edges only: the real clock, threads, files, sockets, maps without an order.
const EDGE_ONLY: &[&str] = &[
    "std::fs",
    "std::net",
    "std::thread",
    "std::io",
    "std::process",
    "std::env",
    "std::time::Instant",
    "std::time::SystemTime",
    "rand",
];

/// Traces are read and written through the traits of this path, whatever is behind them.
const READ_AND_WRITE: &str = "std::io";

/// A decoder runs on a thread of its own; the bytes that it gives do not depend on that.
const THREAD: (&str, &str) = ("trace/ahead", "std::thread");

/// Names for the edges only, from wherever they are.
const EDGE_NAMES: &[&str] = &["SystemTime", "HashMap", "HashSet"];

/// Macros for the edges only: they print.
const EDGE_MACROS: &[&str] = &["println", "eprintln", "print", "eprint", "dbg"];

/// The module at the top of a file's path.
fn top(source: &Source) -> &str {
    source.module.first().map_or("", String::as_str)
}

/// The modules of this crate that a file names.
fn used(source: &Source) -> impl Iterator<Item = &str> {
    let ours = source.paths.iter().filter(|path| path[0] == "crate");
    ours.filter_map(|path| path.get(1).map(String::as_str))
}

#[test]
fn modules_use_only_modules_above_them() {
    let mut wrong = Vec::new();
    for source in sources() {
        let (module, file) = (top(source), source.module.join("/"));
        let layer = LAYERS.iter().find(|(name, _)| *name == module);
        let Some((_, allowed)) = layer else {
            wrong.push(format!("{file}: {module} is not in the table"));
            continue;
        };
        let used = used(source).filter(|used| *used != module && !allowed.contains(used));
        wrong.extend(used.map(|used| format!("{file}: {module} must not use {used}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_names_only_used_modules() {
    for (module, allowed) in LAYERS {
        let of_module = || sources().iter().filter(|source| top(source) == *module);
        for name in *allowed {
            assert!(
                of_module().any(|source| used(source).any(|used| used == *name)),
                "{module} no longer uses {name}: take it off the table"
            );
        }
    }
}

#[test]
fn no_files_of_a_folder_import_each_other_in_a_circle() {
    let imports = Imports::of(sources());
    let mut wrong = Vec::new();
    let mut unused: Vec<_> = CIRCLES.iter().collect();
    for (folder, files) in imports.circles() {
        let excuses = |(it, all, _): &(&str, &[&str], &str)| {
            *it == folder && files.iter().all(|file| all.contains(file))
        };
        if !CIRCLES.iter().any(excuses) {
            wrong.push(format!("{folder}: {}", files.join(", ")));
        }
        unused.retain(|it| !excuses(it));
    }
    let wrong = wrong.join("\n");
    assert!(wrong.is_empty(), "circles of imports:\n{wrong}");
    assert!(unused.is_empty(), "no longer circles: take {unused:?} off");
}

#[test]
fn only_the_edges_touch_the_world() {
    let mut wrong = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| !EDGES.contains(&top(source)))
    {
        let paths = source.paths.iter().filter(|path| is_for_edges(path));
        let paths = paths.map(|path| path.join("::"));
        let is_trace = top(source) == "trace";
        let paths = paths.filter(|path| !(is_trace && path.starts_with(READ_AND_WRITE)));
        let paths =
            paths.filter(|path| (source.module.join("/").as_str(), path.as_str()) != THREAD);
        let macros = source.macros.iter().map(String::as_str);
        let macros = macros.filter(|name| EDGE_MACROS.contains(name));
        let file = source.module.join("/");
        wrong.extend(paths.map(|path| format!("{file}: {path}")));
        wrong.extend(macros.map(|name| format!("{file}: {name}!")));
    }
    assert!(
        wrong.is_empty(),
        "for the edges only:\n{}",
        wrong.join("\n")
    );
}

fn is_for_edges(path: &[String]) -> bool {
    let starts = |banned: &&str| {
        let mut banned = banned.split("::").zip(path);
        path.len() > 1 && banned.all(|(banned, part)| banned == part)
    };
    let named = |part: &String| EDGE_NAMES.contains(&part.as_str());
    EDGE_ONLY.iter().any(starts) || path.iter().any(named)
}

#[test]
fn the_checks_read_whole_files() {
    assert!(sources().len() > 100, "{} sources", sources().len());
    let names = |module: &str, name: &str| {
        let mut of_module = sources().iter().filter(|it| it.module.join("/") == module);
        of_module.any(|it| it.paths.iter().flatten().any(|part| part == name))
    };
    // Near its end.
    assert!(names("network", "Twice"));
    assert!(names("shell/batch", "io") && !names("shell/batch", "proptest"));
    let words = |path: &str| path.split("::").map(Into::into).collect::<Vec<_>>();
    assert!(is_for_edges(&words("std::time::Instant")) && is_for_edges(&words("a::HashMap")));
    assert!(!is_for_edges(&words("std::time::Duration")) && !is_for_edges(&words("rand")));
    let imports = Imports::of(sources());
    assert!(imports.has("language", "catalog", "parsers") && imports.has("", "session", "cluster"));
}

/// The files that may use the crates of the terminal. None of them has a public item with one of
/// their types.
const TERMINAL: &[(&str, &[&str])] = &[
    ("colored", &["render/style"]),
    (
        "rustyline",
        &["shell/editor", "shell/interactive", "shell/timer"],
    ),
    (
        "rustix",
        &[
            "engine/launch/keeper",
            "engine/launch/process",
            "engine/proxy/relay",
            "server/net",
            "shell/terminal",
            "shell/wakeup",
        ],
    ),
    (
        "clap",
        &[
            "shell/arguments",
            "shell/arguments/engine",
            "shell/arguments/serve",
            "shell/arguments/simulate",
            "shell/arguments/values",
            "shell/lab/arguments",
            "shell/lab/words",
        ],
    ),
];

#[test]
fn the_crates_of_the_terminal_stay_in_their_files() {
    for (name, files) in TERMINAL {
        let using = sources().iter().filter(|it| {
            it.paths
                .iter()
                .any(|path| path[0] == *name && path.len() > 1)
        });
        let using: Vec<String> = using.map(|it| it.module.join("/")).collect();
        assert_eq!(using, *files, "{name}");
    }
}
