//! Lines of words that are separated by spaces.

use std::ops::Range;
use std::time::Duration;

use super::super::Record;
use super::super::error::TraceError;
use super::super::input::Input;
use super::super::key::Key;
use super::super::op::Op;
use super::super::skipped::Skipped;
use super::super::text;
use super::Decoder;

/// The most blocks of one line of arc.
const MAX_BLOCKS: u64 = 1 << 20;

/// A record without its key, and where that is in the line.
struct Parsed {
    record: Record<'static>,
    key: Range<usize>,
}

/// A parsed line, or the reason why it is skipped.
type Line = Result<Parsed, String>;

/// The words of a line, and where each is.
fn words(line: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + line[at..].iter().position(|byte| !is_space(*byte))?;
        let len = line[start..].iter().position(|byte| is_space(*byte));
        at = len.map_or(line.len(), |len| start + len);
        Some(start..at)
    })
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The next record of lines that have one each. Empty lines and comments are no records.
fn next_line<'a>(
    input: &'a mut Input,
    skipped: &mut Skipped,
    parse: impl Fn(&[u8]) -> Line,
) -> Result<Option<Record<'a>>, TraceError> {
    while let Some(range) = input.line()? {
        let line = input.get(range.clone());
        if matches!(text::trim(line).first(), None | Some(b'#')) {
            continue;
        }
        match parse(line) {
            Err(reason) => skipped.add(&reason),
            Ok(Parsed { record, key }) => {
                let line = input.get(range);
                let key = Key::of(&line[key]);
                return Ok(Some(Record { key, ..record }));
            }
        }
    }
    Ok(None)
}

fn unreadable(what: &str) -> String {
    format!("unreadable: no {what}")
}

/// `time id size [more]`.
pub struct Lrb;

impl Decoder for Lrb {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        next_line(input, skipped, lrb)
    }
}

fn lrb(line: &[u8]) -> Line {
    let mut words = words(line);
    let mut word = |what| words.next().ok_or_else(|| unreadable(what));
    let (time, key, size) = (word("time")?, word("id")?, word("size")?);
    let time = text::seconds(&line[time]).ok_or_else(|| unreadable("time"))?;
    let size = text::whole(&line[size]).ok_or_else(|| unreadable("size"))?;
    let record = Record {
        time: Some(time),
        size: Some(size),
        ..Record::get(Key::Number(0))
    };
    Ok(Parsed { record, key })
}

/// `s|l 0xHEX n` and more: loads and stores are both uses of an address.
pub struct Address;

impl Decoder for Address {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        while let Some(range) = input.line()? {
            let line = input.get(range);
            let mut words = words(line).map(|word| &line[word]);
            let Some(kind) = words.next() else {
                continue;
            };
            let address = words
                .next()
                .and_then(|word| text::hex(word.strip_prefix(b"0x")?));
            match (kind, address) {
                (b"s" | b"l", Some(address)) => return Ok(Some(Record::get(address.into()))),
                _ => skipped.add(&unreadable("address")),
            }
        }
        Ok(None)
    }
}

/// `start count ignored number`: `count` consecutive blocks.
#[derive(Default)]
pub struct Arc {
    next: u64,
    left: u64,
}

impl Decoder for Arc {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        while self.left == 0 {
            let Some(range) = input.line()? else {
                return Ok(None);
            };
            let line = input.get(range);
            let mut numbers = words(line).map(|word| text::digits(&line[word]));
            match (numbers.next(), numbers.next()) {
                (None, _) => {}
                (Some(Some(start)), Some(Some(count))) if count <= MAX_BLOCKS => {
                    (self.next, self.left) = (start, count);
                }
                (Some(Some(_)), Some(Some(_))) => {
                    skipped.add("range of more than 1,048,576 blocks");
                }
                _ => skipped.add(&unreadable("range of blocks")),
            }
        }
        let key = self.next;
        self.left -= 1;
        self.next = self.next.wrapping_add(1);
        Ok(Some(Record::get(key.into())))
    }
}

/// `ms REST.GET.OBJECT id size [first last]`.
pub struct Ibm;

