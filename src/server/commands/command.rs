//! COMMAND: what the server says of its commands.

use super::{Result, help, is, subcommand, text};
use crate::language::glob;
use crate::resp::commands::Words;
use crate::resp::spec::{self, Spec};
use crate::resp::value::{Failure, Value};
use crate::resp::{Frames, Protocol, describe};
use crate::server::client::Client;
use crate::server::hub::{Hub, Turn};

pub fn command(_: &mut Hub, _: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let protocol = client.protocol;
    if words.len() == 1 {
        let all: Vec<&Spec> = spec::specs().iter().collect();
        return Ok(write(protocol, |frames| {
            frames.array(all.len());
            for spec in all {
                describe::info(frames, spec);
            }
        }));
    }
    match subcommand(words).as_str() {
        "count" => Ok(Value::count(spec::specs().len())),
        "list" => list(words),
        "info" => Ok(info(protocol, words)),
        "docs" => Ok(docs(protocol, words)),
        "getkeys" => keys(words, false),
        "getkeysandflags" => keys(words, true),
        _ => Ok(help("command")),
    }
}

fn write(protocol: Protocol, write: impl FnOnce(&mut Frames<'_>)) -> Value {
    let mut out = Vec::new();
    write(&mut Frames::new(&mut out, protocol));
    Value::Raw(out)
}

/// The commands that are named, or all.
fn named(words: &Words) -> Vec<Option<&'static Spec>> {
    if words.len() == 2 {
        return spec::specs().iter().map(Some).collect();
    }
    words.rest(2).map(spec::find).collect()
}

fn info(protocol: Protocol, words: &Words) -> Value {
    let named = named(words);
    write(protocol, |frames| {
        frames.array(named.len());
        for spec in named {
            match spec {
                Some(spec) => describe::info(frames, spec),
                None => frames.null(),
            }
        }
    })
}

fn docs(protocol: Protocol, words: &Words) -> Value {
    let named: Vec<&Spec> = named(words).into_iter().flatten().collect();
    write(protocol, |frames| {
        frames.map(named.len());
        for spec in named {
            describe::docs(frames, spec);
        }
    })
}

fn list(words: &Words) -> Result {
    let wanted: Box<dyn Fn(&Spec) -> bool> = match (words.get(2), words.get(3), words.get(4)) {
        (None, ..) => Box::new(|_| true),
        (Some(word), Some(filter), Some(value)) if is(word, "FILTERBY") && words.len() == 5 => {
            let value = text(value);
            match filter {
                it if is(it, "MODULE") => Box::new(|_| false),
                it if is(it, "ACLCAT") => Box::new(move |spec: &Spec| {
                    spec.categories
                        .iter()
                        .any(|it| it.eq_ignore_ascii_case(&value))
                }),
                it if is(it, "PATTERN") => {
                    Box::new(move |spec| glob::matches(value.as_bytes(), spec.name.as_bytes()))
                }
                _ => return Err(Failure::SYNTAX),
            }
        }
        _ => return Err(Failure::SYNTAX),
    };
    let all = spec::specs().iter();
    let all = all.flat_map(|spec| std::iter::once(spec).chain(&spec.subcommands));
    let names = all
        .filter(|spec| wanted(spec))
        .map(|spec| Value::bulk(spec.name));
    Ok(Value::Array(names.collect()))
}

fn keys(words: &Words, with_flags: bool) -> Result {
    let inner = words.tail(2);
    let spec = inner.get(0).and_then(spec::find);
    let spec = spec.ok_or(Failure::text("ERR Invalid command specified"))?;
    let spec = inner
        .get(1)
        .and_then(|name| spec.subcommand(name))
        .unwrap_or(spec);
    if spec.uses.is_empty() {
        return Err(Failure::text("ERR The command has no key arguments"));
    }
    if !spec.takes(inner.len()) {
        return Err(Failure::text(
            "ERR Invalid number of arguments specified for command",
        ));
    }
    let keys: Vec<&[u8]> = inner.keys(spec).collect();
    if keys.is_empty() {
        return Err(Failure::text("ERR The command has no key arguments"));
    }
    let values = keys.into_iter().enumerate().map(|(index, key)| {
        if !with_flags {
            return Value::bulk(key);
        }
        let uses = spec.uses.get(index).or(spec.uses.last());
        let flags = uses.into_iter().flat_map(|uses| uses.split(' '));
        let flags = flags.map(|flag| Value::Line(flag.into())).collect();
        Value::Array(vec![Value::bulk(key), Value::Array(flags)])
    });
    Ok(Value::Array(values.collect()))
}
