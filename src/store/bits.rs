//! Sets of small numbers, a bit for each.

/// The numbers whose bits are set, ascending.
pub(super) fn ones(words: &[u64]) -> impl Iterator<Item = usize> + '_ {
    let words = (0..).step_by(64).zip(words);
    words.flat_map(|(start, &word)| {
        let rest = std::iter::successors(Some(word), |&word| Some(word & word.wrapping_sub(1)));
        let rest = rest.take_while(|&word| word != 0);
        rest.map(move |word| start + word.trailing_zeros() as usize)
    })
}

/// Whether the bit of a number is set; the number must be below 64 times the number of words.
pub(super) fn is_set(words: &[u64], number: usize) -> bool {
    words[number / 64] >> (number % 64) & 1 == 1
}

/// Sets the bit of a number, which has the same bound.
pub(super) fn set(words: &mut [u64], number: usize) {
    words[number / 64] |= 1 << (number % 64);
}

/// Clears the bit of a number, which has the same bound.
pub(super) fn clear(words: &mut [u64], number: usize) {
    words[number / 64] &= !(1 << (number % 64));
}
