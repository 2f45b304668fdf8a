//! The clients of a workload: each has a thread and connections of its own, and one request in flight.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::client::Client;
use super::data::{as_outcome, understood};
use super::namespace::Namespace;
use super::operations::{Dialect, Times, ask};
use super::record::Record;
use crate::cluster::{Request, TooManyRequests};
use crate::id::NodeId;
use crate::operation::Operation;
use crate::session::{Answer, Sent};

/// A request that a worker carries out.
struct Job {
    key: Vec<u8>,
    operation: Operation<Vec<u8>>,
}

/// The clients of a workload.
pub struct Workers {
    times: Times,
    dialect: Dialect,
    namespace: Namespace,
    record: Record,
    /// What each client is sent. The thread ends when this is dropped.
    clients: BTreeMap<u32, Sender<Job>>,
    answers: Receiver<(u32, Answer)>,
    answered: Sender<(u32, Answer)>,
    /// An answer that a wait has received.
    next: Option<(u32, Answer)>,
    in_flight: usize,
}

impl Workers {
    /// No clients yet. They are siblings of `client`.
    #[must_use]
    pub fn new(times: Times, dialect: Dialect, namespace: Namespace, record: Record) -> Self {
        let (answered, answers) = channel();
        Self {
            times,
            dialect,
            namespace,
            record,
            clients: BTreeMap::new(),
            answers,
            answered,
            next: None,
            in_flight: 0,
        }
    }

    /// Sends a request as a client that has none in flight.
    ///
    /// # Errors
    /// If there is no thread left for it.
    pub fn send(
        &mut self,
        request: &Request<'_>,
        origin: &Client,
    ) -> Result<Sent, TooManyRequests> {
        let job = Job {
            key: request.key.to_vec(),
            operation: request.operation.map(<[u8]>::to_vec),
        };
        if !self.clients.contains_key(&request.client) {
            let sender = self.start(request.client, origin).ok_or(TooManyRequests)?;
            self.clients.insert(request.client, sender);
        }
        let sent = self.clients.get(&request.client).map(|it| it.send(job));
        if !matches!(sent, Some(Ok(()))) {
            self.clients.remove(&request.client);
            return Err(TooManyRequests);
        }
        self.in_flight += 1;
        Ok(Sent::InFlight)
    }

    fn start(&self, number: u32, origin: &Client) -> Option<Sender<Job>> {
        let (sender, jobs) = channel();
        let mut worker = Worker {
            number,
            client: origin.sibling(),
            times: self.times,
            dialect: self.dialect,
            namespace: self.namespace.clone(),
            record: self.record.clone(),
        };
        let answered = self.answered.clone();
        let thread = thread::Builder::new().name(format!("client {number}"));
        let started = thread.spawn(move || {
            for job in jobs {
                let answer = worker.carry_out(&job);
                // The work gives up what an interrupt has cut short.
                if (worker.client.settings().stop)() {
                    continue;
                }
                if answered.send((number, answer)).is_err() {
                    return;
                }
            }
        });
        started.ok().map(|_| sender)
    }

    /// The next answer.
    pub fn receive(&mut self) -> Option<(u32, Answer)> {
        loop {
            let (client, answer) = self.next.take().or_else(|| self.answers.try_recv().ok())?;
            // The answer to a request that was given up.
            if !self.clients.contains_key(&client) {
                continue;
            }
            self.in_flight = self.in_flight.saturating_sub(1);
            return Some((client, answer));
        }
    }

    /// How many requests are in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Waits for an answer, at most so long.
    pub fn wait(&mut self, most: Duration) {
        if self.next.is_none() {
            self.next = self.answers.recv_timeout(most).ok();
        }
    }

    /// Gives up the request of a client. Its outcome is recorded when it comes.
    pub fn give_up(&mut self, client: u32) {
        if self.clients.remove(&client).is_some() {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
    }

    /// All clients start anew, as after the servers have changed.
    pub fn restart(&mut self) {
        if self.in_flight == 0 {
            self.clients.clear();
        }
    }
}

/// A client on its thread.
struct Worker {
    number: u32,
    client: Client,
    times: Times,
    dialect: Dialect,
    namespace: Namespace,
    record: Record,
}

impl Worker {
    fn carry_out(&mut self, job: &Job) -> Answer {
        let mut operation = job.operation.borrowed();
        if let Operation::Put { deadline, .. }
        | Operation::Add { deadline, .. }
        | Operation::Cas { deadline, .. }
        | Operation::SetDeadline { deadline } = &mut operation
        {
            *deadline = deadline.map(|deadline| self.times.aligned(deadline));
        }
        let key = self.namespace.full(&job.key);
        let ask = ask(&key, &operation, &self.times, self.dialect);
        let now = self.times.now();
        let call = self.record.invoke(now, self.number, &job.key, &operation);
        let asked = self.client.run(&[ask]).pop();
        let late = || Err(super::client::Failed::refused(None, "it was not asked"));
        let done = understood(&operation, asked.unwrap_or_else(late));
        let outcome = as_outcome(&done);
        let now = self.times.now();
        self.record.complete(now, call, &operation, &outcome);
        let node = match &done {
            Ok((node, _)) => *node,
            Err(failed) => failed.node.unwrap_or(NodeId(0)),
        };
        (node, outcome)
    }
}
