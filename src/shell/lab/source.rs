//! Opening traces.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::shell::wakeup::{Received, Wakeup};
use crate::trace::{BoxedTrace, Detected, Input, Place, Spec, TraceError, detect};

/// A trace that is open, and what is known of it.
pub struct Source {
    /// The reader.
    pub trace: BoxedTrace,
    /// Its format, and why.
    pub detected: Detected,
    /// How the file is compressed.
    pub compression: Option<&'static str>,
    /// The bytes of the file, if it has a length.
    pub len: Option<u64>,
}

/// Opens a trace; `-` is standard input.
///
/// # Errors
/// [`TraceError`] if the file cannot be opened or its format is unknown.
pub fn open(
    path: &Path,
    format: Option<&Spec>,
    split: Option<u64>,
    wakeup: &Arc<Wakeup>,
) -> Result<Source, TraceError> {
    let name = name(path);
    let fail =
        |error: &io::Error| TraceError::new(&name.as_str().into(), Place::Whole, error.to_string());
    let (reader, len) = reader(path, wakeup).map_err(|error| fail(&error))?;
    let mut input = Input::new(reader, &name, len)?;
    let compression = input.compression();
    let mut detected = match format {
        None => detect(&mut input)?,
        Some(spec) => Detected {
            spec: spec.clone(),
            reason: "it is given".into(),
        },
    };
    detected.spec.split = split;
    let trace = detected.spec.read(input)?;
    Ok(Source {
        trace,
        detected,
        compression,
        len,
    })
}

/// Checks that standard input is read once at most.
///
/// # Errors
/// What to do instead.
pub fn check_standard_input(paths: &[PathBuf]) -> Result<(), String> {
    let times = paths.iter().filter(|path| path.as_os_str() == "-").count();
    if times > 1 {
        return Err("standard input can be read only once: use `-` for one trace at most".into());
    }
    Ok(())
}

/// An error about a whole trace.
pub fn failure(name: &str, message: &str) -> TraceError {
    TraceError::new(&name.into(), Place::Whole, message.to_owned())
}

/// The name of a trace in messages.
pub fn name(path: &Path) -> String {
    if path.as_os_str() == "-" {
        return "<stdin>".into();
    }
    path.to_string_lossy()
        .chars()
        .map(|char| if char.is_control() { '?' } else { char })
        .collect()
}

type Reader = Box<dyn Read + Send>;

/// Only a regular file is read here. Reading anything else may wait, so a thread does it, and Ctrl-C
/// ends the wait.
fn reader(path: &Path, wakeup: &Arc<Wakeup>) -> io::Result<(Reader, Option<u64>)> {
    if path.as_os_str() == "-" {
        return Ok((Box::new(Waiting::new(io::stdin(), wakeup)), None));
    }
    let about = path.metadata()?;
    if about.is_file() {
        let file = File::open(path)?;
        return Ok(match about.len() {
            // Files of the system have no length, and content.
            0 => (Box::new(file), None),
            len => (Box::new(Whole { file, len, read: 0 }), Some(len)),
        });
    }
    if about.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    let pipe = Pipe {
        path: path.to_owned(),
        file: None,
    };
    Ok((Box::new(Waiting::new(pipe, wakeup)), None))
}

/// A file as long as it was when it was opened: what is appended later is not read, as its last record
/// may be unfinished at any time.
struct Whole {
    file: File,
    len: u64,
    read: u64,
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len - self.read).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        let len = self.file.read(&mut buffer[..most])?;
        if len == 0 && most > 0 {
            let (read, len) = (self.read, self.len);
            return Err(io::Error::other(format!(
                "the file was cut while it was read: only {read} of its {len} bytes are left"
            )));
        }
        self.read += len as u64;
        Ok(len)
    }
}

/// A pipe with a name. Opening it waits for a writer, so it is opened by the thread that reads.
struct Pipe {
    path: PathBuf,
    file: Option<File>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.file.is_none() {
            self.file = Some(File::open(&self.path)?);
        }
        self.file.as_mut().map_or(Ok(0), |file| file.read(buffer))
    }
}

/// What a thread reads ahead.
struct Waiting {
    wakeup: Arc<Wakeup>,
    /// The input's number.
    input: u64,
    chunk: Vec<u8>,
    taken: usize,
    /// Nothing comes after the end, so it is not waited for.
    is_ended: bool,
}

impl Waiting {
    fn new(input: impl Read + Send + 'static, wakeup: &Arc<Wakeup>) -> Self {
        Self {
            wakeup: Arc::clone(wakeup),
            input: wakeup.read_ahead(move || Ok(input)),
            chunk: Vec::new(),
            taken: 0,
            is_ended: false,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.wakeup.close(self.input);
    }
}

impl Read for Waiting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.chunk.len() && !self.is_ended {
            match self.wakeup.receive(self.input) {
                Received::Chunk(chunk) => (self.chunk, self.taken) = (chunk, 0),
                Received::End(end) => {
                    self.is_ended = true;
                    return end.map(|()| 0);
                }
                Received::Empty => self.wakeup.wait_for_input(self.input, None),
            }
            if self.wakeup.is_interrupted() {
                return Err(io::Error::other("interrupted"));
            }
        }
        let part = &self.chunk[self.taken..];
        let len = part.len().min(buffer.len());
        buffer[..len].copy_from_slice(&part[..len]);
        self.taken += len;
        Ok(len)
    }
}
