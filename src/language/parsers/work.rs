//! Commands that send many requests, and the comparison of caches.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::data::{ttls, value_size};
use crate::language::command::Script;
use crate::language::error::Error;
use crate::language::size;
use crate::language::word::{Shown, Word};
use crate::language::words::{Parsed, Words, name, number, time};
use crate::language::work::{DEFAULT_REQUESTS, Load, Replay};
use crate::network::Percent;
use crate::trace::{Kind, Spec, Workload};

/// The most requests of one command.
const MAX_REQUESTS: u64 = 1_000_000_000_000;
/// The most requests a second.
const MAX_RATE: u64 = 1_000_000_000;
/// The most keys of a workload.
const MAX_KEYS: u64 = 1 << 48;
/// The most clients of a workload.
const MAX_CLIENTS: u32 = 1000;
/// The most faults in a workload.
const MAX_FAULTS: usize = 100;

pub fn replay<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let mut replay = Replay {
        path: trace_file(words.word()?)?.bytes,
        skip: None,
        count: None,
        ttl: None,
        rate: None,
        size: None,
        format: None,
    };
    while let Some(option) = words.next() {
        read_replay_option(&mut replay, &option, words)?;
    }
    Ok(Script::Replay(Box::new(replay)).into())
}

/// Standard input has the commands.
fn trace_file(word: Word<'_>) -> Result<Word<'_>, Error> {
    if *word.bytes == *b"-" {
        let message = "a trace is a file here: standard input is for commands";
        return Err(word.error(message));
    }
    Ok(word)
}

fn read_replay_option(
    replay: &mut Replay<'_>,
    option: &Word<'_>,
    words: &mut Words<'_>,
) -> Result<(), Error> {
    let requests =
        |word: &Word<'_>, least| number(word, "a number of requests", least..=MAX_REQUESTS);
    match () {
        () if option.is("SKIP") => replay.skip = Some(requests(&words.value_of("n")?, 0)?),
        () if option.is("COUNT") => replay.count = Some(requests(&words.value_of("n")?, 1)?),
        () if option.is("TTL") => replay.ttl = Some(time(&words.value_of("time")?)?),
        () if option.is("RATE") => replay.rate = Some(rate(&words.value_of("n")?)?),
        () if option.is("SIZE") => {
            replay.size = Some(value_size(&words.value_of("bytes")?)? as u64);
        }
        () if option.is("FORMAT") => replay.format = Some(format(&words.value_of("spec")?)?),
        () => {
            let fault = "expected SKIP, COUNT, TTL, RATE, SIZE or FORMAT with a value";
            return Err(words.spec.usage_error(fault).at(option.span()));
        }
    }
    Ok(())
}

fn rate(word: &Word<'_>) -> Result<u64, Error> {
    number(word, "a number of requests a second", 1..=MAX_RATE)
}

/// A format with its options, whose names have capitals.
fn format(word: &Word<'_>) -> Result<Spec, Error> {
    let text = word.text().unwrap_or_default();
    text.parse().map_err(|error| word.error(format!("{error}")))
}

pub fn load<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let first = words.word()?;
    let kind: Kind = name(&first)?;
    let mut load = Load {
        workload: Workload {
            requests: u64::MAX,
            ..Workload::new(kind)
        },
        requests: None,
        time: None,
        clients: 1,
        rate: None,
        faults: Vec::new(),
    };
    while let Some(option) = words.next() {
        read_load_option(&mut load, &option, words)?;
        let checked = load.workload.check();
        checked.map_err(|error| option.error(error.to_string()))?;
    }
    load.faults.sort_by_key(|it| it.0);
    check_faults(&load, words)?;
    if load.requests.is_none() && load.time.is_none() {
        load.requests = Some(DEFAULT_REQUESTS);
    }
    Ok(Script::Load(Box::new(load)).into())
}

fn read_load_option(
    load: &mut Load,
    option: &Word<'_>,
    words: &mut Words<'_>,
) -> Result<(), Error> {
    let workload = &mut load.workload;
    let mut value = |what| words.value_of(what);
    match () {
        () if option.is("KEYS") => {
            workload.keys = number(&value("n")?, "a number of keys", 1..=MAX_KEYS)?;
        }
        () if option.is("REQUESTS") => {
            load.requests = Some(number(
                &value("n")?,
                "a number of requests",
                1..=MAX_REQUESTS,
            )?);
        }
        () if option.is("FOR") => load.time = Some(time(&value("time")?)?),
        () if option.is("SKEW") => workload.skew = Some(skew(&value("s")?)?),
        () if option.is("SIZE") => workload.sizes = Some(sizes(&value("bytes")?)?),
        () if option.is("TTL") => workload.ttls = Some(millis(ttls(&value("time")?)?)),
        () if option.is("WRITES") => {
            workload.writes = Some(name::<Percent>(&value("percent")?)?.millionths());
        }
        () if option.is("CLIENTS") => {
            load.clients = number(&value("n")?, "a number of clients", 1..=MAX_CLIENTS)?;
        }
        () if option.is("RATE") => load.rate = Some(rate(&value("n")?)?),
        () if option.is("AT") => {
            let after = time(&value("time")?)?;
            load.faults
                .push((after, value("fault")?.bytes.into_owned()));
        }
        () => {
            let fault = "expected KEYS, REQUESTS, FOR, SKEW, SIZE, TTL, WRITES, CLIENTS, RATE or AT with a value";
            return Err(words.spec.usage_error(fault).at(option.span()));
        }
    }
    Ok(())
}

