//! The replies of COMMAND.

use super::Frames;
use super::spec::{KeyPlaces, Spec};
use super::syntax::{self, Argument, Kind};

/// An entry of `COMMAND` and `COMMAND INFO`: ten fields.
pub fn info(frames: &mut Frames<'_>, spec: &Spec) {
    frames.array(10);
    frames.bulk(spec.name.as_bytes());
    frames.integer(spec.arity.into());
    frames.set(spec.flags.len());
    for flag in &spec.flags {
        frames.simple(flag);
    }
    let (first, last, step) = match spec.keys {
        KeyPlaces::Range { first, last, step } => (first, last, step),
        KeyPlaces::None | KeyPlaces::Counted { .. } => (0, 0, 0),
    };
    frames.count(first);
    frames.integer(last.into());
    frames.count(step);
    frames.set(spec.categories.len());
    for category in &spec.categories {
        frames.simple(&format!("@{category}"));
    }
    frames.array(spec.tips.len());
    for tip in &spec.tips {
        frames.bulk(tip.as_bytes());
    }
    key_specs(frames, spec);
    frames.array(spec.subcommands.len());
    for subcommand in &spec.subcommands {
        info(frames, subcommand);
    }
}

fn key_specs(frames: &mut Frames<'_>, spec: &Spec) {
    frames.set(spec.uses.len());
    for (index, uses) in spec.uses.iter().enumerate() {
        frames.map(3);
        frames.bulk(b"flags");
        let uses: Vec<&str> = uses.split(' ').collect();
        frames.set(uses.len());
        for flag in uses {
            frames.simple(flag);
        }
        search(frames, spec, index);
    }
}

/// Where a search for keys begins, and how it goes on.
fn search(frames: &mut Frames<'_>, spec: &Spec, index: usize) {
    let (begin, find): (usize, [(&str, i64); 3]) = match spec.keys {
        KeyPlaces::Counted { at, step } => (
            at,
            [("keynumidx", 0), ("firstkey", 1), ("keystep", number(step))],
        ),
        KeyPlaces::Range { first, last, step } => {
            // With a use for each key, each is found by itself.
            let is_alone = spec.uses.len() > 1 || last >= 0;
            let last = if is_alone { 0 } else { i64::from(last) };
            (
                first + index,
                [("lastkey", last), ("keystep", number(step)), ("limit", 0)],
            )
        }
        KeyPlaces::None => (0, [("lastkey", 0), ("keystep", 1), ("limit", 0)]),
    };
    frames.bulk(b"begin_search");
    kind(frames, "index");
    frames.map(1);
    frames.bulk(b"index");
    frames.count(begin);
    frames.bulk(b"find_keys");
    let is_counted = matches!(spec.keys, KeyPlaces::Counted { .. });
    kind(frames, if is_counted { "keynum" } else { "range" });
    frames.map(find.len());
    for (name, value) in find {
        frames.bulk(name.as_bytes());
        frames.integer(value);
    }
}

/// The start of a map of a type and its details.
fn kind(frames: &mut Frames<'_>, name: &str) {
    frames.map(2);
    frames.bulk(b"type");
    frames.bulk(name.as_bytes());
    frames.bulk(b"spec");
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A name and an entry of `COMMAND DOCS`.
pub fn docs(frames: &mut Frames<'_>, spec: &Spec) {
    let arguments = syntax::arguments(spec.syntax);
    let has_arguments = !arguments.is_empty();
    let has_subcommands = !spec.subcommands.is_empty();
    frames.bulk(spec.name.as_bytes());
    frames.map(4 + usize::from(has_arguments) + usize::from(has_subcommands));
    for (name, text) in [
        ("summary", spec.summary),
        ("since", spec.since),
        ("group", spec.group),
        ("complexity", spec.complexity),
    ] {
        frames.bulk(name.as_bytes());
        frames.bulk(text.as_bytes());
    }
    if has_arguments {
        frames.bulk(b"arguments");
        write_arguments(frames, &arguments, spec);
    }
    if has_subcommands {
        frames.bulk(b"subcommands");
        frames.map(spec.subcommands.len());
        for subcommand in &spec.subcommands {
            docs(frames, subcommand);
        }
    }
}

fn write_arguments(frames: &mut Frames<'_>, arguments: &[Argument], spec: &Spec) {
    frames.array(arguments.len());
    for argument in arguments {
        write_argument(frames, argument, spec);
    }
}

fn write_argument(frames: &mut Frames<'_>, argument: &Argument, spec: &Spec) {
    let (kind, inside) = match &argument.kind {
        Kind::Value(kind) => (*kind, None),
        Kind::PureToken => ("pure-token", None),
        Kind::OneOf(inside) => ("oneof", Some(inside)),
        Kind::Block(inside) => ("block", Some(inside)),
    };
    let flags: Vec<&str> = [
        argument.is_optional.then_some("optional"),
        argument.is_multiple.then_some("multiple"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let is_key = kind == "key" && !spec.uses.is_empty();
    let is_value = inside.is_none();
    let fields = 2
        + usize::from(is_value)
        + usize::from(is_key)
        + usize::from(argument.token.is_some())
        + usize::from(!flags.is_empty())
        + usize::from(inside.is_some());
    frames.map(fields);
    field(frames, "name", &argument.name);
    field(frames, "type", kind);
    if is_value {
        field(frames, "display_text", &argument.name);
    }
    if is_key {
        let index = usize::from(spec.uses.len() > 1 && is_second(argument));
        frames.bulk(b"key_spec_index");
        frames.count(index);
    }
    if let Some(token) = argument.token {
        field(frames, "token", token);
    }
    if !flags.is_empty() {
        frames.bulk(b"flags");
        frames.array(flags.len());
        for flag in flags {
            frames.simple(flag);
        }
    }
    if let Some(inside) = inside {
        frames.bulk(b"arguments");
        write_arguments(frames, inside, spec);
    }
}

fn is_second(argument: &Argument) -> bool {
    matches!(argument.name.as_str(), "newkey" | "destination")
}

fn field(frames: &mut Frames<'_>, name: &str, text: &str) {
    frames.bulk(name.as_bytes());
    frames.bulk(text.as_bytes());
}
