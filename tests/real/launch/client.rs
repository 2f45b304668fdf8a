//! A small client of a cluster, which follows redirections.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use shardlab::engine::launch::Launched;
use shardlab::placement::slot_of;
use shardlab::resp::{Answer, write_request};

use super::wait_for;

/// Keys that are sent at once.
const BATCH: usize = 500;

/// Connections to servers, and which one has which slot, as far as that is known.
pub(crate) struct Client {
    open: BTreeMap<SocketAddr, TcpStream>,
    owners: BTreeMap<u16, SocketAddr>,
    /// From announced to real addresses.
    addresses: BTreeMap<SocketAddr, SocketAddr>,
}

impl Client {
    pub(crate) fn new(launched: &mut Launched) -> Self {
        let servers = launched.servers().into_iter();
        Self {
            open: BTreeMap::new(),
            owners: BTreeMap::new(),
            addresses: servers.map(|it| (it.announced, it.address)).collect(),
        }
    }

    /// Asks one server.
    pub(crate) fn ask(&mut self, at: SocketAddr, words: &[&str]) -> Result<Answer, String> {
        self.ask_all(at, &[words.to_vec()])
            .map(|mut answers| answers.remove(0))
    }

    /// Asks one server many things. The connection is closed after an error.
    fn ask_all(&mut self, at: SocketAddr, requests: &[Vec<&str>]) -> Result<Vec<Answer>, String> {
        let limit = Duration::from_secs(2);
        let mut asked = || {
            let mut stream = match self.open.remove(&at) {
                Some(stream) => stream,
                None => TcpStream::connect_timeout(&at, limit)?,
            };
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(limit))?;
            let mut sent = Vec::new();
            for words in requests {
                write_request(&mut sent, words);
            }
            stream.write_all(&sent)?;
            let answers = received(&mut stream, requests.len())?;
            self.open.insert(at, stream);
            Ok(answers)
        };
        asked().map_err(|error: std::io::Error| format!("{at}: {error}"))
    }

    /// Asks the owner of a key, and follows redirections.
    pub(crate) fn run(&mut self, words: &[&str]) -> Result<Answer, String> {
        let slot = slot_of(words[1].as_bytes());
        let mut at = self.owner(slot);
        let mut is_asking = false;
        for _ in 0..10 {
            let mut requests = vec![words.to_vec()];
            if is_asking {
                requests.insert(0, vec!["ASKING"]);
            }
            // A connection may be to a server that has been killed since.
            let answers = self
                .ask_all(at, &requests)
                .or_else(|_| self.ask_all(at, &requests));
            let answer = answers?.pop().expect("an answer");
            let Answer::Error(error) = &answer else {
                return Ok(answer);
            };
            let parts: Vec<&str> = error.split(' ').collect();
            let [kind @ ("MOVED" | "ASK"), _, address] = parts.as_slice() else {
                return Err(error.clone());
            };
            let address = address
                .parse()
                .map_err(|_| format!("{error}: no address"))?;
            at = self.addresses.get(&address).copied().unwrap_or(address);
            is_asking = *kind == "ASK";
            if !is_asking {
                self.owners.insert(slot, at);
            }
        }
        Err("too many redirections".into())
    }

    fn owner(&self, slot: u16) -> SocketAddr {
        let first = self.addresses.values().next().expect("a server");
        *self.owners.get(&slot).unwrap_or(first)
    }

    /// Runs a command for each key: those of a server at once, if it has their slots.
    fn run_all(&mut self, all: &[Vec<&str>], mut then: impl FnMut(&str, &Answer)) {
        let mut by_server: BTreeMap<SocketAddr, Vec<Vec<&str>>> = BTreeMap::new();
        for words in all {
            let owner = self.owner(slot_of(words[1].as_bytes()));
            by_server.entry(owner).or_default().push(words.clone());
        }
        for (at, all) in by_server {
            for batch in all.chunks(BATCH) {
                let answers = self.ask_all(at, batch).unwrap_or_default();
                for (place, words) in batch.iter().enumerate() {
                    match answers.get(place) {
                        Some(answer) if !matches!(answer, Answer::Error(_)) => {
                            then(words[1], answer);
                        }
                        _ => then(words[1], &wait_for("answer", || self.run(words).ok())),
                    }
                }
            }
        }
    }

    /// Writes so many keys, each with its name as its value.
    pub(crate) fn fill(&mut self, count: usize) {
        let keys: Vec<String> = (0..count).map(|at| format!("key{at}")).collect();
        let writes: Vec<Vec<&str>> = keys.iter().map(|key| vec!["SET", key, key]).collect();
        self.run_all(&writes, |key, answer| {
            assert!(answer.is_ok(), "{key}: {answer:?}");
        });
    }

    /// How many of these keys are not there as they were written.
    pub(crate) fn lost(&mut self, count: usize) -> usize {
        let keys: Vec<String> = (0..count).map(|at| format!("key{at}")).collect();
        let reads: Vec<Vec<&str>> = keys.iter().map(|key| vec!["GET", key]).collect();
        let mut lost = 0;
        self.run_all(&reads, |key, answer| {
            lost += usize::from(answer.text() != Some(key));
        });
        lost
    }
}

fn received(stream: &mut TcpStream, count: usize) -> std::io::Result<Vec<Answer>> {
    let (mut input, mut answers) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; 64 << 10];
    while answers.len() < count {
        match Answer::parse(&input).expect("an answer") {
            Some((answer, length)) => {
                input.drain(..length);
                answers.push(answer);
            }
            None => match stream.read(&mut buffer)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                length => input.extend_from_slice(&buffer[..length]),
            },
        }
    }
    Ok(answers)
}
