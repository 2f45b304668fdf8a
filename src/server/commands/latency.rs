//! SLOWLOG and LATENCY: what took long.

use super::{Result, help, integer, subcommand, text};
use crate::resp::commands::Words;
use crate::resp::spec::{self, Spec};
use crate::resp::value::{Failure, Value};
use crate::server::client::Client;
use crate::server::hub::{Hub, Turn};
use crate::server::measures::{Measure, Slow};

pub fn slowlog(hub: &mut Hub, _: &mut Turn<'_>, _: &mut Client, words: &Words) -> Result {
    let slow = &mut hub.measures.slow;
    Ok(match subcommand(words).as_str() {
        "get" => {
            let count = if words.len() > 2 {
                integer(words, 2)?
            } else {
                10
            };
            let count = match count {
                -1 => usize::MAX,
                count => usize::try_from(count).map_err(|_| {
                    Failure::text("ERR count should be greater than or equal to -1")
                })?,
            };
            Value::Array(slow.entries.iter().take(count).map(entry).collect())
        }
        "len" => Value::count(slow.entries.len()),
        "reset" => {
            slow.entries.clear();
            Value::Ok
        }
        _ => help("slowlog"),
    })
}

fn entry(slow: &Slow) -> Value {
    let micros = i64::try_from(slow.took.as_micros()).unwrap_or(i64::MAX);
    Value::Array(vec![
        Value::Integer(slow.id),
        Value::Integer(slow.at),
        Value::Integer(micros),
        Value::Array(slow.args.iter().map(Value::bulk).collect()),
        Value::bulk(&slow.address),
        Value::bulk(&slow.name),
    ])
}

pub fn latency(hub: &mut Hub, _: &mut Turn<'_>, _: &mut Client, words: &Words) -> Result {
    let spikes = &mut hub.measures.spikes;
    Ok(match subcommand(words).as_str() {
        "latest" => latest(hub),
        "history" => {
            let pairs = spikes
                .of(&words[2])
                .map(|&(at, millis)| Value::Array(vec![Value::Integer(at), whole(millis)]));
            Value::Array(pairs.collect())
        }
        "reset" => {
            let named: Vec<Vec<u8>> = if words.len() > 2 {
                words.rest(2).map(<[u8]>::to_vec).collect()
            } else {
                spikes.names().map(|name| name.as_bytes().into()).collect()
            };
            Value::count(named.iter().filter(|name| spikes.forget(name)).count())
        }
        "histogram" => histograms(hub, words),
        "doctor" => Value::Text(doctor(hub)),
        "graph" => return graph(hub, &words[2]),
        _ => help("latency"),
    })
}

fn whole(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn latest(hub: &Hub) -> Value {
    let spikes = &hub.measures.spikes;
    let events = spikes.names().filter_map(|name| {
        let of_event = || spikes.of(name.as_bytes());
        let &(at, millis) = of_event().last()?;
        let most = of_event().map(|it| it.1).max().unwrap_or(millis);
        let fields = vec![
            Value::bulk(name),
            Value::Integer(at),
            whole(millis),
            whole(most),
        ];
        Some(Value::Array(fields))
    });
    Value::Array(events.collect())
}

fn doctor(hub: &Hub) -> String {
    let spikes = &hub.measures.spikes;
    if spikes.threshold == 0 {
        return "Latency monitoring is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n"
            .into();
    }
    let lines = spikes.names().map(|name| {
        let count = spikes.of(name.as_bytes()).len();
        let most = spikes.of(name.as_bytes()).map(|it| it.1).max().unwrap_or(0);
        format!("{name}: {count} seconds with a spike, the longest took {most} ms.\n")
    });
    let report: String = lines.collect();
    if report.is_empty() {
        return format!("No command took {} ms or longer.\n", spikes.threshold);
    }
    report
}

/// A line for each spike of an event, as long as it took.
fn graph(hub: &Hub, event: &[u8]) -> Result {
    const WIDTH: u64 = 60;
    let spikes = || hub.measures.spikes.of(event);
    let event = text(event);
    let most = spikes().map(|it| it.1).max();
    let most =
        most.ok_or_else(|| Failure::new(format!("ERR No samples available for event '{event}'")))?;
    let mut lines = format!("{event} - longest {most} ms\n");
    for &(at, millis) in spikes() {
        let length = usize::try_from(millis.saturating_mul(WIDTH) / most.max(1)).unwrap_or(0);
        lines.push_str(&format!("{at} {} {millis}\n", "#".repeat(length.max(1))));
    }
    Ok(Value::Text(lines))
}

/// The commands that are named, with their subcommands, or all.
fn named(words: &Words) -> Vec<&'static Spec> {
    let with_subcommands = |spec: &'static Spec| std::iter::once(spec).chain(&spec.subcommands);
    if words.len() > 2 {
        let found = words.rest(2).filter_map(spec::find);
        return found.flat_map(with_subcommands).collect();
    }
    spec::specs().iter().flat_map(with_subcommands).collect()
}

fn histograms(hub: &Hub, words: &Words) -> Value {
    let measured = named(words).into_iter().filter_map(|spec| {
        let measure = hub.measures.of(spec).filter(|it| it.calls > 0)?;
        Some((Value::bulk(spec.name), histogram(&measure)))
    });
    Value::Map(measured.collect())
}

fn histogram(measure: &Measure) -> Value {
    let buckets = measure.histogram().into_iter();
    let buckets = buckets.map(|(micros, count)| (whole(micros), whole(count)));
    Value::Map(vec![
        (Value::bulk("calls"), whole(measure.calls)),
        (Value::bulk("histogram_usec"), Value::Map(buckets.collect())),
    ])
}
