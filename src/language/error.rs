//! What is wrong with a line, for whoever typed it.

use std::fmt;
use std::ops::Range;

use super::catalog::Spec;
use crate::id::NodeId;

/// An error that is shown to the user: one line that says what to type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of error, for programs.
    pub kind: ErrorKind,
    /// What is wrong and what would be right, for people.
    pub message: String,
    /// Which bytes of the line it is about.
    pub at: Option<Range<usize>>,
    /// Which command it is about, if the line names one that is known.
    pub command: Option<&'static Spec>,
    /// Who answered and who did not, if that is why.
    pub heard: Option<Box<Heard>>,
}

/// Which owners of a key answered a request, and which did not, in the order of the owners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Who did.
    pub answered: Vec<NodeId>,
    /// Who did not.
    pub missing: Vec<NodeId>,
}

impl Error {
    /// An error about the line as a whole.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            at: None,
            command: None,
            heard: None,
        }
    }

    /// The same error, because of who answered and who did not.
    #[must_use]
    pub fn because_of(mut self, heard: Heard) -> Self {
        self.heard = Some(Box::new(heard));
        self
    }

    /// The same error, about this command.
    #[must_use]
    pub fn of(mut self, command: &'static Spec) -> Self {
        self.command = Some(command);
        self
    }

    /// The same error, about these bytes of the line.
    #[must_use]
    pub fn at(mut self, at: Range<usize>) -> Self {
        self.at = Some(at);
        self
    }
}

/// Classes of errors by what the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The line does not split into words.
    Syntax,
    /// There is no such command.
    UnknownCommand,
    /// Too few or too many words.
    Usage,
    /// A word is not what its place needs: a time, a number, a node.
    Invalid,
    /// The cluster said no: a bound, a type, a state.
    Refused,
    /// Nobody knows whether it was done: it may have been, or may yet be.
    Unknown,
    /// A check found that a promise was broken.
    Broken,
    /// A file could not be read.
    Io,
    /// A command within this one failed, and has said why.
    Nested,
    /// Ctrl-C.
    Interrupted,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "syntax",
            Self::UnknownCommand => "unknown_command",
            Self::Usage => "usage",
            Self::Invalid => "invalid",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Broken => "broken",
            Self::Io => "io",
            Self::Nested => "nested",
            Self::Interrupted => "interrupted",
        })
    }
}
