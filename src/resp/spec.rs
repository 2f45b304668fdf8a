//! What the server says of its commands: names, arities, keys, flags, documentation.
//!
//! `commands.txt` has the facts, in the terms of `COMMAND INFO` and `COMMAND DOCS` of Redis.

use std::sync::LazyLock;

use super::Args;

/// A command or a subcommand.
#[derive(Debug)]
pub struct Spec {
    /// The name in lower case; `command|subcommand` for a subcommand.
    pub name: &'static str,
    /// The arguments, in the notation of `commands.txt`.
    pub syntax: &'static str,
    /// How many arguments, the name included; negative: at least so many.
    pub arity: i32,
    /// The flags.
    pub flags: Vec<&'static str>,
    /// Where the keys are.
    pub keys: KeyPlaces,
    /// How the keys are used: one entry for all of them, or one for each.
    pub uses: Vec<&'static str>,
    /// The categories, without `@`.
    pub categories: Vec<&'static str>,
    /// The version of Redis (or Valkey) that had it first.
    pub since: &'static str,
    /// The cost of a call.
    pub complexity: &'static str,
    /// Hints for clients that route commands.
    pub tips: Vec<&'static str>,
    /// One sentence for people.
    pub summary: &'static str,
    /// The group of the documentation.
    pub group: &'static str,
    /// The subcommands.
    pub subcommands: Vec<Spec>,
    /// A number of its own, from 0 on, among all commands and subcommands.
    pub number: usize,
}

/// Which arguments are keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyPlaces {
    /// None.
    #[default]
    None,
    /// Every `step`-th argument from `first` to `last`, which counts from the end if negative.
    Range {
        /// The place of the first key.
        first: usize,
        /// The place of the last key.
        last: i32,
        /// From one key to the next.
        step: usize,
    },
    /// The argument at `at` says how many keys follow it.
    Counted {
        /// The place of the number.
        at: usize,
        /// From one key to the next.
        step: usize,
    },
}

impl Spec {
    /// Whether a flag is set.
    #[must_use]
    pub fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    /// Whether a request has as many arguments as the command takes.
    #[must_use]
    pub fn takes(&self, args: usize) -> bool {
        let least = self.arity.unsigned_abs() as usize;
        args == least || (self.arity < 0 && args > least)
    }

    /// The subcommand of this name, in any case.
    #[must_use]
    pub fn subcommand(&self, name: &[u8]) -> Option<&Self> {
        let has_name = |it: &&Self| it.last_name().as_bytes().eq_ignore_ascii_case(name);
        self.subcommands.iter().find(has_name)
    }

    /// The name without that of the parent command.
    #[must_use]
    pub fn last_name(&self) -> &'static str {
        self.name.rsplit('|').next().unwrap_or(self.name)
    }

    /// The places of the keys in a request. Places behind the end are left out, and a count that is
    /// no number counts as 0.
    #[must_use]
    pub fn keys_in(&self, args: Args<'_>) -> KeyRange {
        let (first, end, step) = match self.keys {
            KeyPlaces::None => (0, 0, 1),
            KeyPlaces::Range { first, last, step } => {
                let end = match usize::try_from(last) {
                    Ok(last) => last + 1,
                    Err(_) => (args.len() + 1).saturating_sub(last.unsigned_abs() as usize),
                };
                (first, end, step)
            }
            KeyPlaces::Counted { at, step } => {
                let count = args.get(at).and_then(|arg| std::str::from_utf8(arg).ok());
                let count = count.and_then(|arg| arg.parse().ok()).unwrap_or(0_usize);
                let end = count.saturating_mul(step).saturating_add(at + 1);
                (at + 1, end, step)
            }
        };
        let end = end.min(args.len());
        KeyRange {
            at: first,
            end,
            step,
        }
    }
}

/// The places of the keys in a request.
#[derive(Clone, Debug)]
pub struct KeyRange {
    at: usize,
    end: usize,
    step: usize,
}

