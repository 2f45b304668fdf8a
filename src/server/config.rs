//! The parameters of CONFIG.

use super::hub::{Hub, Turn};
use crate::config::Capacity;
use crate::eviction::Eviction;
use crate::resp::value::Failure;

/// What CONFIG SET changes, besides the cluster.
#[derive(Clone, Debug, Default)]
pub struct ServerConfig {
    /// Which changes of keys are sent to channels.
    pub notifications: Notifications,
}

/// The classes of `notify-keyspace-events`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notifications {
    /// Whether `__keyspace@0__:key` gets the names of events.
    pub keyspace: bool,
    /// Whether `__keyevent@0__:event` gets the names of keys.
    pub keyevent: bool,
    /// The classes.
    classes: String,
}

/// All classes that `A` stands for.
const ALL: &str = "g$lshzxetd";

impl Notifications {
    /// Whether events of a class are sent.
    pub fn has(&self, class: char) -> bool {
        self.classes.contains(class)
    }

    /// Whether any event is sent.
    pub fn is_on(&self) -> bool {
        (self.keyspace || self.keyevent) && !self.classes.is_empty()
    }

    fn parse(flags: &str) -> Option<Self> {
        let mut parsed = Self::default();
        for flag in flags.chars() {
            match flag {
                'K' => parsed.keyspace = true,
                'E' => parsed.keyevent = true,
                'A' => parsed.classes.push_str(ALL),
                'm' | 'n' => parsed.classes.push(flag),
                flag if ALL.contains(flag) => parsed.classes.push(flag),
                _ => return None,
            }
        }
        Some(parsed)
    }
}

/// As CONFIG GET shows it.
impl std::fmt::Display for Notifications {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is_all = ALL.chars().all(|class| self.has(class));
        let listed = if is_all { "" } else { ALL };
        let mut flags: String = if is_all { "A" } else { "" }.into();
        flags.extend(listed.chars().filter(|&class| self.has(class)));
        flags.extend(self.keyspace.then_some('K'));
        flags.extend(self.keyevent.then_some('E'));
        flags.extend(['m', 'n'].into_iter().filter(|&class| self.has(class)));
        f.write_str(&flags)
    }
}

/// The name of a policy, as Redis names the ones that it has too.
pub fn policy_name(policy: Option<Eviction>) -> String {
    match policy {
        Some(Eviction::None) => "noeviction".into(),
        Some(Eviction::Ttl) => "volatile-ttl".into(),
        Some(policy) => format!("allkeys-{}", policy.name()),
        None => "custom".into(),
    }
}

fn policy(name: &str) -> Option<Eviction> {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "noeviction" => Some(Eviction::None),
        "volatile-ttl" => Some(Eviction::Ttl),
        name => name.strip_prefix("allkeys-").unwrap_or(name).parse().ok(),
    }
}

impl Hub {
    /// All parameters, by name.
    pub(super) fn parameters(&self, turn: &mut Turn<'_>, port: u16) -> Vec<(&'static str, String)> {
        let settings = &self.settings;
        let cluster = turn.cluster().cluster();
        let memory = cluster.config().capacity.bytes.unwrap_or(0);
        let policy = policy_name(cluster.eviction());
        let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_string();
        vec![
            ("appendonly", "no".into()),
            ("bind", settings.host.clone()),
            ("cluster-enabled", yes_no(settings.is_cluster)),
            (
                "cluster-node-timeout",
                settings.node_timeout.as_millis().to_string(),
            ),
            ("databases", "1".into()),
            ("maxclients", settings.max_clients.to_string()),
            ("maxmemory", memory.to_string()),
            ("maxmemory-policy", policy),
            (
                "notify-keyspace-events",
                self.config.notifications.to_string(),
            ),
            ("port", port.to_string()),
            ("proto-max-bulk-len", (512_u64 << 20).to_string()),
            ("save", String::new()),
            ("tcp-keepalive", "300".into()),
            ("timeout", "0".into()),
        ]
    }

    /// Changes a parameter.
    ///
    /// # Errors
    /// If there is none of this name, it cannot be changed, or the value does not fit.
    pub(super) fn set_parameter(
        &mut self,
        turn: &mut Turn<'_>,
        name: &str,
        value: &str,
    ) -> Result<(), Failure> {
        let failed = |why: &str| {
            Failure::new(format!(
                "ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"
            ))
        };
        let now = turn.now;
        match name {
            "notify-keyspace-events" => {
                let parsed = Notifications::parse(value);
                self.config.notifications = parsed.ok_or_else(|| {
                    failed("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
                })?;
            }
            "maxmemory" => {
                let bytes =
                    memory(value).ok_or_else(|| failed("argument must be a memory value"))?;
                let cluster = turn.cluster().cluster();
                let capacity = Capacity {
                    bytes: (bytes > 0).then_some(bytes),
                    ..cluster.config().capacity
                };
                cluster.set_capacity(now, capacity);
            }
            "maxmemory-policy" => {
                let policy = policy(value)
                    .ok_or_else(|| failed("argument(s) must be one of the policies of EVICTION"))?;
                turn.cluster().cluster().set_eviction(now, policy);
            }
            name if self.parameters(turn, 0).iter().any(|(it, _)| *it == name) => {
                return Err(failed("can't set immutable config"));
            }
            name => {
                return Err(Failure::new(format!(
                    "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
                )));
            }
        }
        Ok(())
    }
}

/// A number of bytes, with the units of Redis: k, kb, m, mb, g, gb.
fn memory(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match &text[digits.len()..] {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}
