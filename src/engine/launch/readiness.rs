//! Whether all servers of a cluster agree, and serve.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::asking::ask_all;
use crate::engine::limit::Limit;
use crate::engine::members::{Member, parse};
use crate::resp::Answer;

/// A range of slots, and the servers that have it: the primary, then the replicas in order.
type Range = (i64, i64, Vec<String>);

/// What a server says about itself and its cluster.
struct Report {
    members: Vec<Member>,
    table: Vec<Range>,
    is_ok: bool,
    is_replica: bool,
    is_synced: bool,
}

const QUESTIONS: &[&[&str]] = &[
    &["CLUSTER", "INFO"],
    &["CLUSTER", "NODES"],
    &["CLUSTER", "SLOTS"],
    &["INFO", "replication"],
];

/// Whether these servers agree and serve. They are all that are up, each with its number, its name and
/// its address.
///
/// # Errors
/// The first reason why not.
pub(super) fn check(servers: &[(usize, &str, SocketAddr)], limit: &Limit) -> Result<(), String> {
    let up: BTreeSet<&str> = servers.iter().map(|&(_, id, _)| id).collect();
    let mut first: Option<Vec<Range>> = None;
    for &(number, id, address) in servers {
        let why = |why: &str| format!("server {number}: {why}");
        let answers = ask_all(address, QUESTIONS, limit).map_err(|error| why(&error))?;
        let report = Report::of(&answers).map_err(|error| why(&error))?;
        report.check(id, &up).map_err(|error| why(&error))?;
        if first.as_ref().is_some_and(|first| *first != report.table) {
            return Err(why("it does not agree yet which server has which slots"));
        }
        first = Some(report.table);
    }
    Ok(())
}

impl Report {
    fn of(answers: &[Answer]) -> Result<Self, String> {
        if let Some(Answer::Error(error)) = answers.iter().find(|it| matches!(it, Answer::Error(_)))
        {
            return Err(error.clone());
        }
        let text = |at: usize| answers.get(at).and_then(Answer::text).unwrap_or_default();
        let table = answers.get(2).and_then(table);
        Ok(Self {
            members: parse(text(1))?,
            table: table.ok_or("CLUSTER SLOTS has another form")?,
            is_ok: text(0).contains("cluster_state:ok"),
            is_replica: text(3).contains("role:slave"),
            is_synced: text(3).contains("master_link_status:up"),
        })
    }

    fn check(&self, id: &str, up: &BTreeSet<&str>) -> Result<(), String> {
        let known = self
            .members
            .iter()
            .filter(|it| !it.is_new)
            .map(|it| it.id.as_str());
        let known: BTreeSet<&str> = known.collect();
        let primary = self
            .members
            .iter()
            .find_map(|it| it.primary.as_ref().filter(|_| it.is_myself));
        let has = |id: &str| {
            self.table
                .iter()
                .any(|(_, _, ids)| ids.iter().any(|it| it == id))
        };
        let is_down =
            |(_, _, ids): &&Range| !ids.first().is_some_and(|id| up.contains(id.as_str()));
        if !up.is_subset(&known) {
            return Err("it does not know all others yet".into());
        }
        if !self.is_ok {
            return Err("it says that the cluster is not ok".into());
        }
        if self.is_replica && !self.is_synced {
            return Err("it does not follow its primary yet".into());
        }
        if primary.is_some_and(|primary| has(primary)) && !has(id) {
            return Err("it is not among the replicas yet".into());
        }
        match self.table.iter().find(is_down) {
            Some((first, last, _)) => {
                Err(format!("slots {first}-{last} have no server that is up"))
            }
            None => Ok(()),
        }
    }
}

/// Reads the answer to `CLUSTER SLOTS`.
fn table(answer: &Answer) -> Option<Vec<Range>> {
    let ranges = answer.array()?.iter().map(|range| {
        let [first, last, servers @ ..] = range.array()? else {
            return None;
        };
        let ids = servers
            .iter()
            .map(|it| Some(it.array()?.get(2)?.text()?.to_owned()));
        let mut ids = ids.collect::<Option<Vec<String>>>()?;
        ids.get_mut(1..)?.sort();
        Some((first.integer()?, last.integer()?, ids))
    });
    let mut ranges = ranges.collect::<Option<Vec<Range>>>()?;
    ranges.sort();
    Some(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(ids: &[&str]) -> Answer {
        let text = |text: &str| Answer::Bulk(text.as_bytes().into());
        let server =
            |id: &&str| Answer::Array(vec![text("127.0.0.1"), Answer::Integer(7000), text(id)]);
        let range = [Answer::Integer(0), Answer::Integer(16_383)].into_iter();
        Answer::Array(vec![Answer::Array(
            range.chain(ids.iter().map(server)).collect(),
        )])
    }

    fn report(table: &[&str], info: &str, replication: &str) -> Report {
        let nodes =
            "aa :1@2 master - 0 0 1 connected 0-16383\nbb :3@4 myself,slave aa 0 0 1 connected\n";
        let text = |text: &str| Answer::Bulk(text.as_bytes().into());
        let answers = [text(info), text(nodes), slots(table), text(replication)];
        Report::of(&answers).expect("a report")
    }

    #[test]
    fn a_replica_is_ready_when_it_follows_and_is_listed() {
        let (ok, follows) = ("cluster_state:ok", "role:slave\r\nmaster_link_status:up");
        let all = BTreeSet::from(["aa", "bb"]);
        let reason = |report: Report, up: &BTreeSet<&str>| report.check("bb", up).err();
        assert_eq!(reason(report(&["aa", "bb"], ok, follows), &all), None);
        for (report, expected) in [
            (
                report(&["aa", "bb"], "cluster_state:fail", follows),
                "not ok",
            ),
            (
                report(&["aa", "bb"], ok, "role:slave\r\nmaster_link_status:down"),
                "follow",
            ),
            (report(&["aa"], ok, follows), "among"),
        ] {
            let reason = reason(report, &all).expect("a reason");
            assert!(reason.contains(expected), "{reason}");
        }
        let more = BTreeSet::from(["aa", "bb", "cc"]);
        assert!(reason(report(&["aa", "bb"], ok, follows), &more).is_some());
        let fewer = BTreeSet::from(["bb"]);
        assert!(reason(report(&["aa", "bb"], ok, follows), &fewer).is_some());
    }

    #[test]
    fn the_order_of_replicas_does_not_matter() {
        assert_eq!(
            table(&slots(&["aa", "bb", "cc"])),
            table(&slots(&["aa", "cc", "bb"]))
        );
        assert_ne!(table(&slots(&["aa", "bb"])), table(&slots(&["bb", "aa"])));
        assert_eq!(table(&Answer::Nil), None);
    }
}
