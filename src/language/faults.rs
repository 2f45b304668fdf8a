//! The words of commands that break something.

use std::time::Duration;

use super::catalog::{Spec, Verb};
use super::command::Command;
use super::duration;
use super::error::{Error, ErrorKind};
use super::parse::{Words, node};
use super::word::{Scanner, Shown, Word};
use crate::id::NodeId;
use crate::network::{Fault, Link, Percent};
use crate::replica::Restart;

/// The fault that the words behind a command's name describe.
pub(super) fn fault(mut words: Words<'_>) -> Result<Fault, Error> {
    let verb = words.spec.verb;
    if let Verb::Isolate | Verb::Slow = verb {
        let node = node(&words.word()?)?;
        if verb == Verb::Isolate {
            return Ok(Fault::Isolate(node));
        }
        let time = time(&words.word()?)?;
        return Ok(Fault::Slow { node, time });
    }
    let link = link(&mut words)?;
    if verb == Verb::Hold {
        return Ok(Fault::Hold(link));
    }
    let word = words.word()?;
    if verb == Verb::Delay {
        let (time, jitter) = (time(&word)?, jitter(&mut words)?);
        return Ok(Fault::Delay { link, time, jitter });
    }
    let percent = percent(&word)?;
    Ok(match verb {
        Verb::Drop => Fault::Drop { link, percent },
        Verb::Dup => Fault::Duplicate { link, percent },
        _ => Fault::Reorder { link, percent },
    })
}

/// The next two words, which must name two nodes.
pub(super) fn link(words: &mut Words<'_>) -> Result<Link, Error> {
    let (one, other) = (words.word()?, words.word()?);
    let (a, b) = (node(&one)?, node(&other)?);
    Link::new(a, b).ok_or_else(|| other.error(format!("node {a} has no link to itself")))
}

/// `JITTER time`, or the end of the line.
fn jitter(words: &mut Words<'_>) -> Result<Duration, Error> {
    let spec = words.spec;
    let Some(option) = words.optional(|word| Ok(word.clone()))? else {
        return Ok(Duration::ZERO);
    };
    if !option.is("JITTER") {
        let message = format!("expected JITTER time; usage: {}", spec.usage());
        return Err(Error::new(ErrorKind::Usage, message).at(option.span()));
    }
    let missing = || spec.usage_error("time is missing");
    words.optional(time)?.ok_or_else(missing)
}

/// How a node comes back.
pub(super) fn restart(word: &Word<'_>) -> Result<Restart, Error> {
    let name = word.text().unwrap_or_default().to_ascii_lowercase();
    name.parse().map_err(|error| word.error(format!("{error}")))
}

/// A time, from nothing on.
fn time(word: &Word<'_>) -> Result<Duration, Error> {
    let time = duration::parse_or_zero(&word.bytes);
    time.map_err(|error| word.error(format!("{} {error}", Shown(&word.bytes))))
}

/// By how many nanoseconds a clock is ahead: a time, or one with a minus.
pub(super) fn skew(word: &Word<'_>) -> Result<i64, Error> {
    let bytes = &*word.bytes;
    let (sign, bytes) = match bytes.strip_prefix(b"-") {
        Some(time) => (-1, time),
        None => (1, bytes),
    };
    let shown = Shown(&word.bytes);
    let time = duration::parse_or_zero(bytes);
    let time = time.map_err(|error| word.error(format!("{shown} {error}")))?;
    let nanos = i64::try_from(time.as_nanos()).ok();
    let nanos = nanos.and_then(|nanos| nanos.checked_mul(sign));
    nanos.ok_or_else(|| word.error(format!("{shown} is too long")))
}

fn percent(word: &Word<'_>) -> Result<Percent, Error> {
    let text = word.text().unwrap_or_default();
    let shown = Shown(&word.bytes);
    text.parse()
        .map_err(|error| word.error(format!("{shown} is {error}")))
}

/// `0,1 | 2 ONEWAY`, with spaces wherever people leave them.
pub(super) fn partition(
    spec: &'static Spec,
    scanner: &mut Scanner<'_>,
) -> Result<Command<'static>, Error> {
    let mut sides = Sides::default();
    let mut oneway = false;
    while let Some(word) = scanner.next_word()? {
        if oneway {
            return Err(spec.usage_error("too many words").at(word.span()));
        }
        if word.is("ONEWAY") {
            oneway = true;
        } else {
            sides.take(spec, &word)?;
        }
    }
    let Sides { left, right, .. } = sides;
    let Some(right) = right.filter(|right| !left.is_empty() && !right.is_empty()) else {
        let message = "there must be nodes on both sides of a |";
        return Err(spec.usage_error(message));
    };
    let fault = Fault::Partition {
        left,
        right,
        oneway,
    };
    Ok(Command::Fault { fault })
}

