//! The command language: text to [`Command`], values in, values out.
//!
//! - [`word`]: how a line is split into words, and how bytes are shown so that they can be typed;
//! - [`duration`]: TTLs and times;
//! - [`size`]: sizes of memory;
//! - [`glob`]: patterns for keys;
//! - [`catalog`]: the one table of all commands, from which arity errors, help, hints and
//!   completion come;
//! - [`parse`]: a line to an [`Input`].

pub mod catalog;
mod command;
pub mod duration;
pub mod error;
mod faults;
pub mod glob;
mod parse;
pub mod size;
pub mod word;

pub use command::{Action, Bound, Change, Command, Input, Script, Topic};
pub use error::{Error, ErrorKind, Heard};
pub use parse::parse;
