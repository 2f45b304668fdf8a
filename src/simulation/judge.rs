//! The end of a run: everything is mended, and then it is seen what was kept.

use std::fmt;
use std::time::Duration;

use super::options::Options;
use super::plan::{Ask, Deed};
use super::setup::Setup;
use super::world::{LostHint, Thin, World};
use crate::checker::{self, Kept, Promise, Violation};
use crate::cluster::Disorder;
use crate::history::{Call, Outcome};
use crate::id::NodeId;

/// The steps that the checker may take for each key and promise.
const STEPS: u64 = 200_000;
/// How long it may take to come to rest, in timeouts.
const PATIENCE: u32 = 100;

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The clients were told what the promise excludes.
    Broken {
        /// What was promised.
        promise: Promise,
        /// The key.
        key: Vec<u8>,
        /// In what way.
        violation: Violation,
        /// The operations of the violation's excerpt.
        excerpt: Vec<Call>,
    },
    /// A write was acknowledged that too few nodes have.
    Thin(Thin),
    /// A node was not sent what was kept for it.
    LostHint(LostHint),
    /// The nodes do not agree, or have miscounted.
    Disorder(Vec<Disorder>),
    /// The cluster did not come to rest.
    Restless(Vec<Disorder>),
}

impl Failure {
    /// What failed, in a word or two: the same for runs that fail in the same way.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Broken { violation, .. } => match violation.promise {
                Promise::Nothing | Promise::NoInventedValue => "invented value",
                Promise::NoExpiredRead => "expired read",
                Promise::NoStaleRead => "stale read",
                Promise::MayLose => "no order",
                Promise::Linearizable => "lost value",
            },
            Self::Thin(_) => "too few copies",
            Self::LostHint(_) => "lost hint",
            Self::Disorder(found) => found.first().map_or("disorder", Disorder::kind),
            Self::Restless(_) => "no rest",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken {
                promise,
                key,
                violation,
                excerpt,
            } => {
                let key = String::from_utf8_lossy(key);
                write!(f, "{violation}: {key} should be {promise}")?;
                excerpt
                    .iter()
                    .try_for_each(|it| write!(f, "\n  {}", Shown(it)))
            }
            Self::Thin(thin) => write!(
                f,
                "v{} of {} was acknowledged at {} ms, and {} of {} owners needed had it",
                thin.version,
                String::from_utf8_lossy(&thin.key),
                thin.at.as_millis(),
                thin.holders,
                thin.needed
            ),
            Self::LostHint(lost) => write!(
                f,
                "v{} of {} was acknowledged while node {} was down, which was not sent it at {} ms",
                lost.version,
                String::from_utf8_lossy(&lost.key),
                lost.node,
                lost.at.as_millis()
            ),
            Self::Disorder(found) | Self::Restless(found) => {
                let mut lines = found.iter().map(Disorder::to_string);
                f.write_str(&lines.next().unwrap_or_default())?;
                lines.try_for_each(|line| write!(f, "\n  {line}"))
            }
        }
    }
}

/// An operation for people: `client 1: 120ms..140ms GET = "17"`.
struct Shown<'a>(&'a Call);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.0;
        write!(
            f,
            "client {}: {}ms..",
            call.client,
            call.invoked.as_millis()
        )?;
        if let Some(returned) = call.returned {
            write!(f, "{}ms", returned.as_millis())?;
        }
        let step = Deed::Ask(Ask {
            client: call.client,
            via: None,
            key: 0,
            operation: call.operation.clone().map(|it| it.to_string().into_bytes()),
        });
        let step = super::plan::Step {
            at: call.invoked,
            deed: step,
        };
        let command = step.command(call.invoked);
        let key = String::from_utf8_lossy(&call.key);
        write!(f, " {} = ", command.replacen("k0", &key, 1))?;
        match &call.outcome {
            None => f.write_str("Pending"),
            Some(Outcome::Value(Some(value))) => write!(f, "{value}"),
            Some(other) => write!(f, "{other:?}"),
        }
    }
}

