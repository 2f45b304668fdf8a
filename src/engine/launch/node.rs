//! One server that was launched: its folder, its ports and its process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::faketime;
use super::keeper::Keeper;
use super::options::{BUS, CONFIG, LOG, LaunchOptions};
use super::process::{Binary, Process};
use super::{Server, State};
use crate::engine::proxy::{Ports, Proxies};
use crate::rng::Rng;

/// How many ports to try.
const TRIES: usize = 200;
/// The bytes and the lines of a log that an error shows.
const TAIL: u64 = 4096;
const TAIL_LINES: usize = 8;

/// A server, with its process.
pub(super) struct Node {
    pub(super) server: Server,
    pub(super) process: Option<Process>,
    arguments: Vec<String>,
    /// The library that sets its clock.
    faketime: Option<PathBuf>,
}

/// What all servers share.
pub(super) struct Ground<'a> {
    pub(super) options: &'a LaunchOptions,
    pub(super) binary: &'a Binary,
    pub(super) keeper: &'a Keeper,
    pub(super) proxies: Option<&'a mut Proxies>,
    pub(super) rng: &'a mut Rng,
}

impl Node {
    /// Starts a new server.
    pub(super) fn start(number: usize, ground: &mut Ground<'_>) -> Result<Self, String> {
        let folder = ground.keeper.folder().join(format!("node-{number}"));
        fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut node = Self {
            server: Server {
                number,
                id: String::new(),
                address: (IpAddr::from([127, 0, 0, 1]), 0).into(),
                announced: (IpAddr::from([127, 0, 0, 1]), 0).into(),
                bus_port: 0,
                folder,
                process: None,
                state: State::Crashed,
            },
            process: None,
            arguments: Vec::new(),
            faketime: None,
        };
        if ground.options.with_clocks {
            node.faketime = Some(faketime::library()?);
        }
        node.choose_ports(ground)?;
        node.spawn(ground.binary, ground.keeper)?;
        Ok(node)
    }

    /// Chooses ports that are free now, and opens the proxy before them.
    fn choose_ports(&mut self, ground: &mut Ground<'_>) -> Result<(), String> {
        let number = self.server.number;
        let ip = match &ground.proxies {
            Some(_) => crate::engine::proxy::address_of(number)?,
            None => IpAddr::from([127, 0, 0, 1]),
        };
        let port = free_port(ip, &ground.options.ports, ground.rng)?;
        let (data, bus) = (SocketAddr::new(ip, port), SocketAddr::new(ip, port + BUS));
        let mut ports = None;
        if let Some(proxies) = &mut ground.proxies {
            proxies.close(number);
            let opened = proxies.open(number, data, bus);
            ports = Some(opened.map_err(|error| format!("a proxy of server {number}: {error}"))?);
        }
        let announced = ports.unwrap_or(Ports {
            data: port,
            bus: port + BUS,
        });
        let server = &mut self.server;
        server.address = data;
        server.announced = (IpAddr::from([127, 0, 0, 1]), announced.data).into();
        server.bus_port = announced.bus;
        let options = ground.options;
        self.arguments = options.arguments(ground.binary, data, ports, &server.folder);
        Ok(())
    }

