//! The values that workloads write.

/// The longest value, in bytes.
pub(super) const LONGEST: u64 = LEN as u64;
const LEN: usize = 64 << 10;
/// The bytes of a value whose size is not known.
pub(super) const USUAL: u64 = 16;

/// Makes values that differ from each other, as far as their length allows.
pub(super) struct Values {
    /// The number of the latest value, then filling.
    bytes: Vec<u8>,
    /// How many were made.
    pub made: u64,
}

impl Values {
    /// After so many values.
    pub fn after(made: u64) -> Self {
        Self {
            bytes: vec![b'.'; LEN],
            made,
        }
    }

    /// A value of this length, at most [`LONGEST`]: the number of the value in decimal, and dots. If the
    /// number is longer, it is its last digits.
    #[inline]
    pub fn next(&mut self, len: u64) -> &[u8] {
        self.made = self.made.wrapping_add(1);
        let len = usize::try_from(len.min(LONGEST)).unwrap_or(0);
        let mut digits = [b'0'; 20];
        let (mut rest, mut start) = (self.made, digits.len());
        while rest > 0 {
            start -= 1;
            digits[start] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
        let used = digits.len() - start;
        let shown = &digits[start + used.saturating_sub(len)..];
        let value = &mut self.bytes[..len];
        value[..shown.len()].copy_from_slice(shown);
        // Dots behind a number that has fewer digits than one before it, which was cut.
        if let Some(rest) = value.get_mut(shown.len()..digits.len().min(len)) {
            rest.fill(b'.');
        }
        &self.bytes[..len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_differ_if_they_have_room() {
        let mut values = Values::after(8);
        assert_eq!(values.next(6), b"9.....");
        assert_eq!(values.next(6), b"10....");
        assert_eq!(values.next(1), b"1");
        assert_eq!(values.next(0), b"");
        let long = values.next(u64::MAX);
        assert_eq!((long.len() as u64, &long[..3]), (LONGEST, &b"13."[..]));
        let mut many = Values::after(u64::MAX - 1);
        assert_eq!(many.next(22), b"18446744073709551615..");
        assert_eq!(
            many.next(4),
            b"....",
            "the number of the next is 0, without digits"
        );
        assert_eq!(many.next(3), b"1..");
    }
}