impl Iterator for KeyRange {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = (self.at < self.end).then_some(self.at)?;
        self.at += self.step;
        Some(at)
    }
}

static SPECS: LazyLock<Vec<Spec>> = LazyLock::new(|| parse(include_str!("commands.txt")));

/// All commands, in the order of the documentation. Subcommands are inside of their commands.
#[must_use]
pub fn specs() -> &'static [Spec] {
    &SPECS
}

/// The command of this name, in any case.
#[must_use]
pub fn find(name: &[u8]) -> Option<&'static Spec> {
    let (name, sub) = match memchr::memchr(b'|', name) {
        Some(at) => (&name[..at], Some(&name[at + 1..])),
        None => (name, None),
    };
    let has_name = |it: &&Spec| it.name.as_bytes().eq_ignore_ascii_case(name);
    let command = specs().iter().find(has_name)?;
    sub.map_or(Some(command), |sub| command.subcommand(sub))
}

fn parse(text: &'static str) -> Vec<Spec> {
    let mut specs: Vec<Spec> = Vec::new();
    let mut group = "";
    let mut count = 0;
    let mut lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix('[') {
            group = name.trim_end_matches(']');
            continue;
        }
        let facts = lines.next().unwrap_or_default();
        let summary = lines.next().unwrap_or_default().trim();
        let mut spec = spec(group, line, facts, summary);
        spec.number = count;
        count += 1;
        match spec
            .name
            .split_once('|')
            .and_then(|(name, _)| specs.iter_mut().find(|it| it.name == name))
        {
            Some(command) => command.subcommands.push(spec),
            None => specs.push(spec),
        }
    }
    specs
}

fn spec(
    group: &'static str,
    head: &'static str,
    facts: &'static str,
    summary: &'static str,
) -> Spec {
    let (name, syntax) = head.split_once(' ').unwrap_or((head, ""));
    let mut facts = facts.split(';').map(str::trim);
    let mut fact = || facts.next().unwrap_or_default();
    let arity = fact().parse().unwrap_or_default();
    let flags: Vec<&str> = fact().split_whitespace().collect();
    let mut keys = fact().split(", ");
    let places = places(keys.next().unwrap_or_default());
    let uses = keys.collect();
    let categories = categories(&flags, fact());
    Spec {
        name,
        syntax,
        arity,
        flags,
        keys: places,
        uses,
        categories,
        since: fact(),
        complexity: fact(),
        tips: fact().split_whitespace().collect(),
        summary,
        group,
        subcommands: Vec::new(),
        number: 0,
    }
}

fn places(text: &str) -> KeyPlaces {
    let mut words = text.split(' ');
    let is_counted = text.starts_with("numkeys");
    let mut number = || words.next().and_then(|word| word.parse::<i32>().ok());
    if is_counted {
        number();
    }
    let (Some(first), Some(second)) = (number(), number()) else {
        return KeyPlaces::None;
    };
    let place = |number: i32| usize::try_from(number).unwrap_or_default();
    match number() {
        Some(step) => KeyPlaces::Range {
            first: place(first),
            last: second,
            step: place(step),
        },
        None => KeyPlaces::Counted {
            at: place(first),
            step: place(second),
        },
    }
}

/// The categories that flags imply, and these.
fn categories(flags: &[&str], more: &'static str) -> Vec<&'static str> {
    let has = |flag| flags.contains(&flag);
    let speed = if has("fast") { "fast" } else { "slow" };
    let mut categories: Vec<&'static str> = more.split_whitespace().collect();
    let implied = [
        ("write", has("write")),
        ("read", has("readonly")),
        ("admin", has("admin")),
        ("dangerous", has("admin")),
        ("pubsub", has("pubsub")),
        (speed, true),
    ];
    categories.extend(implied.iter().filter(|it| it.1).map(|it| it.0));
    categories
}
