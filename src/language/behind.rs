//! What stands behind the prompt, and what it cannot do: the one table of refusals.

use super::verb::Capability;

/// What stands behind the prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behind {
    /// The simulated cluster. It can do everything.
    #[default]
    Simulated,
    /// Real servers that were launched here.
    Launched,
    /// Real servers that run elsewhere.
    Connected,
}

impl Behind {
    /// Why it has not this capability, and what to do instead; `None`: it has it.
    #[must_use]
    pub fn refusal(self, needs: Capability) -> Option<&'static str> {
        match (self, needs) {
            (Self::Simulated, _) => None,
            (_, Capability::Delivery) => {
                Some("messages between real servers are not seen; the simulated cluster shows them")
            }
            (_, Capability::ClockSkew) => Some(
                "real servers have the clock of the system; the simulated cluster can set one wrong",
            ),
            (
                Self::Connected,
                Capability::Membership
                | Capability::NodeFaults
                | Capability::LinkFaults
                | Capability::MessageFaults,
            ) => Some(
                "these servers were not launched here; --launch starts servers that can be broken",
            ),
            (Self::Connected | Self::Launched, _) => None,
        }
    }
}
