//! Names from other programs that people type out of habit, each with what to type here.

/// Names in capitals, with the second half of the message.
const HABITS: &[(&[&str], &str)] = &[
    (&["FLUSHALL", "FLUSHDB", "FLUSH", "FLUSH_ALL"], "use CLEAR"),
    (&["DBSIZE", "COUNT", "LEN"], "use SIZE"),
    (
        &["INFO", "STATUS", "MEMORY", "LATENCY"],
        "use STATS or NODES",
    ),
    (&["SCAN", "LS", "LIST", "DIR", "RANDOMKEY"], "use KEYS"),
    (&["SETEX", "PSETEX"], "use PUT key value ttl"),
    (&["SETNX"], "use ADD"),
    (
        &["GETSET", "REPLACE"],
        "use PUT, or CAS to fail if another client writes in between",
    ),
    (&["GETDEL"], "use GET, then DEL"),
    (&["GETEX", "TOUCH"], "use GET, then EXPIRE"),
    (&["APPEND"], "use GET, then PUT the longer value"),
    (&["DECR"], "use INCR key -1"),
    (&["INCRBY"], "use INCR key delta"),
    (&["DECRBY"], "use INCR key -delta"),
    (&["INCRBYFLOAT"], "INCR adds whole numbers only"),
    (
        &["RENAME", "RENAMENX", "COPY"],
        "use PUT with the new key, then DEL the old one",
    ),
    (&["UNLINK", "UNSET", "RM"], "use DEL"),
    (&["PEXPIRE"], "use EXPIRE key 1500ms"),
    (
        &["EXPIREAT", "PEXPIREAT"],
        "EXPIRE takes a time from now, such as 90s",
    ),
    (&["PTTL"], "use TTL"),
    (&["SELECT", "MOVE", "SWAPDB"], "there is one database only"),
    (&["AUTH", "LOGIN", "ACL"], "there are no passwords"),
    (&["PING"], "NODES shows which nodes are up"),
    (&["CLUSTER", "ROLE", "TOPOLOGY"], "use NODES, WHERE or RING"),
    (
        &["MOVED", "ASKING", "MIGRATE", "RESHARD"],
        "use JOIN, LEAVE or PLACEMENT",
    ),
    (
        &["CONFIG", "SHOW"],
        "use EVICTION, CAPACITY, REPLICAS, QUORUM or PLACEMENT",
    ),
    (&["WAIT"], "QUORUM says how many owners acknowledge a write"),
    (
        &["SUBSCRIBE", "PSUBSCRIBE"],
        "MONITOR prints events as they happen",
    ),
    (&["SLOWLOG", "LOG"], "use EVENTS or HISTORY"),
    (
        &["OBJECT", "TYPE"],
        "WHERE and TTL show what is known of a key",
    ),
    (&["SHUTDOWN", "STOP"], "CRASH stops a node, QUIT leaves"),
    (
        &["BYE", "Q", ":Q", "\\Q", ".QUIT", ".EXIT", "LOGOUT"],
        "use QUIT",
    ),
    (&[".HELP", "\\?", "\\H", "MAN", "COMMAND"], "use HELP"),
    (&["\\I", ".READ", "RUN"], "use SOURCE"),
    (&["CLS", "RESET"], "Ctrl-L clears the screen"),
];

/// What to type instead of a name that other programs have.
pub fn remedy(name: &str) -> Option<&'static str> {
    let same = |known: &&str| known.eq_ignore_ascii_case(name);
    let mut rows = HABITS.iter();
    let (_, remedy) = rows.find(|(names, _)| names.iter().any(same))?;
    Some(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::catalog::{commands, find};

    #[test]
    fn no_habit_is_a_command_and_each_remedy_names_one() {
        let names: Vec<&str> = HABITS
            .iter()
            .flat_map(|(names, _)| *names)
            .copied()
            .collect();
        for name in &names {
            assert_eq!(find(name.as_bytes()), None, "{name}");
            assert_eq!(names.iter().filter(|it| it == &name).count(), 1, "{name}");
            assert!(remedy(&name.to_ascii_lowercase()).is_some());
        }
        let is_command = |word: &str| commands().any(|spec| spec.name == word);
        for (_, remedy) in HABITS
            .iter()
            .filter(|(_, remedy)| remedy.starts_with("use"))
        {
            let mut words = remedy.split([' ', ',']);
            assert!(words.any(is_command), "{remedy}");
        }
    }
}
