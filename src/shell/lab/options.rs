//! The options of `compare`.

use std::path::PathBuf;

use super::sampled::SampleRate;
use super::size::Size;
use crate::placement::PlacementKind;
use crate::replay::{Event, Policy, Rules, Unit};
use crate::report;
use crate::trace::Spec;

/// The options of `compare`.
#[derive(Clone, Debug)]
pub struct Compare {
    /// The files; `-` is standard input.
    pub traces: Vec<PathBuf>,
    /// Their format, unless it is to be detected.
    pub trace_format: Option<Spec>,
    /// Requests for ranges become requests for blocks of this many bytes.
    pub split: Option<u64>,
    /// The policies.
    pub policies: Vec<Policy>,
    /// What each node holds.
    pub sizes: Vec<Size>,
    /// The miss ratio that is minimised, and what percentages are of.
    pub by: Unit,
    /// The miss ratio to reach.
    pub target: Option<f64>,
    /// The numbers of nodes.
    pub nodes: Vec<u32>,
    /// The placements.
    pub placements: Vec<PlacementKind>,
    /// How many nodes hold each object.
    pub replicas: Vec<u32>,
    /// What happens in the middle of the replay.
    pub events: Vec<Event>,
    /// The command line, as it can be typed again.
    pub command: String,
    /// The rules of the replay.
    pub rules: Rules,
    /// The part of the requests that is replayed and not counted.
    pub warmup: f64,
    /// The most requests.
    pub limit: u64,
    /// Which part of the keys is replayed.
    pub sample: SampleRate,
    /// Threads; `None`: one for each core.
    pub jobs: Option<usize>,
    /// Where the page is written.
    pub html: Option<PathBuf>,
    /// Where the chart is written.
    pub svg: Option<PathBuf>,
    /// How the result is shown.
    pub form: report::Form,
    /// Whether notes are left out.
    pub quiet: bool,
    /// The seed of policies that choose at random.
    pub seed: u64,
}

impl Compare {
    /// The unit of the sizes.
    pub fn unit(&self) -> Unit {
        let first = self.sizes.first();
        first.map_or(self.by, |size| size.unit(self.by))
    }

    /// Whether every cell goes through a real cluster.
    pub fn is_live(&self) -> bool {
        !self.events.is_empty() || self.replicas.iter().any(|&replicas| replicas > 1)
    }
}
