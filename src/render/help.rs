//! HELP, out of the catalog.

use serde_json::{Value, json};

use super::style::{Paint, Style};
use crate::eviction::Eviction;
use crate::language::Topic;
use crate::language::catalog::{COMMANDS, Group, Spec, Verb};
use crate::placement::PlacementKind;
use crate::replica::Restart;

pub fn topic(style: Style, topic: Topic, out: &mut Vec<u8>) {
    let mut text = String::new();
    match topic {
        Topic::All => {
            for group in Group::ALL {
                text += &group_text(style, group);
                text.push('\n');
            }
            text += "HELP PUT shows one command with an example, HELP @data one group.\n";
            text += "A time is a whole number of seconds (3), or 3s, 1500ms, \"1h 30m\".\n";
        }
        Topic::Group(group) => text = group_text(style, group),
        Topic::Command(spec) => text = command_text(style, spec),
    }
    out.extend_from_slice(text.as_bytes());
}

fn group_text(style: Style, group: Group) -> String {
    let width = COMMANDS.iter().map(|spec| spec.usage().len()).max();
    let width = width.unwrap_or(0) + 2;
    let mut text = style.painted(Paint::Heading, &format!("@{group}"));
    text.push('\n');
    for spec in group.commands() {
        let space = " ".repeat(width - spec.usage().len());
        text += &format!("  {}{space}{}\n", usage(style, spec), spec.summary);
    }
    text
}

fn command_text(style: Style, spec: &Spec) -> String {
    let mut text = format!("{}\n  {}\n", usage(style, spec), spec.summary);
    if !spec.aliases.is_empty() {
        text += &format!("  Also: {}\n", spec.aliases.join(", "));
    }
    if spec.verb == Verb::Eviction {
        text += &choices(
            Eviction::ALL
                .iter()
                .map(|it| (it.to_string(), it.summary())),
        );
    }
    if spec.verb == Verb::Placement {
        text += &choices(
            PlacementKind::ALL
                .iter()
                .map(|it| (it.to_string(), it.summary())),
        );
    }
    if spec.verb == Verb::Restart {
        text += &choices(Restart::ALL.iter().map(|it| (it.to_string(), it.summary())));
    }
    for line in notes(spec.verb) {
        text += &format!("  {line}\n");
    }
    if !spec.example.is_empty() {
        text += "  Example:\n";
    }
    for (line, output) in spec.example {
        text += &format!("    {}\n", style.painted(Paint::Command, line));
        for line in output.lines() {
            text += &format!("      {line}\n");
        }
    }
    text
}

/// What one line cannot say.
fn notes(verb: Verb) -> &'static [&'static str] {
    match verb {
        Verb::Quorum => &[
            "With w + r > replicas, w > replicas / 2 and r > 1 every key is a linearizable register",
            "with expiry, as long as fewer than w of its owners lose their memory between two heals",
            "and none of them restarts cold or with hints only.",
            "With w = replicas and r = 1 there is no stale read, but what is unknown may come and go.",
            "With less, answers come faster and may be stale while something is broken.",
        ],
        Verb::Heal => &[
            "Nodes that have crashed or are paused, and clocks that are wrong, stay so: RESTART,",
            "RESUME and SKEW mend those.",
        ],
        Verb::Step => &[
            "Messages of one instant are delivered one by one; what is then still due is done",
            "before the next command that is not LINKS or STEP. On the real clock it waits.",
        ],
        Verb::Trace => &[
            "From then on requests go as messages, as they do where keys have replicas or something",
            "is broken.",
        ],
        Verb::History => &[
            "It is kept from the start where keys have replicas, and otherwise from the first fault",
            "or the first HISTORY or CHECK on; keys that are there by then count as put at that time.",
            "It holds the first 10,000 operations: what comes after them is counted only.",
        ],
        Verb::Check => &[
            "From the strongest: linearizable; linearizable but for losses; no stale read; no expired",
            "read; no invented value. A key that falls short is shown with the fewest operations that",
            "show it. It fails (exit status 1) if that is less than the settings promise now (QUORUM);",
            "where they promise nothing it only reports. It may answer unknown.",
        ],
        _ => &[],
    }
}

fn choices(choices: impl Iterator<Item = (String, &'static str)>) -> String {
    let line = |(name, summary): (String, &str)| format!("    {name:14}{summary}\n");
    choices.map(line).collect()
}

fn usage(style: Style, spec: &Spec) -> String {
    let name = style.painted(Paint::Command, spec.name);
    format!("{name} {}", spec.syntax).trim_end().into()
}

pub fn json(topic: Topic) -> Value {
    let wanted = |spec: &&Spec| match topic {
        Topic::All => true,
        Topic::Group(group) => spec.group == group,
        Topic::Command(one) => *spec == one,
    };
    let object = |spec: &Spec| {
        let example = spec
            .example
            .iter()
            .map(|(line, output)| json!({ "line": line, "output": output }));
        json!({
            "name": spec.name,
            "aliases": spec.aliases,
            "group": spec.group.to_string(),
            "syntax": spec.syntax,
            "summary": spec.summary,
            "example": example.collect::<Vec<_>>(),
        })
    };
    COMMANDS.iter().filter(wanted).map(object).collect()
}

/// The table of all commands as Markdown, for the README.
#[must_use]
pub fn command_table() -> String {
    let mut text = String::from("| group | command | what it does |\n| --- | --- | --- |\n");
    for spec in COMMANDS {
        let also = if spec.aliases.is_empty() {
            String::new()
        } else {
            format!(" (also {})", spec.aliases.join(", "))
        };
        let cells = [
            spec.group.to_string(),
            format!("`{}`{also}", spec.usage()),
            spec.summary.into(),
        ];
        text += &format!(
            "| {} |\n",
            cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
        );
    }
    text
}
