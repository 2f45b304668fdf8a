//! What the stories about clusters have in common.

use std::time::Duration;

use shardlab::cache::Error;
use shardlab::cluster::{Request, Ticket};
use shardlab::id::NodeId;
use shardlab::operation::{Bytes, Operation, Outcome, PutError, Refusal};
use shardlab::time::Instant;
use shardlab::{Cluster, Config};

/// What is done with "apple".
pub(crate) type Action = Operation<&'static [u8]>;

pub(crate) fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

pub(crate) fn put(value: &'static [u8], deadline: Option<Instant>) -> Action {
    Action::Put { value, deadline }
}

pub(crate) fn add(value: &'static [u8], deadline: Option<Instant>) -> Action {
    Action::Add { value, deadline }
}

/// What a read returns that finds this value.
#[expect(clippy::unnecessary_wraps, reason = "it is compared with results")]
pub(crate) fn hit(value: &[u8]) -> Result<Option<Bytes>, Error> {
    Ok(Some(value.into()))
}

/// What a write returns that a store has no room for.
pub(crate) fn refused<T>(error: PutError) -> Result<T, Error> {
    Err(error.into())
}

/// Whether too few owners answered, and nothing was done.
pub(crate) fn is_short(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(Refusal::Quorum(_)))
}

/// Five nodes, of which three own "apple", in order, and one that does not; two are a quorum.
pub(crate) fn five(change: impl FnOnce(&mut Config)) -> (Cluster, [NodeId; 4]) {
    let mut config = Config::new().quorums(2, 2).nodes(5).replicas(3);
    change(&mut config);
    let cluster = Cluster::new(config).expect("a cluster");
    let mut owners = Vec::new();
    let hash = cluster.placement().hash(b"apple");
    cluster.placement().owners(hash, 3, &mut owners);
    let other = cluster.node_ids().find(|node| !owners.contains(node));
    let [first, second, third] = owners[..] else {
        panic!("three owners");
    };
    (cluster, [first, second, third, other.expect("five nodes")])
}

/// Submits an operation on "apple".
pub(crate) fn ask(
    cluster: &mut Cluster,
    now: Instant,
    client: u32,
    via: Option<NodeId>,
    action: Action,
) -> Ticket {
    let request = Request::new(b"apple", action).of(client).via(via);
    cluster.submit(now, request).expect("few requests")
}

/// Lets time pass until this request has its outcome: when, from which node and which outcome.
pub(crate) fn reply(
    cluster: &mut Cluster,
    mut now: Instant,
    ticket: Ticket,
) -> (Instant, NodeId, Outcome) {
    loop {
        if let Some(completion) = cluster.take(ticket) {
            return (now, completion.node, completion.outcome);
        }
        now = cluster.next_deadline().expect("a timeout").max(now);
        cluster.tick(now);
    }
}

/// Does something with "apple", and lets time pass until there is an outcome.
pub(crate) fn wait(cluster: &mut Cluster, now: Instant, action: Action) -> (Instant, Outcome) {
    let ticket = ask(cluster, now, 0, None, action);
    let (now, _, outcome) = reply(cluster, now, ticket);
    (now, outcome)
}

/// The outcome that [`reply`] waits for.
pub(crate) fn wait_for(cluster: &mut Cluster, now: Instant, ticket: Ticket) -> Outcome {
    reply(cluster, now, ticket).2
}

/// A timeout for stories in which many are waited for.
pub(crate) fn soon(config: &mut Config) {
    config.timeout = Duration::from_millis(100);
}
