//! Values of arguments.

use std::ffi::OsString;
use std::fmt::Display;
use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, StringValueParser, TypedValueParser};

use crate::config::MAX_REPLICAS;
use crate::language::duration::{self, DurationError};

/// An argument as it came, whatever its encoding.
pub fn bytes(argument: OsString) -> Vec<u8> {
    argument.into_encoded_bytes()
}

/// A time as it is typed in commands.
pub fn time(word: &str) -> Result<Duration, DurationError> {
    duration::parse(word.as_bytes())
}

/// A parser of one of these values by its name. Help and errors list the names.
pub fn choice<T>(all: &[T]) -> impl TypedValueParser<Value = T> + use<T>
where
    T: Display + FromStr<Err: std::error::Error + Send + Sync> + Clone + Send + Sync + 'static,
{
    let names = all.iter().map(ToString::to_string);
    let parser = PossibleValuesParser::new(names.collect::<Vec<_>>());
    parser.try_map(|name| name.to_ascii_lowercase().parse())
}

/// A parser of a number of owners.
pub fn owners() -> impl TypedValueParser<Value = usize> {
    whole::<usize>(1, MAX_REPLICAS as u64)
}

/// A parser of a whole number between two bounds.
pub fn whole<T>(least: u64, most: u64) -> impl TypedValueParser<Value = T> + use<T>
where
    T: TryFrom<u64> + Clone + Send + Sync + 'static,
{
    StringValueParser::new().try_map(move |word| {
        let number: u64 = word
            .parse()
            .map_err(|error: ParseIntError| match error.kind() {
                IntErrorKind::PosOverflow => "the number is too large".to_owned(),
                _ => "not a whole number".to_owned(),
            })?;
        let bounded = (least..=most).contains(&number).then_some(number);
        let bounded = bounded.and_then(|number| T::try_from(number).ok());
        bounded.ok_or_else(|| match most {
            u64::MAX => format!("{number} is not in {least}.."),
            _ => format!("{number} is not in {least}..={most}"),
        })
    })
}
