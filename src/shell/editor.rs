//! What the line editor knows of the language: colours, hints and completion.
//!
//! It works on the text and on a few names that the prompt tells it, and never asks the session: a
//! key press must not wait for a lock.

use std::borrow::Cow;
use std::collections::VecDeque;

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use crate::checker::Promise;
use crate::eviction::Eviction;
use crate::language::catalog::{self, Group, Spec, Verb, commands};
use crate::language::word::{Scanner, show};
use crate::language::{Action, Command, Request, duration, parse};
use crate::placement::PlacementKind;
use crate::render::{Paint, Style};

/// The most keys that are remembered for completion.
const MAX_KEYS: usize = 1000;

/// The editor's helper.
pub struct Editor {
    style: Style,
    /// Keys that were typed, as they are shown, the latest first.
    keys: VecDeque<String>,
    /// The cluster's nodes.
    pub nodes: Vec<String>,
    files: FilenameCompleter,
}

impl Editor {
    pub fn new(style: Style) -> Self {
        Self {
            style,
            keys: VecDeque::new(),
            nodes: Vec::new(),
            files: FilenameCompleter::new(),
        }
    }

    /// Remembers the keys that a line names.
    pub fn remember(&mut self, line: &str) {
        let Ok(Some(input)) = parse(line.as_bytes()) else {
            return;
        };
        let command = match input.action {
            Action::Command(command) | Action::Request(Request { command, .. }) => command,
            Action::Script(_) => return,
        };
        for key in keys_of(&command).into_iter().take(MAX_KEYS) {
            let shown = shown(key);
            self.keys.retain(|known| *known != shown);
            self.keys.push_front(shown);
        }
        self.keys.truncate(MAX_KEYS);
    }

    /// What can stand at this place of a command.
    fn candidates(&self, place: &Place<'_>) -> Vec<String> {
        let Some(spec) = place.spec else {
            return commands().flat_map(Spec::names).map(Into::into).collect();
        };
        let mut candidates = Vec::new();
        for part in next_parts(spec, place.words) {
            let words = part.trim_matches(['[', ']', '.']).split([' ', '|']);
            for word in words {
                match word {
                    "key" => candidates.extend(self.keys.iter().cloned()),
                    "n" | "a" | "b" | "a,b" | "c" if has_nodes(spec.verb) => {
                        candidates.extend(self.nodes.iter().cloned());
                    }
                    "command" => candidates.extend(commands().map(|spec| spec.name.into())),
                    "@group" => candidates.extend(Group::ALL.map(|group| format!("@{group}"))),
                    "policy" => candidates.extend(Eviction::ALL.iter().map(ToString::to_string)),
                    "placement" => {
                        candidates.extend(PlacementKind::ALL.iter().map(ToString::to_string));
                    }
                    "promise" => candidates.extend(Promise::ALL.map(|it| shown(it.to_string()))),
                    "NODE" | "CLEAR" | "WEIGHT" | "real" | "virtual" | "on" | "off" | "none"
                    | "resync" | "hints" | "cold" | "stale" | "ONEWAY" | "JITTER" | "light"
                    | "heavy" | "swarm" => {
                        candidates.push(word.into());
                    }
                    _ => {}
                }
            }
        }
        candidates
    }
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

fn shown(word: impl AsRef<[u8]>) -> String {
    let mut shown = Vec::new();
    show(word.as_ref(), &mut shown);
    String::from_utf8_lossy(&shown).into_owned()
}

/// Whether an `n` in this command's syntax is a node's number, and not how often or how many.
fn has_nodes(verb: Verb) -> bool {
    !matches!(verb, Verb::Repeat | Verb::Step | Verb::Client)
}

fn keys_of<'a>(command: &'a Command<'_>) -> Vec<&'a [u8]> {
    match command {
        Command::Put { key, .. }
        | Command::Get { key }
        | Command::Add { key, .. }
        | Command::Cas { key, .. }
        | Command::Incr { key, .. }
        | Command::Ttl { key }
        | Command::Expire { key, .. }
        | Command::Persist { key }
        | Command::Where { key } => vec![key],
        Command::Del { keys } | Command::MGet { keys } | Command::Exists { keys } => {
            keys.iter().map(AsRef::as_ref).collect()
        }
        Command::MSet { pairs, .. } => pairs.iter().map(|(key, _)| key.as_ref()).collect(),
        _ => Vec::new(),
    }
}

/// Where in a command a line ends.
struct Place<'a> {
    /// The innermost command, once its name is followed by a space.
    spec: Option<&'static Spec>,
    /// The command that it is within, and how many words that one has for itself.
    outer: Option<(&'static Spec, usize)>,
    /// Words between its name and the word being typed.
    words: usize,
    /// The word before the one being typed.
    previous: String,
    /// The word being typed; empty behind a space.
    word: &'a str,
    /// Where that word starts.
    start: usize,
}

/// Finds the place where `line` ends; `None` if it does not split into words.
fn place(line: &str) -> Option<Place<'_>> {
    let typed = line.rsplit([' ', '\t']).next().unwrap_or_default();
    let start = line.len() - typed.len();
    let mut scanner = Scanner::new(line.get(..start)?.as_bytes());
    let mut words = Vec::new();
    while let Some(word) = scanner.next_word().ok()? {
        words.push(word.text()?.to_owned());
    }
    let previous = words.last().cloned().unwrap_or_default();
    let mut place = Place {
        spec: None,
        outer: None,
        words: 0,
        previous,
        word: typed,
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

fn is_time(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_digit())
}

impl Completer for Editor {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Some(place) = line.get(..pos).and_then(place) else {
            return Ok((pos, Vec::new()));
        };
        if place.spec.is_some_and(|spec| spec.verb == Verb::Source) {
            return self.files.complete(line, pos, context);
        }
        let mut candidates = self.candidates(&place);
        if place.previous.eq_ignore_ascii_case("NODE") && place.spec.is_some() {
            candidates.clone_from(&self.nodes);
        }
        let typed = place.word;
        let starts = |candidate: &String| {
            let start = candidate.get(..typed.len());
            // The letter case matters in keys only.
            let any_case = !self.keys.contains(candidate);
            start.is_some_and(|start| {
                start == typed || any_case && start.eq_ignore_ascii_case(typed)
            })
        };
        let pairs = candidates.into_iter().filter(starts).map(|candidate| Pair {
            replacement: format!("{candidate} "),
            display: candidate,
        });
        Ok((place.start, pairs.collect()))
    }
}

