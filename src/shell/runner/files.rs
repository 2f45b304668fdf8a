//! Scripts in files and pipes: SOURCE, and the files that the program was given.

use std::env;
use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::plain_error;
use super::{Runner, Step};
use crate::language::word::Shown;
use crate::language::{Error, ErrorKind};
use crate::session::LocalSession;
use crate::shell::lines::{Feed, Lines};

impl Runner {
    /// Runs the lines of a file or a pipe.
    ///
    /// # Errors
    /// If it cannot be read, is a terminal, or is being run already.
    pub fn run_file(&mut self, session: &mut LocalSession, path: &Path) -> Result<Step, Error> {
        let cannot = |error: io::Error| cannot_read(path, &error);
        let is_stream = is_stream(path).map_err(cannot)?;
        let (feed, source) = if is_stream {
            (self.stream(path)?, path.into())
        } else {
            let canonical = path.canonicalize().map_err(cannot)?;
            self.check_cycle(&canonical)?;
            let file = File::open(path).map_err(cannot)?;
            (Feed::Reader(Box::new(file)), canonical)
        };
        self.sources.push(source);
        let mut lines = Lines::new(feed);
        let step = self.run_lines(session, &path.display().to_string(), &mut lines);
        self.sources.pop();
        step.map_err(cannot)
    }

    /// A pipe or a device, which a thread reads, so that Ctrl-C can end the wait for it.
    fn stream(&self, path: &Path) -> Result<Feed, Error> {
        if is_terminal(path) {
            let message = format!("{} is a terminal: type the commands", path.display());
            return Err(Error::new(ErrorKind::Refused, message));
        }
        let path = path.to_owned();
        let input = self.wakeup.read_ahead(move || File::open(path));
        Ok(Feed::Inbox(Arc::clone(&self.wakeup), input))
    }

    /// Runs a file that a line names. QUIT ends that file only.
    pub(super) fn source(
        &mut self,
        session: &mut LocalSession,
        path: &[u8],
    ) -> Result<Step, Error> {
        let path = self.resolve(path)?;
        let step = self.nested(|this| this.run_file(session, &path))?;
        Ok(match step {
            Step::Quit => Step::Next,
            step => step,
        })
    }

    /// A path in a script is looked for beside the script first. `~/` is the home folder.
    pub(super) fn resolve(&self, path: &[u8]) -> Result<PathBuf, Error> {
        let Ok(name) = std::str::from_utf8(path) else {
            let message = format!("{} is not a file name: it is not UTF-8", Shown(path));
            return Err(Error::new(ErrorKind::Io, message));
        };
        let home = env::var_os("HOME").filter(|home| !home.is_empty());
        if let (Some(home), Some(name)) = (home, name.strip_prefix("~/")) {
            return Ok(PathBuf::from(home).join(name));
        }
        let beside = self.sources.last().and_then(|source| source.parent());
        let beside = beside.map(|folder| folder.join(name));
        Ok(beside
            .filter(|path| path.exists())
            .unwrap_or_else(|| name.into()))
    }

    fn check_cycle(&self, canonical: &Path) -> Result<(), Error> {
        let Some(first) = self.sources.iter().position(|source| source == canonical) else {
            return Ok(());
        };
        let cycle = self.sources.iter().skip(first).map(PathBuf::as_path);
        let names = cycle.chain([canonical]).filter_map(Path::file_name);
        let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
        let message = format!("SOURCE goes round in a circle: {}", names.join(" -> "));
        Err(Error::new(ErrorKind::Refused, message))
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> Error {
    let message = format!("cannot read {}: {}", path.display(), plain_error(error));
    Error::new(ErrorKind::Io, message)
}

/// Whether it is a pipe, a socket or a device: reading it can wait, and it has no canonical path.
fn is_stream(path: &Path) -> io::Result<bool> {
    let kind = fs::metadata(path)?.file_type();
    Ok(!kind.is_file() && !kind.is_dir())
}

/// Whether it is a terminal. A pipe is not opened for that: that can wait for its other end.
fn is_terminal(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let is_device = fs::metadata(path).is_ok_and(|it| it.file_type().is_char_device());
    is_device && File::open(path).is_ok_and(|file| file.is_terminal())
}
