//! The history file: what was typed, kept from session to session.
//!
//! It has the format of rustyline's second version: a first line `#V2`, and then a line for each
//! entry, with `\\` for a backslash and `\n` for a line end. Lines that are not UTF-8 are skipped.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The most lines that are kept.
pub const MAX_LINES: usize = 10_000;
/// The most bytes that are read. A longer file loses its oldest lines.
const MAX_BYTES: u64 = 16 << 20;
const HEADER: &str = "#V2\n";

/// A history file. It reports the first error, and then none.
pub struct History {
    path: PathBuf,
    has_failed: bool,
}

impl History {
    /// The file `$XDG_STATE_HOME/shardlab/history`, or the same under `~/.local/state`; `None` if there
    /// is no such place.
    pub fn new() -> Option<Self> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let state = set("XDG_STATE_HOME").map(PathBuf::from);
        let state = state.filter(|path| path.is_absolute());
        let state = state.or_else(|| Some(PathBuf::from(set("HOME")?).join(".local/state")))?;
        Some(Self {
            path: state.join("shardlab/history"),
            has_failed: false,
        })
    }

    /// The lines of the file, oldest first, and what to tell the user if it cannot be read.
    pub fn read(&mut self) -> (Vec<String>, Option<String>) {
        match read(&self.path) {
            Ok(lines) => (lines, None),
            Err(error) if error.kind() == ErrorKind::NotFound => (Vec::new(), None),
            Err(error) => (Vec::new(), self.report("read", &error)),
        }
    }

    /// Appends a line. Returns what to tell the user if that fails, the first time.
    pub fn append(&mut self, line: &str) -> Option<String> {
        let error = append(&self.path, line).err()?;
        self.report("write", &error)
    }

    fn report(&mut self, what: &str, error: &io::Error) -> Option<String> {
        let is_first = !std::mem::replace(&mut self.has_failed, true);
        let path = self.path.display();
        let reason = super::plain_error(error);
        is_first.then(|| format!("no history: cannot {what} {path}: {reason}"))
    }
}

fn read(path: &Path) -> io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    file.lock_shared()?;
    let length = file.metadata()?.len();
    let skipped = length.saturating_sub(MAX_BYTES);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    (&mut file).take(MAX_BYTES).read_to_end(&mut bytes)?;
    file.unlock()?;
    let mut lines = entries(&bytes);
    if skipped > 0 || lines.len() > 2 * MAX_LINES {
        lines.drain(..lines.len().saturating_sub(MAX_LINES));
        // It stays long where it cannot be written.
        let _ = replace(path, &lines);
    }
    Ok(lines)
}

fn entries(bytes: &[u8]) -> Vec<String> {
    let lines = bytes.split(|&byte| byte == b'\n');
    let lines = lines.filter_map(|line| std::str::from_utf8(line).ok());
    let lines = lines.filter(|line| !line.is_empty() && *line != HEADER.trim_end());
    lines.map(unescaped).collect()
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = open(OpenOptions::new().append(true), path)?;
    file.lock()?;
    let header = match file.metadata()?.len() {
        0 => HEADER,
        _ => "",
    };
    // One write: another shell's lines stay whole.
    file.write_all(format!("{header}{}\n", escaped(line)).as_bytes())
}

/// Replaces the content of the file.
fn replace(path: &Path, lines: &[String]) -> io::Result<()> {
    let mut file = open(OpenOptions::new().write(true), path)?;
    file.lock()?;
    file.set_len(0)?;
    let lines: String = lines.iter().map(|line| escaped(line) + "\n").collect();
    file.write_all((HEADER.to_owned() + &lines).as_bytes())
}

fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.create(true).mode(0o600).open(path)
}

fn escaped(line: &str) -> String {
    line.replace('\\', "\\\\").replace('\n', "\\n")
}

fn unescaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('\\') | None => text.push('\\'),
                Some(other) => text.extend(['\\', other]),
            },
            char => text.push(char),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> (tempfile::TempDir, History) {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = folder.path().join("shardlab/history");
        let has_failed = false;
        (folder, History { path, has_failed })
    }

    #[test]
    fn lines_are_read_back_and_a_bad_byte_costs_only_its_line() {
        let (_folder, mut history) = history();
        assert_eq!(history.read(), (Vec::new(), None));
        let lines = ["PUT a \"\\x1b\\n\"", "GET a"];
        assert_eq!(lines.map(|line| history.append(line)), [None, None]);
        let mut bytes = fs::read(&history.path).expect("written");
        bytes.extend_from_slice(b"PUT b \xff\xfe\nGET b\n");
        fs::write(&history.path, bytes).expect("written");
        assert_eq!(history.append("GET c"), None);
        let expected = [lines[0], lines[1], "GET b", "GET c"].map(String::from);
        assert_eq!(history.read(), (expected.to_vec(), None));
    }

    #[test]
    fn only_the_first_error_is_reported() {
        let (_folder, mut history) = history();
        fs::create_dir_all(&history.path).expect("a folder");
        let error = history.append("GET a").expect("an error");
        assert!(error.starts_with("no history: cannot write "), "{error}");
        assert!(!error.contains("os error"), "{error}");
        assert_eq!(history.append("GET b"), None);
    }

    #[test]
    fn a_long_file_is_cut() {
        let (_folder, mut history) = history();
        history.append("GET first");
        let lines: String = (0..3 * MAX_LINES).map(|n| format!("GET k{n}\n")).collect();
        let mut file = OpenOptions::new()
            .append(true)
            .open(&history.path)
            .expect("a file");
        file.write_all(lines.as_bytes()).expect("written");
        let (lines, _) = history.read();
        assert_eq!(lines.len(), MAX_LINES);
        assert_eq!(lines[0], format!("GET k{}", 2 * MAX_LINES));
        let kept = fs::read_to_string(&history.path).expect("written");
        assert_eq!(kept.lines().count(), MAX_LINES + 1);
    }
}
