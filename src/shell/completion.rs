//! What can stand where a line ends: commands, keys, nodes, option words and files.

use std::env;
use std::fs;
use std::path::Path;

use super::keys::Keys;
use super::lab::words;
use crate::checker::Promise;
use crate::eviction::Eviction;
use crate::language::Behind;
use crate::language::catalog::{self, Group, Spec, Verb, commands};
use crate::language::word::{Scanner, quote, show};
use crate::placement::PlacementKind;
use crate::replay::Policy;
use crate::trace::Kind;

/// The most keys or files that are offered: the first ones and the last one, so that what they have in
/// common is what all have in common.
const MAX_OFFERED: usize = 100;
/// The most entries of a folder that are read.
const MAX_READ: usize = 10_000;

/// Where in a command a line ends.
pub struct Place<'a> {
    /// The innermost command, once its name is followed by a space.
    pub spec: Option<&'static Spec>,
    /// The command that it is within, and how many words that one has for itself.
    pub outer: Option<(&'static Spec, usize)>,
    /// Words between its name and the word being typed.
    pub words: usize,
    /// The word before the one being typed.
    previous: String,
    /// The word being typed, as it stands in the line; empty behind a space.
    pub typed: &'a str,
    /// The content of that word.
    start_of_word: Vec<u8>,
    /// Whether that word lacks its closing quote.
    pub is_open: bool,
    /// Where that word starts.
    pub start: usize,
}

/// Finds the place where `line` ends; `None` if it does not split into words. The last word may lack
/// its closing quote. Cost: linear in the line.
pub fn place(line: &str) -> Option<Place<'_>> {
    let (words, start) = words_before_last(line)?;
    let typed = line.get(start..)?;
    let (start_of_word, is_open) = content(typed)?;
    let mut place = Place {
        spec: None,
        outer: None,
        words: 0,
        previous: words.last().cloned().unwrap_or_default(),
        typed,
        start_of_word,
        is_open,
        start,
    };
    let mut words = words.as_slice();
    while let Some((name, rest)) = words.split_first() {
        let spec = catalog::find(name.as_bytes())?;
        let own = match spec.verb {
            Verb::Repeat | Verb::Via | Verb::Client => 1,
            Verb::Trace => 0,
            Verb::Watch => usize::from(rest.first().is_some_and(|word| is_time(word))),
            _ => usize::MAX,
        };
        if rest.len() < own {
            place.spec = Some(spec);
            place.words = rest.len();
            break;
        }
        place.outer = Some((spec, own));
        words = rest.get(own..).unwrap_or_default();
    }
    Some(place)
}

/// The words before the one that is being typed, and where that one starts.
fn words_before_last(line: &str) -> Option<(Vec<String>, usize)> {
    let mut scanner = Scanner::new(line.as_bytes());
    let mut words = Vec::new();
    loop {
        scanner.skip_space();
        let start = line.len() - scanner.rest().len();
        match scanner.next_word() {
            Ok(Some(word)) if !scanner.rest().is_empty() => words.push(word.text()?.to_owned()),
            Ok(_) | Err(_) => return Some((words, start)),
        }
    }
}

/// The content of a word, and whether it lacks its closing quote. Then the end of its last escape may be
/// missing, too. `None`: it is no start of a word.
fn content(typed: &str) -> Option<(Vec<u8>, bool)> {
    if typed.is_empty() {
        return Some((Vec::new(), false));
    }
    if let Some(content) = word(typed) {
        return Some((content, false));
    }
    let quote = typed
        .chars()
        .next()
        .filter(|char| matches!(char, '"' | '\''))?;
    let closed = |text: &str| word(&format!("{text}{quote}"));
    let whole = closed(typed).or_else(|| closed(typed.get(..typed.rfind('\\')?)?));
    whole.map(|content| (content, true))
}

/// The content of a text that is one word.
fn word(text: &str) -> Option<Vec<u8>> {
    let mut scanner = Scanner::new(text.as_bytes());
    let word = scanner.next_word().ok()??;
    scanner.rest().is_empty().then(|| word.bytes.into_owned())
}

fn is_time(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_digit())
}

