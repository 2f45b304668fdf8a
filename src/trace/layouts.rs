//! Which binary format a trace has.

use super::format::Format;
use super::formats::fixed::{LCS_HEADER, LCS_MAGIC, u16_at, u32_at, u64_at};
use super::head::{Detected, Head, TRIED, found};

/// Formats that start with something special.
pub(super) fn magic(head: &Head) -> Option<Detected> {
    let bytes = &*head.bytes;
    if bytes.len() >= LCS_HEADER && u64_at(bytes, 0) == LCS_MAGIC {
        return Some(found(Format::Lcs, "it starts with the magic number of lcs"));
    }
    if bytes.starts_with(b"REDIS0") {
        return Some(found(
            Format::RedisAof,
            "it starts with the magic word of Redis",
        ));
    }
    // An append-only file may have values of any bytes.
    let line = bytes.split(|&byte| byte == b'\n').next()?;
    let is_command = line.len() > 2 && line[1].is_ascii_digit();
    (line.starts_with(b"*") && is_command && bytes.get(line.len() + 1) == Some(&b'$')).then(|| {
        found(
            Format::RedisAof,
            "it is made of commands of the Redis protocol",
        )
    })
}

/// A layout of records with several fields.
struct Layout {
    format: Format,
    len: usize,
    /// Whether a record can be one.
    holds: fn(&[u8]) -> bool,
    /// Whether a record speaks for it: one at least must.
    speaks: fn(&[u8]) -> bool,
}

const LAYOUTS: &[Layout] = &[
    Layout {
        format: Format::OracleGeneral,
        len: 24,
        holds: |record| is_next(u64_at(record, 16)),
        speaks: |record| u32_at(record, 12) > 0,
    },
    Layout {
        format: Format::OracleSysTwrNs,
        len: 34,
        holds: |record| is_next(u64_at(record, 26)) && is_op(u16_at(record, 18)),
        speaks: |record| u32_at(record, 14) > 0,
    },
    Layout {
        format: Format::OracleGeneralOpNs,
        len: 27,
        holds: |record| is_next(u64_at(record, 19)) && is_op(record[16].into()),
        speaks: |record| u32_at(record, 12) > 0,
    },
    Layout {
        format: Format::Twr,
        len: 20,
        holds: |record| is_op(record[19].into()),
        speaks: |record| u32_at(record, 12) > 0,
    },
    Layout {
        format: Format::TwrNs,
        len: 22,
        holds: |record| is_op(record[19].into()),
        speaks: |record| u32_at(record, 12) > 0,
    },
];

/// Whether this can be the number of a later request, or that there is none.
fn is_next(next: u64) -> bool {
    next == u64::MAX || next == i64::MAX.cast_unsigned() || (1..1 << 40).contains(&next)
}

fn is_op(number: u64) -> bool {
    (1..=14).contains(&number)
}

impl Layout {
    fn fits(&self, head: &Head) -> bool {
        let mut records = head.bytes.chunks_exact(self.len).take(TRIED);
        divides(self.len, head)
            && records.clone().all(self.holds)
            && records.any(self.speaks)
            && head.fits(&self.format.into(), true).is_some()
    }
}

fn divides(len: usize, head: &Head) -> bool {
    head.len.is_none_or(|all| all % len as u64 == 0)
}

/// The format of a trace that is not text.
pub(super) fn detect(head: &Head) -> Option<Detected> {
    if head.fits(&Format::Vscsi.into(), false).is_some() {
        return Some(found(
            Format::Vscsi,
            "its first records have a version of vscsi",
        ));
    }
    let fitting = LAYOUTS.iter().filter(|layout| layout.fits(head));
    let fitting: Vec<Format> = fitting.map(|layout| layout.format).collect();
    match fitting.as_slice() {
        [] => numbers(head),
        [format] => {
            let reason = "the first records have its layout: times do not fall, the other fields are plausible";
            Some(found(*format, reason))
        }
        several => Some(by_name(head, several)),
    }
}

/// The first of several, unless the name has another.
fn by_name(head: &Head, formats: &[Format]) -> Detected {
    // The last name counts: `cache2k.u64le` is u64le.
    let at = |format: &Format| {
        let name = format.name().to_ascii_lowercase();
        head.name.rfind(&name).map(|at| at + name.len())
    };
    let last = formats
        .iter()
        .filter(|format| at(format).is_some())
        .max_by_key(|format| at(format));
    match last {
        Some(format) => found(
            *format,
            "several layouts fit, and its name is that of this one",
        ),
        None => found(
            formats[0],
            "several layouts fit, and this one is the most usual",
        ),
    }
}

/// Numbers that need more bytes of a thousand than this have no leading zeros: they are hashes, or no
/// numbers at all.
const FULL: usize = 950;

/// Numbers alone: in the right layout they have many leading zeros.
fn numbers(head: &Head) -> Option<Detected> {
    let little = |bytes: &[u8]| used(bytes.iter().rev(), false);
    let big = |bytes: &[u8]| used(bytes.iter(), true);
    let groups = [
        (share(head, 8, little), &[Format::U64le][..]),
        (
            share(head, 4, big).filter(|_| !are_halves(head)),
            &[Format::Cache2k, Format::CloudPhysics],
        ),
        (share(head, 8, big), &[Format::Scarab, Format::Corda]),
    ];
    let best = groups.iter().filter_map(|group| group.0).min()?;
    let mut all = groups.iter().flat_map(|group| group.1);
    let is_named = all.any(|it| head.name.contains(&it.name().to_ascii_lowercase()));
    if best > FULL && !is_named {
        return None;
    }
    // Within 3 % nothing speaks for one of them.
    let near = groups
        .iter()
        .filter(|group| group.0.is_some_and(|share| share <= best + 30));
    let formats: Vec<Format> = near.flat_map(|group| group.1).copied().collect();
    Some(match formats.as_slice() {
        [format] => found(*format, "read like this its numbers are the smallest"),
        several => by_name(head, several),
    })
}

/// Whether every second number of 32 bits is zero, or only a sign: then they are halves of numbers of
/// 64 bits.
fn are_halves(head: &Head) -> bool {
    let pairs = head.bytes.chunks_exact(8).take(TRIED);
    let is_sign = |number: u64| number == 0 || number == u64::from(u32::MAX);
    let upper_last = pairs.clone().all(|pair| u32_at(pair, 4) == 0);
    let upper_first = pairs.clone().all(|pair| is_sign(u32_at(pair, 0)));
    pairs.len() > 1 && (upper_last || upper_first)
}

/// How many bytes a number needs, its highest one first. Where it may have a sign, bytes that only
/// repeat the sign are not needed.
fn used<'a>(mut bytes: impl ExactSizeIterator<Item = &'a u8> + Clone, has_sign: bool) -> usize {
    let all = bytes.len();
    let fill = match bytes.clone().next() {
        Some(0xff) if has_sign => 0xff,
        _ => 0,
    };
    all - bytes.position(|&byte| byte != fill).unwrap_or(all)
}

/// How many bytes of a thousand the numbers need; `None` if the length does not divide.
fn share(head: &Head, len: usize, used: impl Fn(&[u8]) -> usize) -> Option<usize> {
    let records = head.bytes.chunks_exact(len).take(TRIED);
    let count = records.len();
    if count == 0 || !divides(len, head) {
        return None;
    }
    Some(records.map(used).sum::<usize>() * 1000 / (count * len))
}
