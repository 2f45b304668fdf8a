//! The versions of entries: one column, which is allocated when the first version is set or settled.
//! Until then every entry has version 1, not settled; so does every new entry later.

use super::{Slot, Store};

impl Store {
    /// The version of an entry: 1 unless [`Store::set_version`] has set another.
    #[inline]
    pub(crate) fn version(&self, slot: Slot) -> u64 {
        self.slab.version(slot)
    }

    /// Whether the version of an entry is settled: `false` unless [`Store::settle`] was called for
    /// this version.
    #[inline]
    pub(crate) fn settled(&self, slot: Slot) -> bool {
        self.slab.is_settled(slot)
    }

    /// Gives an entry a version below 2^63, which is not settled. [`Store::replace`] leaves the
    /// version to the caller.
    pub(crate) fn set_version(&mut self, slot: Slot, version: u64) {
        debug_assert!(version < 1 << 63, "a version has 63 bits");
        self.slab.set_version(slot, version);
    }

    /// Marks the version of an entry as settled.
    pub(crate) fn settle(&mut self, slot: Slot) {
        self.slab.settle(slot);
    }

    /// Whether a version was set or settled since the store was last empty. From then on an entry
    /// takes up to 8 bytes more.
    pub(crate) fn has_versions(&self) -> bool {
        self.slab.has_versions()
    }
}
