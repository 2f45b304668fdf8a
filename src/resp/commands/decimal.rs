//! Numbers with a fraction, as INCRBYFLOAT counts: exactly, to 17 places.

use crate::resp::value::Failure;

/// Digits after the point.
const PLACES: u32 = 17;
const ONE: i128 = 10_i128.pow(PLACES);

/// A number, exact if it has at most 17 digits after the point and is smaller than 10^20, otherwise
/// as near as an `f64`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decimal {
    /// Units of 10^-17.
    Exact(i128),
    /// A number that is too large or too fine.
    Float(f64),
}

impl Decimal {
    /// The number that a text spells.
    ///
    /// # Errors
    /// If it spells none.
    pub fn parse(text: &[u8]) -> Result<Self, Failure> {
        let text = std::str::from_utf8(text).map_err(|_| Failure::NOT_A_FLOAT)?;
        if let Some(exact) = exact(text) {
            return Ok(Self::Exact(exact));
        }
        let is_plain = text
            .bytes()
            .next()
            .is_some_and(|first| !first.is_ascii_whitespace());
        match text.parse::<f64>() {
            // What an infinity does is an error of its own; see `add`.
            Ok(number) if is_plain && !number.is_nan() => Ok(Self::Float(number)),
            _ => Err(Failure::NOT_A_FLOAT),
        }
    }

    /// Whether it is no infinity.
    pub fn is_finite(self) -> bool {
        self.to_float().is_finite()
    }

    /// The sum.
    ///
    /// # Errors
    /// If it is not finite.
    pub fn add(self, other: Self) -> Result<Self, Failure> {
        if let (Self::Exact(a), Self::Exact(b)) = (self, other)
            && let Some(sum) = a.checked_add(b)
        {
            return Ok(Self::Exact(sum));
        }
        let sum = self.to_float() + other.to_float();
        if sum.is_finite() {
            Ok(Self::Float(sum))
        } else {
            Err(Failure::text("ERR increment would produce NaN or Infinity"))
        }
    }

    fn to_float(self) -> f64 {
        match self {
            Self::Exact(exact) => exact as f64 / ONE as f64,
            Self::Float(float) => float,
        }
    }
}

/// Without exponent, and without zeros at the end.
impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self {
            Self::Float(float) => format!("{float}"),
            Self::Exact(exact) => {
                let sign = if *exact < 0 { "-" } else { "" };
                let (whole, part) = (
                    exact.unsigned_abs() / ONE.unsigned_abs(),
                    exact.unsigned_abs() % ONE.unsigned_abs(),
                );
                let text = format!("{sign}{whole}.{part:017}");
                text.trim_end_matches('0').trim_end_matches('.').to_string()
            }
        };
        f.write_str(if text == "-0" { "0" } else { &text })
    }
}

/// Units of 10^-17; `None` if they do not hold the number.
fn exact(text: &str) -> Option<i128> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, part) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = format!("{whole}{part}");
    if digits.is_empty() || digits.len() > 38 || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let shift =
        i32::try_from(PLACES).ok()? - i32::try_from(part.len()).ok()? + exponent.clamp(-99, 99);
    let number: i128 = digits.parse().ok()?;
    let scaled = if shift >= 0 {
        number.checked_mul(10_i128.checked_pow(shift.unsigned_abs())?)?
    } else {
        let divisor = 10_i128.checked_pow(shift.unsigned_abs())?;
        (number % divisor == 0).then_some(number / divisor)?
    };
    let limit = ONE.checked_mul(10_i128.pow(20))?;
    (scaled < limit).then_some(if mantissa.starts_with('-') {
        -scaled
    } else {
        scaled
    })
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn sums_are_exact() {
        for (a, b, sum) in [
            ("10.5", "0.1", "10.6"),
            ("0.1", "0.2", "0.3"),
            ("3.0e3", "2e2", "3200"),
            ("5", "-5", "0"),
            ("1", "-1.1", "-0.1"),
            ("-0.00", "0", "0"),
            ("17179869184", "1.5", "17179869185.5"),
            ("0.00000000000000001", "1", "1.00000000000000001"),
            (".5", "5.", "5.5"),
            ("1e30", "1e30", "2000000000000000000000000000000"),
        ] {
            let [a, b] = [a, b].map(|it| Decimal::parse(it.as_bytes()).expect("it is a number"));
            assert_eq!(a.add(b).expect("it is finite").to_string(), sum);
        }
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in ["", " 1", "1 ", "x", "1.2.3", "nan", "0x", ".", "-", "e5"] {
            assert!(Decimal::parse(text.as_bytes()).is_err(), "{text}");
        }
        let huge = Decimal::parse(b"1e308").expect("it is a number");
        assert!(huge.add(huge).is_err());
        for text in ["inf", "-inf", "+Infinity"] {
            let infinite = Decimal::parse(text.as_bytes()).expect("it is a number");
            assert!(
                !infinite.is_finite() && infinite.add(huge).is_err(),
                "{text}"
            );
        }
    }
}