    /// Takes its open slots out of what it remembers, for a server whose place was taken. Valkey 9.1 would
    /// end the import of such a slot by itself: it would take all slots of its shard back, empty as it is, and
    /// its successor would empty itself too.
    pub(super) fn forget_open_slots(&self) -> Result<(), String> {
        let path = self.server.folder.join(CONFIG);
        let failed = |error: io::Error| format!("{}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(failed)?;
        fs::write(&path, without_open_slots(&text)).map_err(failed)
    }

    /// Starts its process in the folder that it has.
    pub(super) fn spawn(&mut self, binary: &Binary, keeper: &Keeper) -> Result<(), String> {
        let failed = |error: String| format!("{}: {error}", binary.path.display());
        let log = self.server.folder.join(LOG);
        let log = OpenOptions::new().create(true).append(true).open(log);
        let log = log.map_err(|error| failed(error.to_string()))?;
        let command = keeper.server(&binary.path, &self.arguments, log);
        let mut command = command.map_err(|error| failed(error.to_string()))?;
        if let Some(library) = &self.faketime {
            faketime::prepare(&mut command, library, &self.server.folder).map_err(failed)?;
        }
        let process = Process::spawn(command.current_dir(&self.server.folder));
        let process = process.map_err(failed)?;
        self.server.process = Some(process.id());
        self.server.state = State::Up;
        self.process = Some(process);
        Ok(())
    }

    /// Starts a server that ended because its port was taken on others. Any other reason is an error.
    pub(super) fn start_elsewhere(&mut self, ground: &mut Ground<'_>) -> Result<(), String> {
        let log = self.server.folder.join(LOG);
        if !fs::read_to_string(&log).is_ok_and(|text| text.contains("Address already in use")) {
            return Err(self.no_start());
        }
        self.bury(ground.keeper);
        let _ = fs::remove_file(log);
        self.choose_ports(ground)?;
        self.spawn(ground.binary, ground.keeper)
    }

    /// Kills its process, if it has one.
    pub(super) fn kill(&mut self, keeper: &Keeper) {
        if let Some(process) = &self.process {
            process.kill();
        }
        self.bury(keeper);
    }

    /// Waits for the end of a process that was killed, or has ended.
    fn bury(&mut self, keeper: &Keeper) {
        if let Some(mut process) = self.process.take() {
            keeper.gone(process.id());
            process.wait();
        }
        self.server.process = None;
        self.server.state = State::Crashed;
    }

    /// Notes if its process has ended by itself.
    pub(super) fn look(&mut self, keeper: &Keeper) {
        if self.process.as_mut().is_some_and(Process::has_ended) {
            self.bury(keeper);
        }
    }

    /// That it does not start, with the last lines of its log.
    pub(super) fn no_start(&self) -> String {
        let log = tail(&self.server.folder.join(LOG));
        format!("server {} does not start:\n{log}", self.server.number)
    }
}

/// The last lines of a log.
fn tail(path: &Path) -> String {
    let read = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = read().unwrap_or_else(|error: io::Error| error.to_string().into_bytes());
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// The text of a configuration without marks of open slots, such as `[549-<-ID]`.
fn without_open_slots(text: &str) -> String {
    let is_mark =
        |word: &&str| word.starts_with('[') && (word.contains("-<-") || word.contains("->-"));
    let line = |line: &str| {
        let words = line.split(' ').filter(|word| !is_mark(word));
        words.collect::<Vec<_>>().join(" ")
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// A port that is free at this address, and so is that of the bus above it.
fn free_port(ip: IpAddr, ports: &RangeInclusive<u16>, rng: &mut Rng) -> Result<u16, String> {
    let (first, last) = (*ports.start(), *ports.end());
    let count = u64::from(last.saturating_sub(first)) + 1;
    for _ in 0..TRIES {
        let port = first + u16::try_from(rng.below(count)).unwrap_or(0);
        let is_free = |port| TcpListener::bind((ip, port)).is_ok();
        if is_free(port) && is_free(port + BUS) {
            return Ok(port);
        }
    }
    Err(format!(
        "no port from {first} to {last} is free at {ip} together with that of the bus"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_with_that_of_the_bus() {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let mut rng = Rng::new(u64::from(std::process::id()));
        let port = free_port(ip, &(20_000..=24_999), &mut rng).expect("a port");
        let free_port = |rng: &mut Rng| free_port(ip, &(port..=port), rng);
        assert_eq!(free_port(&mut rng), Ok(port));
        let taken = TcpListener::bind((ip, port + BUS)).expect("free");
        assert!(free_port(&mut rng).is_err());
        drop(taken);
    }

    #[test]
    fn marks_of_open_slots_are_taken_out() {
        let text = "aa 1:2@3 myself,master - 0 0 2 connected 5-9 [7->-bb] [549-<-cc]\n\
                    bb [::1]:2@3 master - 0 0 1 connected 10-12\nvars currentEpoch 8\n";
        let expected = "aa 1:2@3 myself,master - 0 0 2 connected 5-9\n\
                        bb [::1]:2@3 master - 0 0 1 connected 10-12\nvars currentEpoch 8\n";
        assert_eq!(without_open_slots(text), expected);
    }

    #[test]
    fn the_end_of_a_log_is_short() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join(LOG);
        assert!(!tail(&log).is_empty(), "why there is none");
        fs::write(&log, "x\n".repeat(10_000) + "the\n\nend\n").expect("written");
        let tail = tail(&log);
        assert!(
            tail.ends_with("x\nthe\nend") && tail.lines().count() == TAIL_LINES,
            "{tail}"
        );
    }
}