/// What is shown in grey behind the line.
pub struct Ghost {
    display: String,
    /// What the right arrow key adds; the names of missing words are not to be typed.
    completion: Option<String>,
}

impl Hint for Ghost {
    fn display(&self) -> &str {
        &self.display
    }

    fn completion(&self) -> Option<&str> {
        self.completion.as_deref()
    }
}

impl Hinter for Editor {
    type Hint = Ghost;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<Ghost> {
        // Without colour a hint could not be told from what was typed.
        if !self.style.color || pos < line.len() || line.trim_start().is_empty() {
            return None;
        }
        let place = place(line)?;
        let (spec, words) = match (place.spec, place.outer) {
            (Some(spec), _) => (spec, place.words),
            (None, Some(outer)) if place.word.is_empty() => outer,
            (None, _) => return hint_name(place.word),
        };
        let done = words + usize::from(!place.word.is_empty());
        let rest: Vec<&str> = spec.parts_after(done).collect();
        let space = if place.word.is_empty() { "" } else { " " };
        (!rest.is_empty()).then(|| Ghost {
            display: format!("{space}{}", rest.join(" ")),
            completion: None,
        })
    }
}

/// The rest of a command's name, once it is clear which.
fn hint_name(typed: &str) -> Option<Ghost> {
    if let Some(spec) = catalog::find(typed.as_bytes()) {
        return (!spec.syntax.is_empty()).then(|| Ghost {
            display: format!(" {}", spec.syntax),
            completion: None,
        });
    }
    let starts = |name: &&str| {
        let start = name.get(..typed.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(typed))
    };
    let mut names = commands().flat_map(Spec::names).filter(starts);
    let name = names
        .next()
        .filter(|_| !typed.is_empty() && names.next().is_none())?;
    let spec = catalog::find(name.as_bytes())?;
    let rest = name.get(typed.len()..)?;
    Some(Ghost {
        display: format!("{rest} {}", spec.syntax).trim_end().into(),
        completion: Some(rest.into()),
    })
}

