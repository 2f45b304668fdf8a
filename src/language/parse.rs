//! A line to what it asks for.

use std::time::Duration;

use smallvec::SmallVec;

use super::catalog::{self, Group, Spec, Verb};
use super::command::Action::{Command as Ask, Script as Run};
use super::command::{Action, Bound, Change, Command, Input, Script, Topic};
use super::duration;
use super::error::{Error, ErrorKind};
use super::faults;
use super::size;
use super::word::{Bytes, Scanner, Shown, Word};
use crate::config::MAX_REPLICAS;
use crate::eviction::Eviction;
use crate::id::NodeId;
use crate::nemesis::{Nemesis, UnknownNemesis};
use crate::placement::{MAX_WEIGHT, PlacementKind, UnknownPlacement};

/// How many events EVENTS shows when it is not told.
const DEFAULT_EVENTS: usize = 10;
/// The most that EVENTS shows.
const MAX_EVENTS: usize = 1_000_000;
/// How many keys of each node HOT shows when it is not told.
const DEFAULT_HOT: usize = 10;
/// The most that HOT shows.
const MAX_HOT: usize = 1000;
/// How many operations HISTORY shows when it is not told.
const DEFAULT_HISTORY: usize = 10;
/// The most messages that STEP delivers.
const MAX_STEPS: u64 = 1_000_000;
/// The largest quorum.
const MAX_QUORUM: usize = MAX_REPLICAS;
/// How long WATCH waits between two runs when it is not told.
const DEFAULT_WATCH: Duration = Duration::from_secs(1);
/// The most that REPEAT repeats.
const MAX_REPEAT: u64 = 1_000_000_000;

/// Understands a line; `None` if it is empty or a comment.
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse(line: &[u8]) -> Result<Option<Input<'_>>, Error> {
    let mut scanner = Scanner::new(line);
    scanner.skip_space();
    if scanner.rest().first() == Some(&b'#') {
        return Ok(None);
    }
    let Some(name) = scanner.next_word()? else {
        return Ok(None);
    };
    let spec = catalog::find(&name.bytes).ok_or_else(|| unknown(&name))?;
    let action = action(spec, &mut scanner).map_err(|error| error.of(spec))?;
    Ok(Some(Input { spec, action }))
}

#[inline]
fn action<'a>(spec: &'static Spec, scanner: &mut Scanner<'a>) -> Result<Action<'a>, Error> {
    match spec.verb {
        Verb::Echo => Ok(Action::Command(Command::Echo {
            text: echo_text(scanner),
        })),
        Verb::Repeat => repeat(spec, scanner).map(Action::Script),
        Verb::Watch => watch(spec, scanner).map(Action::Script),
        Verb::Trace => Ok(Action::Script(Script::Trace {
            command: nested(spec, scanner)?,
        })),
        Verb::Partition => faults::partition(spec, scanner).map(Action::Command),
        _ => words(spec, scanner),
    }
}

fn unknown(name: &Word<'_>) -> Error {
    let near = name.text().and_then(catalog::suggest);
    let shown = Shown(&name.bytes);
    let message = match near {
        Some(near) => format!("unknown command {shown}; did you mean {near}?"),
        None => format!("unknown command {shown}; HELP lists all commands"),
    };
    Error::new(ErrorKind::UnknownCommand, message).at(name.span())
}

/// Everything behind the one space that ends the command's name.
fn echo_text<'a>(scanner: &Scanner<'a>) -> &'a [u8] {
    let rest = scanner.rest();
    rest.get(1..).unwrap_or_default()
}

fn repeat<'a>(spec: &Spec, scanner: &mut Scanner<'a>) -> Result<Script<'a>, Error> {
    let times = scanner.next_word()?.ok_or_else(|| spec.too_few_words(0))?;
    let times = number(&times, "a number of times", 1..=MAX_REPEAT)?;
    let command = nested(spec, scanner)?;
    Ok(Script::Repeat { times, command })
}

fn watch<'a>(spec: &Spec, scanner: &mut Scanner<'a>) -> Result<Script<'a>, Error> {
    scanner.skip_space();
    // A word that starts with a digit is a time: no command's name does.
    let mut every = DEFAULT_WATCH;
    if let Some(b'0'..=b'9' | b'-' | b'"' | b'\'') = scanner.rest().first() {
        every = time(&scanner.next_word()?.ok_or_else(|| spec.too_few_words(0))?)?;
    }
    let command = nested(spec, scanner)?;
    Ok(Script::Watch { every, command })
}

