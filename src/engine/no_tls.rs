//! TLS in a build without it: there is none.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::limit::Limit;
use super::url::TlsOptions;

/// How to speak TLS with the servers. There is no such value.
#[derive(Clone)]
pub struct Tls(Infallible);

impl Tls {
    /// Refuses.
    ///
    /// # Errors
    /// That this build has no TLS.
    pub fn new(_: &TlsOptions, _: &str) -> Result<Self, String> {
        Err("rediss:// needs a build with TLS: cargo install --path . --features tls".into())
    }

    pub(super) fn begin(&self, _: TcpStream, _: &Limit) -> io::Result<Session> {
        match self.0 {}
    }
}

/// A stream that is encrypted. There is no such value.
pub(super) struct Session(Infallible);

impl Session {
    pub(super) fn tcp(&self) -> &TcpStream {
        match self.0 {}
    }
}

impl Read for Session {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}

impl Write for Session {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0 {}
    }
}
