//! A table by the numbers of clients.

use hashbrown::HashTable;

/// Values by the numbers of clients. Finding one costs the same for any number of clients, and a walk
/// is in ascending order and costs a sort.
pub(super) struct ByClient<T>(HashTable<(u32, T)>);

impl<T> Default for ByClient<T> {
    fn default() -> Self {
        Self(HashTable::new())
    }
}

/// Numbers follow each other, so that their products with an odd number are spread well.
fn hash(id: u32) -> u64 {
    u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl<T> ByClient<T> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<&T> {
        let entry = self.0.find(hash(id), |it| it.0 == id)?;
        Some(&entry.1)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        let entry = self.0.find_mut(hash(id), |it| it.0 == id)?;
        Some(&mut entry.1)
    }

    /// Adds a value of a client that has none.
    #[inline]
    pub(super) fn insert(&mut self, id: u32, value: T) {
        self.0.insert_unique(hash(id), (id, value), |it| hash(it.0));
    }

    #[inline]
    pub(super) fn remove(&mut self, id: u32) -> Option<T> {
        let entry = self.0.find_entry(hash(id), |it| it.0 == id).ok()?;
        Some(entry.remove().0.1)
    }

    /// The values, by ascending number.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        let mut entries: Vec<&(u32, T)> = self.0.iter().collect();
        entries.sort_unstable_by_key(|it| it.0);
        entries.into_iter().map(|it| &it.1)
    }

    /// The values, by ascending number.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let mut entries: Vec<&mut (u32, T)> = self.0.iter_mut().collect();
        entries.sort_unstable_by_key(|it| it.0);
        entries.into_iter().map(|it| &mut it.1)
    }

    /// The numbers, ascending.
    pub(super) fn keys(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = self.0.iter().map(|it| it.0).collect();
        ids.sort_unstable();
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_removed_and_walked_in_order() {
        let mut table = ByClient::default();
        (0..100_u32).rev().for_each(|id| table.insert(id, id * 2));
        assert_eq!((table.len(), table.get(7)), (100, Some(&14)));
        table.values_mut().for_each(|it| *it += 1);
        assert_eq!((table.remove(7), table.remove(7)), (Some(15), None));
        assert!(table.keys().into_iter().eq((0..100).filter(|&id| id != 7)));
        assert!(table.values().is_sorted());
        assert_eq!(table.get_mut(7), None);
        assert_eq!(table.get_mut(8), Some(&mut 17));
    }
}
