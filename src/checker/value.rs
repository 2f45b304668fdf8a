//! Values in numbers, so that comparing them costs nothing.

use crate::history::Content;

/// A value. The decimal text of a 64-bit number, as an increment writes it, is that number; every
/// other text has its own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    /// A number.
    Number(i64),
    /// The number of a text in [`Texts`].
    Text(u32),
    /// Any value: which one is not known. Only the start of a window has it.
    Any,
}

/// The values of a history that are not numbers.
#[derive(Default)]
pub(super) struct Texts<'a> {
    texts: Vec<&'a Content>,
    index: hashbrown::HashTable<u32>,
}

impl<'a> Texts<'a> {
    /// The value that a content is.
    pub(super) fn value(&mut self, content: &'a Content) -> Value {
        let number = content.whole().and_then(number);
        number.map_or_else(|| Value::Text(self.place(content)), Value::Number)
    }

    /// The content that a value is; `None` for [`Value::Any`].
    pub(super) fn content(&self, value: Value) -> Option<Content> {
        match value {
            Value::Number(number) => Some(number.to_string().as_bytes().into()),
            Value::Text(place) => Some(self.texts[place as usize].clone()),
            Value::Any => None,
        }
    }

    fn place(&mut self, content: &'a Content) -> u32 {
        let texts = &mut self.texts;
        let hash = |place: &u32| texts[*place as usize].hash();
        let same = |place: &u32| texts[*place as usize] == content;
        let entry = self.index.entry(content.hash(), same, hash);
        let next = u32::try_from(texts.len()).expect("fewer texts than operations");
        let place = *entry.or_insert(next).get();
        if place == next {
            texts.push(content);
        }
        place
    }
}

/// The number that an increment would have written as this text.
fn number(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [] | [b'0', _, ..] => false,
        [b'0'] => digits.len() == text.len(),
        _ => digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit),
    };
    let text = canonical.then(|| std::str::from_utf8(text).ok())??;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_what_an_increment_writes() {
        let numbers = [
            "0",
            "7",
            "-7",
            "9223372036854775807",
            "-9223372036854775808",
        ];
        for text in numbers {
            let number = number(text.as_bytes()).map(|it| it.to_string());
            assert_eq!(number.as_deref(), Some(text));
        }
        for text in [
            "",
            "-",
            "-0",
            "007",
            "+7",
            " 7",
            "7 ",
            "9223372036854775808",
            "x",
        ] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }
}
