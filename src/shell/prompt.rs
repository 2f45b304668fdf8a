//! What a prompt shows: the state of the cluster, and the question before many keys are removed.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

use super::runner::Runner;
use crate::cluster::Status;
use crate::language::{Action, Behind, Command, Script, parse};
use crate::render::{Paint, Style, grouped, paragraph};
use crate::session::{LocalSession, Overview};

/// The most nodes in one state that are named by their numbers; more are counted.
const MAX_NAMED: usize = 3;
/// The prompt where a longer one leaves too little room.
const SHORT: &str = "> ";
/// The columns that a prompt leaves for a line, if it is longer than half of the terminal.
const ROOM: usize = 30;
/// The most keys that CLEAR removes without a question.
const MAX_CLEARED: u64 = 100;

/// A line in two forms.
pub struct Prompt {
    /// Without colour.
    pub plain: String,
    /// With it.
    pub painted: String,
}

impl Prompt {
    /// The prompt for the present state.
    pub fn new(runner: &Runner, session: &LocalSession) -> Self {
        let overview = session.world.backend.overview();
        let is_monitoring = runner.monitoring();
        let form = |style| text(style, &overview, is_monitoring);
        let style = runner.manners.out;
        let plain = form(Style {
            color: false,
            ..style
        });
        if style.width.is_some_and(|width| is_too_wide(&plain, width)) {
            return Self {
                plain: SHORT.into(),
                painted: SHORT.into(),
            };
        }
        Self {
            plain,
            painted: form(style),
        }
    }
}

/// Whether a prompt takes more than half of the terminal, and leaves little room for a line.
fn is_too_wide(prompt: &str, columns: usize) -> bool {
    let width = prompt.width();
    width > columns / 2 && columns.saturating_sub(width) < ROOM
}

fn text(style: Style, overview: &Overview, is_monitoring: bool) -> String {
    let nodes = style.painted(
        Paint::Heading,
        &counted(overview.nodes.len() as u64, "node"),
    );
    let about = if overview.is_moving { "~" } else { "" };
    let keys = overview.keys.map(|keys| {
        let keys = format!("{about}{}", counted(keys, "key"));
        format!(", {}", style.painted(Paint::Heading, &keys))
    });
    let keys = keys.unwrap_or_default();
    // No command runs while a prompt waits: the move has stopped.
    let moving = if overview.is_moving {
        ", move unfinished"
    } else {
        ""
    };
    let monitoring = if is_monitoring { " (monitor)" } else { "" };
    let troubles = troubles(overview).into_iter();
    let troubles = troubles.map(|(paint, text)| style.painted(paint, &text));
    let troubles = match troubles.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        some => format!(" ({some})"),
    };
    format!("{nodes}{troubles}{keys}{moving}{monitoring}> ")
}

/// What is wrong with the cluster: nodes that are not up, and how many faults the network has.
fn troubles(overview: &Overview) -> Vec<(Paint, String)> {
    let states = [
        (Status::Crashed, Paint::Error),
        (Status::Paused, Paint::Notice),
        (Status::Syncing, Paint::Notice),
    ];
    let troubles = states.into_iter().filter_map(|(state, paint)| {
        let nodes = overview.nodes.iter().filter(|(_, it)| *it == state);
        let nodes: Vec<String> = nodes.map(|(node, _)| node.to_string()).collect();
        let text = match nodes.as_slice() {
            [] => return None,
            [one] => format!("node {one} {state}"),
            some if some.len() <= MAX_NAMED => format!("nodes {} {state}", some.join(", ")),
            many => format!("{} {state}", many.len()),
        };
        Some((paint, text))
    });
    let mut troubles: Vec<_> = troubles.collect();
    if overview.faults > 0 {
        troubles.push((Paint::Notice, counted(overview.faults, "fault")));
    }
    troubles
}

/// A count and its noun.
pub fn counted(count: u64, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}

/// The lines that a shell starts with.
pub fn banner(style: Style, session: &LocalSession) -> Vec<u8> {
    let clock = session.world.clock.kind();
    let overview = session.world.backend.overview();
    let nodes = counted(overview.nodes.len() as u64, "node");
    let (placement, version) = (overview.placement, env!("CARGO_PKG_VERSION"));
    let on = overview
        .source
        .map_or_else(String::new, |source| format!(" on {source}"));
    let first = format!("shardlab {version}{on}: {nodes}, {placement} placement, {clock} clock");
    let mut text = Vec::new();
    paragraph(style, &first, &mut text);
    paragraph(style, "HELP lists the commands, Ctrl-D leaves.", &mut text);
    text
}

/// The question before a line that removes more keys than a slip of the hand should.
pub fn question(line: &[u8], session: &LocalSession) -> Option<String> {
    let backend = &session.world.backend;
    let keys = match removal(line)? {
        Removal::All => backend.overview().keys,
        Removal::Some(keys) if keys > MAX_CLEARED && backend.behind() == Behind::Connected => {
            let keys = grouped(keys);
            return Some(format!("Remove these {keys} keys of the servers? [y/N] "));
        }
        Removal::Some(_) => return None,
    };
    let about = if backend.overview().is_moving {
        "about "
    } else {
        ""
    };
    let Some(keys) = keys else {
        let servers = backend.overview().source.unwrap_or_default();
        return Some(format!("Remove every key of {servers}? [y/N] "));
    };
    (keys > MAX_CLEARED).then(|| {
        let keys = grouped(keys);
        format!("Remove all {about}{keys} keys? [y/N] ")
    })
}

/// Whether an answer is a yes.
pub fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// The keys that a line removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removal {
    All,
    /// So many.
    Some(u64),
}

/// Which keys a line removes, if it is CLEAR or DEL, or runs one.
fn removal(mut line: &[u8]) -> Option<Removal> {
    loop {
        line = match parse(line).ok()??.action {
            Action::Command(Command::Clear) => return Some(Removal::All),
            Action::Command(Command::Del { keys }) => {
                return Some(Removal::Some(keys.len() as u64));
            }
            Action::Script(
                Script::Repeat { command, .. }
                | Script::Watch { command, .. }
                | Script::Trace { command },
            ) => match command {
                Cow::Borrowed(inner) => inner,
                Cow::Owned(_) => return None,
            },
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removals_are_seen_inside_other_commands() {
        let del = removal(b"TRACE DEL a b");
        assert_eq!(del, Some(Removal::Some(2)));
        for line in ["CLEAR", " clear ", "TRACE CLEAR", "REPEAT 2 WATCH 1s clear"] {
            assert_eq!(removal(line.as_bytes()), Some(Removal::All), "{line}");
        }
        for line in [
            "",
            "ECHO CLEAR",
            "CLEAR all",
            "HELP CLEAR",
            "GET CLEAR",
            "TRACE",
        ] {
            assert_eq!(removal(line.as_bytes()), None, "{line}");
        }
    }
}
