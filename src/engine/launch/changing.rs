//! Servers that crash, pause, come back, join and leave.

use std::fs;
use std::time::Duration;

use super::asking::{Look, wait};
use super::{Launched, Node, START, Server, State, faketime, forming};
use crate::engine::limit::Limit;
use crate::engine::members::Member;
use crate::engine::proxy::MAX_SERVERS;

/// How long an election may take beyond the node timeout.
const ELECTION: Duration = Duration::from_secs(15);
/// How long a look at the place of a server may take.
const LOOK: Duration = Duration::from_millis(200);

/// How a server comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// With its data: its own, if that is on the disk, or that of the replica that took its place. It
    /// waits for the latter.
    #[default]
    Resync,
    /// At once, as it is. A primary that comes back empty before a replica takes its place empties its
    /// replicas too.
    Cold,
}

/// What a server has after its restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comeback {
    /// Its own data, from the disk.
    Kept,
    /// It is a replica, and copies the data of its primary.
    Replica,
    /// No data: it is a primary, and no replica could take its place.
    Empty,
}

impl Launched {
    /// Kills a server.
    ///
    /// # Errors
    /// If there is no such server, or it does not run.
    pub fn crash(&mut self, number: usize) -> Result<(), String> {
        let at = self.find(number)?;
        if self.nodes[at].server.state == State::Crashed {
            return Err(format!("server {number} has crashed already"));
        }
        self.nodes[at].kill(&self.keeper);
        Ok(())
    }

    /// Stops a server in its tracks: its connections stay, and it is silent.
    ///
    /// # Errors
    /// If there is no such server, or it does not run.
    pub fn pause(&mut self, number: usize) -> Result<(), String> {
        self.switch(number, State::Up, State::Paused)
    }

    /// Lets a server that was paused run again.
    ///
    /// # Errors
    /// If there is no such server, or it is not paused.
    pub fn resume(&mut self, number: usize) -> Result<(), String> {
        self.switch(number, State::Paused, State::Up)
    }

    /// Sets the clock of a server ahead by so many nanoseconds, or behind; 0 sets it right.
    ///
    /// # Errors
    /// If there is no such server, or the clocks cannot be set.
    pub fn skew(&mut self, number: usize, nanos: i64) -> Result<(), String> {
        let at = self.find(number)?;
        if !self.options.with_clocks {
            return Err("the servers were launched without --skewable".into());
        }
        faketime::set(&self.nodes[at].server.folder, nanos)
    }

    fn switch(&mut self, number: usize, from: State, to: State) -> Result<(), String> {
        let at = self.find(number)?;
        let node = &mut self.nodes[at];
        let process = node.process.as_ref().filter(|_| node.server.state == from);
        let done = match (process, node.server.state) {
            (None, State::Up) => return Err(format!("server {number} is not paused")),
            (None, State::Paused) => return Err(format!("server {number} is paused already")),
            (None, State::Crashed) => return Err(format!("server {number} has crashed")),
            (Some(process), _) if to == State::Up => process.resume(),
            (Some(process), _) => process.pause(),
        };
        done.map_err(|error| format!("server {number}: {error}"))?;
        node.server.state = to;
        Ok(())
    }

    /// Starts a server that has crashed, and waits until it answers.
    ///
    /// # Errors
    /// If there is no such server, it runs, it does not start, or no replica takes its place in time.
    pub fn restart(&mut self, number: usize, how: Restart) -> Result<Comeback, String> {
        let at = self.find(number)?;
        if self.nodes[at].server.state != State::Crashed {
            return Err(format!("server {number} has not crashed"));
        }
        let comeback = self.comeback(at, how)?;
        let limit = Limit::after(START, &self.stop);
        let id = self.nodes[at].server.id.clone();
        if how == Restart::Resync && matches!(self.place(&id, &limit), Place::Replica) {
            self.nodes[at].forget_open_slots()?;
        }
        let (nodes, ground) = self.parts();
        nodes[at].spawn(ground.binary, ground.keeper)?;
        self.await_start(&limit)?;
        let server = self.nodes[at].server.clone();
        for id in &self.forgotten {
            forming::forget(std::slice::from_ref(&server), id, &limit)?;
        }
        Ok(comeback)
    }

    /// Whether a server that has crashed can [restart](Launched::restart) without waiting for an election:
    /// its place was taken, or no replica can take it, or it keeps its data. It is asked of the others.
    pub fn is_replaced(&mut self, number: usize) -> bool {
        let Ok(at) = self.find(number) else {
            return true;
        };
        if self.options.is_durable || !self.options.is_cluster() {
            return true;
        }
        let limit = Limit::after(LOOK, &self.stop);
        let id = self.nodes[at].server.id.clone();
        !matches!(
            self.place(&id, &limit),
            Place::Primary {
                has_successor: true
            }
        )
    }

    /// What a server will have. Waits for the election that decides it.
    fn comeback(&mut self, at: usize, how: Restart) -> Result<Comeback, String> {
        let (id, number) = (
            self.nodes[at].server.id.clone(),
            self.nodes[at].server.number,
        );
        if self.options.is_durable {
            return Ok(Comeback::Kept);
        }
        if !self.options.is_cluster() {
            return Ok(Comeback::Empty);
        }
        let limit = Limit::after(self.options.node_timeout * 3 + ELECTION, &self.stop);
        let elected = wait(&limit, || match self.place(&id, &limit) {
            Place::Replica => Ok(Comeback::Replica),
            Place::Primary { has_successor } if how == Restart::Cold || !has_successor => {
                Ok(Comeback::Empty)
            }
            Place::Primary { .. } => Err(Look::NotYet("no replica takes its place".into())),
        });
        elected.map_err(|why| format!("server {number}: {why}; cold starts it as it is, empty"))
    }