/// A word that can stand at a place.
#[derive(Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The word as it is to be typed.
    pub word: String,
    /// Whether others before it are left out.
    pub follows_gap: bool,
}

impl From<String> for Candidate {
    fn from(word: String) -> Self {
        let follows_gap = false;
        Self { word, follows_gap }
    }
}

/// The commands that what stands behind the prompt can do.
pub fn available(behind: Behind) -> impl Iterator<Item = &'static Spec> {
    commands().filter(move |spec| behind.refusal(spec).is_none())
}

/// The words that can stand at a place and start as the word there, each as it is to be typed: keys,
/// then nodes, then other words, each in order. Cost: O(log n) for n keys, and O(1) for each word that
/// is offered.
pub fn candidates(
    place: &Place<'_>,
    keys: &Keys,
    nodes: &[String],
    behind: Behind,
) -> Vec<Candidate> {
    let mut found = Vec::new();
    let Some(spec) = place.spec else {
        let names = available(behind).flat_map(Spec::names).map(Into::into);
        found.extend(matching(place, names));
        return found;
    };
    if spec.verb == Verb::Source || is_file_of_work(spec, place) {
        let files = files(place);
        return offered(files.iter().map(|file| as_typed(place, file.as_bytes())));
    }
    let is_node = |node: &&String| node.starts_with(place.typed);
    let nodes = nodes.iter().filter(is_node).cloned().map(Into::into);
    if place.previous.eq_ignore_ascii_case("NODE") {
        found.extend(nodes);
        return found;
    }
    if spec.group == Group::Work && place.words > 0 {
        found.extend(matching(place, behind_first(spec.verb, &place.previous)));
        return found;
    }
    let parts = next_parts(spec, place.words);
    let parts = parts.map(|part| part.trim_matches(['[', ']', '.']));
    let parts: Vec<&str> = parts.flat_map(|part| part.split([' ', '|'])).collect();
    // The last escape may lack its end, and then it is not in the content.
    let has_escape = place.typed.starts_with('"') && place.typed.contains('\\');
    if parts.contains(&"key") {
        let keys = keys.starting_with(&place.start_of_word);
        found.extend(offered(keys.map(|key| as_typed(place, key))));
        found.retain(|key| !has_escape || key.word.starts_with(place.typed));
    }
    let is_node = |part: &&str| matches!(*part, "n" | "a" | "b" | "a,b" | "c");
    if has_nodes(spec.verb) && parts.iter().any(is_node) {
        found.extend(nodes);
    }
    found.extend(matching(place, parts.into_iter().flat_map(names)));
    found
}

/// Whether a file with a trace can stand here. COMPARE takes several, so options are offered with them
/// only once the start of one is typed.
fn is_file_of_work(spec: &Spec, place: &Place<'_>) -> bool {
    let is_option = |option: &String| !place.typed.is_empty() && starts(place, option);
    match spec.verb {
        Verb::Replay => place.words == 0,
        Verb::Compare => {
            let options = work_options(spec.verb);
            let follows_option = options
                .iter()
                .any(|it| it.eq_ignore_ascii_case(&place.previous));
            !follows_option && !options.iter().any(is_option)
        }
        _ => false,
    }
}

/// The words behind the first one of a workload or a comparison: options, and the values of some.
fn behind_first(verb: Verb, previous: &str) -> impl Iterator<Item = String> {
    let words = match previous.to_ascii_lowercase().as_str() {
        "policies" => Policy::all().map(|policy| policy.to_string()).collect(),
        "placements" => names("placement"),
        option
            if work_options(verb)
                .iter()
                .any(|it| it.eq_ignore_ascii_case(option)) =>
        {
            Vec::new()
        }
        _ => work_options(verb),
    };
    words.into_iter()
}

/// The options of a workload or a comparison.
fn work_options(verb: Verb) -> Vec<String> {
    let of = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
    match verb {
        Verb::Replay => of(&["SKIP", "COUNT", "TTL", "RATE", "SIZE", "FORMAT"]),
        Verb::Load => of(&[
            "KEYS", "REQUESTS", "FOR", "SKEW", "SIZE", "TTL", "WRITES", "CLIENTS", "RATE", "AT",
        ]),
        _ => words::options(),
    }
}

