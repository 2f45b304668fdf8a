//! The parameters of CONFIG that there are, and which values each takes.
//!
//! `parameters.txt` has the facts.

use std::sync::LazyLock;

/// A parameter.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Another name of it, from older versions of Redis.
    pub alias: Option<&'static str>,
    /// What sets it.
    pub kind: Kind,
    /// Its value at the start.
    pub default: &'static str,
}

/// What sets a parameter.
#[derive(Debug)]
pub enum Kind {
    /// The server reads it.
    Live,
    /// It is kept without effect.
    Kept(Values),
    /// It is kept without effect, and shown to its full name only.
    Hidden(Values),
    /// It has one value.
    Fixed,
    /// It has one value, and cannot be set at all.
    Immutable,
}

/// Which values a parameter takes.
#[derive(Debug)]
pub enum Values {
    /// `yes` or `no`.
    Flag,
    /// A whole number between two.
    Number(i64, i64),
    /// A number of bytes.
    Memory,
    /// A number of bytes, or a percentage.
    Share,
    /// Anything.
    Text,
    /// One of some words.
    Words(Vec<&'static str>),
}

impl Values {
    fn parse(text: &'static str) -> Self {
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["flag"] => Self::Flag,
            ["memory"] => Self::Memory,
            ["share"] => Self::Share,
            ["text"] => Self::Text,
            ["number", least, most] => Self::Number(
                least.parse().unwrap_or(i64::MIN),
                most.parse().unwrap_or(i64::MAX),
            ),
            _ => Self::Words(words),
        }
    }

    /// The value as it is shown.
    ///
    /// # Errors
    /// Why the parameter does not take it.
    pub fn read(&self, value: &str) -> Result<String, String> {
        let lower = value.to_ascii_lowercase();
        match self {
            Self::Flag if matches!(lower.as_str(), "yes" | "no") => Ok(lower),
            Self::Flag => Err("argument must be 'yes' or 'no'".into()),
            Self::Number(least, most) => number(value, *least, *most).map(|it| it.to_string()),
            Self::Memory => memory(value).map(|bytes| bytes.to_string()),
            Self::Share => share(value),
            Self::Text => Ok(value.into()),
            Self::Words(words) if words.contains(&lower.as_str()) => Ok(lower),
            Self::Words(words) => Err(format!(
                "argument(s) must be one of the following: {}",
                words.join(", ")
            )),
        }
    }
}

/// A whole number between two.
///
/// # Errors
/// Why it is none.
pub fn number(value: &str, least: i64, most: i64) -> Result<i64, String> {
    let number = value.parse::<i64>();
    let number = number.map_err(|_| "argument couldn't be parsed into an integer".to_string())?;
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(format!(
        "argument must be between {least} and {most} inclusive"
    ))
}

/// A number of bytes, with the units of Redis: k, kb, m, mb, g, gb.
///
/// # Errors
/// Why it is none.
pub fn memory(text: &str) -> Result<u64, String> {
    let invalid = || "argument must be a memory value".to_string();
    let text = text.to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match &text[digits.len()..] {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return Err(invalid()),
    };
    let number = digits.parse::<u64>().map_err(|_| invalid())?;
    number.checked_mul(factor).ok_or_else(invalid)
}

fn share(value: &str) -> Result<String, String> {
    let Some(percent) = value.strip_suffix('%') else {
        return memory(value).map(|bytes| bytes.to_string());
    };
    match percent.parse::<u64>() {
        Ok(0..=100) => Ok(value.into()),
        Ok(_) => Err("percentage argument must be less or equal to 100".into()),
        Err(_) => Err("argument must be a memory or percent value".into()),
    }
}

static PARAMETERS: LazyLock<Vec<Parameter>> = LazyLock::new(|| {
    let lines = include_str!("parameters.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(parse).collect()
});

fn parse(line: &'static str) -> Parameter {
    let mut parts = line.splitn(3, ';').map(str::trim);
    let mut part = || parts.next().unwrap_or_default();
    let mut names = part().split(' ');
    let name = names.next().unwrap_or_default();
    let kind = part();
    let (word, values) = kind.split_once(' ').unwrap_or((kind, ""));
    let kind = match word {
        "kept" => Kind::Kept(Values::parse(values)),
        "hidden" => Kind::Hidden(Values::parse(values)),
        "fixed" => Kind::Fixed,
        "immutable" => Kind::Immutable,
        _ => Kind::Live,
    };
    Parameter {
        name,
        alias: names.next(),
        kind,
        default: part(),
    }
}

/// All parameters, in alphabetical order.
pub fn all() -> &'static [Parameter] {
    &PARAMETERS
}

/// The parameter of this name, or of this other name, in lower case.
pub fn find(name: &str) -> Option<&'static Parameter> {
    let has_name = |it: &&Parameter| it.name == name || it.alias == Some(name);
    all().iter().find(has_name)
}