    /// The place of a server that is down, as the first of those sees it that are up.
    fn place(&mut self, id: &str, limit: &Limit) -> Place {
        let up = self.up();
        let members = up.iter().find_map(|it| forming::members(it, limit).ok());
        let members = members.unwrap_or_default();
        let is_up = |member: &Member| up.iter().any(|server| server.id == member.id);
        let myself = members.iter().find(|member| member.id == id);
        let is_primary = myself.is_some_and(|it| it.primary.is_none() && !it.slots.is_empty());
        let mut replicas = members
            .iter()
            .filter(|it| it.primary.as_deref() == Some(id));
        match myself {
            Some(it) if it.primary.is_some() => Place::Replica,
            // A primary without slots is one that was replaced and does not know it.
            Some(_) if !is_primary => Place::Replica,
            _ => Place::Primary {
                has_successor: replicas.any(is_up),
            },
        }
    }

    /// Starts a server without slots, and so many replicas of it, and makes them known to all. Returns
    /// their numbers, that of the primary first.
    ///
    /// # Errors
    /// If it is no cluster, or a server does not start or is not accepted by the others. Nothing is left of
    /// the new ones then.
    pub fn add_server(&mut self, replicas: usize) -> Result<Vec<usize>, String> {
        self.check_change()?;
        let count = replicas.saturating_add(1);
        if count > MAX_SERVERS.saturating_sub(self.next) {
            return Err("that makes too many servers".into());
        }
        let limit = Limit::after(START, &self.stop);
        let (before, first) = (self.up(), self.nodes.len());
        let added = self.add_nodes(&before, count, &limit);
        if added.is_err() {
            let failed = self.nodes.split_off(first);
            for id in failed
                .iter()
                .map(|it| &it.server.id)
                .filter(|id| !id.is_empty())
            {
                let _ = forming::forget(&before, id, &limit);
            }
            self.end(failed);
        }
        added
    }

    fn add_nodes(
        &mut self,
        before: &[Server],
        count: usize,
        limit: &Limit,
    ) -> Result<Vec<usize>, String> {
        let first = self.start_nodes(count, limit)?;
        let new = self.nodes[first..].iter().map(|it| it.server.clone());
        let new: Vec<Server> = new.collect();
        let all = [before, &new].concat();
        forming::meet(&new, &all, limit)?;
        for replica in &new[1..] {
            forming::replicate(replica, &new[0], limit)?;
        }
        forming::wait_ready(&all, limit)?;
        Ok(new.iter().map(|it| it.number).collect())
    }

    /// Makes all forget a server and its replicas, ends them and removes their folders. Returns their
    /// numbers.
    ///
    /// # Errors
    /// If there is no such server, it has slots, it is the last primary, or a server does not answer.
    pub fn remove_server(&mut self, number: usize) -> Result<Vec<usize>, String> {
        self.check_change()?;
        let at = self.find(number)?;
        let id = self.nodes[at].server.id.clone();
        let limit = Limit::after(START, &self.stop);
        let mut staying = self.up();
        let members = staying.iter().find(|it| it.id != id);
        let members = members.ok_or("no other server is up")?;
        let members = forming::members(members, &limit)?;
        let slots = members
            .iter()
            .find(|it| it.id == id)
            .map_or(0, Member::slot_count);
        if slots > 0 {
            return Err(format!("server {number} still has {slots} slots"));
        }
        // The replicas first: a replica cannot forget its primary.
        let replicas = members.iter().filter(|it| it.primary.as_ref() == Some(&id));
        let leaving: Vec<String> = replicas
            .map(|it| it.id.clone())
            .chain([id.clone()])
            .collect();
        staying.retain(|it| !leaving.contains(&it.id));
        for id in &leaving {
            forming::forget(&staying, id, &limit)?;
        }
        let (gone, nodes) = std::mem::take(&mut self.nodes)
            .into_iter()
            .partition(|node| leaving.contains(&node.server.id));
        self.nodes = nodes;
        self.forgotten.extend(leaving);
        Ok(self.end(gone))
    }

    fn end(&mut self, gone: Vec<Node>) -> Vec<usize> {
        let mut numbers = Vec::new();
        for mut node in gone {
            node.kill(&self.keeper);
            let number = node.server.number;
            self.proxies
                .iter_mut()
                .for_each(|proxies| proxies.close(number));
            let _ = fs::remove_dir_all(&node.server.folder);
            numbers.push(number);
        }
        numbers
    }

    /// Whether servers can join and leave now.
    fn check_change(&mut self) -> Result<(), String> {
        if !self.options.is_cluster() {
            return Err("a single server is no cluster".into());
        }
        let servers = self.servers();
        match servers.iter().find(|it| it.state == State::Paused) {
            Some(paused) => Err(format!(
                "server {} is paused: resume it first",
                paused.number
            )),
            None => Ok(()),
        }
    }

    /// The place of a server.
    fn find(&mut self, number: usize) -> Result<usize, String> {
        let at = self.servers().iter().position(|it| it.number == number);
        at.ok_or_else(|| format!("there is no server {number}"))
    }
}

/// The place of a server that is down.
enum Place {
    Replica,
    Primary {
        /// Whether a replica of it is up.
        has_successor: bool,
    },
}
