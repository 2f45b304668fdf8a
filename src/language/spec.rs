//! The description of one command: names, syntax, help, and how many words it takes.

use super::error::{Error, ErrorKind};
use super::verb::{Capability, Group, Verb};

/// The description of a command.
#[derive(Debug)]
pub struct Spec {
    /// The command.
    pub verb: Verb,
    /// The canonical name, in capitals.
    pub name: &'static str,
    /// Other names of the same command.
    pub aliases: &'static [&'static str],
    /// The group.
    pub group: Group,
    /// The words that follow the name: `[optional]`, `repeated...`.
    pub syntax: &'static str,
    /// One line of help.
    pub summary: &'static str,
    /// Lines to type on a new cluster with the virtual clock, each with its output.
    pub example: &'static [(&'static str, &'static str)],
    /// The fewest words after the name.
    pub min_words: usize,
    /// The most words after the name; `usize::MAX` if there is no limit.
    pub max_words: usize,
    needs: Capability,
}

impl Eq for Spec {}

impl PartialEq for Spec {
    fn eq(&self, other: &Self) -> bool {
        self.verb == other.verb
    }
}

/// The written part of a [`Spec`].
pub(super) struct Columns {
    pub verb: Verb,
    /// The canonical name, then the aliases.
    pub names: &'static [&'static str],
    pub group: Group,
    pub needs: Capability,
    pub syntax: &'static str,
    pub summary: &'static str,
    pub example: &'static [(&'static str, &'static str)],
}

impl Spec {
    /// Derives the rest of the description.
    pub(super) const fn new(columns: &Columns) -> Self {
        let (name, aliases) = columns.names.split_at(1);
        let (min_words, max_words) = words_in(columns.syntax.as_bytes());
        Self {
            verb: columns.verb,
            name: name[0],
            aliases,
            group: columns.group,
            syntax: columns.syntax,
            summary: columns.summary,
            example: columns.example,
            min_words,
            max_words,
            needs: columns.needs,
        }
    }

    /// The capability that the command needs from the cluster behind the session.
    #[must_use]
    pub const fn needs(&self) -> Capability {
        self.needs
    }

    /// The name and the syntax.
    #[must_use]
    pub fn usage(&self) -> String {
        format!("{} {}", self.name, self.syntax).trim_end().into()
    }

    /// All names, the canonical one first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// The parts of the syntax that `words` words leave open: `value`, `[ttl]`.
    pub fn parts_after(&self, words: usize) -> impl Iterator<Item = &'static str> {
        let parts = parts(self.syntax);
        let repeated = parts.iter().position(|part| part.ends_with("..."));
        let done = repeated.map_or(words, |repeated| words.min(repeated));
        parts.into_iter().skip(done)
    }

    /// Checks the number of words after the name.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if they are too few or too many.
    pub fn check_words(&self, words: usize) -> Result<(), Error> {
        if words < self.min_words {
            return Err(self.too_few_words(words));
        }
        if words > self.max_words {
            return Err(self.usage_error("too many words"));
        }
        Ok(())
    }

    /// The error of a command that ends after `words` words.
    #[must_use]
    pub fn too_few_words(&self, words: usize) -> Error {
        let parts = parts(self.syntax).into_iter();
        let mut missing = parts.filter(|part| !part.starts_with('[')).skip(words);
        let missing = missing.next().unwrap_or("a word").trim_end_matches('.');
        self.usage_error(&format!("{missing} is missing"))
    }

    /// A usage error: the fault, then the usage.
    #[must_use]
    pub fn usage_error(&self, fault: &str) -> Error {
        let message = format!("{fault}; usage: {}", self.usage());
        Error::new(ErrorKind::Usage, message)
    }
}

/// The fewest and the most words that a syntax line allows.
const fn words_in(syntax: &[u8]) -> (usize, usize) {
    let (mut min, mut max, mut depth, mut at) = (0, 0, 0, 0);
    let mut unbounded = false;
    while at < syntax.len() {
        let starts = at == 0 || matches!(syntax[at - 1], b' ' | b'[');
        match syntax[at] {
            b'[' => depth += 1,
            b']' => depth -= 1,
            b'.' => unbounded = true,
            b' ' => {}
            _ if starts && depth == 0 => (min, max) = (min + 1, max + 1),
            _ if starts => max += 1,
            _ => {}
        }
        at += 1;
    }
    (min, if unbounded { usize::MAX } else { max })
}

/// Splits a syntax line at the spaces outside of brackets.
fn parts(syntax: &'static str) -> Vec<&'static str> {
    let mut depth = 0;
    let ends = move |char: char| {
        depth += i32::from(char == '[') - i32::from(char == ']');
        char == ' ' && depth == 0
    };
    syntax.split(ends).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_line_bounds_the_number_of_words() {
        for (syntax, bounds) in [
            ("", (0, 0)),
            ("key value [ttl]", (2, 3)),
            ("key...", (1, usize::MAX)),
            ("key value [key value]... [ttl]", (2, usize::MAX)),
            ("[glob] [NODE n]", (0, 3)),
            ("[time] command", (1, 2)),
            ("[command|@group]", (0, 1)),
        ] {
            assert_eq!(words_in(syntax.as_bytes()), bounds, "{syntax}");
        }
    }
}
