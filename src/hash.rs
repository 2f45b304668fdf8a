//! Hashes that are pinned by name: their values never change between versions.

/// FNV-1a, 32 bits, over the bytes of a key. Modulo placement uses it.
///
/// Source: Fowler, Noll, Vo, "The FNV Non-Cryptographic Hash Algorithm", IETF draft
/// draft-eastlake-fnv. Cost: one multiplication a byte.
#[must_use]
pub fn fnv1a_32(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |hash, &byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// rapidhash v3, 64 bits, with its default seed: what the store's index and the eviction policies
/// know a key by.
#[must_use]
#[inline]
pub fn rapidhash(key: &[u8]) -> u64 {
    rapidhash::v3::rapidhash_v3(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv1a_32_gives_the_published_vectors() {
        assert_eq!(fnv1a_32(b""), 0x811c_9dc5);
        assert_eq!(fnv1a_32(b"a"), 0xe40c_292c);
        assert_eq!(fnv1a_32(b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn rapidhash_is_pinned() {
        assert_eq!(rapidhash(b"apple"), 2_620_030_154_328_519_352);
    }
}
