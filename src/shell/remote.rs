//! `--connect`: the shell on real servers.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use super::clock::ShellClock;
use super::wakeup::Wakeup;
use super::{Options, Remote};
use crate::engine::{Engine, Settings, resolve};
use crate::session::World;
use crate::time::{Clock, ClockKind};

/// The environment variable for a password, as redis-cli has it.
const PASSWORD: &str = "REDISCLI_AUTH";

/// Connects to the servers.
///
/// # Errors
/// If the options do not go together, or no server answers.
pub fn connect(options: &Options, remote: &Remote, wakeup: &Arc<Wakeup>) -> anyhow::Result<World> {
    if options.clock == ClockKind::Virtual {
        anyhow::bail!(
            "--clock virtual does not go with --connect: real servers have the real time"
        );
    }
    let clock = ShellClock::new(ClockKind::Real, Arc::clone(wakeup));
    let seeds = remote
        .url
        .hosts
        .iter()
        .map(|(host, port)| resolve(host, *port));
    let seeds: Vec<_> = seeds
        .collect::<Result<_, _>>()
        .map_err(anyhow::Error::msg)?;
    let stop = Arc::clone(wakeup);
    let mut login = remote.url.login.clone();
    if let (true, Ok(password)) = (login.is_empty(), std::env::var(PASSWORD)) {
        login.set_password(password);
    }
    let settings = Settings {
        seeds,
        login,
        timeout: options.config.timeout,
        stop: Arc::new(move || stop.is_interrupted()),
        real: std::collections::BTreeMap::new(),
    };
    let mut engine = Engine::connect(settings, remote.permissions, clock.now())
        .map_err(|why| anyhow::anyhow!("--connect: {why}"))?;
    engine.set_write_quorum(options.config.write_quorum);
    Ok(World {
        backend: Box::new(engine),
        clock: Box::new(clock),
    })
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
        let start = text.find("redis://")? + "redis://".len();
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
