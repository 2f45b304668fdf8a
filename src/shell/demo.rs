//! Scenarios built into the binary.
//!
//! A scenario is a script, or a recording of `tests/scripts/wild`: the bugs of other caches, played
//! here. Of a recording the commands are run again; its output serves the tests only.

use crate::language::{Command, Error, ErrorKind};
use crate::reply::Reply;
use crate::session::{LocalSession, Notice, Observer};

/// A scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The name by which `shardlab demo` finds it.
    pub name: &'static str,
    /// What it shows, in less than half a line.
    pub summary: &'static str,
    text: Text,
}

#[derive(Clone, Copy, Debug)]
enum Text {
    /// Commands, in which `{first}`, `{second}` and `{others}` stand for nodes. It needs so many nodes, and
    /// has options.
    Script(&'static str, usize, &'static [&'static str]),
    /// Lines for the reader and for the program, then commands behind `> ` with their output.
    Recording(&'static str),
}

macro_rules! recordings {
    ($($name:literal $file:literal $summary:literal;)*) => {
        [$(Scenario {
            name: $name,
            summary: $summary,
            text: Text::Recording(include_str!(concat!("../../tests/scripts/wild/", $file, ".txt"))),
        }),*]
    };
}

static SCRIPTS: [Scenario; 3] = [
    Scenario {
        name: "sample-output",
        summary: "Three keys, and when each of them goes (11 s).",
        text: Text::Script(include_str!("../../scripts/sample-output.cache"), 1, &[]),
    },
    Scenario {
        name: "availability",
        summary: "A crash and a partition, with a majority.",
        text: Text::Script(include_str!("../../scripts/availability.cache"), 3, &[]),
    },
    Scenario {
        name: "lost-writes",
        summary: "A failover, without and with a quorum (40 s).",
        text: Text::Script(
            include_str!("../../scripts/lost-writes.cache"),
            3,
            &["--replicas", "2", "--echo"],
        ),
    },
];

static RECORDINGS: [Scenario; 17] = recordings! {
    "counted-twice" "counted_twice" "An acknowledgement that arrives twice.";
    "deleted-comes-back" "deleted_comes_back" "A replica that missed a delete.";
    "did-not-succeed-although-it-did" "did_not_succeed_although_it_did" "An outcome that is not known.";
    "ejected-server-returns-stale" "ejected_server_returns_stale" "A node comes back with old data.";
    "ejection-moves-every-key" "ejection_moves_every_key" "A node that is down keeps its place.";
    "expire-revives" "expire_revives" "EXPIRE on a key that has expired.";
    "expired-deletes-not-propagated" "expired_deletes_not_propagated" "Each copy expires by itself.";
    "killed-during-move" "killed_during_move" "A node crashes while keys move.";
    "late-beyond-deadline" "late_beyond_deadline" "A copy that comes after its deadline.";
    "late-fill" "late_fill" "A cache is filled after a newer write.";
    "lost-at-failover" "lost_at_failover" "Acknowledged writes that a failover loses.";
    "pause-loses-updates" "pause_loses_updates" "A node that stands still for 27 seconds.";
    "relative-ttl" "relative_ttl" "A TTL that arrives late.";
    "replica-returns-expired" "replica_returns_expired" "Every copy checks the deadline.";
    "skew-loses-updates" "skew_loses_updates" "Writes under a clock that is wrong.";
    "time-moves-within-a-command" "time_moves_within_a_command" "One command has one time.";
    "ttl-overflow" "ttl_overflow" "TTLs that are too large.";
};

/// All scenarios.
pub fn scenarios() -> impl Iterator<Item = &'static Scenario> {
    SCRIPTS.iter().chain(&RECORDINGS)
}

/// The scenario of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Scenario> {
    scenarios().find(|scenario| scenario.name == name)
}

/// The options of the program with which a scenario is played, unless others are given; none if there
/// is no such scenario.
#[must_use]
pub fn options(name: &str) -> Vec<&'static str> {
    let text = find(name).map(|scenario| scenario.text);
    let text = match text {
        Some(Text::Recording(text)) => text,
        Some(Text::Script(_, _, options)) => return options.to_vec(),
        None => return Vec::new(),
    };
    let own = header(text).find_map(|line| line.strip_prefix("options: "));
    let own = own.unwrap_or_default().split_whitespace();
    ["--clock", "virtual", "--echo"]
        .into_iter()
        .chain(own)
        .collect()
}

/// The lines before the first command of a recording.
fn header(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().take_while(|line| !line.starts_with('>'))
}

impl Scenario {
    /// What it shows, in a few sentences.
    #[must_use]
    pub fn introduction(&self) -> Option<&'static str> {
        match self.text {
            Text::Script(..) => None,
            Text::Recording(text) => header(text).find_map(|line| line.strip_prefix("# ")),
        }
    }

    /// The commands for the cluster of this session.
    ///
    /// # Errors
    /// If the cluster has too few nodes.
    pub fn lines(&self, session: &mut LocalSession) -> Result<String, Error> {
        match self.text {
            Text::Recording(text) => {
                let lines = text.lines().filter_map(|line| line.strip_prefix('>'));
                Ok(lines
                    .map(|line| format!("{}\n", line.trim_start()))
                    .collect())
            }
            Text::Script(text, fewest, _) => {
                let nodes = session.world.backend.overview().nodes;
                if nodes.len() < fewest {
                    let message = format!("the demo {} needs at least {fewest} nodes", self.name);
                    return Err(Error::new(ErrorKind::Refused, message));
                }
                let first = first_owner(session);
                let others = nodes.iter().map(|(node, _)| node.to_string());
                let others: Vec<String> = others.filter(|node| *node != first).collect();
                let second = others.first().map_or("", String::as_str);
                Ok(text
                    .replace("{first}", &first)
                    .replace("{second}", second)
                    .replace("{others}", &others.join(",")))
            }
        }
    }
}

/// The first owner of the key `apple`.
fn first_owner(session: &mut LocalSession) -> String {
    struct Silent;
    impl Observer for Silent {
        fn notice(&mut self, _: Notice<'_>) {}
    }
    let LocalSession { world, session } = session;
    let (now, key) = (world.now(), b"apple".into());
    match session.execute(world, now, Command::Where { key }, &mut Silent) {
        Ok(Reply::Where(place)) => place
            .owners
            .first()
            .map_or_else(String::new, ToString::to_string),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_summary_fits_a_line_and_every_recording_has_an_introduction() {
        let widest = scenarios().map(|it| it.name.len()).max().unwrap_or(0);
        for scenario in scenarios() {
            let Scenario { name, summary, .. } = scenario;
            assert!(widest + 2 + summary.len() <= 80, "{name}");
            assert!(summary.ends_with('.'), "{name}");
        }
        for scenario in &RECORDINGS {
            assert!(scenario.introduction().is_some(), "{}", scenario.name);
            assert!(options(scenario.name).len() >= 5, "{}", scenario.name);
        }
        assert!(options("availability").is_empty() && options("none").is_empty());
    }
}
