//! Servers become a cluster.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use super::Server;
use super::asking::{Look, ask, ask_all, wait};
use super::readiness;
use crate::engine::limit::Limit;
use crate::engine::members::SLOTS;
use crate::engine::members::{Member, parse};
use crate::resp::Answer;

/// What a server is asked for, with its number in the error.
pub(super) fn tell(server: &Server, words: &[&str], limit: &Limit) -> Result<Answer, String> {
    let told = ask(server.address, words, limit);
    told.map_err(|error| format!("server {}: {error}", server.number))
}

/// All servers as one sees them.
pub(super) fn members(server: &Server, limit: &Limit) -> Result<Vec<Member>, String> {
    let answer = tell(server, &["CLUSTER", "NODES"], limit)?;
    parse(answer.text().unwrap_or_default())
}

/// The slots of one of so many primaries.
fn share(primary: usize, primaries: usize) -> RangeInclusive<usize> {
    let bound = |at: usize| at * usize::from(SLOTS) / primaries;
    bound(primary)..=bound(primary + 1) - 1
}

/// Gives the first servers their slots.
pub(super) fn give_slots(
    servers: &[Server],
    primaries: usize,
    has_ranges: bool,
    limit: &Limit,
) -> Result<(), String> {
    for (at, server) in servers.iter().take(primaries).enumerate() {
        let share = share(at, primaries);
        let slots: Vec<String> = if has_ranges {
            [*share.start(), *share.end()]
                .map(|slot| slot.to_string())
                .into()
        } else {
            share.map(|slot| slot.to_string()).collect()
        };
        let word = if has_ranges {
            "ADDSLOTSRANGE"
        } else {
            "ADDSLOTS"
        };
        let slots = slots.iter().map(String::as_str);
        let words: Vec<&str> = ["CLUSTER", word].into_iter().chain(slots).collect();
        tell(server, &words, limit)?;
    }
    for (at, server) in servers.iter().enumerate() {
        let epoch = (at + 1).to_string();
        tell(server, &["CLUSTER", "SET-CONFIG-EPOCH", &epoch], limit)?;
    }
    Ok(())
}

/// Makes new servers known to all, and waits until all know all.
pub(super) fn meet(new: &[Server], all: &[Server], limit: &Limit) -> Result<(), String> {
    for (at, server) in new.iter().enumerate() {
        let met = all
            .iter()
            .filter(|it| new[at + 1..].iter().all(|new| new.number != it.number));
        for other in met.filter(|it| it.number != server.number) {
            let (ip, port) = (
                other.announced.ip().to_string(),
                other.announced.port().to_string(),
            );
            let bus = other.bus_port.to_string();
            tell(server, &["CLUSTER", "MEET", &ip, &port, &bus], limit)?;
        }
    }
    wait(limit, || {
        let unaware = all.iter().find(|server| {
            let members = members(server, limit).unwrap_or_default();
            let known = members.iter().filter(|it| !it.is_new);
            let known: Vec<&str> = known.map(|it| it.id.as_str()).collect();
            !all.iter().all(|it| known.contains(&it.id.as_str()))
        });
        match unaware {
            None => Ok(()),
            Some(server) => Err(Look::NotYet(format!(
                "server {} does not know all others",
                server.number
            ))),
        }
    })
}

/// Makes a server a replica of another.
pub(super) fn replicate(server: &Server, primary: &Server, limit: &Limit) -> Result<(), String> {
    tell(server, &["CLUSTER", "REPLICATE", &primary.id], limit).map(|_| ())
}

/// Waits until these servers, all that are up, agree and serve.
pub(super) fn wait_ready(servers: &[Server], limit: &Limit) -> Result<(), String> {
    let up = servers
        .iter()
        .map(|it| (it.number, it.id.as_str(), it.address));
    let up: Vec<(usize, &str, SocketAddr)> = up.collect();
    wait(limit, || readiness::check(&up, limit).map_err(Look::NotYet))
}

/// Makes servers forget one. One that does not know it has nothing to forget.
pub(super) fn forget(servers: &[Server], id: &str, limit: &Limit) -> Result<(), String> {
    for server in servers {
        let answers = ask_all(server.address, &[&["CLUSTER", "FORGET", id]], limit);
        let answers = answers.map_err(|error| format!("server {}: {error}", server.number))?;
        match answers.first() {
            Some(Answer::Error(error)) if !error.contains("Unknown node") => {
                return Err(format!("server {}: {error}", server.number));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_all_slots() {
        for primaries in [1, 3, 7, 250] {
            let all: Vec<usize> = (0..primaries).flat_map(|at| share(at, primaries)).collect();
            assert!(all.iter().copied().eq(0..16_384), "{primaries}");
            let sizes = (0..primaries).map(|at| share(at, primaries).count());
            let (least, most) = sizes.fold((usize::MAX, 0), |(least, most), size| {
                (least.min(size), most.max(size))
            });
            assert!(most - least <= 1, "{primaries}: {least} to {most}");
        }
    }
}
