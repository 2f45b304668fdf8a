//! Hashes that are pinned by name: their values never change between versions.

use crc::{CRC_16_XMODEM, Crc, Table};

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

/// CRC-16, XMODEM's variant (polynomial 0x1021, start 0): Redis Cluster's slots go by it. Cost: a
/// look-up a byte in a table of 256 entries, about 20 ns for 14 bytes.
///
/// Source: Redis Cluster Specification, appendix A.
#[must_use]
pub fn crc16_xmodem(key: &[u8]) -> u16 {
    static CRC: Crc<u16, Table<1>> = Crc::<u16, Table<1>>::new(&CRC_16_XMODEM);
    CRC.checksum(key)
}

/// rapidhash v3, 64 bits, with its default seed: what the store's index and the eviction policies
/// know a key by.
#[must_use]
#[inline]
pub fn rapidhash(key: &[u8]) -> u64 {
    rapidhash::v3::rapidhash_v3(key)
}

/// A key with its [`rapidhash`], where the hash is known already.
#[derive(Clone, Copy)]
pub(crate) struct Hashed<'a> {
    pub key: &'a [u8],
    pub hash: u64,
}

impl<'a> Hashed<'a> {
    /// A key whose hash is not known yet.
    #[inline]
    pub(crate) fn of(key: &'a [u8]) -> Self {
        let hash = rapidhash(key);
        Self { key, hash }
    }
}

/// MD5, 128 bits: what memcached's clients know keys and servers by. It is no longer for secrets.
///
/// Source: Rivest, "The MD5 Message-Digest Algorithm", RFC 1321, 1992. Cost: some 0.1 µs for up to
/// 55 bytes.
#[must_use]
pub fn md5(key: &[u8]) -> [u8; 16] {
    md5::compute(key).0
}

/// MD5 of bytes that come piece by piece, such as a file: `md5sum` prints the same.
#[derive(Clone)]
pub struct Md5(md5::Context);

impl Default for Md5 {
    fn default() -> Self {
        Self(md5::Context::new())
    }
}

impl Md5 {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.consume(bytes);
    }

    /// The hash of all bytes, in hexadecimal.
    #[must_use]
    pub fn finish(self) -> String {
        format!("{:x}", self.0.finalize())
    }
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
    fn md5_gives_the_published_vectors() {
        let hex = |key| u128::from_be_bytes(md5(key));
        assert_eq!(hex(b""), 0xd41d_8cd9_8f00_b204_e980_0998_ecf8_427e);
        assert_eq!(hex(b"abc"), 0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72);
        let mut pieces = Md5::default();
        pieces.update(b"a");
        pieces.update(b"bc");
        assert_eq!(pieces.finish(), "900150983cd24fb0d6963f7d28e17f72");
    }

    #[test]
    fn crc16_xmodem_gives_the_published_vector() {
        assert_eq!(crc16_xmodem(b""), 0);
        assert_eq!(crc16_xmodem(b"123456789"), 0x31c3);
    }

    #[test]
    fn rapidhash_is_pinned() {
        assert_eq!(rapidhash(b"apple"), 2_620_030_154_328_519_352);
    }
}
