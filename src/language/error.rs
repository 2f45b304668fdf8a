//! The errors of a command: one line for the user, and a kind for programs.

use std::fmt;
use std::ops::Range;

use crate::id::NodeId;

/// An error that is shown to the user. It says what to type instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The kind, for programs.
    pub kind: ErrorKind,
    /// The fault and its remedy, for people: one sentence without a full stop.
    pub message: String,
    /// The bytes of the line that the error is about. `None` if it is about the line as a whole,
    /// or if the command did not come from a line.
    pub at: Option<Range<usize>>,
    /// The canonical name of the command; `None` if the line names no known command.
    pub command: Option<&'static str>,
    /// The owners that answered and those that did not, if the error comes from that.
    pub responses: Option<Box<Responses>>,
}

/// The owners of a key that answered a request and those that did not, each in owner order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Responses {
    /// The owners that answered.
    pub answered: Vec<NodeId>,
    /// The owners that did not answer.
    pub missing: Vec<NodeId>,
}

impl Error {
    /// An error about a line as a whole.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            at: None,
            command: None,
            responses: None,
        }
    }

    /// The error of a command for which the backend lacks the
    /// [capability](super::catalog::Capability): why, and what to do instead.
    #[must_use]
    pub fn unsupported(command: &'static str, why: &str) -> Self {
        let message = format!("{command} is not available: {why}");
        Self::new(ErrorKind::Unsupported, message).of(command)
    }

    /// Adds the owners that answered and those that did not.
    #[must_use]
    pub fn with_responses(mut self, responses: Responses) -> Self {
        self.responses = Some(Box::new(responses));
        self
    }

    /// Adds the canonical name of the command.
    #[must_use]
    pub fn of(mut self, command: &'static str) -> Self {
        self.command = Some(command);
        self
    }

    /// Adds the bytes of the line that the error is about.
    #[must_use]
    pub fn at(mut self, at: impl Into<Option<Range<usize>>>) -> Self {
        self.at = at.into();
        self
    }
}

/// The kinds of errors. They differ in what the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The line does not split into words.
    Syntax,
    /// No command has this name.
    UnknownCommand,
    /// Too few words, too many, or a word in the wrong place.
    Usage,
    /// A word is not a time, a number, a node or another value that its place needs.
    Invalid,
    /// The backend cannot run this command. Nothing was done.
    Unsupported,
    /// The cluster rejects the command because of a bound, a type or a state. Nothing was done.
    Refused,
    /// The outcome is unknown: the command may have taken effect, or may do so later.
    Unknown,
    /// A check found a broken promise.
    Broken,
    /// A check could not decide whether a promise was kept.
    Undecided,
    /// A file cannot be read.
    Io,
    /// A command inside this one failed and has reported its own error.
    Nested,
    /// Ctrl-C ended the command.
    Interrupted,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "syntax",
            Self::UnknownCommand => "unknown_command",
            Self::Usage => "usage",
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Broken => "broken",
            Self::Undecided => "undecided",
            Self::Io => "io",
            Self::Nested => "nested",
            Self::Interrupted => "interrupted",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_capability_names_the_command_and_the_reason() {
        let error = Error::unsupported("STEP", "messages are not seen");
        assert_eq!(
            error.message,
            "STEP is not available: messages are not seen"
        );
        assert_eq!(error.kind.to_string(), "unsupported");
        assert_eq!(error.command, Some("STEP"));
    }
}
