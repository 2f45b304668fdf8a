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

/// The units of a size, with their bytes.
const UNITS: [(&str, u64); 11] = [
    ("B", 1),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
];

/// Writes a size in the shortest form that [`parse`] reads back, with up to three decimals.
#[must_use]
pub fn show(bytes: u64) -> String {
    let forms = UNITS.iter().filter_map(|&(unit, size)| {
        let thousandths = u128::from(bytes) * 1000;
        let is_exact = thousandths % u128::from(size) == 0;
        let number = thousandths / u128::from(size);
        let number = format!("{}.{:03}", number / 1000, number % 1000);
        let number = number.trim_end_matches('0').trim_end_matches('.');
        let text = format!("{number}{unit}");
        (is_exact && parse(&text) == Ok(bytes)).then_some(text)
    });
    let shortest = forms.min_by_key(String::len);
    shortest.unwrap_or_else(|| bytes.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_size_is_shown_as_it_is_typed() {
        for text in [
            "0B", "1B", "999B", "10kB", "64MiB", "1.5KiB", "1.5GB", "12.5MB", "1GiB",
        ] {
            assert_eq!(parse(text).map(show).as_deref(), Ok(text));
        }
        assert_eq!(show(1000), "1kB");
        assert_eq!(show(123_457), "123457B");
    }

    proptest! {
        #[test]
        fn a_shown_size_is_read_back(bytes in prop_oneof![any::<u64>(), 0..100_000_u64]) {
            prop_assert_eq!(parse(&show(bytes)), Ok(bytes));
        }
    }

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
