//! Block requests of `VMware`'s vscsiStats, in two versions.

use std::time::Duration;

use super::super::error::TraceError;
use super::super::input::Input;
use super::super::op::Op;
use super::super::skipped::Skipped;
use super::blocks::{BlockDecoder, BlockRequest};
use super::fixed::{u16_at, u32_at, u64_at};

/// Where the fields of a version are.
pub struct Vscsi {
    len: usize,
    command: usize,
    bytes: usize,
    sector: usize,
    time: usize,
}

const FIRST: Vscsi = Vscsi {
    len: 32,
    command: 12,
    bytes: 4,
    sector: 16,
    time: 24,
};

const SECOND: Vscsi = Vscsi {
    len: 40,
    command: 0,
    bytes: 8,
    sector: 16,
    time: 24,
};

impl Vscsi {
    /// The version is in the upper byte of the field behind the command, of the first two records.
    pub fn new(input: &mut Input) -> Result<Self, TraceError> {
        let (head, _) = input.peek()?;
        let is = |version: &Self, number: u8| {
            let at = [version.command + 3, version.len + version.command + 3];
            let mut bytes = at.iter().filter_map(|&at| head.get(at));
            !head.is_empty() && bytes.all(|&byte| byte == number)
        };
        if is(&SECOND, 2) {
            return Ok(SECOND);
        }
        if is(&FIRST, 1) || head.is_empty() {
            return Ok(FIRST);
        }
        Err(input.whole("the first two records have no version of vscsi, 1 or 2"))
    }
}

/// The SCSI commands that read or write.
fn op(command: u64) -> Option<Op> {
    match command {
        8 | 40 | 45 | 136 | 168 => Some(Op::Get),
        42 | 63 | 138 | 142 | 154 | 156 | 170 | 174 => Some(Op::Set),
        _ => None,
    }
}

impl BlockDecoder for Vscsi {
    fn next(
        &mut self,
        input: &mut Input,
        skipped: &mut Skipped,
        _: &mut Vec<u8>,
    ) -> Result<Option<BlockRequest>, TraceError> {
        while let Some(bytes) = input.take(self.len)? {
            let command = u16_at(bytes, self.command);
            let Some(op) = op(command) else {
                skipped.add(&format!("SCSI command {command}"));
                continue;
            };
            return Ok(Some(BlockRequest {
                op,
                offset: u64_at(bytes, self.sector),
                unit: 512,
                len: u32_at(bytes, self.bytes),
                time: Some(Duration::from_micros(u64_at(bytes, self.time))),
                count: 1,
                key_has_offset: true,
            }));
        }
        Ok(None)
    }
}
