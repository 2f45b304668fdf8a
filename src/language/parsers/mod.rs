//! The parsers of the commands, by topic. Each reads the words after its command's name.

pub mod cluster;
pub mod data;
pub mod faults;
pub mod links;
pub mod planning;
pub mod requests;
pub mod script;
pub mod seeing;
pub mod work;
