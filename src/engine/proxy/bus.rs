//! Whole messages of the bus: each begins with `RCmb` and its length, big-endian.

/// How a message begins.
const SIGNATURE: &[u8] = b"RCmb";
/// The bytes up to the end of the length.
const HEADER: usize = 8;
/// The longest message that is kept whole.
const LONGEST: usize = 1 << 20;

/// Cuts a stream into messages.
#[derive(Debug, Default)]
pub(super) struct Messages {
    pending: Vec<u8>,
    /// Whether something came that is no message, or one that is too long: from then on bytes pass as
    /// they come.
    is_raw: bool,
}

/// A piece of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A message, to which faults apply.
    Message(Vec<u8>),
    /// Bytes that must pass as they are.
    Raw(Vec<u8>),
}

impl Messages {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next piece that is whole.
    pub(super) fn next(&mut self) -> Option<Piece> {
        if self.pending.is_empty() {
            return None;
        }
        let start = &self.pending[..self.pending.len().min(SIGNATURE.len())];
        self.is_raw |= !SIGNATURE.starts_with(start);
        let length = self.length();
        self.is_raw |= length.is_some_and(|length| !(HEADER..=LONGEST).contains(&length));
        if self.is_raw {
            return Some(Piece::Raw(std::mem::take(&mut self.pending)));
        }
        let length = length.filter(|&length| length <= self.pending.len())?;
        let rest = self.pending.split_off(length);
        Some(Piece::Message(std::mem::replace(&mut self.pending, rest)))
    }

    fn length(&self) -> Option<usize> {
        let digits = self.pending.get(SIGNATURE.len()..HEADER)?;
        let length = u32::from_be_bytes(digits.try_into().ok()?);
        usize::try_from(length).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).expect("short");
        [SIGNATURE, &length.to_be_bytes(), body].concat()
    }

    fn pieces(messages: &mut Messages) -> Vec<Piece> {
        std::iter::from_fn(|| messages.next()).collect()
    }

    #[test]
    fn messages_are_whole_however_they_come() {
        let (one, two) = (message(b"one"), message(b""));
        let stream = [one.clone(), two.clone()].concat();
        for cut in 0..=stream.len() {
            let mut messages = Messages::default();
            messages.add(&stream[..cut]);
            let mut found = pieces(&mut messages);
            messages.add(&stream[cut..]);
            found.extend(pieces(&mut messages));
            let expected = [one.clone(), two.clone()].map(Piece::Message);
            assert_eq!(found, expected, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_message_passes_as_it_is() {
        let long = u32::MAX.to_be_bytes();
        for stream in [
            &b"PING\r\n"[..],
            b"RCm_",
            b"RCmb\0\0\0\x07",
            &[SIGNATURE, &long].concat(),
        ] {
            let mut messages = Messages::default();
            messages.add(stream);
            assert_eq!(pieces(&mut messages), [Piece::Raw(stream.into())]);
            messages.add(b"RCmb");
            assert_eq!(pieces(&mut messages), [Piece::Raw(b"RCmb".into())]);
        }
    }
}
