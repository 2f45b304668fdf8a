//! The command language: text to [`Command`], values in and values out.
//!
//! - [`word`]: splits a line into words, and shows bytes so that they can be typed again;
//! - [`duration`], [`size`], [`glob`]: TTLs and times, sizes of memory, patterns for keys;
//! - [`catalog`]: the table of all commands with their help, syntax and parsers;
//! - [`fn@parse`]: a line to an [`Input`]; [`parse_words`]: a list of words to an [`Input`];
//! - [`Error`]: the reason a line is no command, or a command failed.

mod behind;
pub mod catalog;
mod command;
pub mod duration;
pub mod error;
pub mod glob;
mod habits;
mod lookup;
mod owned;
mod parse;
mod parsers;
pub mod size;
mod spec;
mod verb;
pub mod word;
mod words;
mod work;

pub use behind::Behind;
pub use command::{Action, Bound, Change, Command, HistoryRequest, Input, Request, Script, Topic};
pub use error::{Error, ErrorKind, Responses};
pub use parse::{parse, parse_words};
pub use work::{DEFAULT_RATE, DEFAULT_REQUESTS, Load, Replay};