impl Highlighter for Editor {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if line.contains(upsets_terminal) {
            // Typed with Ctrl-V, or pasted: for the line, but not for the terminal. The editor
            // counts such characters as having no width.
            return Cow::Owned(line.replace(upsets_terminal, ""));
        }
        if !self.style.color {
            return Cow::Borrowed(line);
        }
        let mut painted = String::new();
        let mut scanner = Scanner::new(line.as_bytes());
        let mut end = 0;
        // Up to a word that is not finished, or wrong: that one stays as it is.
        while let Ok(Some(word)) = scanner.next_word() {
            let Some(span) = word.span() else {
                break;
            };
            painted += line.get(end..span.start).unwrap_or_default();
            let text = line.get(span.clone()).unwrap_or_default();
            match paint_of(text, end == 0) {
                Some(paint) => painted += &self.style.painted(paint, text),
                None => painted += text,
            }
            end = span.end;
        }
        painted += line.get(end..).unwrap_or_default();
        Cow::Owned(painted)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(self.style.painted(Paint::Faint, hint))
    }

    fn highlight_char(&self, line: &str, _: usize, kind: CmdKind) -> bool {
        let wanted = self.style.color || line.contains(upsets_terminal);
        wanted && kind != CmdKind::MoveCursor
    }
}

/// The lines of a paste and tabs are laid out by the editor.
fn upsets_terminal(char: char) -> bool {
    char.is_control() && !matches!(char, '\n' | '\t')
}

fn paint_of(word: &str, first: bool) -> Option<Paint> {
    if first {
        let known = catalog::find(word.as_bytes()).is_some();
        return known.then_some(Paint::Command);
    }
    if word.starts_with(['"', '\'']) {
        return Some(Paint::Quoted);
    }
    let number = word.parse::<i64>().is_ok() || duration::parse(word.as_bytes()).is_ok();
    number.then_some(Paint::Number)
}

impl Validator for Editor {}
impl Helper for Editor {}

#[cfg(test)]
mod tests {
    use super::*;
    use rustyline::history::DefaultHistory;

    fn editor() -> Editor {
        let mut editor = Editor::new(Style {
            color: true,
            ..Style::default()
        });
        editor.nodes = vec!["0".into(), "1".into()];
        editor.remember("PUT apple red");
        editor.remember("MGET banana 'a b'");
        editor
    }

    fn hint(line: &str) -> String {
        let history = DefaultHistory::new();
        let hint = editor().hint(line, line.len(), &Context::new(&history));
        hint.map_or_else(String::new, |hint| hint.display)
    }

    fn complete(line: &str) -> Vec<String> {
        let history = DefaultHistory::new();
        let found = editor().complete(line, line.len(), &Context::new(&history));
        let (start, pairs) = found.expect("completion never fails");
        let kept = &line[..start];
        pairs
            .into_iter()
            .map(|pair| format!("{kept}{}", pair.replacement))
            .collect()
    }

    #[test]
    fn hints_show_the_words_still_missing() {
        for (line, expected) in [
            ("", ""),
            ("pu", "T key value [ttl]"),
            ("PUT", " key value [ttl]"),
            ("PUT ", "key value [ttl]"),
            ("PUT apple", " value [ttl]"),
            ("PUT apple ", "value [ttl]"),
            ("PUT apple red ", "[ttl]"),
            ("PUT apple red 2s", ""),
            ("PUT apple red 2s more", ""),
            ("MGET a b", " key..."),
            ("MSET a b c", " [key value]... [ttl]"),
            ("REPEAT 3 ", "command"),
            ("REPEAT 3 PUT a", " value [ttl]"),
            ("WATCH 1s GET", " key"),
            ("WATCH GET ", "key"),
            ("WATCH ", "[time] command"),
            ("WATCH 1s ", "command"),
            ("WATCH 1s g", "ET key"),
            ("SIZE", ""),
            ("CRASH ", "n"),
            ("RESTART 2 ", "[resync|hints|cold|stale]"),
            ("DELAY 0 1 ", "time [JITTER time]"),
            ("PARTITION ", "a,b | c [ONEWAY]"),
            ("TRACE PUT a", " value [ttl]"),
            ("CLIENT 1 VIA 2 PUT a", " value [ttl]"),
            ("S", ""),
            ("nonsense ", ""),
            ("PUT 'open ", ""),
        ] {
            assert_eq!(hint(line), expected, "{line:?}");
        }
    }

