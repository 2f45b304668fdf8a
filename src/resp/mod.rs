//! The Redis protocol, without sockets: requests in, frames out.
//!
//! | file | what it has |
//! | --- | --- |
//! | `error` | [`ProtocolError`]: requests that do not follow the protocol |
//! | `request` | [`RequestParser`]: finds the arguments of a request in a buffer, without copying them |
//! | `inline` | requests that are typed as a line of words |
//! | `frames` | [`Frames`]: writes replies as RESP2 or RESP3 |
//! | `commands.txt`, `spec`, `syntax` | the commands: arities, keys, flags, arguments |
//! | `call` | [`call::Call`]: a command that asks for operations on keys and waits for their outcomes |
//! | `commands/` | commands on keys: strings, hashes, expiry |
//! | `scripts` | scripts of locks and rate limits, known by their shape |
//! | `value` | replies and failures of commands |
//! | `describe` | the replies of COMMAND |
//! | `answer` | [`Answer`]: what a server answers, for a client |
//!
//! The protocol is specified in <https://redis.io/docs/latest/develop/reference/protocol-spec/>. Error
//! texts are those of Redis, since clients compare them.

mod answer;
pub mod call;
pub mod commands;
pub mod describe;
mod error;
mod frames;
mod inline;
mod request;
pub mod scripts;
pub mod spec;
pub mod syntax;
#[cfg(test)]
mod tests;
pub mod value;

pub use answer::{Answer, write_request};
pub use error::ProtocolError;
pub use frames::{Frames, Protocol};
pub use request::{Args, RequestLimits, RequestParser};
