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

/// Writes a size with the unit that takes the fewest digits, so that [`parse`] reads it back.
#[must_use]
pub fn show(bytes: u64) -> String {
    let forms = UNITS.iter().filter_map(|&(unit, size)| {
        let number = decimal(bytes, size)?;
        let text = format!("{number}{unit}");
        (parse(&text) == Ok(bytes)).then(|| (digits(&number), text.len(), text))
    });
    let simplest = forms.min().map(|(_, _, text)| text);
    simplest.unwrap_or_else(|| bytes.to_string())
}

/// The size in this unit, if it takes at most three decimals.
fn decimal(bytes: u64, unit: u64) -> Option<String> {
    let (bytes, unit) = (u128::from(bytes) * 1000, u128::from(unit));
    let thousandths = bytes / unit;
    let number = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    let number = number.trim_end_matches('0').trim_end_matches('.');
    (bytes % unit == 0).then(|| number.into())
}

/// How many digits a number has, without zeros before and behind them.
fn digits(number: &str) -> usize {
    let zero = |char| matches!(char, '0' | '.');
    let digits = number.trim_matches(zero);
    digits.bytes().filter(u8::is_ascii_digit).count()
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
        assert_eq!(show(1536), "1.5KiB");
        assert_eq!(show(1025), "1025B");
        assert_eq!(show(10_485_760), "10MiB");
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