fn nested<'a>(spec: &Spec, scanner: &mut Scanner<'a>) -> Result<&'a [u8], Error> {
    scanner.skip_space();
    if scanner.rest().is_empty() {
        return Err(spec.too_few_words(spec.min_words - 1));
    }
    Ok(scanner.rest())
}

/// Commands whose words are all alike.
fn words<'a>(spec: &'static Spec, scanner: &mut Scanner<'a>) -> Result<Action<'a>, Error> {
    let mut words: SmallVec<[Word<'a>; 4]> = SmallVec::new();
    while let Some(word) = scanner.next_word()? {
        words.push(word);
    }
    spec.check_words(words.len())?;
    let mut words = Words {
        spec,
        words: words.into_iter(),
    };
    Ok(match spec.verb {
        Verb::Put => {
            let (key, value, ttl) = (words.next()?, words.next()?, words.ttl()?);
            Ask(Command::Put { key, value, ttl })
        }
        Verb::Get => Ask(Command::Get { key: words.next()? }),
        Verb::Del => Ask(Command::Del { keys: words.all() }),
        Verb::MGet => Ask(Command::MGet { keys: words.all() }),
        Verb::MSet => Ask(words.mset()?),
        Verb::Add => {
            let (key, value, ttl) = (words.next()?, words.next()?, words.ttl()?);
            Ask(Command::Add { key, value, ttl })
        }
        Verb::Cas => {
            let (key, expected, new) = (words.next()?, words.next()?, words.next()?);
            let ttl = words.ttl()?;
            Ask(Command::Cas {
                key,
                expected,
                new,
                ttl,
            })
        }
        Verb::Incr => {
            let (key, delta) = (words.next()?, words.delta()?);
            Ask(Command::Incr { key, delta })
        }
        Verb::Ttl => Ask(Command::Ttl { key: words.next()? }),
        Verb::Expire => {
            let (key, ttl) = (words.next()?, time(&words.word()?)?);
            Ask(Command::Expire { key, ttl })
        }
        Verb::Persist => Ask(Command::Persist { key: words.next()? }),
        Verb::Exists => Ask(Command::Exists { keys: words.all() }),
        Verb::Keys => Ask(words.keys()?),
        Verb::Size => Ask(Command::Size),
        Verb::Clear => Ask(Command::Clear),
        Verb::Time => Ask(Command::Time),
        Verb::Clock => Ask(Command::Clock {
            kind: words.clock()?,
        }),
        Verb::Nodes => Ask(Command::Nodes),
        Verb::Ring => Ask(Command::Ring),
        Verb::Join => Run(Script::Move(words.join()?)),
        Verb::Leave => Run(Script::Move(Change::Leave {
            node: node(&words.word()?)?,
        })),
        Verb::Placement => words.placement()?,
        Verb::Replicas => words.replicas()?,
        Verb::Quorum => Ask(Command::Quorum {
            quorums: words.quorums()?,
        }),
        Verb::History => Ask(Command::History {
            count: words
                .optional(|word| number(word, "a count", 1..=MAX_EVENTS))?
                .unwrap_or(DEFAULT_HISTORY),
        }),
        Verb::Check => Ask(Command::Check),
        Verb::Rebalance => Run(Script::Move(Change::Rebalance)),
        Verb::Hot => Ask(Command::Hot {
            count: words.optional(hot_count)?.unwrap_or(DEFAULT_HOT),
        }),
        Verb::Eviction => Ask(Command::Eviction {
            policy: words.eviction()?,
        }),
        Verb::Capacity => Ask(Command::Capacity {
            bound: words.optional(bound)?,
        }),
        Verb::Where => Ask(Command::Where { key: words.next()? }),
        Verb::Stats => Ask(Command::Stats {
            node: words.optional(node)?,
        }),
        Verb::Events => Ask(words.events()?),
        Verb::Help => Ask(Command::Help {
            topic: words.topic()?,
        }),
        Verb::Sleep => Run(Script::Sleep {
            time: time(&words.word()?)?,
        }),
        Verb::Source => Run(Script::Source {
            path: words.next()?,
        }),
        Verb::Monitor => Run(Script::Monitor {
            on: words.on_off()?,
        }),
        Verb::Quit => Run(Script::Quit),
        _ => Ask(trouble(words)?),
    })
}

/// Commands of the group of faults.
fn trouble(mut words: Words<'_>) -> Result<Command<'_>, Error> {
    Ok(match words.spec.verb {
        Verb::Crash => Command::Crash {
            node: node(&words.word()?)?,
        },
        Verb::Restart => Command::Restart {
            node: node(&words.word()?)?,
            how: words.optional(faults::restart)?.unwrap_or_default(),
        },
        Verb::Pause => Command::Pause {
            node: node(&words.word()?)?,
        },
        Verb::Resume => Command::Resume {
            node: node(&words.word()?)?,
        },
        Verb::Heal => Command::Heal,
        Verb::Release => Command::Release {
            link: faults::link(&mut words)?,
        },
        Verb::Skew => {
            let (node, nanos) = (node(&words.word()?)?, faults::skew(&words.word()?)?);
            Command::Skew { node, nanos }
        }
        Verb::Isolate
        | Verb::Delay
        | Verb::Drop
        | Verb::Dup
        | Verb::Reorder
        | Verb::Hold
        | Verb::Slow => Command::Fault {
            fault: faults::fault(words)?,
        },
        Verb::Faults => Command::Faults,
        Verb::Nemesis => Command::Nemesis {
            nemesis: words.optional(nemesis)?,
        },
        Verb::Links => Command::Links,
        Verb::Step => Command::Step {
            count: words
                .optional(|word| number(word, "a number of messages", 1..=MAX_STEPS))?
                .unwrap_or(1),
        },
        verb => unreachable!("{verb:?} is among the others, or takes the line as it stands"),
    })
}

/// The words behind a command's name, as many as its syntax allows.
pub(super) struct Words<'a> {
    pub(super) spec: &'static Spec,
    words: smallvec::IntoIter<[Word<'a>; 4]>,
}

impl<'a> Words<'a> {
    pub(super) fn word(&mut self) -> Result<Word<'a>, Error> {
        let missing = || self.spec.usage_error("too few words");
        self.words.next().ok_or_else(missing)
    }

    fn next(&mut self) -> Result<Bytes<'a>, Error> {
        self.word().map(|word| word.bytes)
    }

    fn all(self) -> Vec<Bytes<'a>> {
        self.words.map(|word| word.bytes).collect()
    }

    pub(super) fn optional<T>(
        &mut self,
        read: impl Fn(&Word<'a>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.words.next().map(|word| read(&word)).transpose()
    }

    fn ttl(&mut self) -> Result<Option<Duration>, Error> {
        self.optional(time)
    }

    /// Both, or none.
    fn quorums(&mut self) -> Result<Option<(usize, usize)>, Error> {
        let quorum = |word: &Word<'_>| number(word, "a number of owners", 1..=MAX_QUORUM);
        let Some(write) = self.optional(quorum)? else {
            return Ok(None);
        };
        let missing = || self.spec.usage_error("r is missing");
        let read = self.words.next().ok_or_else(missing)?;
        Ok(Some((write, quorum(&read)?)))
    }

    fn delta(&mut self) -> Result<i64, Error> {
        let delta = self.optional(|word| number(word, "a whole number", i64::MIN..=i64::MAX))?;
        Ok(delta.unwrap_or(1))
    }

    fn mset(mut self) -> Result<Command<'a>, Error> {
        let mut pairs = Vec::with_capacity(self.words.len() / 2);
        while self.words.len() >= 2 {
            pairs.push((self.next()?, self.next()?));
        }
        let ttl = self.ttl()?;
        Ok(Command::MSet { pairs, ttl })
    }

    fn keys(mut self) -> Result<Command<'a>, Error> {
        let mut pattern = None;
        if self.words.len() % 2 == 1 {
            pattern = Some(self.next()?);
        }
        let node = self.node_option()?;
        Ok(Command::Keys { pattern, node })
    }

    fn events(mut self) -> Result<Command<'a>, Error> {
        let mut count = DEFAULT_EVENTS;
        if matches!(self.words.as_slice(), [option] if option.is("NODE")) {
            return Err(self.spec.usage_error("n is missing"));
        }
        if self.words.len() % 2 == 1 {
            count = number(&self.word()?, "a count", 1..=MAX_EVENTS)?;
        }
        let node = self.node_option()?;
        Ok(Command::Events { count, node })
    }

    fn placement(&mut self) -> Result<Action<'a>, Error> {
        let kind = self.optional(placement)?;
        Ok(kind.map_or(Ask(Command::Placement), |kind| {
            Run(Script::Move(Change::Place { kind }))
        }))
    }

    fn replicas(&mut self) -> Result<Action<'a>, Error> {
        let replicas = self.optional(replicas)?;
        Ok(replicas.map_or(Ask(Command::Replicas), |replicas| {
            Run(Script::Move(Change::Replicate { replicas }))
        }))
    }

    fn join(&mut self) -> Result<Change, Error> {
        let Some(option) = self.words.next() else {
            return Ok(Change::Join { weight: 1 });
        };
        if !option.is("WEIGHT") {
            let message = format!("expected WEIGHT w; usage: {}", self.spec.usage());
            return Err(Error::new(ErrorKind::Usage, message).at(option.span()));
        }
        let Some(word) = self.words.next() else {
            return Err(self.spec.usage_error("w is missing"));
        };
        let weight = number(&word, "a weight", 1..=MAX_WEIGHT)?;
        Ok(Change::Join { weight })
    }

    /// `NODE n`, or the end of the line.
    fn node_option(&mut self) -> Result<Option<NodeId>, Error> {
        let Some(option) = self.words.next() else {
            return Ok(None);
        };
        if !option.is("NODE") {
            let message = format!("expected NODE n; usage: {}", self.spec.usage());
            return Err(Error::new(ErrorKind::Usage, message).at(option.span()));
        }
        self.optional(node)
    }

    fn eviction(&mut self) -> Result<Option<Eviction>, Error> {
        self.optional(|word| {
            let name = word.text().unwrap_or_default().to_ascii_lowercase();
            name.parse().map_err(|error| word.error(format!("{error}")))
        })
    }

    fn clock(&mut self) -> Result<Option<crate::time::ClockKind>, Error> {
        self.optional(|word| {
            let kind = word.text().and_then(|name| name.parse().ok());
            kind.ok_or_else(|| word.error("a clock is real or virtual"))
        })
    }

    fn on_off(&mut self) -> Result<bool, Error> {
        let on = self.optional(|word| match () {
            () if word.is("on") => Ok(true),
            () if word.is("off") => Ok(false),
            () => Err(word.error("expected on or off")),
        })?;
        Ok(on.unwrap_or(true))
    }

    fn topic(&mut self) -> Result<Topic, Error> {
        let Some(word) = self.words.next() else {
            return Ok(Topic::All);
        };
        if let Some(name) = word.bytes.strip_prefix(b"@") {
            let same = |group: &Group| name.eq_ignore_ascii_case(group.to_string().as_bytes());
            let group = Group::ALL.into_iter().find(same);
            return group.map(Topic::Group).ok_or_else(|| unknown_group(&word));
        }
        let spec = catalog::find(&word.bytes);
        spec.map(Topic::Command).ok_or_else(|| unknown(&word))
    }
}

