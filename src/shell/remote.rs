//! `--connect` and `--launch`: the shell on real servers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::clock::ShellClock;
use super::wakeup::Wakeup;
use super::{Options, Remote};
use crate::engine::launch::LaunchOptions;
use crate::engine::{Credentials, Engine, Settings, Tls, TlsOptions, Url, resolve};
use crate::session::World;
use crate::time::{Clock, ClockKind, Compact};

/// The error of the servers' clocks that is worth a warning.
const CLOCK_ERROR: Duration = Duration::from_millis(5);
/// The environment variable for a password, as redis-cli has it.
const PASSWORD: &str = "REDISCLI_AUTH";

/// Connects to the servers, or launches them.
///
/// # Errors
/// If the options do not go together, no server answers, or the servers cannot be launched.
pub fn world(options: &Options, remote: &Remote, wakeup: &Arc<Wakeup>) -> anyhow::Result<World> {
    if options.clock == ClockKind::Virtual {
        anyhow::bail!("--clock virtual does not go with real servers: they have the real time");
    }
    let clock = ShellClock::new(ClockKind::Real, Arc::clone(wakeup));
    let mut engine = match remote {
        Remote::Connect {
            url,
            namespace,
            tls,
            permissions,
        } => {
            let settings = connected(options, url, tls, wakeup)?;
            Engine::connect(settings, *permissions, namespace.clone(), clock.now())
                .map_err(|why| anyhow::anyhow!("--connect: {why}"))?
        }
        Remote::Launch {
            program,
            node_timeout,
            is_durable,
            with_clocks,
        } => {
            let launch = LaunchOptions {
                binary: program.clone(),
                primaries: options.config.nodes,
                replicas: options.config.replicas,
                node_timeout: *node_timeout,
                is_durable: *is_durable,
                with_clocks: *with_clocks,
                with_proxies: true,
                seed: options.config.seed,
                ..LaunchOptions::default()
            };
            let settings = settings(options, Vec::new(), Credentials::default(), wakeup);
            let mut progress = |text: &str| {
                if !options.quiet && std::io::stderr().is_terminal() {
                    eprintln!("{text}");
                }
            };
            Engine::launch(settings, launch, clock.now(), &mut progress)
                .map_err(|why| anyhow::anyhow!("--launch: {why}"))?
        }
    };
    engine.set_write_quorum(options.config.write_quorum);
    if engine.clock_error() > CLOCK_ERROR && !options.quiet {
        let error = Compact(engine.clock_error());
        eprintln!(
            "the clocks of the servers may be off by {error}: keys expire that late or early"
        );
    }
    Ok(World {
        backend: Box::new(engine),
        clock: Box::new(clock),
    })
}

fn connected(
    options: &Options,
    url: &Url,
    tls: &TlsOptions,
    wakeup: &Arc<Wakeup>,
) -> anyhow::Result<Settings> {
    let seeds = url.hosts.iter().map(|(host, port)| resolve(host, *port));
    let seeds: Vec<_> = seeds
        .collect::<Result<_, _>>()
        .map_err(anyhow::Error::msg)?;
    let mut login = url.login.clone();
    if let (true, Ok(password)) = (login.is_empty(), std::env::var(PASSWORD)) {
        login.set_password(password);
    }
    if !url.is_secure && *tls != TlsOptions::default() {
        anyhow::bail!(
            "--cacert, --cert, --key and --sni are for TLS: write rediss:// in --connect"
        );
    }
    let host = url.hosts.first().map_or("", |host| &host.0);
    let tls = url.is_secure.then(|| Tls::new(tls, host)).transpose();
    Ok(Settings {
        tls: tls.map_err(anyhow::Error::msg)?,
        ..settings(options, seeds, login, wakeup)
    })
}

fn settings(
    options: &Options,
    seeds: Vec<SocketAddr>,
    login: Credentials,
    wakeup: &Arc<Wakeup>,
) -> Settings {
    let stop = Arc::clone(wakeup);
    Settings {
        seeds,
        login,
        tls: None,
        timeout: options.config.timeout,
        stop: Arc::new(move || stop.is_interrupted()),
        real: BTreeMap::new(),
    }
}

/// Runs the program anew if its arguments have a password, which everybody on the machine can read in
/// the list of processes: from then on it is in the environment.
///
/// # Errors
/// If it cannot be run anew.
pub fn hide_password() -> anyhow::Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut password = None;
    let hidden: Vec<OsString> = arguments
        .iter()
        .map(|argument| without_password(argument, &mut password))
        .collect();
    let Some(password) = password else {
        return Ok(());
    };
    let program = std::env::current_exe()?;
    Err(Command::new(program)
        .args(hidden)
        .env(PASSWORD, password)
        .exec()
        .into())
}

/// An argument without its password, which is taken out.
fn without_password(argument: &OsString, password: &mut Option<String>) -> OsString {
    let split = argument.to_str().and_then(|text| {
        let scheme = text.find("redis://").or_else(|| text.find("rediss://"))?;
        let start = scheme + text[scheme..].find("://")? + "://".len();
        let (before, rest) = text.split_at(start);
        let (login, hosts) = rest.rsplit_once('@')?;
        let (user, secret) = login.split_once(':')?;
        (!secret.is_empty()).then(|| (format!("{before}{user}@{hosts}"), secret))
    });
    let Some((shown, secret)) = split else {
        return argument.clone();
    };
    *password = crate::engine::decoded(secret).ok();
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_leaves_the_arguments() {
        let mut password = None;
        let argument = OsString::from("--connect=redis://ann:s%40e:x@a:7000,b");
        let shown = without_password(&argument, &mut password);
        assert_eq!(shown, OsString::from("--connect=redis://ann@a:7000,b"));
        assert_eq!(password.as_deref(), Some("s@e:x"));
        let secure = without_password(&"rediss://ann:secret@a".into(), &mut password);
        assert_eq!(secure, OsString::from("rediss://ann@a"));
        assert_eq!(password.as_deref(), Some("secret"));
        let mut none = None;
        for text in ["redis://a:7000", "redis://ann@a", "PUT a@b c:d"] {
            assert_eq!(
                without_password(&text.into(), &mut none),
                OsString::from(text)
            );
        }
        assert_eq!(none, None);
    }
}
