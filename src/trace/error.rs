//! What can be wrong with a trace.

use std::sync::Arc;
use std::{fmt, io};

/// Where in the trace something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The whole of it.
    Whole,
    /// The line, from 1.
    Line(u64),
    /// The byte of the decompressed data, from 0.
    Byte(u64),
}

/// The error of reading or writing a trace: the name of the file, the place, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceError(Box<Details>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    name: Arc<str>,
    place: Place,
    message: String,
    cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Trace,
    Output(io::ErrorKind),
    Interrupt,
}

impl TraceError {
    /// An error in the trace of this name.
    #[must_use]
    pub fn new(name: &Arc<str>, place: Place, message: impl Into<String>) -> Self {
        Self::caused(Cause::Trace, name, place, message.into())
    }

    /// The error of work that its caller ended.
    #[must_use]
    pub fn interrupted() -> Self {
        Self::caused(
            Cause::Interrupt,
            &"".into(),
            Place::Whole,
            "interrupted".into(),
        )
    }

    /// The error of output that cannot be written.
    #[must_use]
    pub fn writing(error: &io::Error) -> Self {
        let message = format!("cannot write: {error}");
        Self::caused(
            Cause::Output(error.kind()),
            &"".into(),
            Place::Whole,
            message,
        )
    }

    fn caused(cause: Cause, name: &Arc<str>, place: Place, message: String) -> Self {
        Self(Box::new(Details {
            name: Arc::clone(name),
            place,
            message,
            cause,
        }))
    }

    /// The same error in the file of this name, unless it has one.
    #[must_use]
    pub fn in_file(mut self, name: &str) -> Self {
        if self.0.name.is_empty() && self.0.cause != Cause::Interrupt {
            self.0.name = name.into();
        }
        self
    }

    /// The place.
    #[must_use]
    pub fn place(&self) -> Place {
        self.0.place
    }

    /// The problem, without name and place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the caller's own callback ended the work, and nothing is wrong.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.0.cause == Cause::Interrupt
    }

    /// If output could not be written: the kind of error.
    #[must_use]
    pub fn of_output(&self) -> Option<io::ErrorKind> {
        match self.0.cause {
            Cause::Output(kind) => Some(kind),
            Cause::Trace | Cause::Interrupt => None,
        }
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details {
            name,
            place,
            message,
            ..
        } = &*self.0;
        match place {
            _ if name.is_empty() => f.write_str(message),
            Place::Whole => write!(f, "{name}: {message}"),
            Place::Line(line) => write!(f, "{name}:{line}: {message}"),
            Place::Byte(byte) => write!(f, "{name}: byte {byte}: {message}"),
        }
    }
}

impl std::error::Error for TraceError {}