fn check_faults(load: &Load, words: &Words<'_>) -> Result<(), Error> {
    let last = load.faults.last().map_or(Duration::ZERO, |it| it.0);
    let message = match load.time {
        _ if load.faults.len() > MAX_FAULTS => {
            format!(
                "{} times AT are too many: at most {MAX_FAULTS}",
                load.faults.len()
            )
        }
        Some(end) if last > end => "AT is after the end that FOR says".into(),
        _ => return Ok(()),
    };
    Err(words.spec.usage_error(&message))
}

fn skew(word: &Word<'_>) -> Result<f64, Error> {
    let skew = word.text().and_then(|text| text.parse().ok());
    let skew = skew.filter(|skew| (0.0..=10.0).contains(skew));
    let wrong = || format!("{} is not a number from 0 to 10", Shown(&word.bytes));
    skew.ok_or_else(|| word.error(wrong()))
}

/// One size, or the smallest and the largest: `100..4KiB`.
fn sizes(word: &Word<'_>) -> Result<RangeInclusive<u64>, Error> {
    let text = word.text().unwrap_or_default();
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let read = |text| {
        let size = size::parse(text);
        size.map_err(|error| word.error(format!("{} is {error}", Shown(&word.bytes))))
    };
    let sizes = read(least)?..=read(most)?;
    if sizes.is_empty() {
        let message = format!(
            "{}: the first size is larger than the second",
            Shown(&word.bytes)
        );
        return Err(word.error(message));
    }
    Ok(sizes)
}

/// Times in milliseconds, rounded up.
fn millis((shortest, longest): (Duration, Duration)) -> RangeInclusive<u64> {
    let millis = |time: Duration| time.as_nanos().div_ceil(1_000_000);
    let millis = |time| u64::try_from(millis(time)).unwrap_or(u64::MAX);
    millis(shortest)..=millis(longest)
}

pub fn compare<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let mut all = Vec::with_capacity(words.len());
    while let Some(word) = words.next() {
        all.push(trace_file(word)?.bytes);
    }
    Ok(Script::Compare { words: all }.into())
}

#[cfg(test)]
mod tests {
    use crate::language::{Action, Script, parse};

    fn error(line: &str) -> String {
        let error = parse(line.as_bytes()).expect_err("an error");
        let at = error.at.map_or("", |at| line.get(at).expect("a position"));
        format!("{} [{at}]", error.message)
    }

    #[test]
    fn options_come_in_any_order() {
        let input = parse(b"load zipf size 1..2kB clients 8 for 2s writes 10% ttl 1s..2s skew 0.9");
        let Action::Script(Script::Load(load)) =
            input.expect("no error").expect("a command").action
        else {
            panic!("a LOAD");
        };
        let workload = &load.workload;
        assert_eq!(workload.sizes, Some(1..=2000));
        assert_eq!(workload.ttls, Some(1000..=2000));
        assert_eq!((workload.writes, workload.skew), (Some(100_000), Some(0.9)));
        assert_eq!((load.clients, load.requests), (8, None));
    }

    #[test]
    fn faults_are_in_the_order_of_their_times() {
        let input = parse(b"LOAD zipf AT 2s \"restart 0 cold\" AT 1s 'CRASH 0' FOR 2s");
        let Action::Script(Script::Load(load)) =
            input.expect("no error").expect("a command").action
        else {
            panic!("a LOAD");
        };
        let faults = load.faults.iter();
        let faults: Vec<_> = faults.map(|it| (it.0.as_secs(), &*it.1)).collect();
        assert_eq!(faults, [(1, &b"CRASH 0"[..]), (2, b"restart 0 cold")]);
    }

    #[test]
    fn wrong_options_are_pointed_at() {
        for (line, expected) in [
            (
                "REPLAY -",
                "a trace is a file here: standard input is for commands [-]",
            ),
            (
                "COMPARE a -",
                "a trace is a file here: standard input is for commands [-]",
            ),
            (
                "REPLAY f SKIP 5 COUNT 0",
                "0 is not a number of requests from 1 to 1000000000000 [0]",
            ),
            ("LOAD zipf SKEW 11", "11 is not a number from 0 to 10 [11]"),
            (
                "LOAD zipf SKEW nan",
                "nan is not a number from 0 to 10 [nan]",
            ),
            (
                "LOAD zipf SIZE 2..1",
                "2..1: the first size is larger than the second [2..1]",
            ),
            (
                "LOAD ycsb-a WRITES 5%",
                "ycsb-a has a share of writes of its own [WRITES]",
            ),
            (
                "LOAD loop SKEW 1",
                "loop has a distribution of its own [SKEW]",
            ),
            (
                "LOAD zipf CLIENTS 1001",
                "1001 is not a number of clients from 1 to 1000 [1001]",
            ),
        ] {
            assert_eq!(error(line), expected, "{line}");
        }
        let late = error("LOAD zipf AT 9s 'CRASH 0' FOR 8s");
        assert!(
            late.starts_with("AT is after the end that FOR says"),
            "{late}"
        );
        let many = format!("LOAD zipf{}", " AT 1s HEAL".repeat(101));
        assert!(error(&many).starts_with("101 times AT are too many: at most 100"));
        assert!(error("LOAD zapf").starts_with("there is no workload \"zapf\": use one of zipf, "));
        assert!(error("REPLAY f FORMAT nonsense").starts_with("there is no format"));
    }
}