/// The sides of a partition, as far as they were read.
#[derive(Default)]
struct Sides {
    left: Vec<NodeId>,
    /// `None` up to the `|`.
    right: Option<Vec<NodeId>>,
}

impl Sides {
    /// Takes one word: numbers, commas and at most one bar.
    fn take(&mut self, spec: &'static Spec, word: &Word<'_>) -> Result<(), Error> {
        for (at, part) in word.bytes.split(|&byte| byte == b'|').enumerate() {
            if at > 0 && self.right.replace(Vec::new()).is_some() {
                return Err(spec.usage_error("one | is enough").at(word.span()));
            }
            let numbers = part.split(|&byte| byte == b',');
            for number in numbers.filter(|number| !number.is_empty()) {
                self.add(number, word)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, number: &[u8], word: &Word<'_>) -> Result<(), Error> {
        let node = node(&word.part(number))?;
        if self.right.is_some() && self.left.contains(&node) {
            return Err(word.error(format!("node {node} cannot be on both sides")));
        }
        let side = self.right.as_mut().unwrap_or(&mut self.left);
        if !side.contains(&node) {
            side.push(node);
            side.sort_unstable();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::language::{Action, Command, parse};

    fn read(line: &str) -> String {
        match parse(line.as_bytes()) {
            Ok(Some(input)) => match input.action {
                Action::Command(Command::Fault { fault }) => fault.to_string(),
                Action::Command(Command::Skew { node, nanos }) => format!("{node} {nanos}"),
                other => format!("{other:?}"),
            },
            Ok(None) => String::new(),
            Err(error) => format!("{} {:?}", error.message, error.at),
        }
    }

    #[test]
    fn a_partition_is_read_however_it_is_spaced() {
        for line in [
            "PARTITION 0,1 | 2",
            "PARTITION 0,1|2",
            "partition 1, 0 |2",
            "partition 1 ,0| 2",
            "partition 0 1 | 2",
            "partition 0,1,0 | 2,2",
        ] {
            assert_eq!(read(line), "PARTITION 0,1 | 2", "{line}");
        }
        assert_eq!(read("PARTITION 2|0 oneway"), "PARTITION 2 | 0 ONEWAY");
    }

    #[test]
    fn a_partition_with_a_side_missing_or_doubled_is_none() {
        let usage = "; usage: PARTITION a,b | c [ONEWAY]";
        let both = format!("there must be nodes on both sides of a |{usage} None");
        for line in [
            "PARTITION",
            "PARTITION 0,1",
            "PARTITION | 2",
            "PARTITION 0|",
        ] {
            assert_eq!(read(line), both, "{line}");
        }
        assert_eq!(
            read("PARTITION 0|1|2"),
            format!("one | is enough{usage} Some(10..15)")
        );
        assert_eq!(
            read("PARTITION 0 | 1,0"),
            "node 0 cannot be on both sides Some(14..17)"
        );
        assert_eq!(
            read("PARTITION 0 | x"),
            "x is not a node: use its number (NODES lists them) Some(14..15)"
        );
    }

    #[test]
    fn what_faults_prints_can_be_typed() {
        for line in [
            "PARTITION 0,1 | 2,7",
            "PARTITION 2 | 0,1 ONEWAY",
            "ISOLATE 2",
            "DELAY 0 1 1s500ms",
            "DELAY 0 1 20ms JITTER 5ms",
            "DROP 0 1 0.5%",
            "DUP 0 1 100%",
            "REORDER 0 1 5%",
            "HOLD 0 1",
            "SLOW 2 1h30m",
        ] {
            assert_eq!(read(line), line);
        }
        assert_eq!(read("SKEW 1 -1s500ms"), "1 -1500000000");
    }

    #[test]
    fn skews_have_a_sign_and_times_of_faults_may_be_nothing() {
        assert_eq!(read("SKEW 1 -1500ms"), "1 -1500000000");
        assert_eq!(read("SKEW 1 0"), "1 0");
        assert_eq!(
            read("DELAY 1 0 20ms JITTER 5ms"),
            "DELAY 0 1 20ms JITTER 5ms"
        );
        assert!(read("DELAY 1 0 20ms JITTER").starts_with("time is missing"));
        assert!(read("DELAY 1 1 20ms").starts_with("node 1 has no link to itself"));
        assert!(read("DROP 0 1 105%").contains("between 0 and 100"));
        assert!(read("SKEW 1 --2s").contains("is not a time"));
    }
}
