//! What stands behind the prompt, and what it cannot do: the one table of refusals.

use super::spec::Spec;
use super::verb::{Capability, Verb};

/// What stands behind the prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behind {
    /// The simulated cluster. It can do all but a failover: no owner is a primary.
    #[default]
    Simulated,
    /// Real servers that were launched here.
    Launched {
        /// Whether their clocks can be set.
        has_clocks: bool,
    },
    /// Real servers that run elsewhere.
    Connected,
}

impl Behind {
    /// Why the simulated cluster has no failover.
    pub const NO_FAILOVER: &str = "every owner of a key takes writes: no replica has to be promoted; CRASH shows what follows";

    /// Why it cannot carry a command out, and what to do instead; `None`: it can.
    #[must_use]
    pub fn refusal(self, spec: &Spec) -> Option<&'static str> {
        match self {
            Self::Simulated => (spec.needs() == Capability::Failover).then_some(Self::NO_FAILOVER),
            Self::Launched { .. } | Self::Connected => self
                .lacks(spec.needs())
                .or_else(|| simulated_only(spec.verb)),
        }
    }

    /// Why real servers have not this capability.
    fn lacks(self, needs: Capability) -> Option<&'static str> {
        match (self, needs) {
            (_, Capability::Delivery) => {
                Some("messages between real servers are not seen; the simulated cluster shows them")
            }
            (Self::Launched { has_clocks: false }, Capability::ClockSkew) => Some(
                "the servers have the clock of the system; --skewable launches some whose clocks can be set",
            ),
            (
                Self::Connected,
                Capability::Membership
                | Capability::NodeFaults
                | Capability::LinkFaults
                | Capability::MessageFaults
                | Capability::ClockSkew,
            ) => Some(
                "these servers were not launched here; --launch starts servers that can be broken",
            ),
            _ => None,
        }
    }
}

/// Why only the simulated cluster has a command.
fn simulated_only(verb: Verb) -> Option<&'static str> {
    match verb {
        Verb::Plan => {
            Some("moves are not computed for real servers; the simulated cluster does that")
        }
        Verb::Inspect => {
            Some("copies on real servers are not compared; the simulated cluster shows them")
        }
        Verb::Via => Some(
            "a real server sends a request on to the primary of its key; TRACE shows which one it is",
        ),
        _ => None,
    }
}
