//! Scenarios built into the binary.

/// A scenario: its name, what it shows, and its lines.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The name by which `shardlab demo` finds it.
    pub name: &'static str,
    /// One line of what it shows.
    pub summary: &'static str,
    /// Commands.
    pub script: &'static str,
}

/// All scenarios.
pub static SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "sample-output",
        summary: "Three keys with TTLs on three servers, and when each of them goes (11 seconds).",
        script: include_str!("../../scripts/sample-output.cache"),
    },
    Scenario {
        name: "availability",
        summary: "A crash and a partition, with majorities and without, and what CHECK says of it.",
        script: include_str!("../../scripts/availability.cache"),
    },
];

/// The scenario of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}
