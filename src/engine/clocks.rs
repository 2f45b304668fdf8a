//! How far the clocks of the servers are from the one of this machine.
//!
//! A server says its time by TIME. It read its clock between the moments at which it was asked and at
//! which the answer came, so its clock is ahead by something between two bounds; the quickest of some
//! answers gives the closest ones.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::client::Client;
use crate::id::NodeId;
use crate::resp::Answer;

/// How often each server is asked.
const TIMES: usize = 3;
/// How long an answer may take. A server that is slower counts for nothing.
const PATIENCE: Duration = Duration::from_millis(300);
/// Nanoseconds of a microsecond, the grain of TIME.
const MICRO: i128 = 1000;

/// By how many nanoseconds a clock is ahead, at least and at most.
type Ahead = (i128, i128);

/// What is assumed of the clocks of all servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    /// By how many nanoseconds they are ahead of the clock of this machine.
    pub ahead: i128,
    /// By how much each of them may be off from that.
    pub error: Duration,
}

impl Clocks {
    /// Asks the servers. Those that do not answer count for nothing.
    pub fn measure(client: &mut Client) -> Self {
        let servers: Vec<NodeId> = client.topology.servers().map(|it| it.0).collect();
        let bounds = servers.into_iter().filter_map(|node| {
            let asked = (0..TIMES).map_while(|_| ahead(client, node));
            asked.min_by_key(|(low, high)| high - low)
        });
        Self::within(bounds.collect::<Vec<_>>().as_slice())
    }

    /// What is true of all of these clocks. They count as right if each may be.
    fn within(bounds: &[Ahead]) -> Self {
        let low = bounds.iter().map(|it| it.0).min().unwrap_or(0);
        let high = bounds.iter().map(|it| it.1).max().unwrap_or(0);
        let may_be_right = bounds.iter().all(|(low, high)| (*low..=*high).contains(&0));
        let ahead = if may_be_right {
            0
        } else {
            i128::midpoint(low, high)
        };
        let error = (high - ahead).max(ahead - low);
        Self {
            ahead,
            error: Duration::from_nanos(u64::try_from(error).unwrap_or(u64::MAX)),
        }
    }
}

/// By how much the clock of a server is ahead, by one answer.
fn ahead(client: &mut Client, node: NodeId) -> Option<Ahead> {
    let asked = nanos();
    let limit = client.limit().at_most(PATIENCE);
    let answer = client.ask_within(node, &["TIME"], &limit).ok()?;
    let answered = nanos();
    let [seconds, micros] = answer.array()? else {
        return None;
    };
    let number = |it: &Answer| it.text()?.parse::<i64>().ok();
    let micros = i128::from(number(seconds)?) * 1_000_000 + i128::from(number(micros)?);
    let told = micros * MICRO;
    Some((told - answered, told + MICRO - asked))
}

/// The time since 1970 in nanoseconds.
fn nanos() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i128::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_hold_for_every_clock() {
        let clocks = |bounds: &[Ahead]| {
            let clocks = Clocks::within(bounds);
            (clocks.ahead, clocks.error.as_nanos())
        };
        assert_eq!(clocks(&[]), (0, 0));
        assert_eq!(clocks(&[(-5, 20), (-30, 1)]), (0, 30));
        assert_eq!(clocks(&[(100, 120)]), (110, 10));
        assert_eq!(clocks(&[(-200, -100), (0, 10)]), (-95, 105));
    }
}
