//! Whether a stream gets colour.

use std::env;
use std::fmt;
use std::str::FromStr;

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// Where there is a person to see it.
    #[default]
    Auto,
    /// Whatever the stream is.
    Always,
    /// Not at all.
    Never,
}

impl When {
    /// All choices.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        })
    }
}

/// The error of parsing a [`When`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("colour is auto, always or never")]
pub struct UnknownWhen;

impl FromStr for When {
    type Err = UnknownWhen;

    fn from_str(name: &str) -> Result<Self, UnknownWhen> {
        let mut all = Self::ALL.into_iter();
        all.find(|when| name == when.to_string()).ok_or(UnknownWhen)
    }
}

impl When {
    /// Decides for one stream. The flag comes first, then `NO_COLOR`, `CLICOLOR_FORCE` and
    /// `TERM=dumb`, and last whether a person sees the stream.
    #[must_use]
    pub fn wanted(self, seen_by_a_person: bool) -> bool {
        self.decide(seen_by_a_person, |name| {
            env::var_os(name).map(|value| value.to_string_lossy().into_owned())
        })
    }

    fn decide(self, seen_by_a_person: bool, env: impl Fn(&str) -> Option<String>) -> bool {
        let is_set = |name| env(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if is_set("NO_COLOR") => false,
            Self::Auto
                if env("CLICOLOR_FORCE").is_some_and(|force| force != "0" && !force.is_empty()) =>
            {
                true
            }
            Self::Auto => seen_by_a_person && env("TERM").is_none_or(|term| term != "dumb"),
        }
    }
}

/// Whether the locale says that characters beyond ASCII can be shown.
#[must_use]
pub fn speaks_utf8() -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let mut values = names.iter().filter_map(|name| env::var(name).ok());
    let locale = values.find(|value| !value.is_empty()).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::When::{Always, Auto, Never};

    #[test]
    fn the_flag_beats_the_environment_and_that_beats_the_terminal() {
        for (when, env, seen, expected) in [
            (Always, &[("NO_COLOR", "1")][..], false, true),
            (Never, &[("CLICOLOR_FORCE", "1")], true, false),
            (
                Auto,
                &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")],
                true,
                false,
            ),
            (Auto, &[("NO_COLOR", "")], true, true),
            (
                Auto,
                &[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")],
                false,
                true,
            ),
            (Auto, &[("CLICOLOR_FORCE", "0")], false, false),
            (Auto, &[("TERM", "dumb")], true, false),
            (Auto, &[("TERM", "xterm")], true, true),
            (Auto, &[("TERM", "xterm")], false, false),
        ] {
            let get = |name: &str| {
                let found = env.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(when.decide(seen, get), expected, "{when:?} {env:?} {seen}");
        }
    }
}
