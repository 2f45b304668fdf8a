//! Expiries and evictions that servers tell of by keyspace notifications, where these are on.
//!
//! Each server has a thread with a connection of its own. What is published while it is cut off is
//! lost.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use super::client::{Client, Settings};
use super::connection::Lost;
use super::limit::Limit;
use crate::event::EventKind;
use crate::id::NodeId;
use crate::resp::Answer;

/// How many notices wait at most. Beyond that they are dropped.
const QUEUE: usize = 1 << 16;
/// How long a thread waits before it looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(200);
/// How long it waits before it connects again.
const PAUSE: Duration = Duration::from_millis(500);

const EXPIRED: &str = "__keyevent@0__:expired";
const EVICTED: &str = "__keyevent@0__:evicted";

/// A key that a server has removed by itself.
pub struct Notice {
    /// The server.
    pub node: NodeId,
    /// Why.
    pub kind: EventKind,
    /// The key.
    pub key: Vec<u8>,
}

/// The subscriptions. They end when this is dropped.
pub struct Notices {
    queue: Receiver<Notice>,
    sender: SyncSender<Notice>,
    is_over: Arc<AtomicBool>,
    subscribed: BTreeMap<NodeId, SocketAddr>,
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

impl Notices {
    /// Subscribes at all servers that publish expiries. `None` if none does.
    pub fn subscribe(client: &mut Client) -> Option<Self> {
        let servers: Vec<NodeId> = client.topology.servers().map(|it| it.0).collect();
        let answers = client.ask_all(&servers, &["CONFIG", "GET", "notify-keyspace-events"]);
        let publishes = |answer: &Answer| {
            let flags = answer.array().and_then(|it| it.last()?.text());
            flags.is_some_and(|it| it.contains('E') && (it.contains('x') || it.contains('A')))
        };
        let mut answers = answers.into_iter().filter_map(|(_, answer)| answer.ok());
        answers.any(|answer| publishes(&answer)).then(|| {
            let (sender, queue) = sync_channel(QUEUE);
            let mut notices = Self {
                queue,
                sender,
                is_over: Arc::default(),
                subscribed: BTreeMap::new(),
            };
            notices.follow(client);
            notices
        })
    }

    /// Subscribes at servers that are new.
    pub fn follow(&mut self, client: &Client) {
        for (node, server) in client.topology.servers() {
            if self.subscribed.get(&node) == Some(&server.address) {
                continue;
            }
            let subscriber = Subscriber {
                node,
                address: server.address,
                settings: client.settings().clone(),
                sender: self.sender.clone(),
                is_over: Arc::clone(&self.is_over),
            };
            let thread = thread::Builder::new().name(format!("notices of {node}"));
            // Without a thread, the expiries of this server are not told.
            if thread.spawn(move || subscriber.run()).is_ok() {
                self.subscribed.insert(node, server.address);
            }
        }
    }

    /// The next notice that has come.
    pub fn next(&self) -> Option<Notice> {
        self.queue.try_recv().ok()
    }
}

struct Subscriber {
    node: NodeId,
    address: SocketAddr,
    settings: Settings,
    sender: SyncSender<Notice>,
    is_over: Arc<AtomicBool>,
}

impl Subscriber {
    fn run(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            // Why it is cut off is seen by requests.
            let _ = self.listen();
            thread::sleep(PAUSE);
        }
    }

    fn listen(&self) -> Result<(), Lost> {
        let never: super::limit::Stop = Arc::new(|| false);
        let limit = Limit::after(self.settings.timeout, &never);
        let mut connection = self.settings.open(self.address, &limit)?;
        connection.add(&["SUBSCRIBE", EXPIRED, EVICTED]);
        connection.send(&limit)?;
        while !self.is_over.load(Ordering::Relaxed) {
            let Some(answer) = connection.poll(LOOK)? else {
                continue;
            };
            let Some(notice) = self.notice(&answer) else {
                continue;
            };
            if let Err(TrySendError::Disconnected(_)) = self.sender.try_send(notice) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn notice(&self, answer: &Answer) -> Option<Notice> {
        let [kind, channel, Answer::Bulk(key)] = answer.array()? else {
            return None;
        };
        let kind = match (kind.text()?, channel.text()?) {
            ("message", EXPIRED) => EventKind::Expired,
            ("message", EVICTED) => EventKind::Evicted,
            _ => return None,
        };
        Some(Notice {
            node: self.node,
            kind,
            key: key.to_vec(),
        })
    }
}
