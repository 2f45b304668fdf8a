//! The first bytes of a trace, and trying formats on them.

use std::sync::Arc;
use std::time::Duration;

use super::error::TraceError;
use super::format::{Format, Spec};
use super::formats::is_misfit;
use super::input::Input;
use super::{Trace, text};

/// How many records a format is tried on.
pub const TRIED: usize = 1000;
/// The longest time that this many records may span for a layout to be plausible.
const LONGEST: Duration = Duration::from_hours(20 * 8_766);

/// A format, and why it is this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// The format with its options.
    pub spec: Spec,
    /// One sentence without a full stop: "the first 1000 records fit".
    pub reason: String,
}

/// The first bytes of a trace.
pub(super) struct Head {
    pub name: String,
    pub bytes: Arc<[u8]>,
    /// Whether these are all.
    pub is_whole: bool,
    /// The number of bytes of the whole trace, if known.
    pub len: Option<u64>,
}

impl Head {
    pub fn read(input: &mut Input) -> Result<Self, TraceError> {
        let name = input.name().to_ascii_lowercase();
        let name = name.rsplit('/').next().unwrap_or_default().to_owned();
        let len = input.known_len();
        let (bytes, is_whole) = input.peek()?;
        let bytes: Arc<[u8]> = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).into();
        let len = if is_whole {
            Some(bytes.len() as u64)
        } else {
            len
        };
        Ok(Self {
            name,
            bytes,
            is_whole,
            len,
        })
    }

    /// Whole lines, without those that are empty or comments.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let whole = whole_lines(&self.bytes, self.is_whole);
        let lines = whole.split(|&byte| byte == b'\n').map(text::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"))
    }

    /// Whether the bytes look like text.
    pub fn is_text(&self) -> bool {
        let part = &self.bytes[..self.bytes.len().min(1 << 16)];
        let is_control = |byte: &&u8| **byte < 32 && !matches!(byte, b'\t' | b'\n' | b'\r');
        part.iter().filter(is_control).count() * 100 <= part.len()
    }

    /// Tries a format on the first records: how many fit, or `None` if one does not.
    pub fn fits(&self, spec: &Spec, are_times_rising: bool) -> Option<usize> {
        let bytes = if self.is_text() {
            whole_lines(&self.bytes, self.is_whole).into()
        } else {
            Arc::clone(&self.bytes)
        };
        let mut trace = spec.read(Input::trial(&self.name, bytes)).ok()?;
        let (mut first, mut last, mut records) = (None, None, 0);
        while records < TRIED {
            match trace.next() {
                Ok(Some(record)) => {
                    first = first.or(record.time);
                    if are_times_rising && record.time < last {
                        return None;
                    }
                    last = record.time;
                    records += 1;
                }
                Ok(None) => break,
                // The head may end within a record.
                Err(_) if !self.is_whole && records > 0 => break,
                Err(_) => return None,
            }
        }
        let span = last
            .zip(first)
            .map(|(last, first)| last.saturating_sub(first));
        let is_long = are_times_rising && span.is_some_and(|span| span > LONGEST);
        let mut reasons = trace.skipped().iter().map(|(reason, _)| reason);
        let is_wrong = reasons.any(is_misfit);
        (records > 0 && !is_wrong && !is_long).then_some(records)
    }
}

/// Without the unfinished line at the end, unless that is the end of the trace.
fn whole_lines(bytes: &[u8], is_whole: bool) -> &[u8] {
    match memchr::memrchr(b'\n', bytes) {
        Some(end) if !is_whole => &bytes[..=end],
        _ => bytes,
    }
}

pub(super) fn found(format: Format, reason: &str) -> Detected {
    Detected {
        spec: format.into(),
        reason: reason.into(),
    }
}
