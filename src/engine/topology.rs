//! The servers of a cluster, and which of them has which slots.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use super::members::{Health, Member, SLOTS, parse};
use crate::id::NodeId;

/// The most servers.
pub const MAX_SERVERS: usize = 1024;

/// What a server is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It has slots, or could have.
    Primary,
    /// It keeps a copy of what this primary has.
    Replica(NodeId),
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name in the cluster, 40 hexadecimal digits; empty for a single server.
    pub id: String,
    /// Where clients reach it.
    pub address: SocketAddr,
    /// What it is for.
    pub role: Role,
    /// What the server that was asked says of it.
    pub health: Health,
    /// Its slots.
    pub slots: Vec<RangeInclusive<u16>>,
    /// How many slots are on their way to or from it, if it was the one that was asked.
    pub open_slots: usize,
}

/// The servers by number. A server keeps its number.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    servers: BTreeMap<NodeId, Server>,
    /// The primary of each slot.
    slots: Vec<Option<NodeId>>,
    numbers: BTreeMap<String, NodeId>,
    next: u32,
}

impl Topology {
    /// A server that is no cluster: it has all slots.
    #[must_use]
    pub fn single(address: SocketAddr) -> Self {
        let mut topology = Self::default();
        let server = Server {
            id: String::new(),
            address,
            role: Role::Primary,
            health: Health::Up,
            slots: vec![0..=SLOTS - 1],
            open_slots: 0,
        };
        topology.servers.insert(NodeId(0), server);
        topology.fill_slots();
        topology
    }

    /// Whether it is a single server.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.servers.values().all(|server| server.id.is_empty())
    }

    /// Gives a server its number before it is seen, as one that was launched here.
    pub fn number(&mut self, id: &str, node: NodeId) {
        self.numbers.insert(id.to_owned(), node);
        self.next = self.next.max(node.0 + 1);
    }

    /// Takes over what CLUSTER NODES of a server at `asked` says. New servers are numbered by their
    /// addresses. `real` tells where an announced address is reached.
    ///
    /// # Errors
    /// If it is not the text of CLUSTER NODES.
    pub fn update(
        &mut self,
        text: &str,
        asked: SocketAddr,
        real: &dyn Fn(SocketAddr) -> SocketAddr,
    ) -> Result<(), String> {
        let mut members = Vec::new();
        for member in parse(text)?.into_iter().filter(|it| !it.is_new) {
            let address = parse_address(&member.address, asked.ip());
            let address = address.ok_or_else(|| format!("{} is no address", member.address))?;
            members.push((address, member));
        }
        if members.is_empty() || members.len() > MAX_SERVERS {
            return Err(format!("CLUSTER NODES has {} servers", members.len()));
        }
        // Servers that are gone for long lose their numbers.
        if self.numbers.len() > 4 * MAX_SERVERS {
            let is_there = |id: &String| members.iter().any(|(_, member)| member.id == *id);
            self.numbers.retain(|id, _| is_there(id));
        }
        members.sort_by_key(|(address, it)| (it.primary.is_some(), *address));
        for (_, member) in &members {
            if !self.numbers.contains_key(&member.id) {
                self.number(&member.id, NodeId(self.next));
            }
        }
        let servers = members.into_iter().map(|(address, member)| {
            let node = self.numbers[&member.id];
            (node, self.server(real(address), member))
        });
        self.servers = servers.collect();
        self.fill_slots();
        Ok(())
    }

    fn server(&self, address: SocketAddr, member: Member) -> Server {
        let primary = member.primary.and_then(|id| self.numbers.get(&id));
        Server {
            address,
            role: primary.map_or(Role::Primary, |&node| Role::Replica(node)),
            health: member.health,
            open_slots: member.migrating.len() + member.importing.len(),
            slots: member.slots,
            id: member.id,
        }
    }

    fn fill_slots(&mut self) {
        self.slots = vec![None; usize::from(SLOTS)];
        for (&node, server) in &self.servers {
            for slot in server.slots.iter().cloned().flatten() {
                self.slots[usize::from(slot)] = Some(node);
            }
        }
    }

    /// The servers by number.
    pub fn servers(&self) -> impl Iterator<Item = (NodeId, &Server)> {
        self.servers.iter().map(|(&node, server)| (node, server))
    }

    /// The primaries that have slots.
    pub fn primaries(&self) -> impl Iterator<Item = (NodeId, &Server)> {
        self.servers()
            .filter(|(_, it)| it.role == Role::Primary && !it.slots.is_empty())
    }

    /// A server.
    #[must_use]
    pub fn get(&self, node: NodeId) -> Option<&Server> {
        self.servers.get(&node)
    }

    /// The server at an address.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Option<NodeId> {
        let mut servers = self.servers();
        servers.find(|(_, it)| it.address == address).map(|it| it.0)
    }

    /// The primary of a slot.
    #[must_use]
    pub fn primary(&self, slot: u16) -> Option<NodeId> {
        self.slots.get(usize::from(slot)).copied().flatten()
    }

    /// The replicas of a primary, by number.
    pub fn replicas(&self, primary: NodeId) -> impl Iterator<Item = NodeId> {
        let replicas = self
            .servers()
            .filter(move |(_, it)| it.role == Role::Replica(primary));
        replicas.map(|(node, _)| node)
    }

    /// A slot has moved to the server at an address. `false` if that is not known.
    pub fn move_slot(&mut self, slot: u16, address: SocketAddr) -> bool {
        let node = self.at(address);
        if let (Some(node), Some(place)) = (node, self.slots.get_mut(usize::from(slot))) {
            *place = Some(node);
        }
        node.is_some()
    }

    /// How many slots have no primary.
    #[must_use]
    pub fn lost_slots(&self) -> usize {
        self.slots.iter().filter(|it| it.is_none()).count()
    }
}

