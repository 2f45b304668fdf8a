//! Which node a client has to ask: MOVED, ASK, TRYAGAIN and CLUSTERDOWN.

use super::client::Client;
use super::hub::{Hub, Turn};
use super::topology::Move;
use crate::cluster::Status;
use crate::id::NodeId;
use crate::placement::slot_of;
use crate::resp::commands::Words;
use crate::resp::spec::Spec;
use crate::resp::value::Failure;

pub(super) const TRY_AGAIN: &str = "TRYAGAIN Multiple keys request during rehashing of slot";

/// Where the keys of a command are, of a slot whose keys move.
#[derive(Default)]
struct Found {
    /// Whether some are there, and whether some are not.
    some: bool,
    others: bool,
}

impl Hub {
    /// Checks that a client may ask its node for the keys of a command.
    ///
    /// # Errors
    /// Where to go instead, or why no node can serve the keys.
    pub(super) fn route(
        &self,
        turn: &mut Turn<'_>,
        client: &Client,
        spec: &Spec,
        words: &Words,
    ) -> Result<(), Failure> {
        if self.is_loading(client) && !spec.has("loading") {
            return Err(Failure::text(
                "LOADING Redis is loading the dataset in memory",
            ));
        }
        if !self.settings.is_cluster {
            return Ok(());
        }
        let keys = || words.keys(spec);
        let Some(slot) = keys().next().map(slot_of) else {
            return Ok(());
        };
        if keys().any(|other| slot_of(other) != slot) {
            return Err(Failure::text(
                "CROSSSLOT Keys in request don't hash to the same slot",
            ));
        }
        // A shard channel has no place in a store.
        let moves = self.topology.moves.get(&slot);
        let moves = moves.filter(|_| !spec.name.ends_with("subscribe") && spec.name != "spublish");
        let keys = moves.map(|it| (it, keys().collect::<Vec<_>>()));
        match keys {
            Some((it, keys)) if it.from == client.node => self.leave(turn, slot, *it, &keys),
            Some((it, keys)) if it.to == client.node && client.is_asking => arrive(turn, &keys),
            _ => self.serves(client, slot),
        }
    }

    /// The node from which a slot goes serves the keys that it has.
    fn leave(
        &self,
        turn: &mut Turn<'_>,
        slot: u16,
        Move { to, .. }: Move,
        keys: &[&[u8]],
    ) -> Result<(), Failure> {
        match find(turn, keys, true) {
            Found { others: false, .. } => Ok(()),
            Found { some: true, .. } => Err(Failure::text(TRY_AGAIN)),
            Found { .. } => Err(self.redirection("ASK", slot, to)),
        }
    }

    fn is_loading(&self, client: &Client) -> bool {
        let nodes = &self.topology.nodes;
        self.topology.is_loading
            && nodes
                .get(&client.node)
                .is_some_and(|it| it.status == Status::Syncing)
    }

    /// Checks that the node of a client has a slot.
    fn serves(&self, client: &Client, slot: u16) -> Result<(), Failure> {
        match self.topology.primary(slot) {
            None => Err(Failure::text("CLUSTERDOWN The cluster is down")),
            Some(node) if node == client.node => Ok(()),
            Some(node) => Err(self.redirection("MOVED", slot, node)),
        }
    }

    fn redirection(&self, kind: &str, slot: u16, node: NodeId) -> Failure {
        let (host, port) = (&self.settings.host, self.port(node));
        Failure::new(format!("{kind} {slot} {host}:{port}"))
    }
}

/// The node to which a slot goes serves a client that was sent to it. It has several keys only if all
/// have arrived.
fn arrive(turn: &mut Turn<'_>, keys: &[&[u8]]) -> Result<(), Failure> {
    let has_several = keys.iter().any(|key| key != &keys[0]);
    if has_several && find(turn, keys, false).others {
        return Err(Failure::text(TRY_AGAIN));
    }
    Ok(())
}

/// Looks for keys at the node from which their slot goes, or at the one to which it goes.
fn find(turn: &mut Turn<'_>, keys: &[&[u8]], at_old: bool) -> Found {
    let (cluster, paced) = turn.cluster().shown();
    let mut found = Found::default();
    let Some(paced) = paced else { return found };
    for key in keys {
        let is_left = paced.is_left(cluster, key);
        let is_there = is_left == at_old && (at_old || cluster.holds(key));
        found.some |= is_there;
        found.others |= !is_there;
    }
    found
}
