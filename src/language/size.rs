//! Sizes of memory: a number of bytes, with or without a unit.

use bytesize::ByteSize;

/// The error of parsing a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a size: use a number of bytes, or one with a unit such as 64MiB or 10kB")]
pub struct NotASize;

/// Reads a size in bytes: `1000`, `64MiB`, `1.5GB`. Beyond 64 bits it is `u64::MAX`.
///
/// # Errors
/// [`NotASize`].
pub fn parse(text: &str) -> Result<u64, NotASize> {
    let starts_as_number = text.starts_with(|first: char| first.is_ascii_digit());
    let size = text.parse::<ByteSize>().ok().filter(|_| starts_as_number);
    size.map(|size| size.as_u64()).ok_or(NotASize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_start_with_a_digit() {
        assert_eq!(parse("1000"), Ok(1000));
        assert_eq!(parse("10kB"), Ok(10_000));
        assert_eq!(parse("64MiB"), Ok(64 << 20));
        assert_eq!(parse("1.5KiB"), Ok(1536));
        for text in ["", "-1", "MB", "64XB", "inf", "nan", "1x", "nonsense", "é"] {
            assert_eq!(parse(text), Err(NotASize), "{text}");
        }
        assert!(parse("99999999999999999999999TB").is_ok_and(|size| size == u64::MAX));
    }
}
