//! Records whose layout is given as a string of Python's `struct` module.

use std::time::Duration;

use super::super::Record;
use super::super::error::TraceError;
use super::super::format::{ColumnNumbers, Spec};
use super::super::input::Input;
use super::super::key::Key;
use super::super::op::Op;
use super::super::skipped::Skipped;
use super::Decoder;
use super::fixed::{part, u16_at, u32_at, u64_at};

/// What a layout may have.
const ACCEPTED: &str = "< and then letters out of b B c h H i I l L q Q f d, such as <IQI";
/// The most fields.
const MAX_FIELDS: usize = 256;

/// One field: its letter and where it is.
#[derive(Clone, Copy)]
struct Field {
    letter: u8,
    at: usize,
}

/// A value of a field.
enum Value {
    Number(u64),
    Negative(i64),
    Float(f64),
}

impl Field {
    fn len(letter: u8) -> Option<usize> {
        Some(match letter {
            b'b' | b'B' | b'c' => 1,
            b'h' | b'H' => 2,
            b'i' | b'I' | b'l' | b'L' | b'f' => 4,
            b'q' | b'Q' | b'd' => 8,
            _ => return None,
        })
    }

    fn value(self, bytes: &[u8]) -> Value {
        let at = self.at;
        let signed = match self.letter {
            b'b' => i64::from(bytes.get(at).copied().unwrap_or(0).cast_signed()),
            b'h' => i16::from_le_bytes(part(bytes, at)).into(),
            b'i' | b'l' => i32::from_le_bytes(part(bytes, at)).into(),
            b'q' => u64_at(bytes, at).cast_signed(),
            b'f' => return Value::Float(f32::from_le_bytes(part(bytes, at)).into()),
            b'd' => return Value::Float(f64::from_le_bytes(part(bytes, at))),
            b'H' => return Value::Number(u16_at(bytes, at)),
            b'I' | b'L' => return Value::Number(u32_at(bytes, at)),
            b'Q' => return Value::Number(u64_at(bytes, at)),
            _ => return Value::Number(bytes.get(at).copied().unwrap_or(0).into()),
        };
        u64::try_from(signed).map_or(Value::Negative(signed), Value::Number)
    }

    fn number(self, bytes: &[u8]) -> Option<u64> {
        match self.value(bytes) {
            Value::Number(number) => Some(number),
            Value::Negative(_) => None,
            Value::Float(number) => Some(Duration::try_from_secs_f64(number).ok()?.as_secs()),
        }
    }

    fn seconds(self, bytes: &[u8]) -> Option<Duration> {
        match self.value(bytes) {
            Value::Number(number) => Some(Duration::from_secs(number)),
            Value::Negative(_) => None,
            Value::Float(number) => Duration::try_from_secs_f64(number).ok(),
        }
    }

    fn key(self, bytes: &[u8]) -> Key<'static> {
        match self.value(bytes) {
            Value::Number(number) => Key::Number(number),
            Value::Negative(number) => number.into(),
            Value::Float(number) => Key::Number(number.to_bits()),
        }
    }
}

/// See the module's docs.
pub struct Binary {
    fields: Vec<Field>,
    len: usize,
    columns: ColumnNumbers,
    key: Field,
}

impl Binary {
    pub fn new(spec: &Spec, input: &Input) -> Result<Self, TraceError> {
        let layout = spec.layout.as_deref().unwrap_or_default();
        let parsed = fields(layout).ok_or_else(|| {
            input.whole(format!(
                "binary needs format={ACCEPTED}; {layout:?} is none"
            ))
        })?;
        let (fields, len) = parsed;
        let columns = with_defaults(spec.columns, fields.len());
        let ColumnNumbers {
            time,
            key,
            size,
            op,
            ttl,
            count,
        } = columns;
        let highest = [time, key, size, op, ttl, count]
            .into_iter()
            .flatten()
            .max();
        if highest.is_some_and(|highest| highest >= fields.len()) {
            let message = format!("the layout {layout} has only {} columns", fields.len());
            return Err(input.whole(message));
        }
        let key = key.and_then(|key| fields.get(key)).copied();
        let key = key.ok_or_else(|| {
            input.whole("binary needs obj-id-col=N, the column of the key, from 1")
        })?;
        Ok(Self {
            fields,
            len,
            columns,
            key,
        })
    }

    fn field(&self, column: Option<usize>) -> Option<Field> {
        self.fields.get(column?).copied()
    }

    fn record(&self, bytes: &[u8]) -> Result<Record<'static>, String> {
        let number = |column| self.field(column).map(|field| field.number(bytes));
        let op = match number(self.columns.op) {
            None => Op::Get,
            Some(number) => {
                let number = number.ok_or("operation below zero")?;
                Op::numbered(number).ok_or_else(|| format!("operation {number}"))?
            }
        };
        let size = number(self.columns.size).map(|size| size.ok_or("negative size"));
        let time = self
            .field(self.columns.time)
            .map(|field| field.seconds(bytes));
        let count = number(self.columns.count).map_or(Some(1), |count| count);
        let ttl = self
            .field(self.columns.ttl)
            .and_then(|field| field.seconds(bytes));
        Ok(Record {
            op,
            size: size.transpose()?,
            time: time.map(|time| time.ok_or("negative time")).transpose()?,
            ttl: ttl.filter(|ttl| !ttl.is_zero()),
            count: count.filter(|&count| count > 0).ok_or("count of zero")?,
            ..Record::get(self.key.key(bytes))
        })
    }
}

/// Without any column, a single field is the key.
fn with_defaults(columns: ColumnNumbers, fields: usize) -> ColumnNumbers {
    if columns == ColumnNumbers::default() && fields == 1 {
        return ColumnNumbers {
            key: Some(0),
            ..columns
        };
    }
    columns
}

/// The fields of a layout, and the length of a record.
fn fields(layout: &str) -> Option<(Vec<Field>, usize)> {
    let letters = layout.strip_prefix('<')?.as_bytes();
    let mut at = 0;
    let mut fields = Vec::new();
    for &letter in letters {
        fields.push(Field { letter, at });
        at += Field::len(letter)?;
    }
    let fits = (1..=MAX_FIELDS).contains(&fields.len());
    fits.then_some((fields, at))
}

impl Decoder for Binary {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        while let Some(bytes) = input.take(self.len)? {
            match self.record(bytes) {
                Ok(record) => return Ok(Some(record)),
                Err(reason) => skipped.add(&reason),
            }
        }
        Ok(None)
    }
}
