//! Requests for ranges of blocks, whole or split into blocks.

use std::time::Duration;

use super::super::Record;
use super::super::error::TraceError;
use super::super::input::Input;
use super::super::key::Key;
use super::super::op::Op;
use super::super::skipped::Skipped;
use super::super::text;
use super::Decoder;

/// The longest request, in bytes.
const MAX_LEN: u64 = 1 << 40;
/// The most blocks that a request is split into.
const MAX_BLOCKS: u64 = 1 << 20;

/// One request of a block device.
#[derive(Clone, Copy, Debug)]
pub struct BlockRequest {
    /// What it does.
    pub op: Op,
    /// Where it starts, in units.
    pub offset: u64,
    /// Bytes of a unit.
    pub unit: u64,
    /// Bytes.
    pub len: u64,
    /// Since the epoch of the trace.
    pub time: Option<Duration>,
    /// The number of equal requests in it.
    pub count: u64,
    /// Whether the offset is a part of the key of a whole request.
    pub key_has_offset: bool,
}

/// A format of such requests.
pub trait BlockDecoder {
    /// The next request. It fills `device` with the name of the device, or leaves it empty.
    fn next(
        &mut self,
        input: &mut Input,
        skipped: &mut Skipped,
        device: &mut Vec<u8>,
    ) -> Result<Option<BlockRequest>, TraceError>;
}

/// Makes records of them. The key of a whole request is its device and its offset as recorded, that of
/// a part is its device and the number of the block.
pub struct Blocks<D> {
    decoder: D,
    split: Option<u64>,
    key: Vec<u8>,
    /// How much of the key is the device.
    device: usize,
    request: Option<BlockRequest>,
    /// The block that comes next, and the last one.
    next: u64,
    last: u64,
}

impl<D> Blocks<D> {
    /// Splits into blocks of this many bytes, at least 1.
    pub fn new(decoder: D, split: Option<u64>) -> Self {
        Self {
            decoder,
            split: split.map(|bytes| bytes.max(1)),
            key: Vec::new(),
            device: 0,
            request: None,
            next: 0,
            last: 0,
        }
    }

    /// Starts with a request, or skips it.
    fn start(&mut self, request: BlockRequest, skipped: &mut Skipped) {
        let first = request.offset.checked_mul(request.unit);
        let end = first.and_then(|first| first.checked_add(request.len.max(1) - 1));
        if request.len > MAX_LEN {
            skipped.add("request for more than 1 TiB");
            return;
        }
        let (Some(first), Some(end)) = (first, end) else {
            skipped.add("request beyond 2^64 bytes");
            return;
        };
        self.device = self.key.len();
        let block = self.split.unwrap_or(1);
        (self.next, self.last) = (first / block, end / block);
        if self.split.is_some() && self.last - self.next >= MAX_BLOCKS {
            skipped.add("request for more than 1,048,576 blocks");
            return;
        }
        self.request = Some(request);
    }

    /// The record for the next block, or for the whole request.
    fn record(&mut self, request: BlockRequest) -> Record<'_> {
        let (number, size) = match self.split {
            None => (
                request.key_has_offset.then_some(request.offset),
                request.len,
            ),
            Some(block) => (Some(self.next), block),
        };
        let is_last = self.split.is_none() || self.next >= self.last;
        self.next = self.next.saturating_add(1);
        if is_last {
            self.request = None;
        }
        self.key.truncate(self.device);
        let key = match number {
            Some(number) if self.device == 0 => Key::Number(number),
            Some(number) => {
                self.key.push(b':');
                text::append_number(number, &mut self.key);
                Key::Bytes(&self.key)
            }
            None => Key::of(&self.key),
        };
        Record {
            op: request.op,
            size: Some(size),
            time: request.time,
            count: request.count,
            ..Record::get(key)
        }
    }
}

impl<D: BlockDecoder> Decoder for Blocks<D> {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        loop {
            if let Some(request) = self.request {
                return Ok(Some(self.record(request)));
            }
            self.key.clear();
            let Some(request) = self.decoder.next(input, skipped, &mut self.key)? else {
                return Ok(None);
            };
            self.start(request, skipped);
        }
    }
}
