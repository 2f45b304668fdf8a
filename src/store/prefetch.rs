//! Reading ahead: the loads of several look-ups overlap, where those of one wait for each other.

use std::hint::black_box;

use smallvec::SmallVec;

use super::Store;
use crate::hash::rapidhash;

/// How many entries are read ahead: enough for the waits for memory to overlap, and few enough to
/// stay in the cache.
pub(crate) const AHEAD: usize = 32;

/// Brings what a look-up of keys with these hashes, each in its store, needs into the processor's cache: at most
/// [`AHEAD`] of them. A look-up waits for memory twice, first for the index and then for the record
/// that it names; here the waits of different keys overlap. That helps if the look-ups follow at
/// once.
pub(crate) fn look_ahead<'a>(wanted: impl Iterator<Item = (&'a Store, u64)>) {
    let records: SmallVec<[_; AHEAD]> = wanted
        .filter_map(|(store, hash)| Some((store, store.index.first(hash)?)))
        .collect();
    for (store, record) in records {
        black_box(store.arena.first_bytes(record));
    }
}

impl Store {
    /// Brings what removing the next of those that are due needs into the processor's cache, as
    /// [`look_ahead`] does.
    pub(super) fn prefetch_due(&self) {
        let due = self.due.iter().take(self.prefetched);
        let records: SmallVec<[_; AHEAD]> = due.map(|&(_, slot)| self.slab.record(slot)).collect();
        let hashes: SmallVec<[_; AHEAD]> = records
            .into_iter()
            .map(|record| (record, rapidhash(self.arena.key(record))))
            .collect();
        for (record, hash) in hashes {
            black_box(self.index.find(hash, |it| it == record));
        }
    }
}
