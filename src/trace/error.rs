//! What can be wrong with a trace.

use std::fmt;
use std::sync::Arc;

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
    interrupted: bool,
}

impl TraceError {
    /// An error in the trace of this name.
    #[must_use]
    pub fn new(name: &Arc<str>, place: Place, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            name: Arc::clone(name),
            place,
            message: message.into(),
            interrupted: false,
        }))
    }

    /// The error of work that its caller ended.
    #[must_use]
    pub fn interrupted() -> Self {
        Self(Box::new(Details {
            name: "".into(),
            place: Place::Whole,
            message: "interrupted".into(),
            interrupted: true,
        }))
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
        self.0.interrupted
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
