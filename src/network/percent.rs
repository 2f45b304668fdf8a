//! Percentages that are exact: `5%`, `0.5%`, `5`.

use std::fmt;
use std::str::FromStr;

use crate::rng::Rng;

/// Millionths in the whole.
const WHOLE: u32 = 1_000_000;
/// Millionths in one percent.
const ONE: u32 = WHOLE / 100;
/// The most decimals: one more would be finer than a millionth.
const DECIMALS: usize = 4;

/// From 0 to 100 percent, stored exactly, with four decimals.
///
/// ```
/// use shardlab::network::Percent;
///
/// let percent: Percent = "0.5%".parse()?;
/// assert_eq!((percent.millionths(), percent.to_string()), (5_000, "0.5%".into()));
/// # Ok::<(), shardlab::network::PercentError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u32);

impl Percent {
    /// Never.
    pub const NONE: Self = Self(0);
    /// Always.
    pub const ALL: Self = Self(WHOLE);

    /// Millionths of the whole: 50,000 are 5%. `None` beyond 1,000,000.
    #[must_use]
    pub const fn from_millionths(millionths: u32) -> Option<Self> {
        match millionths {
            0..=WHOLE => Some(Self(millionths)),
            _ => None,
        }
    }

    /// Millionths of the whole, 0 to 1,000,000.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// Draws whether an event of this probability happens. It takes exactly one random number.
    pub(super) fn happens(self, rng: &mut Rng) -> bool {
        rng.below(u64::from(WHOLE)) < u64::from(self.0)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.0 / ONE, self.0 % ONE);
        let text = format!("{whole}.{decimals:0DECIMALS$}");
        write!(f, "{}%", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Why a word is not a [`Percent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    /// Not a number of percent.
    #[error("not a percentage: use a number from 0 to 100, such as 5% or 0.5%")]
    Malformed,
    /// More than 100%.
    #[error("too large: a percentage lies between 0 and 100")]
    TooLarge,
    /// More than four decimals.
    #[error("too fine: a percentage has at most four decimals")]
    TooFine,
}

impl FromStr for Percent {
    type Err = PercentError;

    fn from_str(text: &str) -> Result<Self, PercentError> {
        let number = text.strip_suffix('%').unwrap_or(text);
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
        if !digits(whole) || !digits(decimals) {
            return Err(PercentError::Malformed);
        }
        if decimals.len() > DECIMALS {
            return Err(PercentError::TooFine);
        }
        let millionths = format!("{whole}{decimals:0<DECIMALS$}").parse().ok();
        let percent = millionths.and_then(Self::from_millionths);
        percent.ok_or(PercentError::TooLarge)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_a_percentage_and_what_is_not() {
        use PercentError::{Malformed, TooFine, TooLarge};
        for (text, expected) in [
            ("5%", Ok(50_000)),
            ("5", Ok(50_000)),
            ("0.5%", Ok(5_000)),
            ("0.0001", Ok(1)),
            ("100.0000%", Ok(1_000_000)),
            ("0", Ok(0)),
            ("005", Ok(50_000)),
            ("100.0001", Err(TooLarge)),
            ("101%", Err(TooLarge)),
            ("99999999999999999999%", Err(TooLarge)),
            ("0.00001%", Err(TooFine)),
            ("", Err(Malformed)),
            ("%", Err(Malformed)),
            ("5%%", Err(Malformed)),
            ("5 %", Err(Malformed)),
            ("-1%", Err(Malformed)),
            ("+1%", Err(Malformed)),
            (".5%", Err(Malformed)),
            ("5.%", Err(Malformed)),
            ("1e1", Err(Malformed)),
            ("٥%", Err(Malformed)),
        ] {
            assert_eq!(text.parse().map(Percent::millionths), expected, "{text:?}");
        }
        assert_eq!(Percent::from_millionths(1_000_001), None);
        assert_eq!(Percent::ALL.to_string(), "100%");
        assert_eq!(Percent::NONE.to_string(), "0%");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(millionths in 0..=1_000_000_u32) {
            let percent = Percent::from_millionths(millionths).expect("in bounds");
            prop_assert_eq!(percent.to_string().parse(), Ok(percent));
        }
    }
}