/// The first of many words, and the last.
fn offered(mut words: impl DoubleEndedIterator<Item = String>) -> Vec<Candidate> {
    let first = words.by_ref().take(MAX_OFFERED - 1).map(Candidate::from);
    let mut offered: Vec<Candidate> = first.collect();
    if let Some(word) = words.next_back() {
        let follows_gap = words.next_back().is_some();
        offered.push(Candidate { word, follows_gap });
    }
    offered
}

/// The names that a part of a syntax stands for.
fn names(part: &'static str) -> Vec<String> {
    match part {
        "command" => commands().map(|spec| spec.name.into()).collect(),
        "@group" => Group::ALL.map(|group| format!("@{group}")).into(),
        "policy" => Eviction::ALL.iter().map(ToString::to_string).collect(),
        "placement" => PlacementKind::ALL.iter().map(ToString::to_string).collect(),
        "workload" => Kind::ALL.iter().map(ToString::to_string).collect(),
        "promise" => Promise::ALL.iter().map(ToString::to_string).collect(),
        "NODE" | "CLEAR" | "WEIGHT" | "real" | "virtual" | "on" | "off" | "none" | "resync"
        | "hints" | "cold" | "stale" | "ONEWAY" | "JITTER" | "light" | "heavy" | "swarm" => {
            vec![part.into()]
        }
        _ => Vec::new(),
    }
}

/// Whether a name starts as the word at a place, in any letter case.
fn starts(place: &Place<'_>, name: &str) -> bool {
    let same = name.as_bytes().get(..place.start_of_word.len());
    same.is_some_and(|same| same.eq_ignore_ascii_case(&place.start_of_word))
}

/// Those of these names that start as the word at a place, in any letter case, in order.
fn matching(place: &Place<'_>, names: impl Iterator<Item = String>) -> Vec<Candidate> {
    let mut names: Vec<String> = names.filter(|name| starts(place, name)).collect();
    names.sort();
    names.dedup();
    names
        .iter()
        .map(|name| as_typed(place, name.as_bytes()).into())
        .collect()
}

/// A word as it is to be typed: in quotes if it needs them, or has them already.
fn as_typed(place: &Place<'_>, word: &[u8]) -> String {
    let mut out = Vec::new();
    if place.typed.starts_with(['"', '\'']) {
        quote(word, &mut out);
    } else {
        show(word, &mut out);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The parts of the syntax that the next word can belong to: up to the first that must be there.
fn next_parts(spec: &'static Spec, words: usize) -> impl Iterator<Item = &'static str> {
    let mut ended = false;
    spec.parts_after(words).take_while(move |part| {
        let is_next = !ended;
        ended |= !part.starts_with('[') && !part.ends_with("...");
        is_next
    })
}

/// Whether an `n` in this command's syntax is a node's number, and not how often or how many.
fn has_nodes(verb: Verb) -> bool {
    !matches!(verb, Verb::Repeat | Verb::Step | Verb::Client)
}

/// The files and folders that start as the word at a place, in order.
fn files(place: &Place<'_>) -> Vec<String> {
    let typed = String::from_utf8_lossy(&place.start_of_word).into_owned();
    let (folder, name) = typed
        .rfind('/')
        .map_or(("", typed.as_str()), |end| typed.split_at(end + 1));
    let home = env::var("HOME").unwrap_or_default();
    let path = match folder.strip_prefix("~/") {
        Some(rest) => Path::new(&home).join(rest),
        None if folder.is_empty() => ".".into(),
        None => folder.into(),
    };
    let Ok(entries) = fs::read_dir(path) else {
        return Vec::new();
    };
    let found = entries.take(MAX_READ).flatten().filter_map(|entry| {
        let file = entry.file_name().into_string().ok()?;
        let is_wanted = file.starts_with(name) && (!file.starts_with('.') || name.starts_with('.'));
        let slash = if entry.path().is_dir() { "/" } else { "" };
        is_wanted.then(|| format!("{folder}{file}{slash}"))
    });
    let mut found: Vec<String> = found.collect();
    found.sort();
    found
}