/// `ip:port@busport,hostname`. An empty IP is that of the server that was asked.
fn parse_address(text: &str, asked: IpAddr) -> Option<SocketAddr> {
    let text = text.split(['@', ',']).next()?;
    let (ip, port) = text.rsplit_once(':')?;
    let ip = match ip {
        "" => asked,
        ip => ip.trim_matches(['[', ']']).parse().ok()?,
    };
    Some(SocketAddr::new(ip, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &str = "\
07c37df 127.0.0.1:30004@31004 slave e7d1eec 0 1426238317239 4 connected
67ed2db 127.0.0.1:30002@31002,host2 master - 0 1426238316232 2 connected 5461-10922
292f8b3 127.0.0.1:30003@31003 master,fail? - 0 1426238318243 3 connected 10923-16383
e7d1eec :30001@31001 myself,master - 0 0 1 connected 0-5459 5460 [93->-292f8b3]
aaaaaaa :0@0 master,noaddr - 0 0 1 disconnected
";

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn topology(text: &str) -> Topology {
        let mut topology = Topology::default();
        let real = |address| address;
        topology.update(text, address(1), &real).expect("nodes");
        topology
    }

    #[test]
    fn nodes_are_numbered_by_address_primaries_first() {
        let topology = topology(NODES);
        let ports: Vec<u16> = topology.servers().map(|it| it.1.address.port()).collect();
        assert_eq!(ports, [30001, 30002, 30003, 30004]);
        assert_eq!(
            topology.get(NodeId(3)).map(|it| it.role),
            Some(Role::Replica(NodeId(0)))
        );
        assert_eq!(
            topology.get(NodeId(2)).map(|it| it.health),
            Some(Health::Suspected)
        );
        assert_eq!(topology.primary(0), Some(NodeId(0)));
        assert_eq!(topology.primary(5460), Some(NodeId(0)));
        assert_eq!(topology.primary(16383), Some(NodeId(2)));
        assert_eq!(topology.lost_slots(), 0);
        assert_eq!(topology.get(NodeId(0)).map(|it| it.open_slots), Some(1));
    }

    #[test]
    fn a_server_keeps_its_number() {
        let mut topology = topology(NODES);
        let text = "bbbbbbb 127.0.0.1:20000@1 master - 0 0 9 connected\n\
                    67ed2db 127.0.0.1:30002@31002 master - 0 0 2 connected 0-16383\n";
        topology.update(text, address(1), &|it| it).expect("nodes");
        let numbers: Vec<NodeId> = topology.servers().map(|it| it.0).collect();
        assert_eq!(numbers, [NodeId(1), NodeId(4)]);
        assert!(topology.move_slot(7, address(20000)));
        assert_eq!(topology.primary(7), Some(NodeId(4)));
        assert!(!topology.move_slot(7, address(9)));
    }

    #[test]
    fn what_is_not_cluster_nodes_is_an_error() {
        for text in [
            "",
            "x",
            "a b c d",
            "a 1.2.3.4:x@1 master - 0 0 1 connected",
            "a 1.2.3.4:5@1 master - 0 0 1 connected 99999",
            "a 1.2.3.4:5@1 master - 0 0 1 connected 0-16384",
        ] {
            let mut topology = Topology::default();
            assert!(
                topology.update(text, address(1), &|it| it).is_err(),
                "{text}"
            );
        }
    }
}
