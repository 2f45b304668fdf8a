//! A stream of bytes to a server: TCP, or TLS over it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::limit::Limit;
use super::tls::{Session, Tls};

/// A stream to a server.
pub(super) enum Stream {
    Plain(TcpStream),
    Secure(Box<Session>),
}

impl Stream {
    /// Connects to a server, with TLS if it is given.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] when the limit is over, or what the system or the certificate says.
    pub(super) fn open(address: SocketAddr, tls: Option<&Tls>, limit: &Limit) -> io::Result<Self> {
        let left = limit.left().ok_or(ErrorKind::TimedOut)?;
        let tcp = TcpStream::connect_timeout(&address, left)?;
        tcp.set_nodelay(true)?;
        match tls {
            None => Ok(Self::Plain(tcp)),
            Some(tls) => Ok(Self::Secure(Box::new(tls.begin(tcp, limit)?))),
        }
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Secure(session) => session.tcp(),
        }
    }

    pub(super) fn set_read_timeout(&self, time: Duration) -> io::Result<()> {
        self.tcp().set_read_timeout(Some(time))
    }

    pub(super) fn set_write_timeout(&self, time: Duration) -> io::Result<()> {
        self.tcp().set_write_timeout(Some(time))
    }

    /// Whether it is open and nothing has come, as far as is known.
    pub(super) fn is_silent(&mut self) -> bool {
        if self.tcp().set_nonblocking(true).is_err() {
            return false;
        }
        let come = match self {
            Self::Plain(tcp) => tcp.peek(&mut [0]),
            Self::Secure(session) => session.read(&mut [0]),
        };
        let is_silent = come.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        is_silent && self.tcp().set_nonblocking(false).is_ok()
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(into),
            Self::Secure(session) => session.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Secure(session) => session.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Secure(session) => session.flush(),
        }
    }
}
