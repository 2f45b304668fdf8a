//! Gets that store on a miss, by direct calls: what REPLAY and LOAD do most.
//!
//! They are the same as a get and an add, without the value that is read, and with one hash of the key
//! for both. As in the fast path, the owner is called directly; where it is not open, or a history
//! records requests, nothing is done here, and the requests are submitted.

use super::{Cluster, Place, requests};
use crate::operation::{Operation, Outcome, Refusal};
use crate::time::Instant;

impl Cluster {
    /// Adds the places of these keys, and prefetches what requests for the first 32 need.
    pub(crate) fn locate<'k>(&self, keys: impl Iterator<Item = &'k [u8]>, places: &mut Vec<Place>) {
        let start = places.len();
        places.extend(keys.map(|key| self.place(key)));
        self.prefetch(places[start..].iter().copied());
    }

    /// A get of the key at a place: whether it is a hit. `None` if it has to be submitted; nothing was
    /// done then.
    #[inline]
    pub(crate) fn touch(&mut self, now: Instant, key: &[u8], place: Place) -> Option<bool> {
        if self.config.replicas > 1 || !self.opens(now) {
            return None;
        }
        self.read_at(key, place, |value| value.is_some())
    }

    /// The add that follows a get of the key that [`Cluster::touch`] has missed at this instant.
    pub(crate) fn fill(
        &mut self,
        key: &[u8],
        place: Place,
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Outcome {
        self.latencies.at_once += 1;
        self.clock += 1;
        let request = super::Request::new(key, Operation::Add { value, deadline });
        if let Err(error) = requests::check(&self.config, &request) {
            return Outcome::Refused(Refusal::Put(error));
        }
        let (now, clock, replica) = (
            self.present,
            self.clock,
            &mut self.nodes[place.node].replica,
        );
        let node = &mut replica.node;
        let stored = node.store_missing(now, place.hashed(key), value, deadline, &mut self.log);
        match stored {
            Err(error) => return Outcome::Refused(Refusal::Put(error)),
            Ok(slot) if node.has_versions() => node.set_version(slot, clock),
            Ok(_) => {}
        }
        self.expect(place.node, deadline);
        Outcome::Applied(true)
    }
}
