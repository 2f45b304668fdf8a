//! What the line editor knows of the language: colours, hints and completion.
//!
//! It works on the text and on a few names that the prompt gives it, and never asks the session: a
//! key press must not wait for a lock that is held for long. A long line has no colours and no hints:
//! each key would cost its whole length.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::completion::{Candidate, available, candidates, place};
use super::keys::{self, Keys};
use crate::language::Behind;
use crate::language::catalog::{self, Spec, Verb};
use crate::language::duration;
use crate::language::word::Scanner;
use crate::render::{Paint, Style};

/// The longest line, in bytes, that has colours and hints.
const MAX_PAINTED: usize = 1000;

/// The editor's helper.
pub struct Editor {
    style: Style,
    /// Whether the line is an answer to a question, and no command.
    pub is_asking: bool,
    /// The keys of this session.
    keys: Arc<Mutex<Keys>>,
    /// The cluster's nodes.
    pub nodes: Vec<String>,
    /// What stands behind the prompt.
    behind: Behind,
}

impl Editor {
    pub fn new(style: Style, keys: Arc<Mutex<Keys>>, behind: Behind) -> Self {
        Self {
            style,
            is_asking: false,
            keys,
            nodes: Vec::new(),
            behind,
        }
    }

    /// Whether a line is coloured and has hints.
    fn paints(&self, line: &str) -> bool {
        self.style.color && !self.is_asking && line.len() <= MAX_PAINTED
    }
}

impl Completer for Editor {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let place = line.get(..pos).filter(|_| !self.is_asking).and_then(place);
        let Some(place) = place else {
            return Ok((pos, Vec::new()));
        };
        let found = candidates(&place, &keys::lock(&self.keys), &self.nodes, self.behind);
        let is_file = place
            .spec
            .is_some_and(|spec| matches!(spec.verb, Verb::Source | Verb::Replay | Verb::Compare));
        let pairs = found.into_iter().map(|Candidate { word, follows_gap }| {
            // A folder is not yet a file.
            let ends = !is_file || !word.trim_end_matches('"').ends_with('/');
            Pair {
                display: format!("{}{word}", if follows_gap { "... " } else { "" }),
                replacement: format!("{word}{}", if ends { " " } else { "" }),
            }
        });
        Ok((place.start, pairs.collect()))
    }
}

/// What is shown in grey behind the line.
pub struct Ghost {
    display: String,
    /// The rest of a name, which the right arrow key completes; the names of missing words are not to be
    /// typed.
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
        if !self.paints(line) || pos < line.len() || line.trim_start().is_empty() {
            return None;
        }
        let place = place(line).filter(|place| !place.is_open)?;
        let (spec, words) = match (place.spec, place.outer) {
            (Some(spec), _) => (spec, place.words),
            (None, Some(outer)) if place.typed.is_empty() => outer,
            (None, _) => return hint_name(place.typed, self.behind),
        };
        let done = words + usize::from(!place.typed.is_empty());
        let rest: Vec<&str> = spec.parts_after(done).collect();
        let space = if place.typed.is_empty() { "" } else { " " };
        (!rest.is_empty()).then(|| Ghost {
            display: format!("{space}{}", rest.join(" ")),
            completion: None,
        })
    }
}

/// The rest of a command's name, once it is clear which.
fn hint_name(typed: &str, behind: Behind) -> Option<Ghost> {
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
    let mut names = available(behind).flat_map(Spec::names).filter(starts);
    let name = names
        .next()
        .filter(|_| !typed.is_empty() && names.next().is_none())?;
    let spec = catalog::find(name.as_bytes())?;
    let mut rest = name.get(typed.len()..)?.to_owned();
    if !typed.contains(|char: char| char.is_ascii_uppercase()) {
        rest.make_ascii_lowercase();
    }
    Some(Ghost {
        display: format!("{rest} {}", spec.syntax).trim_end().into(),
        completion: Some(rest),
    })
}

