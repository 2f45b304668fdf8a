//! Reads a command from a line or from a list of words.

use super::catalog::ROWS;
use super::command::Input;
use super::error::Error;
use super::lookup;
use super::word::Scanner;
use super::words::{Rest, Source};

/// Reads the command of a line; `None` if the line is empty or a comment. Cost: linear in the
/// length of the line.
///
/// ```
/// use shardlab::language::{Action, Command, parse};
///
/// let input = parse(b"get 'an apple'")?.expect("a command");
/// let key = b"an apple".into();
/// assert_eq!(input.action, Action::Command(Command::Get { key }));
/// # Ok::<(), shardlab::language::Error>(())
/// ```
///
/// # Errors
/// An [`Error`] of kind `Syntax`, `UnknownCommand`, `Usage` or `Invalid`, with its position in the
/// line.
#[inline]
pub fn parse(line: &[u8]) -> Result<Option<Input<'_>>, Error> {
    let mut scanner = Scanner::new(line);
    scanner.skip_space();
    if scanner.rest().first() == Some(&b'#') {
        return Ok(None);
    }
    read(Source::Line(scanner))
}

/// Reads a command whose words are split already, such as a client's arguments; `None` if there
/// are none. It gives the same as [`parse`] of the line that [`join`](super::word::join) makes of
/// these words: `ECHO`, and a command that takes another command, see that line. No word opens a
/// comment.
///
/// # Errors
/// As [`parse`], without a position; a word here cannot be wrong syntax.
pub fn parse_words<'a>(words: &'a [&'a [u8]]) -> Result<Option<Input<'a>>, Error> {
    read(Source::List(words.iter()))
}

#[inline]
fn read(mut source: Source<'_>) -> Result<Option<Input<'_>>, Error> {
    let Some(name) = source.next_word()? else {
        return Ok(None);
    };
    let row = lookup::find(ROWS, &name.bytes).ok_or_else(|| lookup::unknown(ROWS, &name))?;
    let action = Rest::new(row, ROWS, source).parse(row.parser)?;
    let spec = &row.spec;
    Ok(Some(Input { spec, action }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::language::catalog::commands;
    use crate::language::word::join;
    use crate::language::{Action, Command, ErrorKind, Script};

    /// Names of commands, and words that mean something to them.
    fn known_word() -> impl Strategy<Value = Vec<u8>> {
        let options =
            "3 -1 5s \"1h NODE n 0,1 | ONEWAY 5% JITTER # #x null on off none WEIGHT @data";
        let names = commands().map(|spec| spec.name);
        let words = names.chain(options.split(' ')).chain(["", "1h 30m", "a b"]);
        prop::sample::select(words.map(Vec::from).collect::<Vec<_>>())
    }

    fn word() -> impl Strategy<Value = Vec<u8>> {
        let bytes = prop::sample::select(b"ab0 \t'\"\\#\xff\0-".to_vec());
        prop_oneof![3 => known_word(), 1 => prop::collection::vec(bytes, 0..4)]
    }

    fn without_position(mut error: Error) -> Error {
        error.at = None;
        error
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_line_of_quoted_words_is_the_same_as_the_words(words in prop::collection::vec(word(), 0..6)) {
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let line = join(words.iter().copied());
            let (from_words, from_line) = (parse_words(&words), parse(&line));
            prop_assert_eq!(&from_words, &from_line.map_err(without_position));
            if let Ok(Some(input)) = from_words {
                prop_assert_eq!(input.clone().into_owned(), input);
            }
        }
    }

    fn of_words<'a>(words: &'a [&'a [u8]]) -> Action<'a> {
        let input = parse_words(words).expect("no error");
        input.expect("a command").action
    }

    #[test]
    fn words_need_no_quotes() {
        let (key, value) = (b"an 'apple'".into(), b"\xff# red".into());
        assert_eq!(
            of_words(&[b"put", b"an 'apple'", b"\xff# red"]),
            Action::Command(Command::Put {
                key,
                value,
                ttl: None
            })
        );
        assert_eq!(parse_words(&[]), Ok(None));
        let error = parse_words(&[b"#1"]).expect_err("no comment");
        assert_eq!(error.kind, ErrorKind::UnknownCommand);
        assert_eq!(error.at, None);
    }

    #[test]
    fn a_command_inside_a_list_of_words_is_a_line() {
        let command = b"GET \"a b\"".into();
        assert_eq!(
            of_words(&[b"REPEAT", b"2", b"GET", b"a b"]),
            Action::Script(Script::Repeat { times: 2, command })
        );
        let text = b"it's a line".into();
        assert_eq!(
            parse(b"ECHO it's a line")
                .expect("no error")
                .expect("a command")
                .action,
            Action::Command(Command::Echo { text })
        );
        let error = parse_words(&[b"TRACE"]).expect_err("no command");
        assert_eq!(error.message, "command is missing; usage: TRACE command");
    }

    #[test]
    fn an_owned_command_outlives_its_line() {
        let line = b"MSET a 1 b 2 3s".to_vec();
        let owned = parse(&line)
            .expect("no error")
            .expect("a command")
            .into_owned();
        drop(line);
        let again = parse(b"MSET a 1 b 2 3s").expect("no error");
        assert_eq!(Some(owned), again);
    }
}
