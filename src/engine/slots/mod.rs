//! Slots moved between the primaries of a cluster, and open slots repaired.
//!
//! | file | what it has |
//! | --- | --- |
//! | `hosts` | the servers, a connection to each, and what they say about the slots |
//! | `plan` | which slots go where |
//! | `mover` | a slot moved by hand, or ranges by the server itself |
//! | `repair` | slots that an interrupted move left open, or keys where they do not belong |
//!
//! A move may end at any moment, with this program or with a server. It leaves at most one slot open, and
//! a repair finishes that one.

mod hosts;
mod mover;
mod plan;
mod repair;

pub use super::members::Member;
pub use hosts::{Host, View};
pub use mover::{Moved, Mover};
pub use plan::{Plan, SlotMove};
pub use repair::Repaired;

use super::members::SLOTS;
