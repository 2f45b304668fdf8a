//! The scripts of `tests/scripts` on redis-server print what they print on the simulated cluster.
//!
//! A script takes part if it has only commands that servers have which run elsewhere, and no option that
//! sets the cluster. Servers have the real time, so a long SLEEP is cut: all deadlines in the scripts
//! that take part are over by then. Every SLEEP takes a little longer, since a server keeps a key to the end of
//! the millisecond, and the notice has to come.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use shardlab::language::catalog::{self, Verb};

use shardlab::language::{Action, Behind, Script, duration, parse};

use super::engine::Server;
use super::recording::{difference, folder, replay};

/// Fewer scripts than this mean that the selection is wrong.
const FEWEST: usize = 30;
/// The longest SLEEP.
const LONGEST: Duration = Duration::from_secs(5);
/// What a SLEEP takes longer.
const MORE: Duration = Duration::from_millis(100);
/// Options of a script that change nothing in the cluster.
const HARMLESS: &[&str] = &["--format", "json", "--quiet", "--bail"];

/// Commands that keep a script from taking part, and why.
const TAKE_NO_PART: &[(Verb, &str)] = &[
    (Verb::Clock, "servers have no virtual clock"),
    (Verb::Load, "its figures depend on times and nodes"),
    (Verb::Replay, "its figures depend on times and nodes"),
    (Verb::Placement, "servers have slots only"),
    (Verb::Trace, "requests to one server go no other way"),
];

/// Commands whose output is not compared, and why.
const OUTPUT_DIFFERS: &[(Verb, &str)] = &[
    (Verb::Nodes, "one server, and its own counts"),
    (Verb::Stats, "the server counts requests of all kinds"),
    (Verb::Where, "one server has all keys"),
    (Verb::Hot, "the server is asked for samples"),
    (
        Verb::Events,
        "a server has no order of nodes, and expires in milliseconds",
    ),
    (Verb::Time, "the real clock"),
    (Verb::Help, "it leaves out what servers have not"),
];

/// Scripts that must differ, and why.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "data/exists_keys_size_clear",
        "one server: no keys of node 1",
    ),
    (
        "data/put_ttl",
        "it asks for a key a nanosecond before its deadline",
    ),
    (
        "data/ttl_expire_persist",
        "it asks for a key a millisecond before its deadline",
    ),
    (
        "time/many_deadlines",
        "a millisecond passes between two commands",
    ),
];

#[test]
fn scripts_do_on_redis_server_what_they_do_on_the_simulated_cluster() {
    let server = Server::start("redis-server", &[]);
    let url = server.url();
    let options = ["--connect", &url, "--write", "--allow-clear", "--echo"];
    let (mut compared, mut wrong) = (0, String::new());
    for path in scripts() {
        let name = path.strip_prefix(folder()).expect("a path below it");
        let name = name.with_extension("").display().to_string();
        let recorded = fs::read_to_string(&path).expect("UTF-8");
        if let Some((_, why)) = DIFFERENT.iter().find(|it| it.0 == name) {
            eprintln!("{name}: not compared: {why}");
            continue;
        }
        if !takes_part(&recorded) {
            continue;
        }
        server.cli(&["FLUSHALL"]);
        let now = replay(&with_real_sleeps(&recorded), &options);
        let (expected, now) = (comparable(&recorded), comparable(&now));
        compared += 1;
        if now != expected {
            wrong += &format!("{name}:\n{}\n", difference(&expected, &now));
        }
    }
    eprintln!("{compared} scripts were compared");
    assert!(wrong.is_empty(), "{wrong}");
    assert!(compared >= FEWEST, "only {compared} scripts were compared");
}

fn scripts() -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let add = |folder: &Path, paths: &mut Vec<PathBuf>| {
        let entries = fs::read_dir(folder).expect("the folder is there");
        paths.extend(entries.map(|entry| entry.expect("an entry").path()));
    };
    let mut folders = Vec::new();
    add(&folder(), &mut folders);
    folders.retain(|path| path.is_dir());
    for folder in &folders {
        add(folder, &mut paths);
    }
    paths.retain(|path| path.extension().is_some_and(|it| it == "txt"));
    paths.sort();
    paths
}

fn takes_part(recorded: &str) -> bool {
    let options = recorded
        .lines()
        .find_map(|line| line.strip_prefix("options: "));
    let mut options = options.unwrap_or_default().split_whitespace();
    options.all(|option| HARMLESS.contains(&option)) && inputs(recorded).all(is_possible)
}

