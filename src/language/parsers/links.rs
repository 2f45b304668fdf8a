//! Commands that disturb the network between nodes.

use std::time::Duration;

use crate::id::NodeId;
use crate::language::command::{Action, Command};
use crate::language::error::Error;
use crate::language::spec::Spec;
use crate::language::word::{Shown, Word};
use crate::language::words::{Parsed, Rest, Words, node, time_or_zero};
use crate::network::{Fault, Link, Party, Percent};

pub fn isolate<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let node = node(&words.word()?)?;
    Ok(fault(Fault::Isolate(node)))
}

pub fn slow<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let node = node(&words.word()?)?;
    let time = time_or_zero(&words.word()?)?;
    Ok(fault(Fault::Slow { node, time }))
}

pub fn delay<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let link = link(words)?;
    let time = time_or_zero(&words.word()?)?;
    let jitter = words.option("JITTER", "time", time_or_zero)?;
    let jitter = jitter.unwrap_or(Duration::ZERO);
    Ok(fault(Fault::Delay { link, time, jitter }))
}

pub fn drop<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let (link, percent) = (link(words)?, percent(words)?);
    Ok(fault(Fault::Drop { link, percent }))
}

pub fn dup<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let (link, percent) = (link(words)?, percent(words)?);
    Ok(fault(Fault::Duplicate { link, percent }))
}

pub fn reorder<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let (link, percent) = (link(words)?, percent(words)?);
    Ok(fault(Fault::Reorder { link, percent }))
}

pub fn hold<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let link = link(words)?;
    Ok(fault(Fault::Hold(link)))
}

pub fn release<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let link = link(words)?;
    Ok(Command::Release { link }.into())
}

/// `0,1 | 2 ONEWAY`, with or without spaces around the numbers, commas and the bar.
pub fn partition<'a>(rest: &mut Rest<'a>) -> Parsed<'a> {
    let spec = rest.spec;
    let mut sides = Sides::default();
    let mut oneway = false;
    while let Some(word) = rest.next()? {
        if oneway {
            return Err(spec.usage_error("too many words").at(word.span()));
        }
        if word.is("ONEWAY") {
            oneway = true;
        } else {
            sides.read(spec, &word)?;
        }
    }
    let (left, right) = sides.complete(spec)?;
    Ok(fault(Fault::Partition {
        left,
        right,
        oneway,
    }))
}

fn fault(fault: Fault) -> Action<'static> {
    Command::Fault { fault }.into()
}

/// The next two words, which must name two different nodes.
fn link(words: &mut Words<'_>) -> Result<Link, Error> {
    let (one, other) = (words.word()?, words.word()?);
    let (a, b) = (node(&one)?, node(&other)?);
    Link::new(a, b).ok_or_else(|| other.error(format!("node {a} has no link to itself")))
}

fn percent(words: &mut Words<'_>) -> Result<Percent, Error> {
    let word = words.word()?;
    let text = word.text().unwrap_or_default();
    let shown = Shown(&word.bytes);
    text.parse()
        .map_err(|error| word.error(format!("{shown} is {error}")))
}

/// The two sides of a partition while their words are read, each in ascending order.
#[derive(Default)]
struct Sides {
    left: Vec<NodeId>,
    /// `None` until the `|`.
    right: Option<Vec<NodeId>>,
}

impl Sides {
    /// Reads one word: numbers, commas and at most one bar.
    fn read(&mut self, spec: &Spec, word: &Word<'_>) -> Result<(), Error> {
        for (number, part) in word.bytes.split(|&byte| byte == b'|').enumerate() {
            if number > 0 && self.right.replace(Vec::new()).is_some() {
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
        if let Err(index) = side.binary_search(&node) {
            side.insert(index, node);
        }
        Ok(())
    }

    fn complete(self, spec: &Spec) -> Result<(Vec<Party>, Vec<Party>), Error> {
        let right = self.right.unwrap_or_default();
        if self.left.is_empty() || right.is_empty() {
            let fault = "there must be nodes on both sides of a |";
            return Err(spec.usage_error(fault));
        }
        let parties = |nodes: Vec<NodeId>| nodes.into_iter().map(Party::from).collect();
        Ok((parties(self.left), parties(right)))
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
    fn a_partition_allows_spaces_anywhere() {
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
    fn a_partition_needs_two_disjoint_sides() {
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
    fn the_output_of_faults_is_valid_input() {
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
    fn skews_have_a_sign_and_times_of_faults_may_be_zero() {
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
