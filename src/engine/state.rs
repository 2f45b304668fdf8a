//! Whether the servers are as they should be, for CHECK: they answer, agree about the slots, have none open and
//! none without a server, and each replica has what its primary has.

use std::thread;
use std::time::Duration;

use super::backend::Engine;
use super::limit::Limit;
use super::members::{Member, SLOTS, parse};
use crate::id::NodeId;
use crate::reply::{NodeRow, Reply, State};

/// How long that may take to come about after a change, and the pause between two looks.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);

impl Engine {
    /// What is not as it should be among the servers. Waits for about a second until news have spread and
    /// replicas have what was written.
    pub(super) fn state(&mut self) -> State {
        let topology = &self.client.topology;
        // A single server has one copy of each key.
        if topology.servers().all(|(_, server)| server.id.is_empty()) {
            return State::Copies(Vec::new());
        }
        let limit = Limit::after(PATIENCE, &self.client.settings().stop);
        loop {
            let (views, silent) = self.views();
            let silent = silent.iter();
            let silent = silent.map(|node| format!("node {node} does not answer"));
            let mut found: Vec<String> = silent.chain(slot_troubles(&views)).collect();
            if let Reply::Nodes(rows) = self.nodes() {
                found.extend(rows.iter().filter_map(lag));
            }
            if found.is_empty() || limit.left().is_none() {
                return State::Servers(found);
            }
            thread::sleep(PAUSE);
        }
    }

    /// What each server says about all, and the servers that do not answer.
    fn views(&mut self) -> (Vec<View>, Vec<NodeId>) {
        let nodes: Vec<NodeId> = self.client.topology.servers().map(|it| it.0).collect();
        let (mut views, mut silent) = (Vec::new(), Vec::new());
        for (node, answer) in self.client.ask_all(&nodes, &["CLUSTER", "NODES"]) {
            let text = answer.ok().and_then(|it| it.text().map(ToOwned::to_owned));
            match text.and_then(|text| parse(&text).ok()) {
                Some(members) => views.push((node, members)),
                None => silent.push(node),
            }
        }
        (views, silent)
    }

    /// Whether all servers that answer say the same about the slots.
    pub(super) fn agrees(&mut self) -> bool {
        let views = self.views().0;
        let mut tables = views.iter().map(|(_, members)| table(members));
        let first = tables.next();
        tables.all(|it| first.as_ref() == Some(&it))
    }
}

/// What one server says about all.
type View = (NodeId, Vec<Member>);

fn lag(row: &NodeRow) -> Option<String> {
    let remote = row.remote.as_ref()?;
    let (primary, lag) = (remote.primary?, remote.lag?);
    let node = row.node;
    (lag > 0).then(|| format!("node {node} lacks {lag} bytes of what node {primary} has"))
}

/// What is wrong with the slots, by what each server says.
fn slot_troubles(views: &[View]) -> Vec<String> {
    let mut found = Vec::new();
    let Some((first, members)) = views.first() else {
        return found;
    };
    let missing = usize::from(SLOTS).saturating_sub(members.iter().map(Member::slot_count).sum());
    if missing > 0 {
        found.push(format!("{missing} slots have no server"));
    }
    let table = table(members);
    for (node, members) in views {
        if self::table(members) != table {
            found.push(format!("nodes {first} and {node} disagree about the slots"));
        }
        let own = members.iter().filter(|it| it.is_myself);
        let open = own.flat_map(|it| it.migrating.iter().chain(&it.importing));
        found
            .extend(open.map(|(slot, _)| format!("slot {slot} of node {node} is open: REBALANCE")));
    }
    found
}

/// Which server has which slots.
fn table(members: &[Member]) -> Vec<(u16, u16, &str)> {
    let ranges = members.iter().flat_map(|member| {
        let ranges = member.slots.iter();
        ranges.map(|range| (*range.start(), *range.end(), member.id.as_str()))
    });
    let mut ranges: Vec<_> = ranges.collect();
    ranges.sort_unstable();
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(node: u32, text: &str) -> View {
        (NodeId(node), parse(text).expect("lines of CLUSTER NODES"))
    }

    #[test]
    fn slots_that_are_not_in_order_are_named() {
        let line = |id: &str, flags: &str, slots: &str| {
            format!("{id} 127.0.0.1:7000@17000 {flags} - 0 0 1 connected {slots}\n")
        };
        let good = line("aa", "myself,master", "0-8191") + &line("bb", "master", "8192-16383");
        let same = line("bb", "myself,master", "8192-16383") + &line("aa", "master", "0-8191");
        assert!(slot_troubles(&[view(0, &good), view(1, &same)]).is_empty());
        let other = line("bb", "myself,master", "8191-16383") + &line("aa", "master", "0-8190");
        let open =
            line("aa", "myself,master", "0-8191 [7->-bb]") + &line("bb", "master", "8192-16380");
        let troubles = slot_troubles(&[view(0, &open), view(1, &other)]);
        let expected = [
            "3 slots have no server",
            "slot 7 of node 0 is open: REBALANCE",
            "nodes 0 and 1 disagree about the slots",
        ];
        assert_eq!(troubles, expected);
        assert!(slot_troubles(&[]).is_empty());
    }
}