fn inputs(recorded: &str) -> impl Iterator<Item = &str> {
    recorded.lines().filter_map(|line| line.strip_prefix("> "))
}

/// Whether servers have the command, and those inside it.
fn is_possible(line: &str) -> bool {
    // What cannot be read is an error behind every prompt; a word may still name a command.
    let Some(spec) = verb_of(line).and_then(|verb| catalog::find(catalog::name(verb).as_bytes()))
    else {
        return true;
    };
    let is_out = TAKE_NO_PART.iter().any(|(verb, _)| *verb == spec.verb);
    if is_out || Behind::Connected.refusal(spec).is_some() {
        return false;
    }
    match parse(line.as_bytes())
        .ok()
        .flatten()
        .map(|input| input.action)
    {
        Some(Action::Script(Script::Repeat { command, .. } | Script::Watch { command, .. })) => {
            is_possible(&String::from_utf8_lossy(&command))
        }
        _ => true,
    }
}

fn verb_of(line: &str) -> Option<Verb> {
    let name = line.split_whitespace().next()?;
    catalog::find(name.as_bytes()).map(|spec| spec.verb)
}

fn with_real_sleeps(recorded: &str) -> String {
    let shortened = recorded.lines().map(|line| {
        let input = line.strip_prefix("> ").unwrap_or("").as_bytes();
        let action = parse(input).ok().flatten().map(|input| input.action);
        match action {
            Some(Action::Script(Script::Sleep { time })) => {
                let time = time.min(LONGEST) + MORE;
                format!("> SLEEP {}ms\n", time.as_millis())
            }
            _ => format!("{line}\n"),
        }
    });
    shortened.collect()
}

/// What can be the same: without numbers of nodes, times in whole seconds, rounded up, the notices of a
/// command in the order of their keys.
fn comparable(printed: &str) -> String {
    let (mut all, mut notices): (Vec<String>, Vec<String>) = Default::default();
    let mut verb = None;
    for line in printed.lines() {
        if let Some(notice) = notice(line) {
            notices.push(notice);
            continue;
        }
        notices.sort();
        all.append(&mut notices);
        if let Some(input) = line.strip_prefix("> ") {
            verb = verb_of(input);
            let is_sleep = verb == Some(Verb::Sleep);
            all.push(if is_sleep {
                "> SLEEP".into()
            } else {
                line.into()
            });
        } else if let Ok(object) = serde_json::from_str::<Value>(line) {
            all.extend(comparable_object(object));
        } else if !differs(verb) {
            all.push(with_whole_seconds(line));
        }
    }
    notices.sort();
    all.append(&mut notices);
    all.join("\n")
}

fn differs(verb: Option<Verb>) -> bool {
    OUTPUT_DIFFERS.iter().any(|(it, _)| Some(*it) == verb)
}

fn notice(line: &str) -> Option<String> {
    if let Some(event) = line.strip_prefix(r#"{"event":"expired","#) {
        let (_, key) = event.split_once(r#""key"#)?;
        let (key, _) = key.rsplit_once(r#","at_ms":"#)?;
        return Some(format!("expired: {key}"));
    }
    let (_, key) = line.strip_prefix("Server ")?.split_once(" expired key: ")?;
    Some(format!("expired: {key}"))
}

/// `apple -> 2s` for `apple -> 1s 997ms`.
fn with_whole_seconds(line: &str) -> String {
    let split = line.rsplit_once(" -> ");
    let time = split.and_then(|(key, time)| Some((key, duration::parse(time.as_bytes()).ok()?)));
    match time {
        Some((key, time)) if line.ends_with(|last: char| last.is_ascii_alphabetic()) => {
            format!("{key} -> {} s", time.as_millis().div_ceil(1000))
        }
        _ => line.into(),
    }
}

fn comparable_object(mut object: Value) -> Option<String> {
    let name = object["command"].as_str().unwrap_or_default();
    let verb = catalog::find(name.as_bytes()).map(|spec| spec.verb);
    if differs(verb) {
        return None;
    }
    without_nodes(&mut object);
    Some(object.to_string())
}

fn without_nodes(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("node");
            // SIZE of a server counts keys that have expired and are not collected yet.
            fields.remove("approximate");
            for (name, value) in fields {
                match value.as_f64().filter(|_| name.ends_with("_ms")) {
                    Some(millis) => *value = ((millis / 1000.0).ceil() * 1000.0).into(),
                    None => without_nodes(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(without_nodes),
        _ => {}
    }
}
