//! Hashes, stored as values.
//!
//! The value of a hash starts with a mark, followed by its fields and their values in the order of
//! insertion, each with its length in 4 bytes in front. A field is found by a walk: a hash of a few
//! dozen fields, as sessions have, costs less that way than with an index, and one of many thousand
//! costs more.

use crate::resp::value::Failure;

/// The first bytes of a hash. A string that starts with them cannot be stored.
const MARK: &[u8] = b"\xffhash\0\x9d\x3b\xe1\x72\xc4\x58";

/// The fields of a hash with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hash<'a> {
    fields: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Hash<'a> {
    /// Whether a value is a hash.
    #[must_use]
    pub fn is_hash(value: &[u8]) -> bool {
        value.starts_with(MARK)
    }

    /// The hash that a value is; an absent value is an empty hash.
    ///
    /// # Errors
    /// [`Failure::WRONG_TYPE`] if it is a string.
    pub fn parse(value: Option<&'a [u8]>) -> Result<Self, Failure> {
        let Some(value) = value else {
            return Ok(Self::default());
        };
        let mut rest = value.strip_prefix(MARK).ok_or(Failure::WRONG_TYPE)?;
        let mut fields = Vec::new();
        while let Some(field) = next(&mut rest) {
            let Some(value) = next(&mut rest) else { break };
            fields.push((field, value));
        }
        Ok(Self { fields })
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field. Such a hash is not stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields and values in the order of insertion.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + '_ {
        self.fields.iter().copied()
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: &[u8]) -> Option<&'a [u8]> {
        let found = self.fields.iter().find(|(name, _)| *name == field);
        found.map(|(_, value)| *value)
    }

    /// Sets a field; returns whether it is new.
    pub fn set(&mut self, field: &'a [u8], value: &'a [u8]) -> bool {
        if let Some(found) = self.fields.iter_mut().find(|(name, _)| *name == field) {
            found.1 = value;
            return false;
        }
        self.fields.push((field, value));
        true
    }

    /// Removes a field; returns whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let place = self.fields.iter().position(|(name, _)| *name == field);
        place.map(|place| self.fields.remove(place)).is_some()
    }

    /// The value that stores it.
    #[must_use]
    pub fn to_value(&self) -> Vec<u8> {
        let mut value = MARK.to_vec();
        for (field, of_field) in self.iter() {
            for part in [field, of_field] {
                // A request is not longer than 1 GiB.
                let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
                value.extend_from_slice(&length.to_le_bytes());
                value.extend_from_slice(part);
            }
        }
        value
    }
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, tail) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (part, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some(part)
}
