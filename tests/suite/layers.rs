//! The architecture, held against the source: which module may use which, and what only the edges
//! may call.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module with the modules that it may use. Its own parts it may always use.
const LAYERS: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("id", &[]),
    ("hash", &[]),
    ("rng", &[]),
    ("stats", &[]),
    ("operation", &["time"]),
    ("eviction", &["rng", "time"]),
    ("store", &["hash", "time"]),
    ("event", &["id", "time"]),
    ("cache", &["event", "time"]),
    ("hot", &[]),
    ("config", &["eviction", "placement"]),
    (
        "node",
        &[
            "cache", "config", "event", "eviction", "hash", "hot", "id", "stats", "store", "time",
        ],
    ),
    ("placement", &["hash", "id", "rng"]),
    ("network", &["id", "rng", "time"]),
    ("history", &["time"]),
    ("checker", &["hash", "history", "rng", "time"]),
    (
        "replica",
        &[
            "cache",
            "config",
            "event",
            "hash",
            "history",
            "id",
            "network",
            "node",
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
            "placement",
            "replica",
            "stats",
            "time",
        ],
    ),
    (
        "language",
        &[
            "config",
            "eviction",
            "id",
            "nemesis",
            "network",
            "placement",
            "replica",
            "time",
        ],
    ),
    (
        "reply",
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
            "placement",
            "stats",
            "time",
        ],
    ),
    (
        "session",
        &[
            "cache", "checker", "cluster", "config", "event", "history", "id", "language",
            "nemesis", "network", "replica", "reply", "rng", "stats", "time",
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
            "placement",
            "replica",
            "reply",
            "stats",
            "time",
        ],
    ),
    (
        "nemesis",
        &["cluster", "id", "network", "replica", "rng", "time"],
    ),
    (
        "simulation",
        &[
            "cache",
            "checker",
            "cluster",
            "config",
            "eviction",
            "history",
            "id",
            "nemesis",
            "network",
            "placement",
            "replica",
            "rng",
            "time",
        ],
    ),
    (
        "shell",
        &[
            "checker",
            "cluster",
            "config",
            "event",
            "eviction",
            "language",
            "nemesis",
            "placement",
            "render",
            "replica",
            "reply",
            "session",
            "simulation",
            "time",
        ],
    ),
];

/// What may be called at the edges only: the real clock, threads, files, sockets, printing.
const EDGE_ONLY: &[&str] = &[
    "std::fs",
    "std::net",
    "std::thread",
    "std::io",
    "std::process",
    "std::env",
    "SystemTime",
    "std::time::Instant",
    "println!",
    "eprintln!",
    "print!(",
    "rand::",
    "HashMap",
    "HashSet",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file of the library but `lib.rs`: its module, its path, and its code without
/// comments and tests.
fn modules() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let mut modules = Vec::new();
    for path in paths {
        let name = path
            .strip_prefix(&root)
            .expect("below src")
            .to_string_lossy()
            .into_owned();
        let module = name
            .split('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".rs");
        if module == "lib" || module == "main" || name.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source");
        let code = text
            .split("#[cfg(test)]\nmod tests")
            .next()
            .unwrap_or_default();
        let lines = code
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default());
        modules.push((
            module.into(),
            path.clone(),
            lines.collect::<Vec<_>>().join("\n"),
        ));
    }
    modules
}

/// The modules of this crate that a piece of code names.
fn used(code: &str) -> Vec<String> {
    let named = code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|char: char| !char.is_alphanumeric() && char != '_');
        rest.get(..end.unwrap_or(rest.len()))
            .unwrap_or_default()
            .to_owned()
    });
    named.collect()
}

#[test]
fn modules_use_only_what_stands_above_them() {
    let mut wrong = Vec::new();
    for (module, path, code) in modules() {
        let layer = LAYERS.iter().find(|(name, _)| *name == module);
        let Some((_, allowed)) = layer else {
            wrong.push(format!("{}: {module} is not in the table", path.display()));
            continue;
        };
        for used in used(&code) {
            if used != module && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: {module} must not use {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_edges_touch_the_world() {
    let mut wrong = Vec::new();
    for (module, path, code) in modules() {
        if module == "shell" {
            continue;
        }
        for banned in EDGE_ONLY {
            if code.contains(banned) {
                wrong.push(format!("{}: {banned}", path.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "for the edges only:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_checks_see_what_they_look_for() {
    let all = modules();
    assert!(all.len() > 30, "{} sources", all.len());
    let uses = |module: &str, name: &str| {
        let mut of = all.iter().filter(|(it, ..)| it == module);
        of.any(|(.., code)| used(code).iter().any(|used| used == name))
    };
    assert!(uses("cluster", "node") && uses("session", "cluster"));
    for (module, allowed) in LAYERS {
        for name in *allowed {
            assert!(
                uses(module, name),
                "{module} no longer uses {name}: take it off the table"
            );
        }
    }
}

/// A public item's docs and signatures name no type of these.
#[test]
fn the_public_interface_is_free_of_terminal_crates() {
    for (_, path, code) in modules() {
        let public = code
            .lines()
            .filter(|line| line.trim_start().starts_with("pub fn"));
        for line in public {
            for name in ["clap", "rustyline", "colored::", "ColoredString"] {
                assert!(!line.contains(name), "{}: {line}", path.display());
            }
        }
    }
}
