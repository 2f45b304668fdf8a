//! What a reader skipped, counted by name.

use std::collections::BTreeMap;

/// The most different reasons that are counted.
const MAX_REASONS: usize = 100;
/// The reason for everything beyond.
const OTHERS: &str = "other reasons";

/// Counts of records that were skipped, by reason: at most 100 reasons, each of at most 60 bytes, and
/// the rest as `other reasons`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped(BTreeMap<String, u64>);

impl Skipped {
    /// Counts one.
    pub fn add(&mut self, reason: &str) {
        self.add_many(reason, 1);
    }

    /// Counts several.
    pub fn add_many(&mut self, reason: &str, count: u64) {
        let reason: String = reason.chars().take(60).collect();
        let known = self.0.contains_key(&reason) || self.0.len() < MAX_REASONS;
        let reason = if known { reason } else { OTHERS.into() };
        let total = self.0.entry(reason).or_default();
        *total = total.saturating_add(count);
    }

    /// Each reason with its count, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(reason, &count)| (&**reason, count))
    }

    /// How many were skipped in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }
}
