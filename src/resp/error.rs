//! Requests and answers that do not follow the protocol.

/// A request or an answer that does not follow the protocol. The connection has to be closed, since the
/// start of the next one is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A line without an end.
    #[error("Protocol error: too big inline request")]
    InlineTooLong,
    /// A quote is left open, or touches the next word.
    #[error("Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
    /// A header of an array without an end.
    #[error("Protocol error: too big mbulk count string")]
    CountTooLong,
    /// A header of a bulk string without an end.
    #[error("Protocol error: too big bulk count string")]
    LengthTooLong,
    /// The number of arguments is no number, or out of bounds.
    #[error("Protocol error: invalid multibulk length")]
    Count,
    /// The length of an argument is no number, or out of bounds.
    #[error("Protocol error: invalid bulk length")]
    Length,
    /// An argument is not a bulk string.
    #[error("Protocol error: expected '$', got '{}'", .0.escape_ascii())]
    NotABulkString(u8),
    /// A bulk string is longer than its length.
    #[error("Protocol error: invalid CRLF in request")]
    NoLineEnd,
    /// All arguments together are too long.
    #[error("Protocol error: too big request")]
    TooLong,
    /// An answer starts with another byte than those of RESP2.
    #[error("Protocol error: an answer starts with '{}'", .0.escape_ascii())]
    NotAnAnswer(u8),
}