    #[test]
    fn completion_knows_commands_keys_nodes_and_options() {
        assert_eq!(complete("pu"), ["PUT "]);
        assert_eq!(
            complete("GET "),
            ["GET \"a b\" ", "GET banana ", "GET apple "]
        );
        assert_eq!(complete("get ap"), ["get apple "]);
        assert_eq!(complete("STATS "), ["STATS 0 ", "STATS 1 "]);
        assert_eq!(complete("KEYS * N"), ["KEYS * NODE "]);
        assert_eq!(
            complete("KEYS * NODE "),
            ["KEYS * NODE 0 ", "KEYS * NODE 1 "]
        );
        assert_eq!(complete("CLOCK v"), ["CLOCK virtual "]);
        assert_eq!(
            complete("EVICTION s"),
            [
                "EVICTION second-chance ",
                "EVICTION slru ",
                "EVICTION sieve ",
                "EVICTION s3-fifo "
            ]
        );
        assert_eq!(
            complete("PLACEMENT m"),
            [
                "PLACEMENT modulo ",
                "PLACEMENT maglev ",
                "PLACEMENT memento "
            ]
        );
        assert_eq!(complete("JOIN "), ["JOIN WEIGHT "]);
        assert_eq!(complete("JOIN w"), ["JOIN WEIGHT "]);
        assert_eq!(complete("LEAVE "), ["LEAVE 0 ", "LEAVE 1 "]);
        assert_eq!(complete("HELP plac"), ["HELP PLACEMENT "]);
        assert_eq!(complete("HELP @d"), ["HELP @data "]);
        assert_eq!(complete("REPEAT 3 ge"), ["REPEAT 3 GET "]);
        assert_eq!(complete("REPEAT 3 GET b"), ["REPEAT 3 GET banana "]);
        assert_eq!(complete("SIZE "), [""; 0]);
        assert_eq!(complete("RESTART 1"), ["RESTART 1 "]);
        assert_eq!(complete("RESTART 1 h"), ["RESTART 1 hints "]);
        assert_eq!(complete("DELAY 0 1 20ms J"), ["DELAY 0 1 20ms JITTER "]);
        assert_eq!(complete("PARTITION 0 | 1 O"), ["PARTITION 0 | 1 ONEWAY "]);
        assert_eq!(complete("DROP 0 "), ["DROP 0 0 ", "DROP 0 1 "]);
        assert_eq!(complete("TRACE GET b"), ["TRACE GET banana "]);
        assert_eq!(complete("STEP "), [""; 0]);
        assert_eq!(complete("VIA 1 GET b"), ["VIA 1 GET banana "]);
        assert_eq!(complete("VIA "), ["VIA 0 ", "VIA 1 "]);
        assert_eq!(complete("REPEAT "), [""; 0]);
        assert!(complete("WATCH ").contains(&"WATCH GET ".into()));
        assert_eq!(complete("RESTART "), ["RESTART 0 ", "RESTART 1 "]);
        assert_eq!(
            complete("EVENTS "),
            ["EVENTS NODE ", "EVENTS 0 ", "EVENTS 1 "]
        );
        assert_eq!(complete("HISTORY c"), ["HISTORY CLEAR "]);
        assert_eq!(complete("CHECK n"), ["CHECK nothing "]);
        assert_eq!(complete("CHECK l"), ["CHECK linearizable "]);
        assert_eq!(complete("CRA"), ["CRASH "]);
    }

    #[test]
    fn control_characters_stay_off_the_terminal() {
        for color in [true, false] {
            let mut editor = editor();
            editor.style.color = color;
            let line = "PUT a \u{1b}[2J\u{9b}31m\u{7}";
            assert_eq!(editor.highlight(line, 0), "PUT a [2J31m");
            assert!(editor.highlight_char(line, 0, CmdKind::Other));
        }
    }

    #[test]
    fn highlighting_changes_nothing_but_the_colour() {
        for line in [
            "PUT apple 'red  x' 2s",
            "  get \"a\tb\"",
            "nonsense",
            "é 日本",
        ] {
            let painted = editor().highlight(line, 0).into_owned();
            let mut plain = String::new();
            let mut escape = false;
            for char in painted.chars() {
                escape |= char == '\x1b';
                if !escape {
                    plain.push(char);
                }
                escape &= char != 'm';
            }
            assert_eq!(plain, line);
        }
    }
}
