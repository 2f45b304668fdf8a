//! Finds commands by name.

use super::error::{Error, ErrorKind};
use super::habits;
use super::spec::Spec;
use super::word::{Shown, Word};
use super::words::Row;

/// The longest name for which a similar one is looked for, in bytes.
const MAX_SUGGESTED: usize = 12;

/// The row of the command with this name or alias, in any letter case.
#[inline]
pub fn find(rows: &'static [Row], name: &[u8]) -> Option<&'static Row> {
    let first = name.first()?.to_ascii_uppercase();
    rows.iter().find(|row| {
        let same = |known: &str| {
            known.as_bytes().first() == Some(&first) && name.eq_ignore_ascii_case(known.as_bytes())
        };
        same(row.spec.name) || row.spec.aliases.iter().any(|alias| same(alias))
    })
}

/// The most similar name, if it is one or two typing errors away.
pub fn suggest(rows: &'static [Row], name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    if name.len() > MAX_SUGGESTED {
        return None;
    }
    let known = rows.iter().flat_map(|row| Spec::names(&row.spec));
    let near = known.map(|known| (strsim::damerau_levenshtein(&name, known), known));
    let (distance, known) = near.min_by_key(|(distance, _)| *distance)?;
    let most = if known.len().min(name.len()) > 4 {
        2
    } else {
        1
    };
    (distance <= most && known.len() > 1 && name.len() > 1).then_some(known)
}

/// The error of a name that no command has.
pub fn unknown(rows: &'static [Row], name: &Word<'_>) -> Error {
    let text = name.text().unwrap_or_default();
    let remedy = match (habits::remedy(text), suggest(rows, text)) {
        (Some(remedy), _) => remedy.into(),
        (None, Some(near)) => format!("did you mean {near}?"),
        (None, None) => "HELP lists all commands".into(),
    };
    let message = format!("unknown command {}; {remedy}", Shown(&name.bytes));
    Error::new(ErrorKind::UnknownCommand, message).at(name.span())
}
