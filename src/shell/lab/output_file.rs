//! A file that appears only when it is complete.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tempfile::NamedTempFile;

/// Where a trace is written: to a temporary file that takes the place of the named one at the end, or
/// straight to what is no regular file. Dropped before the end, it leaves nothing.
pub enum OutputFile {
    /// Standard output.
    Standard(io::Stdout),
    /// A device or a pipe.
    Special(BufWriter<File>),
    /// A file beside the named one.
    Temporary(BufWriter<NamedTempFile>, PathBuf),
}

impl OutputFile {
    /// Writes to this file; `-` is standard output.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        Self::create_while(path, &|| true)
    }

    /// The same. A pipe without a reader is waited for while `go_on`, which is called every 50 ms,
    /// returns true.
    ///
    /// # Errors
    /// If it cannot be created, or the wait was ended.
    pub fn create_while(path: &Path, go_on: &dyn Fn() -> bool) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::Standard(io::stdout()));
        }
        // The file that a link leads to is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if path.is_dir() {
            return Err(io::Error::other("it is a folder"));
        }
        if path.metadata().is_ok_and(|about| !about.is_file()) {
            let file = open(path, go_on)?;
            return Ok(Self::Special(BufWriter::new(file)));
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        // As for any new file; the mask of the process applies.
        builder
            .prefix(".shardlab-")
            .permissions(Permissions::from_mode(0o666));
        // The error of the crate names the temporary file, which says nothing to a user.
        let file = builder.tempfile_in(folder).map_err(|error| {
            let (path, folder, kind) = (folder, folder.display(), error.kind());
            let message = match kind {
                ErrorKind::NotFound if !path.exists() => format!("there is no folder {folder}"),
                _ => format!("no file can be made in the folder {folder}: {kind}"),
            };
            io::Error::new(kind, message)
        })?;
        Ok(Self::Temporary(BufWriter::new(file), path))
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// Of writing and renaming.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Standard(mut out) => out.flush(),
            Self::Special(mut out) => out.flush(),
            Self::Temporary(out, path) => {
                let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.persist(path).map_err(|error| error.error)?;
                Ok(())
            }
        }
    }
}

/// Opens a pipe or a device. Opening a pipe waits for its reader, so a thread does it.
fn open(path: PathBuf, go_on: &dyn Fn() -> bool) -> io::Result<File> {
    let (sender, opened) = mpsc::channel();
    thread::spawn(move || sender.send(OpenOptions::new().write(true).open(path)));
    loop {
        match opened.recv_timeout(Duration::from_millis(50)) {
            Ok(file) => return file,
            Err(RecvTimeoutError::Timeout) if go_on() => {}
            Err(_) => return Err(io::Error::other("interrupted")),
        }
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(bytes),
            Self::Special(out) => out.write(bytes),
            Self::Temporary(out, _) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::Special(out) => out.flush(),
            Self::Temporary(out, _) => out.flush(),
        }
    }
}
