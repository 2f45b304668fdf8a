//! The parameters of CONFIG.

use std::collections::BTreeMap;
use std::time::Duration;

use super::hub::{Hub, Turn};
use super::parameters::{self, Kind, Parameter, memory, number};
use crate::config::Capacity;
use crate::eviction::Eviction;
use crate::resp::value::Failure;

/// What CONFIG SET changes, besides the cluster.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Which changes of keys are sent to channels.
    pub notifications: Notifications,
    /// The most fields, and the longest field or value in bytes, of a hash that is shown as a list.
    pub small_hash: (usize, usize),
    /// After how many seconds without a command a client is cut off; 0: never.
    pub idle_limit: u64,
    /// Values without effect, by the names of their parameters.
    kept: BTreeMap<&'static str, String>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            notifications: Notifications::default(),
            small_hash: (128, 64),
            idle_limit: 0,
            kept: BTreeMap::new(),
        }
    }
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
    /// The value of a parameter.
    pub(super) fn parameter(
        &self,
        turn: &mut Turn<'_>,
        parameter: &Parameter,
        port: u16,
    ) -> String {
        let settings = &self.settings;
        let cluster = turn.cluster().cluster();
        match parameter.name {
            "bind" => settings.host.clone(),
            "cluster-enabled" => if settings.is_cluster { "yes" } else { "no" }.into(),
            "cluster-node-timeout" => settings.node_timeout.as_millis().to_string(),
            "hash-max-listpack-entries" => self.config.small_hash.0.to_string(),
            "hash-max-listpack-value" => self.config.small_hash.1.to_string(),
            "latency-monitor-threshold" => self.measures.spikes.threshold.to_string(),
            "maxclients" => settings.max_clients.to_string(),
            "maxmemory" => cluster.config().capacity.bytes.unwrap_or(0).to_string(),
            "maxmemory-policy" => policy_name(cluster.eviction()),
            "notify-keyspace-events" => self.config.notifications.to_string(),
            "port" => port.to_string(),
            "requirepass" => {
                String::from_utf8_lossy(settings.password.as_deref().unwrap_or_default()).into()
            }
            "slowlog-log-slower-than" => self.measures.slow.threshold.to_string(),
            "slowlog-max-len" => self.measures.slow.most.to_string(),
            "timeout" => self.config.idle_limit.to_string(),
            "tracking-table-max-keys" => self.tracking.most.to_string(),
            name => {
                let kept = self.config.kept.get(name).map(String::as_str);
                kept.unwrap_or(parameter.default).into()
            }
        }
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
        let parameter = parameters::find(name).ok_or_else(|| {
            Failure::new(format!(
                "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
            ))
        })?;
        self.set_known(turn, parameter, value).map_err(|why| {
            Failure::new(format!(
                "ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"
            ))
        })
    }

    fn set_known(
        &mut self,
        turn: &mut Turn<'_>,
        parameter: &'static Parameter,
        value: &str,
    ) -> Result<(), String> {
        match &parameter.kind {
            Kind::Live => self.set_live(turn, parameter.name, value),
            Kind::Kept(values) | Kind::Hidden(values) => {
                self.config.kept.insert(parameter.name, values.read(value)?);
                Ok(())
            }
            Kind::Fixed if self.parameter(turn, parameter, 0) == value => Ok(()),
            Kind::Fixed => Err("shardlab has no other value of it".into()),
            Kind::Immutable => Err("can't set immutable config".into()),
        }
    }

    fn set_live(&mut self, turn: &mut Turn<'_>, name: &str, value: &str) -> Result<(), String> {
        let count = |value: &str| {
            number(value, 0, i64::MAX).map(|it| usize::try_from(it).unwrap_or(usize::MAX))
        };
        match name {
            "cluster-node-timeout" => {
                let millis = number(value, 0, i64::MAX)?;
                self.settings.node_timeout = Duration::from_millis(millis.unsigned_abs());
            }
            "hash-max-listpack-entries" => self.config.small_hash.0 = count(value)?,
            "hash-max-listpack-value" => self.config.small_hash.1 = count(value)?,
            "latency-monitor-threshold" => {
                self.measures.spikes.threshold = number(value, 0, i64::MAX)?.unsigned_abs();
            }
            "maxclients" => self.settings.max_clients = count(value)?.max(1),
            "maxmemory" => set_memory(turn, value)?,
            "maxmemory-policy" => {
                let policy =
                    policy(value).ok_or("argument(s) must be one of the policies of EVICTION")?;
                let now = turn.now;
                turn.cluster().cluster().set_eviction(now, policy);
            }
            "notify-keyspace-events" => {
                let parsed = Notifications::parse(value);
                self.config.notifications =
                    parsed.ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
            }
            "requirepass" => {
                self.settings.password = (!value.is_empty()).then(|| value.as_bytes().into());
            }
            "slowlog-log-slower-than" => {
                self.measures.slow.threshold = number(value, -1, i64::MAX)?;
            }
            "slowlog-max-len" => self.measures.slow.set_most(count(value)?),
            "timeout" => {
                self.config.idle_limit = number(value, 0, i64::from(i32::MAX))?.unsigned_abs();
            }
            "tracking-table-max-keys" => self.tracking.most = count(value)?,
            _ => return self.set_port_parameter(value),
        }
        Ok(())
    }

    /// The ports of the nodes stay what they are.
    fn set_port_parameter(&self, value: &str) -> Result<(), String> {
        let port = number(value, 0, 65_535)?;
        let mut ports = self.topology.nodes.values().map(|it| i64::from(it.port));
        if ports.any(|it| it == port) {
            return Ok(());
        }
        Err("Unable to listen on this port: the port of a node is fixed".into())
    }
}

fn set_memory(turn: &mut Turn<'_>, value: &str) -> Result<(), String> {
    let bytes = memory(value)?;
    let now = turn.now;
    let cluster = turn.cluster().cluster();
    let capacity = Capacity {
        bytes: (bytes > 0).then_some(bytes),
        ..cluster.config().capacity
    };
    cluster.set_capacity(now, capacity);
    Ok(())
}
