//! The events of `compare`, as `--at` takes them: a position and a command of the prompt.

use crate::language::{self, Action as Input, Change, Command, Script};
use crate::replay::{Action, Event, Position};

/// What can happen in a replay.
const COMMANDS: &str = "CRASH, RESTART, PAUSE, RESUME, SKEW, PARTITION, ISOLATE, DELAY, DROP, DUP, \
                        REORDER, HOLD, RELEASE, SLOW, HEAL, JOIN, LEAVE, PLACEMENT, REPLICAS or REBALANCE";

/// Reads `POSITION=COMMAND`, such as `50%=CRASH 1` or `1000=JOIN`.
///
/// # Errors
/// What is wrong with it.
pub fn event(text: &str) -> Result<Event, String> {
    let (position, command) = text
        .split_once('=')
        .ok_or("use POSITION=COMMAND, such as '50%=CRASH 1' or '1000=JOIN'")?;
    let command = command.trim();
    Ok(Event {
        at: at(position.trim())?,
        text: command.to_owned(),
        action: action(command)?,
    })
}

fn at(text: &str) -> Result<Position, String> {
    let wrong =
        || format!("{text:?} is no position: use a percentage (50%) or a number of requests");
    if let Some(percent) = text.strip_suffix('%') {
        let percent = percent.trim().parse::<f64>().ok();
        let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
        return percent
            .map(|percent| Position::Part(percent / 100.0))
            .ok_or_else(wrong);
    }
    let number = text.parse().map_err(|_| wrong())?;
    Ok(Position::Request(number))
}

fn action(text: &str) -> Result<Action, String> {
    let parsed = language::parse(text.as_bytes()).map_err(|error| error.message)?;
    let input = parsed.ok_or_else(|| format!("there is no command; use {COMMANDS}"))?;
    Ok(match input.action {
        Input::Command(Command::Crash { node }) => Action::Crash(node),
        Input::Command(Command::Restart { node, how }) => Action::Restart(node, how),
        Input::Command(Command::Pause { node }) => Action::Pause(node),
        Input::Command(Command::Resume { node }) => Action::Resume(node),
        Input::Command(Command::Skew { node, nanos }) => Action::Skew(node, nanos),
        Input::Command(Command::Fault { fault }) => Action::Network(fault),
        Input::Command(Command::Release { link }) => Action::Release(link),
        Input::Command(Command::Heal { all }) => Action::Heal(all),
        Input::Script(Script::Move(change)) => self::change(change),
        _ => {
            let name = input.spec.name;
            return Err(format!("{name} cannot happen in a replay; use {COMMANDS}"));
        }
    })
}

fn change(change: Change) -> Action {
    match change {
        Change::Join { weight } => Action::Join(weight),
        Change::Leave { node } => Action::Leave(node),
        Change::Place { kind } => Action::Place(kind),
        Change::Replicate { replicas } => Action::Replicate(replicas),
        Change::Rebalance => Action::Rebalance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;

    #[test]
    fn an_event_is_a_position_and_a_command() {
        let found = event(" 12.5 % = crash 1 ").expect("an event");
        assert_eq!(found.at, Position::Part(0.125));
        assert_eq!(
            (found.text.as_str(), found.action),
            ("crash 1", Action::Crash(NodeId(1)))
        );
        assert_eq!(found.at.resolve(1000), 125);
        let found = event("1000=JOIN WEIGHT 2").expect("an event");
        assert_eq!(
            (found.at, found.action),
            (Position::Request(1000), Action::Join(2))
        );
        assert_eq!(found.at.resolve(10), 10);
        for command in COMMANDS.replace(" or ", ", ").split(", ") {
            let error = event(&format!("1={command} nonsense")).expect_err("nonsense");
            assert!(!error.contains("cannot happen"), "{command}: {error}");
            assert!(!error.contains("unknown"), "{command}: {error}");
        }
    }

    #[test]
    fn what_is_no_event_is_refused_with_the_reason() {
        for (text, part) in [
            ("CRASH 1", "use POSITION=COMMAND"),
            ("101%=CRASH 1", "is no position"),
            ("-1=CRASH 1", "is no position"),
            ("nan%=CRASH 1", "is no position"),
            ("=CRASH 1", "is no position"),
            ("5%=", "there is no command"),
            ("5%=GET a", "GET cannot happen in a replay; use CRASH"),
            ("5%=SLEEP 1s", "SLEEP cannot happen"),
            ("5%=CRASH", "n is missing"),
            ("5%=NONSENSE", "NONSENSE"),
        ] {
            let error = event(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
