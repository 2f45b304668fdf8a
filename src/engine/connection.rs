//! A connection to one server: requests, answers in order, and a limit for the wait.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use super::limit::{Limit, SLICE, is_pause};
use super::stream::Stream;
use super::tls::Tls;
use super::url::Credentials;
use crate::resp::{Answer, write_request};

/// Why there is no answer when the time is over.
pub(super) const LATE: &str = "it did not answer in time";
/// Bytes that are read at once, at least.
const READ: usize = 16 << 10;
/// The shortest wait.
const INSTANT: Duration = Duration::from_millis(1);

/// Why there is no answer. The connection is of no more use: a late answer would be taken for that to
/// the next request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Nothing of the request has been handed to the system.
    #[error("{0}")]
    NotSent(String),
    /// The server may have carried the request out, or not.
    #[error("{0}")]
    Unknown(String),
}

/// A connection to one server.
pub struct Connection {
    stream: Stream,
    /// Room for what is read; `used..filled` is not parsed yet.
    input: Vec<u8>,
    used: usize,
    filled: usize,
    output: Vec<u8>,
}

impl Connection {
    /// Connects to a server, with TLS if it is given, and logs in.
    ///
    /// # Errors
    /// [`Lost::NotSent`] with the reason, which has no password in it.
    pub fn open(
        address: SocketAddr,
        login: &Credentials,
        tls: Option<&Tls>,
        limit: &Limit,
    ) -> Result<Self, Lost> {
        let stream = Stream::open(address, tls, limit);
        let mut connection = Self {
            stream: stream.map_err(|error| Lost::NotSent(reason(&error)))?,
            input: Vec::new(),
            used: 0,
            filled: 0,
            output: Vec::new(),
        };
        if let Some(words) = login.words() {
            match connection.call(&words, limit) {
                Ok(Answer::Error(error)) => return Err(Lost::NotSent(error)),
                Ok(_) => {}
                Err(Lost::NotSent(why) | Lost::Unknown(why)) => return Err(Lost::NotSent(why)),
            }
        }
        Ok(connection)
    }

    /// Whether the server has kept it open, as far as is known. Bytes that have come unasked make it
    /// useless as well.
    pub fn is_open(&mut self) -> bool {
        self.used == self.filled && self.stream.is_silent()
    }

    /// Sends a request, and waits for its answer.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn call<W: AsRef<[u8]>>(&mut self, words: &[W], limit: &Limit) -> Result<Answer, Lost> {
        self.add(words);
        self.send(limit)?;
        self.receive(limit)
    }

    /// Adds a request to those that [`Connection::send`] sends.
    pub fn add<W: AsRef<[u8]>>(&mut self, words: &[W]) {
        write_request(&mut self.output, words);
    }

    /// Sends the requests that were added. Each has an answer, in their order.
    ///
    /// # Errors
    /// [`Lost::NotSent`] if no byte was taken.
    pub fn send(&mut self, limit: &Limit) -> Result<(), Lost> {
        let mut sent = 0;
        while sent < self.output.len() {
            let lost = |why| match sent {
                0 => Lost::NotSent(why),
                _ => Lost::Unknown(why),
            };
            let left = limit.left().ok_or_else(|| lost(too_late()))?;
            let timeout = self.stream.set_write_timeout(left.min(SLICE));
            timeout.map_err(|error| lost(reason(&error)))?;
            match self.stream.write(&self.output[sent..]) {
                Ok(0) => return Err(lost("the connection was closed".into())),
                Ok(length) => sent += length,
                Err(error) if is_pause(&error) => {}
                Err(error) => return Err(lost(reason(&error))),
            }
        }
        self.output.clear();
        Ok(())
    }

    /// Waits for the next answer. One that is there by now is taken, even if the time is over.
    ///
    /// # Errors
    /// [`Lost::Unknown`].
    pub fn receive(&mut self, limit: &Limit) -> Result<Answer, Lost> {
        loop {
            if let Some(answer) = self.parsed()? {
                return Ok(answer);
            }
            let left = limit.left();
            let has_read = self.read(left.unwrap_or(INSTANT).min(SLICE))?;
            if left.is_none() && !has_read {
                return Err(Lost::Unknown(too_late()));
            }
        }
    }

    /// The next answer, if it comes in this time. The connection stays of use if it does not.
    ///
    /// # Errors
    /// [`Lost::Unknown`].
    pub fn poll(&mut self, time: Duration) -> Result<Option<Answer>, Lost> {
        if let Some(answer) = self.parsed()? {
            return Ok(Some(answer));
        }
        self.read(time.max(INSTANT))?;
        self.parsed()
    }

    fn parsed(&mut self) -> Result<Option<Answer>, Lost> {
        let parsed = Answer::parse(&self.input[self.used..self.filled]);
        let parsed = parsed.map_err(|error| Lost::Unknown(error.to_string()))?;
        Ok(parsed.map(|(answer, length)| {
            self.used += length;
            answer
        }))
    }

    /// Reads once. Returns whether there was something.
    fn read(&mut self, time: Duration) -> Result<bool, Lost> {
        let unknown = |error: &io::Error| Lost::Unknown(reason(error));
        let timeout = self.stream.set_read_timeout(time);
        timeout.map_err(|error| unknown(&error))?;
        self.input.copy_within(self.used..self.filled, 0);
        self.filled -= self.used;
        self.used = 0;
        if self.input.len() - self.filled < READ {
            self.input.resize(self.filled + 2 * READ, 0);
        }
        match self.stream.read(&mut self.input[self.filled..]) {
            Ok(0) => Err(Lost::Unknown("the connection was closed".into())),
            Ok(length) => {
                self.filled += length;
                Ok(true)
            }
            Err(error) if is_pause(&error) => Ok(false),
            Err(error) => Err(unknown(&error)),
        }
    }
}

fn too_late() -> String {
    LATE.into()
}

/// An error of the system, in a few words.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "it refuses connections".into(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            "the connection broke".into()
        }
        ErrorKind::UnexpectedEof => "the connection was closed".into(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => too_late(),
        _ => error.to_string(),
    }
}
