//! Records of a fixed length.

use std::time::Duration;

use super::super::error::TraceError;
use super::super::format::Format;
use super::super::input::Input;
use super::super::key::Key;
use super::super::op::Op;
use super::super::skipped::Skipped;
use super::super::{BoxedTrace, Record};
use super::{Decoder, boxed};

/// A record, or the reason why it is skipped.
type Decoded = Result<Record<'static>, String>;

/// Records of `N` bytes.
pub struct Fixed<const N: usize, F>(F);

impl<const N: usize, F: Fn(&[u8; N]) -> Decoded> Decoder for Fixed<N, F> {
    #[inline]
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        while let Some(bytes) = input.take(N)?.and_then(<[u8]>::first_chunk) {
            match (self.0)(bytes) {
                Ok(record) => return Ok(Some(record)),
                Err(reason) => skipped.add(&reason),
            }
        }
        Ok(None)
    }
}

/// `LEN` bytes from `at` on, which the record has.
#[inline]
pub fn part<const LEN: usize>(bytes: &[u8], at: usize) -> [u8; LEN] {
    let part = bytes.get(at..).and_then(<[u8]>::first_chunk);
    part.copied().unwrap_or([0; LEN])
}

#[inline]
pub fn u16_at(bytes: &[u8], at: usize) -> u64 {
    u16::from_le_bytes(part(bytes, at)).into()
}

#[inline]
pub fn u32_at(bytes: &[u8], at: usize) -> u64 {
    u32::from_le_bytes(part(bytes, at)).into()
}

#[inline]
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(part(bytes, at))
}

/// The operation with this number of libCacheSim.
fn op(number: u64) -> Result<Op, String> {
    Op::numbered(number).ok_or_else(|| format!("operation {number}"))
}

/// A TTL in seconds, with a sign in its 32 bits: zero and negative numbers mean none.
fn ttl(seconds: u64) -> Option<Duration> {
    let is_positive = (1..1 << 31).contains(&seconds);
    is_positive.then(|| Duration::from_secs(seconds))
}

pub fn u64le() -> impl Decoder + Send {
    Fixed(|bytes: &[u8; 8]| Ok(Record::get(u64::from_le_bytes(*bytes).into())))
}

pub fn i32be() -> impl Decoder + Send {
    Fixed(|bytes: &[u8; 4]| Ok(Record::get(i64::from(i32::from_be_bytes(*bytes)).into())))
}

pub fn u32be() -> impl Decoder + Send {
    Fixed(|bytes: &[u8; 4]| Ok(Record::get(u64::from(u32::from_be_bytes(*bytes)).into())))
}

pub fn i64be() -> impl Decoder + Send {
    Fixed(|bytes: &[u8; 8]| Ok(Record::get(i64::from_be_bytes(*bytes).into())))
}

/// A record that starts with a time of 32 bits and a key of 64.
#[inline]
fn timed(bytes: &[u8]) -> Record<'static> {
    Record {
        time: Some(Duration::from_secs(u32_at(bytes, 0))),
        ..Record::get(Key::Number(u64_at(bytes, 4)))
    }
}

/// Time, key, size, next request of the key.
#[inline]
fn oracle_record(bytes: &[u8; 24]) -> Record<'static> {
    Record {
        size: Some(u32_at(bytes, 12)),
        ..timed(bytes)
    }
}

pub fn oracle_general() -> impl Decoder + Send + 'static {
    Fixed(|bytes: &[u8; 24]| Ok(oracle_record(bytes)))
}

pub fn oracle_general_op_ns() -> impl Decoder + Send {
    Fixed(|bytes: &[u8; 27]| {
        Ok(Record {
            size: Some(u32_at(bytes, 12)),
            op: op(bytes[16].into())?,
            ..timed(bytes)
        })
    })
}

/// Twitter's records: a get with an empty value is a miss, and is skipped.
pub fn twr<const N: usize>() -> impl Decoder + Send {
    Fixed(|bytes: &[u8; N]| {
        let (sizes, rest) = (u32_at(bytes, 12), u32_at(bytes, 16));
        let seconds = rest & 0xff_ffff;
        twr_record(bytes, sizes >> 22, sizes & 0x3f_ffff, rest >> 24, seconds)
    })
}

pub fn oracle_sys_twr_ns() -> impl Decoder + Send {
    Fixed(|bytes: &[u8; 34]| {
        let (key, value, number) = (u16_at(bytes, 12), u32_at(bytes, 14), u16_at(bytes, 18));
        twr_record(bytes, key, value, number, u32_at(bytes, 22))
    })
}

fn twr_record(bytes: &[u8], key: u64, value: u64, number: u64, seconds: u64) -> Decoded {
    let op = op(number)?;
    if op == Op::Get && value == 0 {
        return Err("get with an empty value".into());
    }
    Ok(Record {
        op,
        size: Some(key + value),
        ttl: ttl(seconds),
        ..timed(bytes)
    })
}

/// The length of the header of lcs.
pub const LCS_HEADER: usize = 8192;
/// The first and the last 8 bytes of it.
pub const LCS_MAGIC: u64 = 0x1234_5678_9abc_def0;

/// libCacheSim's own format.
pub fn lcs(mut input: Input) -> Result<BoxedTrace, TraceError> {
    let Some(header) = input.take(LCS_HEADER)? else {
        return Ok(boxed(Format::Lcs, input, oracle_general()));
    };
    let version = u64_at(header, 8);
    if u64_at(header, 0) != LCS_MAGIC || u64_at(header, LCS_HEADER - 8) != LCS_MAGIC {
        return Err(input.whole("this is no header of lcs"));
    }
    Ok(match version {
        1 => boxed(Format::Lcs, input, oracle_general()),
        2 => boxed(Format::Lcs, input, Fixed(lcs_2)),
        3 => boxed(Format::Lcs, input, Fixed(lcs_3::<36>)),
        4 => boxed(Format::Lcs, input, Fixed(lcs_3::<40>)),
        5 => boxed(Format::Lcs, input, Fixed(lcs_3::<44>)),
        6 => boxed(Format::Lcs, input, Fixed(lcs_3::<52>)),
        7 => boxed(Format::Lcs, input, Fixed(lcs_3::<68>)),
        8 => boxed(Format::Lcs, input, Fixed(lcs_3::<100>)),
        _ => {
            let message = format!("version {version} of lcs is unknown: 1 to 8 are known");
            return Err(input.whole(message));
        }
    })
}

fn lcs_2(bytes: &[u8; 28]) -> Decoded {
    Ok(Record {
        size: Some(u32_at(bytes, 12)),
        op: op(bytes[16].into())?,
        ..timed(bytes)
    })
}

fn lcs_3<const N: usize>(bytes: &[u8; N]) -> Decoded {
    let size = i64::from_le_bytes(part(bytes, 12));
    Ok(Record {
        size: Some(u64::try_from(size).map_err(|_| "negative size")?),
        op: op(bytes[20].into())?,
        ttl: ttl(u32_at(bytes, 24)),
        ..timed(bytes)
    })
}
