//! `shardlab serve` as a process, and connections to it and to other servers.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Running, start, wait_for};

/// How long to wait for a reply.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that ends with the test.
pub(crate) struct Serving {
    process: Running,
    pub ports: Vec<u16>,
}

impl Serving {
    /// Starts a server with these options on free ports.
    pub(crate) fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ready = folder.path().join("ready");
        let mut program = Command::new(env!("CARGO_BIN_EXE_shardlab"));
        program.args(["serve", "--quiet", "--port", "0", "--ready-file"]);
        program.arg(&ready).args(options).stdin(Stdio::null());
        let process = start(&mut program);
        let text = wait_for("ready file", || fs::read_to_string(&ready).ok());
        let ports = text.lines().map(|line| {
            let port = line.rsplit(' ').next().expect("a port");
            port.parse().expect("a port")
        });
        Self {
            process,
            ports: ports.collect(),
        }
    }

    /// A connection to a node.
    pub(crate) fn connect(&self, node: usize) -> Wire {
        Wire::tcp(self.ports[node])
    }

    /// Runs a line of the shell, and returns its reply.
    pub(crate) fn shell(&self, line: &str) -> String {
        let reply = self.connect(0).ask(&["SHARDLAB", line]);
        let reply = String::from_utf8(reply).expect("text");
        assert!(reply.starts_with('$'), "{line}: {reply}");
        reply
    }

    /// Bytes of memory that the process has now, as the operating system says.
    pub(crate) fn memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.process.0.id());
        let status = fs::read_to_string(status).expect("the process runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        1024 * kib.and_then(|kib| kib.parse::<u64>().ok()).expect("a size")
    }
}

/// A connection to a server that speaks the Redis protocol.
pub(crate) struct Wire(BufReader<Socket>);

impl Wire {
    pub(crate) fn tcp(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        stream.set_nodelay(true).expect("an option");
        Self(BufReader::new(Socket::Tcp(stream)))
    }

    pub(crate) fn unix(socket: &Path) -> Self {
        let stream = wait_for("server", || UnixStream::connect(socket).ok());
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        Self(BufReader::new(Socket::Unix(stream)))
    }

    pub(crate) fn send(&mut self, words: &[impl AsRef<[u8]>]) {
        let request = request(words);
        self.0.get_mut().write_all(&request).expect("it is sent");
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("it is sent");
    }

    /// A second handle for the replies. This one must not read any more.
    pub(crate) fn split(&self) -> Self {
        let Socket::Tcp(stream) = self.0.get_ref() else {
            panic!("TCP only");
        };
        Self(BufReader::new(Socket::Tcp(
            stream.try_clone().expect("a handle"),
        )))
    }

    /// Sends as much of this as is taken. Returns whether all was taken; after `limit` without progress it
    /// gives up.
    pub(crate) fn try_send(&mut self, bytes: &[u8], limit: Duration) -> bool {
        let Socket::Tcp(stream) = self.0.get_mut() else {
            panic!("TCP only");
        };
        stream.set_write_timeout(Some(limit)).expect("a limit");
        stream.write_all(bytes).is_ok()
    }

    /// Sends a command, and returns the bytes of its reply.
    pub(crate) fn ask(&mut self, words: &[impl AsRef<[u8]>]) -> Vec<u8> {
        self.send(words);
        self.reply()
    }

    /// The bytes of the next reply.
    pub(crate) fn reply(&mut self) -> Vec<u8> {
        let mut frame = Vec::new();
        self.read_frame(&mut frame);
        frame
    }

    fn read_frame(&mut self, frame: &mut Vec<u8>) {
        let start = frame.len();
        self.0.read_until(b'\n', frame).expect("a reply");
        let line = String::from_utf8_lossy(&frame[start..]).into_owned();
        assert!(line.ends_with("\r\n"), "the reply is cut off: {line:?}");
        let count = line[1..].trim_end().parse::<i64>().unwrap_or(0).max(0);
        let count = usize::try_from(count).expect("a count");
        let is_null = line[1..].starts_with('-');
        match line.as_bytes()[0] {
            b'$' | b'=' | b'!' if !is_null => {
                let start = frame.len();
                frame.resize(start + count + 2, 0);
                self.0.read_exact(&mut frame[start..]).expect("a value");
            }
            b'*' | b'~' | b'>' => (0..count).for_each(|_| self.read_frame(frame)),
            b'%' => (0..2 * count).for_each(|_| self.read_frame(frame)),
            _ => {}
        }
    }

    /// The rest of what the server sends until it closes the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = self.0.read_to_end(&mut rest);
        rest
    }
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A command as it is sent.
pub(crate) fn request(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        request.extend_from_slice(word);
        request.extend_from_slice(b"\r\n");
    }
    request
}
