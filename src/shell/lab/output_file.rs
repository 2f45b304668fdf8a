//! A file that appears only when it is complete.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

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
        if path.as_os_str() == "-" {
            return Ok(Self::Standard(io::stdout()));
        }
        // The file that a link leads to is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if path
            .metadata()
            .is_ok_and(|about| !about.is_file() && !about.is_dir())
        {
            let file = OpenOptions::new().write(true).open(&path)?;
            return Ok(Self::Special(BufWriter::new(file)));
        }
        if path.is_dir() {
            return Err(io::Error::other("it is a folder"));
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        // As for any new file; the mask of the process applies.
        builder
            .prefix(".shardlab-")
            .permissions(Permissions::from_mode(0o666));
        let file = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
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