impl Highlighter for Editor {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if line.contains(upsets_terminal) {
            // Typed with Ctrl-V, or pasted: for the line, but not for the terminal. The editor
            // counts such characters as having no width.
            return Cow::Owned(line.replace(upsets_terminal, ""));
        }
        if !self.paints(line) {
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
        self.paints(line) && kind != CmdKind::MoveCursor
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
    use crate::language::parse;
    use rustyline::history::DefaultHistory;

    fn editor() -> Editor {
        let style = Style {
            color: true,
            ..Style::default()
        };
        let mut editor = Editor::new(style, Arc::default(), Behind::Simulated);
        editor.nodes = vec!["0".into(), "1".into(), "10".into()];
        for line in ["PUT apple red", "MGET banana 'a b' 'it\\'s' \"\\x1b\""] {
            let input = parse(line.as_bytes()).expect("no error");
            let action = input.expect("a command").action;
            keys::lock(&editor.keys).note(&action, true);
        }
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
            ("pu", "t key value [ttl]"),
            ("Pu", "T key value [ttl]"),
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
            ("WATCH 1s g", "et key"),
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
        for (line, expected) in [
            ("pu", &["PUT "][..]),
            ("rest", &["RESTART "]),
            (
                "GET ",
                &[
                    "GET \"\\x1b\" ",
                    "GET \"a b\" ",
                    "GET apple ",
                    "GET banana ",
                    "GET \"it's\" ",
                ],
            ),
            ("get ap", &["get apple "]),
            ("get AP", &[]),
            ("STATS ", &["STATS 0 ", "STATS 1 ", "STATS 10 "]),
            ("STATS 1", &["STATS 1 ", "STATS 10 "]),
            ("KEYS * N", &["KEYS * NODE "]),
            ("KEYS * NODE 0", &["KEYS * NODE 0 "]),
            ("CLOCK V", &["CLOCK virtual "]),
            (
                "PLACEMENT m",
                &[
                    "PLACEMENT maglev ",
                    "PLACEMENT memento ",
                    "PLACEMENT modulo ",
                ],
            ),
            ("JOIN ", &["JOIN WEIGHT "]),
            ("JOIN w", &["JOIN WEIGHT "]),
            ("HELP plac", &["HELP PLACEMENT "]),
            ("HELP @d", &["HELP @data "]),
            ("REPEAT 3 ge", &["REPEAT 3 GET "]),
            ("REPEAT 3 GET b", &["REPEAT 3 GET banana "]),
            ("SIZE ", &[]),
            ("RESTART 1 h", &["RESTART 1 hints "]),
            ("DELAY 0 1 20ms J", &["DELAY 0 1 20ms JITTER "]),
            ("PARTITION 0 | 1 O", &["PARTITION 0 | 1 ONEWAY "]),
            ("TRACE GET b", &["TRACE GET banana "]),
            ("STEP ", &[]),
            ("VIA 1 GET b", &["VIA 1 GET banana "]),
            ("VIA ", &["VIA 0 ", "VIA 1 ", "VIA 10 "]),
            ("REPEAT ", &[]),
            (
                "EVENTS ",
                &["EVENTS 0 ", "EVENTS 1 ", "EVENTS 10 ", "EVENTS NODE "],
            ),
            ("HISTORY c", &["HISTORY CLEAR "]),
            ("REPLAY Cargo.t", &["REPLAY Cargo.toml "]),
            ("REPLAY Cargo.toml sk", &["REPLAY Cargo.toml SKIP "]),
            ("LOAD z", &["LOAD zipf "]),
            (
                "LOAD zipf keys 5 s",
                &["LOAD zipf keys 5 SIZE ", "LOAD zipf keys 5 SKEW "],
            ),
            ("LOAD zipf keys ", &[]),
            ("COMPARE Cargo.t", &["COMPARE Cargo.toml "]),
            ("COMPARE Cargo.toml po", &["COMPARE Cargo.toml policies "]),
            (
                "COMPARE Cargo.toml policies fi",
                &["COMPARE Cargo.toml policies fifo "],
            ),
            (
                "CHECK l",
                &[
                    "CHECK linearizable ",
                    "CHECK \"linearizable but for losses\" ",
                ],
            ),
        ] {
            assert_eq!(complete(line), expected, "{line:?}");
        }
        assert!(complete("WATCH ").contains(&"WATCH GET ".into()));
        assert!(complete("").is_sorted());
    }

    #[test]
    fn keys_that_need_quotes_are_completed_in_quotes() {
        for (line, expected) in [
            ("GET a", &["GET \"a b\" ", "GET apple "][..]),
            ("GET \"a", &["GET \"a b\" ", "GET \"apple\" "]),
            ("GET \"a ", &["GET \"a b\" "]),
            ("GET 'a ", &["GET \"a b\" "]),
            ("GET \"a b\"", &["GET \"a b\" "]),
            ("MGET 'a b' ba", &["MGET 'a b' banana "]),
            ("GET 'it\\'", &["GET \"it's\" "]),
            ("GET it", &["GET \"it's\" "]),
            ("GET \"\\x6", &[]),
            ("GET \"\\", &["GET \"\\x1b\" "]),
            ("GET \"\\x1", &["GET \"\\x1b\" "]),
            ("GET a\"", &[]),
        ] {
            assert_eq!(complete(line), expected, "{line:?}");
        }
    }

    #[test]
    fn of_many_keys_the_first_and_the_last_are_offered() {
        let editor = editor();
        for number in 0..500 {
            let line = format!("GET many:{number}");
            let input = parse(line.as_bytes()).expect("no error");
            let action = input.expect("a command").action;
            keys::lock(&editor.keys).note(&action, true);
        }
        let history = DefaultHistory::new();
        let found = editor.complete("GET ma", 6, &Context::new(&history));
        let (_, pairs) = found.expect("completion never fails");
        let shown: Vec<&str> = pairs.iter().map(|pair| &*pair.display).collect();
        assert_eq!((shown.len(), shown[0]), (100, "many:0"));
        assert_eq!(shown[99], "... many:99");
        assert_eq!(pairs[99].replacement, "many:99 ");
    }

    #[test]
    fn a_long_line_is_neither_coloured_nor_hinted() {
        let line = format!("PUT {}", "x".repeat(MAX_PAINTED));
        assert_eq!(hint(&line), "");
        assert_eq!(editor().highlight(&line, 0), line);
        assert!(!editor().highlight_char(&line, 0, CmdKind::Other));
    }

    #[test]
    fn an_answer_to_a_question_is_no_command() {
        let mut editor = editor();
        editor.is_asking = true;
        assert_eq!(editor.highlight("quit", 0), "quit");
        let history = DefaultHistory::new();
        let context = Context::new(&history);
        assert!(editor.hint("qui", 3, &context).is_none());
        let found = editor.complete("qui", 3, &context).expect("no error");
        assert!(found.1.is_empty());
    }

    #[test]
    fn control_characters_stay_off_the_terminal() {
        for color in [true, false] {
            let mut editor = editor();
            editor.style.color = color;
            let line = "PUT a \u{1b}[2J\u{9b}31m\u{7}";
            assert_eq!(editor.highlight(line, 0), "PUT a [2J31m");
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
