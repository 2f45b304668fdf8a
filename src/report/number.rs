//! Numbers in the form that a report shows.

use std::time::Duration;

use crate::render::grouped;
use crate::replay::Unit;

/// A ratio as percent: one decimal, or two below one percent.
pub fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if percent >= 0.995 || percent == 0.0 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.2} %")
    }
}

/// A difference of ratios in points, without a sign.
pub fn points(difference: f64) -> String {
    format!("{:.1}", (difference * 100.0).abs())
}

/// So many requests.
pub fn requests(count: u64) -> String {
    match count {
        1 => "1 request".into(),
        count => format!("{} requests", grouped(count)),
    }
}

/// A time span, short: parts of a second only below a minute.
pub fn span(nanos: u64) -> String {
    let span = Duration::from_millis(nanos / 1_000_000);
    let long = Duration::from_secs(span.as_secs());
    let shown = if span.as_secs() < 60 { span } else { long };
    humantime::format_duration(shown).to_string()
}

/// The half-width of a ratio in points: one decimal, or two below a tenth.
pub fn plus_minus(error: f64) -> String {
    let points = error * 100.0;
    if points >= 0.095 || points == 0.0 {
        format!("{points:.1}")
    } else {
        format!("{points:.2}")
    }
}

/// A ratio as percent with its half-width in points, if it has one: `12.3 % ± 0.4`.
pub fn estimate(ratio: f64, error: Option<f64>) -> String {
    match error {
        Some(error) => format!("{} ± {}", percent(ratio), plus_minus(error)),
        None => percent(ratio),
    }
}

/// The rate of a sample as percent, without zeros at its end.
#[must_use]
pub fn share(rate: f64) -> String {
    let percent = format!("{:.6}", rate * 100.0);
    let percent = percent.trim_end_matches('0').trim_end_matches('.');
    format!("{percent} %")
}

/// A size in its unit.
#[must_use]
pub fn size(size: u64, unit: Unit) -> String {
    match unit {
        Unit::Objects if size == 1 => "1 object".into(),
        Unit::Objects => format!("{} objects", grouped(size)),
        Unit::Bytes => bytes(size),
    }
}

/// Bytes with a binary unit, exact where they are a whole number of it.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if value.fract() == 0.0 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// A size on an axis: short.
pub fn short(size: u64, unit: Unit) -> String {
    if unit == Unit::Bytes {
        return bytes(size).replace(".0 ", " ");
    }
    let scaled = |by: u64, letter: &str| {
        let value = size as f64 / by as f64;
        let decimals = usize::from(value < 10.0 && value.fract() >= 0.05);
        format!("{value:.decimals$}{letter}")
    };
    match size {
        0..1_000 => size.to_string(),
        1_000..1_000_000 => scaled(1_000, "k"),
        1_000_000..1_000_000_000 => scaled(1_000_000, "M"),
        _ => scaled(1_000_000_000, "G"),
    }
}
