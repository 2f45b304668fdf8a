//! A key a line.

use super::super::Record;
use super::super::error::TraceError;
use super::super::input::Input;
use super::super::key::Key;
use super::super::skipped::Skipped;
use super::super::text;
use super::Decoder;

/// Any bytes are a key. Empty lines and comments are no records, so they are not counted as skipped.
pub struct Txt;

impl Decoder for Txt {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        _: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        while let Some(line) = input.line()? {
            let is_record = !matches!(input.get(line.clone()).first(), None | Some(b'#'));
            if is_record {
                return Ok(Some(Record::get(Key::of(input.get(line)))));
            }
        }
        Ok(None)
    }
}

/// Numbers, and marks that start with `*`.
pub struct Lirs;

impl Decoder for Lirs {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        while let Some(line) = input.line()? {
            let line = text::trim(input.get(line));
            match line.first() {
                None => {}
                Some(b'*') => skipped.add("mark"),
                Some(_) => {
                    if let Some(id) = text::signed(line) {
                        return Ok(Some(Record::get(id.into())));
                    }
                    skipped.add("unreadable: no number");
                }
            }
        }
        Ok(None)
    }
}