impl Decoder for Ibm {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        next_line(input, skipped, ibm)
    }
}

fn ibm(line: &[u8]) -> Line {
    let mut words = words(line);
    let mut word = |what| words.next().ok_or_else(|| unreadable(what));
    let (time, kind, key) = (word("time")?, word("operation")?, word("id")?);
    let time = text::digits(&line[time]).ok_or_else(|| unreadable("time"))?;
    let kind = &line[kind];
    let op = match kind {
        b"REST.GET.OBJECT" | b"REST.HEAD.OBJECT" => Op::Get,
        b"REST.PUT.OBJECT" | b"REST.COPY.OBJECT" => Op::Set,
        b"REST.DELETE.OBJECT" => Op::Delete,
        _ if kind.starts_with(b"REST.") => {
            return Err(format!("operation {}", text::shown(kind)));
        }
        _ => return Err(unreadable("operation")),
    };
    let size = word("size").ok().map(|word| text::whole(&line[word]));
    let record = Record {
        op,
        time: Some(Duration::from_millis(time)),
        size: size.flatten(),
        ..Record::get(Key::Number(0))
    };
    Ok(Parsed { record, key })
}

/// `YYYYMMDDhhmmss id format category size hit terminal ms`: the key is id, format and category.
#[derive(Default)]
pub struct Photo {
    key: Vec<u8>,
}

impl Decoder for Photo {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        while let Some(range) = input.line()? {
            let line = input.get(range);
            if text::trim(line).is_empty() {
                continue;
            }
            match self.parse(line) {
                Err(reason) => skipped.add(&reason),
                Ok(record) => {
                    let key = Key::Bytes(&self.key);
                    return Ok(Some(Record { key, ..record }));
                }
            }
        }
        Ok(None)
    }
}

impl Photo {
    fn parse(&mut self, line: &[u8]) -> Result<Record<'static>, String> {
        let mut words = words(line).map(|word| &line[word]);
        let mut word = |what| words.next().ok_or_else(|| unreadable(what));
        let (time, id) = (word("time")?, word("id")?);
        let (format, category, size) = (word("format")?, word("category")?, word("size")?);
        let time = date(time).ok_or_else(|| unreadable("time"))?;
        let size = text::digits(size).ok_or_else(|| unreadable("size"))?;
        self.key.clear();
        for part in [id, b":", format, b":", category] {
            self.key.extend_from_slice(part);
        }
        Ok(Record {
            time: Some(time),
            size: Some(size),
            ..Record::get(Key::Number(0))
        })
    }
}

/// The time since 1970 of a date as `YYYYMMDDhhmmss`.
fn date(text: &[u8]) -> Option<Duration> {
    let number = |range: Range<usize>| text::digits(text.get(range)?);
    if text.len() != 14 {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(8..10)?, number(10..12)?, number(12..14)?);
    let is_right = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    if !is_right || year < 1970 || second > 60 {
        return None;
    }
    // Years that start in March, so that a leap day is the last day of one.
    let (years, months) = (if month > 2 { year } else { year - 1 }, (month + 9) % 12);
    let days =
        years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day - 1;
    let since_1970 = days.checked_sub(719_468)?;
    Some(Duration::from_secs(
        ((since_1970 * 24 + hour) * 60 + minute) * 60 + second,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_counted_from_1970() {
        let seconds = |text: &str| date(text.as_bytes()).map(|time| time.as_secs());
        assert_eq!(seconds("19700101000000"), Some(0));
        assert_eq!(seconds("20000229235959"), Some(951_868_799));
        assert_eq!(seconds("20160201000000"), Some(1_454_284_800));
        assert_eq!(seconds("20161301000000"), None);
        assert_eq!(seconds("2016020100000"), None);
    }

    #[test]
    fn words_are_found() {
        let line = b"  a\tbc  d ";
        let found: Vec<&[u8]> = words(line).map(|word| &line[word]).collect();
        assert_eq!(found, [&b"a"[..], b"bc", b"d"]);
        assert_eq!(words(b"  ").count() + words(b"").count(), 0);
    }
}
