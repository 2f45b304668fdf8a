//! The files of `compare`: the page and the chart, and what the page says about the trace and the run.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use super::output_file::OutputFile;
use crate::hash::Md5;
use crate::render::grouped;
use crate::replay::{Expiry, Ops, Rules, Ttl, Unit};
use crate::report::{self, Cell, Details};

/// What the files show.
pub struct Pages<'p> {
    /// The cells.
    pub cells: &'p [Cell],
    /// Notes on parts that are left out.
    pub notes: &'p [String],
    /// The ratio that is minimised.
    pub by: Unit,
    /// The ratio to reach.
    pub target: Option<f64>,
    /// The miss ratio of a cache without bounds.
    pub infinite: f64,
    /// What is known of the chosen cell.
    pub details: &'p Details,
    /// Facts about the trace.
    pub facts: &'p [(String, String)],
    /// How to repeat it.
    pub repeat: &'p [(String, String)],
}

impl Pages<'_> {
    /// Writes the page and the chart, each whole or not at all. Without a cell there are none.
    ///
    /// # Errors
    /// If one cannot be written, with its name.
    pub fn write(&self, html: Option<&Path>, svg: Option<&Path>) -> io::Result<()> {
        let Some(verdict) = report::verdict(self.cells, self.by, self.target) else {
            return Ok(());
        };
        let chosen = &self.cells[verdict.choice];
        let has_sizes = chosen.counts.bytes != chosen.counts.requests;
        let curves: Vec<(Unit, Vec<report::Series>)> = [Unit::Objects, Unit::Bytes]
            .into_iter()
            .filter(|by| has_sizes || *by == self.by)
            .map(|by| (by, report::series(self.cells, by, chosen.deployment)))
            .collect();
        let charts: Vec<report::Chart<'_>> = curves
            .iter()
            .map(|(by, series)| self.chart(*by, series, chosen))
            .collect();
        let of_verdict = curves.iter().position(|(by, _)| *by == self.by);
        if let Some(path) = svg {
            write(path, &report::chart(&charts[of_verdict.unwrap_or(0)]))?;
        }
        if let Some(path) = html {
            write(path, &self.page(&charts, &verdict))?;
        }
        Ok(())
    }

    fn page(&self, charts: &[report::Chart<'_>], verdict: &report::Verdict) -> String {
        report::page(&report::Page {
            sentence: &report::sentence(self.cells, self.by, verdict),
            notes: self.notes,
            charts,
            cells: self.cells,
            by: self.by,
            choice: verdict.choice,
            details: self.details,
            trace: self.facts,
            repeat: self.repeat,
        })
    }

    fn chart<'c>(
        &self,
        by: Unit,
        series: &'c [report::Series],
        chosen: &Cell,
    ) -> report::Chart<'c> {
        report::Chart {
            title: match by {
                Unit::Objects => "Requests that miss",
                Unit::Bytes => "Bytes that miss",
            },
            series,
            unit: chosen.unit,
            chosen: Some((chosen.size, chosen.ratio(by))),
            infinite: (by == Unit::Objects).then_some(self.infinite),
        }
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let named = |error: io::Error| {
        let why = crate::shell::plain_error(&error);
        io::Error::other(format!("{}: {why}", path.display()))
    };
    let mut file = OutputFile::create(path).map_err(named)?;
    file.write_all(text.as_bytes()).map_err(named)?;
    file.finish().map_err(named)
}

/// How a comparison was run.
pub struct How<'h> {
    /// The command line.
    pub command: &'h str,
    /// The rules of the replay.
    pub rules: Rules,
    /// The seed.
    pub seed: u64,
    /// Whether events happened.
    pub has_events: bool,
    /// How long it took.
    pub taken: Duration,
}

/// How to repeat a comparison: names and values.
pub fn repeat(path: &Path, name: &str, how: &How<'_>) -> Vec<(String, String)> {
    let mut rows = vec![
        ("command", how.command.to_owned()),
        ("file", file(path, name)),
        ("version", format!("shardlab {}", env!("CARGO_PKG_VERSION"))),
        ("seed", how.seed.to_string()),
        ("time taken", format!("{:.1} s", how.taken.as_secs_f64())),
    ];
    rows.push(match how.rules.ops {
        Ops::Fill => ("requests", "each is a get that stores on a miss".into()),
        Ops::Trace => (
            "requests",
            "gets, sets and deletes as recorded; only gets count".into(),
        ),
    });
    rows.push(("sizes", "an object keeps the size of its insertion".into()));
    if how.rules.ttl != Ttl::None {
        let expiry = match how.rules.expiry {
            Expiry::Eager => "an object is gone at its deadline",
            Expiry::Lazy => "an expired object takes up room until it is asked for or evicted",
        };
        rows.push(("TTLs", expiry.into()));
    }
    if how.has_events {
        let sent = "a request is sent at its time in the trace, whatever others wait for; a node that \
                    joins or leaves moves its objects before the next request";
        rows.push(("events", sent.into()));
    }
    let rows = rows
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    rows.collect()
}

/// The file with its length and a hash of what is in it.
fn file(path: &Path, name: &str) -> String {
    if !path.is_file() {
        return format!("{name}, which cannot be read again");
    }
    match hash(path) {
        Ok((bytes, hash)) => format!("{name}, {} bytes, MD5 {hash}", grouped(bytes)),
        Err(error) => format!("{name} ({error})"),
    }
}

fn hash(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut md5) = (File::open(path)?, Md5::default());
    let (mut buffer, mut bytes) = (vec![0; 1 << 20], 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, md5.finish()));
        }
        bytes += read as u64;
        md5.update(&buffer[..read]);
    }
}

/// The command line of the program as a shell takes it.
pub fn command_line() -> String {
    let words = std::env::args_os().skip(1);
    let words = words.map(|word| quoted(&word.to_string_lossy()));
    let words: Vec<String> = words.collect();
    format!("shardlab {}", words.join(" "))
}

fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./,:=%+-@".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_for_a_shell_where_it_must_be() {
        assert_eq!(quoted("--sizes"), "--sizes");
        assert_eq!(quoted("5%,10%"), "5%,10%");
        assert_eq!(quoted("50%=CRASH 1"), "'50%=CRASH 1'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_file_is_named_with_its_hash() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trace");
        std::fs::write(&path, "abc").expect("a file");
        let expected = "trace, 3 bytes, MD5 900150983cd24fb0d6963f7d28e17f72";
        assert_eq!(file(&path, "trace"), expected);
        assert_eq!(
            file(Path::new("-"), "<stdin>"),
            "<stdin>, which cannot be read again"
        );
    }
}
