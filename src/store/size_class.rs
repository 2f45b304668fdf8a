//! Size classes: how many bytes a block of the arena takes.
//!
//! Up to 4 KiB every multiple of the granule is a class. Above, there are eight classes between a
//! power of two and the next, so that a block is at most an eighth larger than its content.

use super::record::{GRANULE, MIN_BLOCK};

/// Up to this many granules every size has its own class.
const EXACT: usize = 4096 / GRANULE;

/// The size class of a block for `len` bytes, and the bytes that blocks of that class take.
pub(super) fn class_of(len: usize) -> (usize, usize) {
    let granules = len.max(MIN_BLOCK).div_ceil(GRANULE);
    if granules <= EXACT {
        return (granules, granules * GRANULE);
    }
    // The top three bits after the leading one select the class.
    let step = (granules - 1).ilog2() - 3;
    let rounded = ((granules - 1) >> step) + 1;
    let first_step = EXACT.ilog2() - 3;
    let class = EXACT + (step - first_step) as usize * 8 + (rounded - 8);
    (class, (rounded << step) * GRANULE)
}

/// The bytes that blocks of a class take: the inverse of [`class_of`].
pub(super) fn class_size(class: usize) -> usize {
    if class <= EXACT {
        return class * GRANULE;
    }
    let above = class - EXACT - 1;
    let step = above / 8 + EXACT.ilog2() as usize - 3;
    ((above % 8 + 9) << step) * GRANULE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_fits_every_size_in_it_and_wastes_at_most_an_eighth() {
        let mut last = class_of(0);
        assert_eq!(last.1, MIN_BLOCK);
        for len in 1..300_000 {
            let (class, size) = class_of(len);
            assert!(size >= len && size - len < MIN_BLOCK.max(len / 8 + GRANULE));
            assert!(class == last.0 && size == last.1 || class == last.0 + 1 && size > last.1);
            assert_eq!(class_size(class), size, "{len}");
            last = (class, size);
        }
    }

    #[test]
    fn the_class_of_the_largest_block_fits_into_a_free_block() {
        assert!(class_of(GRANULE << 32).0 < 1 << 14);
    }
}
