//! The command of REPEAT, in which `{i}` is the number of the turn.

use std::borrow::Cow;

use crate::language::word::Scanner;

/// What stands for the number of the turn.
const TURN: &[u8] = b"{i}";

/// A command of REPEAT, in pieces between the places where the number of the turn goes.
pub struct TurnLine<'a> {
    pieces: Vec<&'a [u8]>,
}

impl<'a> TurnLine<'a> {
    /// The line of a command. In a REPEAT inside it, `{i}` is the number of the inner turn, so it
    /// stays as it is.
    pub fn new(command: &'a [u8]) -> Self {
        let first = Scanner::new(command).next_word();
        let is_repeat = first.is_ok_and(|word| word.is_some_and(|word| word.is("REPEAT")));
        let mut pieces = Vec::new();
        let mut start = 0;
        let turns = memchr::memmem::find_iter(command, TURN).filter(|_| !is_repeat);
        for at in turns {
            pieces.push(&command[start..at]);
            start = at + TURN.len();
        }
        pieces.push(&command[start..]);
        Self { pieces }
    }

    /// The line of this turn.
    pub fn of(&self, turn: u64) -> Cow<'a, [u8]> {
        match self.pieces.as_slice() {
            [whole] => Cow::Borrowed(whole),
            pieces => Cow::Owned(pieces.join(turn.to_string().as_bytes())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(command: &str, turn: u64) -> String {
        let line = TurnLine::new(command.as_bytes());
        String::from_utf8_lossy(&line.of(turn)).into_owned()
    }

    #[test]
    fn the_number_of_the_turn_replaces_each_mark() {
        assert_eq!(line("PUT k{i} {i}{i}", 12), "PUT k12 1212");
        assert_eq!(line("PUT k{} {i", 12), "PUT k{} {i");
        assert_eq!(line("{i}", 3), "3");
        assert_eq!(line("repeat 2 GET k{i}", 3), "repeat 2 GET k{i}");
        assert_eq!(line("TRACE GET k{i}", 3), "TRACE GET k3");
        assert_eq!(line("", 3), "");
    }
}