fn unknown_group(word: &Word<'_>) -> Error {
    let groups = Group::ALL.map(|group| format!("@{group}")).join(" ");
    word.error(format!("there is no such group; the groups are {groups}"))
}

fn time(word: &Word<'_>) -> Result<Duration, Error> {
    duration::parse(&word.bytes).map_err(|error| {
        let shown = Shown(&word.bytes);
        word.error(format!("{shown} {error}"))
    })
}

pub(super) fn node(word: &Word<'_>) -> Result<NodeId, Error> {
    let node = word.text().and_then(|text| text.parse().ok());
    node.ok_or_else(|| {
        let shown = Shown(&word.bytes);
        word.error(format!(
            "{shown} is not a node: use its number (NODES lists them)"
        ))
    })
}

fn placement(word: &Word<'_>) -> Result<PlacementKind, Error> {
    let name = word.text().unwrap_or_default();
    name.parse()
        .map_err(|error: UnknownPlacement| word.error(error.to_string()))
}

fn replicas(word: &Word<'_>) -> Result<usize, Error> {
    number(word, "a number of replicas", 1..=MAX_REPLICAS)
}

fn nemesis(word: &Word<'_>) -> Result<Nemesis, Error> {
    let nemesis = word.text().and_then(|name| name.parse().ok());
    nemesis.ok_or_else(|| word.error(UnknownNemesis.to_string()))
}

fn hot_count(word: &Word<'_>) -> Result<usize, Error> {
    number(word, "a count", 1..=MAX_HOT)
}

/// A bare number is one of entries, a number with a unit is one of bytes.
fn bound(word: &Word<'_>) -> Result<Bound, Error> {
    if word.is("none") {
        return Ok(Bound::None);
    }
    let text = word.text().unwrap_or_default();
    if let Ok(entries) = text.parse() {
        return Ok(Bound::Entries(entries));
    }
    size::parse(text).map(Bound::Bytes).map_err(|_| {
        let shown = Shown(&word.bytes);
        word.error(format!(
            "{shown} is not a capacity: use a number of entries (1000), a size (64MiB, 10kB), or none"
        ))
    })
}

fn number<T>(word: &Word<'_>, what: &str, range: std::ops::RangeInclusive<T>) -> Result<T, Error>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let number = word.text().and_then(|text| text.parse().ok());
    number.filter(|n| range.contains(n)).ok_or_else(|| {
        let (shown, low, high) = (Shown(&word.bytes), range.start(), range.end());
        word.error(format!("{shown} is not {what} from {low} to {high}"))
    })
}
