//! Requests whose outcome is known at once, for servers: the fast path with less around it.
//!
//! A caller asks once whether the path is open ([`Cluster::opens`]), finds the [`Place`]s of several keys
//! ahead, and reads values where they lie in the store. Outcomes, counts and contents are those of
//! [`Cluster::submit`].

use super::fast_path::newest;
use super::requests::check;
use super::{Cluster, Place, Request};
use crate::id::NodeId;
use crate::operation::{Outcome, Refusal};
use crate::time::Instant;

impl Cluster {
    /// Carries out expiries, messages and timeouts up to `now`. Returns whether requests of that instant
    /// can be carried out directly: nothing is disturbed, and no history records them. That holds until
    /// something else is asked of the cluster.
    pub(crate) fn opens(&mut self, now: Instant) -> bool {
        self.tick(now);
        self.history.is_none() && !self.clients.is_full() && self.is_fast_path_open()
    }

    /// Whether gets of any keys are certain to be carried out by [`Cluster::read_at`].
    pub(crate) fn reads_are_certain(&self) -> bool {
        self.config.replicas == 1 || self.config.read_quorum == 1
    }

    /// A get, as an access; `read` is given the value as it lies in the store. `None` if owners disagree,
    /// or the key is too long; nothing was done then.
    ///
    /// The path must be open.
    #[inline]
    pub(crate) fn read_at<T>(
        &mut self,
        key: &[u8],
        place: Place,
        read: impl FnOnce(Option<&[u8]>) -> T,
    ) -> Option<T> {
        if key.len() > self.config.max_key {
            return None;
        }
        if self.config.replicas > 1 {
            return self.read_at_owners(key, place, read);
        }
        self.forget_tombstones();
        self.latencies.at_once += 1;
        let node = &mut self.nodes[place.node].replica.node;
        let found = node.look_up_hashed(self.present, place.hashed(key), &mut self.log);
        Some(read(found.map(|found| node.value_of(found))))
    }

    /// A read that counts as nothing; otherwise as [`Cluster::read_at`].
    pub(crate) fn look_at<T>(
        &mut self,
        key: &[u8],
        place: Place,
        look: impl FnOnce(Option<&[u8]>) -> T,
    ) -> Option<T> {
        let outcome = self.run_at(place, &Request::look(key))?;
        let Outcome::Value(found) = outcome else {
            return None;
        };
        Some(look(found.as_ref().map(|it| &*it.value)))
    }

    fn read_at_owners<T>(
        &mut self,
        key: &[u8],
        place: Place,
        read: impl FnOnce(Option<&[u8]>) -> T,
    ) -> Option<T> {
        let owners = self.owners_of(place.placed);
        let result = self.read_of(&owners, key, place, read);
        self.owners = owners;
        self.latencies.at_once += u64::from(result.is_some());
        result
    }

    fn read_of<T>(
        &mut self,
        owners: &[NodeId],
        key: &[u8],
        place: Place,
        read: impl FnOnce(Option<&[u8]>) -> T,
    ) -> Option<T> {
        let key = place.hashed(key);
        let asked = self.ask_owners(owners, key)?;
        let (_, at) = newest(&asked)?;
        let value = at.map(|(owner, slot)| self.nodes[owner].replica.node.value(slot));
        let result = read(value);
        self.count_read(self.present, owners[0], &asked, key, at.is_some());
        Some(result)
    }

    /// Any request. `None` if owners disagree; nothing was done then.
    ///
    /// The path must be open.
    #[inline]
    pub(crate) fn run_at(&mut self, place: Place, request: &Request<'_>) -> Option<Outcome> {
        let ticks = u64::from(!request.operation.is_read());
        self.clock += ticks;
        let outcome = match check(&self.config, request) {
            Err(error) => Some(Outcome::Refused(Refusal::Put(error))),
            Ok(()) => self.run_placed(place, request),
        };
        match outcome {
            Some(_) => self.latencies.at_once += u64::from(!request.is_look),
            None => self.clock -= ticks,
        }
        outcome
    }

    #[inline]
    fn run_placed(&mut self, place: Place, request: &Request<'_>) -> Option<Outcome> {
        let now = self.present;
        if self.config.replicas == 1 {
            return Some(self.run_alone(now, place, request));
        }
        let key = place.hashed(request.key);
        let (_, outcome) = self.run_copies(now, place.placed, key, request)?;
        Some(outcome)
    }
}