/// Mends everything, and says what was broken.
pub fn judge(options: &Options, setup: &Setup, world: &mut World) -> Option<Failure> {
    world.mend(options);
    let patience = setup.config.timeout * PATIENCE;
    let found = rest(setup, world, patience)
        .or_else(|| read_all(setup, world, patience))
        .or_else(|| outlive(setup, world, patience));
    count(world);
    let told = verdict(setup, world);
    let thin = world.thin.take().map(Failure::Thin);
    let hint = world.lost_hint.take().map(Failure::LostHint);
    hint.or(told).or(thin).or(found)
}

/// Lets the cluster come to rest, and looks at it.
fn rest(setup: &Setup, world: &mut World, patience: Duration) -> Option<Failure> {
    let is_at_rest = world.rest(world.now.saturating_add(patience));
    let mut found = world.cluster.verify(world.now);
    if setup.evicts() {
        found.retain(|it| !matches!(it, Disorder::Diverged { .. }));
    }
    match (is_at_rest, found.is_empty()) {
        (false, _) => Some(Failure::Restless(found)),
        (true, false) => Some(Failure::Disorder(found)),
        (true, true) => None,
    }
}

/// Reads every key through different nodes.
fn read_all(setup: &Setup, world: &mut World, patience: Duration) -> Option<Failure> {
    let nodes: Vec<NodeId> = world.cluster.node_ids().collect();
    let reader = u32::try_from(setup.clients).unwrap_or(u32::MAX);
    for key in 0..setup.shared + setup.clients {
        for turn in 0..2 {
            let node = nodes[(key + turn) % nodes.len()];
            world.act(&Deed::Ask(Ask {
                client: reader,
                via: Some(node),
                key,
                operation: crate::operation::Operation::Get,
            }));
        }
    }
    rest(setup, world, patience)
}

/// Lets the grace pass for all tombstones.
fn outlive(setup: &Setup, world: &mut World, patience: Duration) -> Option<Failure> {
    let grace = setup.config.grace * 3;
    world.advance(
        world
            .now
            .saturating_add(grace)
            .saturating_add(Duration::from_secs(6)),
    );
    rest(setup, world, patience)
}

fn count(world: &mut World) {
    let coverage = &mut world.coverage;
    coverage.runs = 1;
    coverage.network = world.cluster.network().counts();
    coverage.messages = world.cluster.delivered();
    if let Some(history) = world.cluster.history() {
        coverage.count(history);
    }
    let stats = world.cluster.stats(world.now);
    (coverage.expired, coverage.evicted) = (stats.expired, stats.evicted);
    coverage.tombstones = world.cluster.tombstones() as u64;
}

/// What the clients were told, against what was promised.
fn verdict(setup: &Setup, world: &mut World) -> Option<Failure> {
    let history = world.cluster.history()?;
    let verdict = checker::check(history, STEPS);
    let promise = setup.promise(world.is_skewed);
    world.coverage.keys += verdict.checked_keys as u64;
    world.coverage.undecided += u64::from(verdict.kept(promise) == Kept::Unknown);
    let mut keys = verdict.keys.into_iter();
    let doubtful: Vec<Vec<u8>> = world.doubtful().collect();
    let promised = |key: &[u8]| {
        if doubtful.iter().any(|it| **it == *key) {
            promise.min(Promise::NoStaleRead)
        } else {
            promise
        }
    };
    let broken = keys.find(|key| key.at_most < promised(&key.key))?;
    let promise = promised(&broken.key);
    let violation = broken.violation?;
    let excerpt = violation.excerpt.iter();
    let excerpt = excerpt.filter_map(|id| history.get(*id).cloned());
    Some(Failure::Broken {
        promise,
        key: broken.key.to_vec(),
        excerpt: excerpt.collect(),
        violation,
    })
}
