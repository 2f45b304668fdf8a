//! The shell: the program's user interface, in a terminal and in pipes.
//!
//! The `runner` runs lines, wherever they come from. `batch` feeds it files, pipes and `-c`
//! commands; `interactive` feeds it what is typed, with the `editor`'s hints, colours and completion,
//! while the `timer` prints what happens meanwhile; `dumb` does without all of these. `prompt` is what
//! both ask, `notices` condenses what happens too fast, and `wakeup` is what can end a wait.

mod arguments;
mod batch;
mod caret;
mod clock;
mod color;
mod completion;
mod demo;
mod dumb;
mod editor;
mod history;
mod interactive;
mod keys;
mod lab;
mod lines;
mod notices;
mod output;
mod printer;
mod prompt;
mod rehearsal;
mod remote;
mod runner;
mod serve;
mod served;
mod simulate;
mod terminal;
mod timer;
mod wakeup;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use crate::cluster::Cluster;
use crate::config::Config;
use crate::render::Format;
use crate::session::{LocalSession, World};
use crate::time::ClockKind;
pub use arguments::{Remote, main};
use clock::ShellClock;
pub use color::When;
use output::Output;
use printer::Manners;
use runner::Runner;
pub use serve::Serve;
pub use served::ServedCluster;
pub use simulate::{Series, simulate};
use wakeup::Wakeup;

/// What the program was asked to do, and how.
#[derive(Debug)]
pub struct Options {
    /// The cluster to work on.
    pub config: Config,
    /// Which kind of time.
    pub clock: ClockKind,
    /// How replies are rendered.
    pub format: Format,
    /// Whether to use colour.
    pub color: When,
    /// Stop at the first error.
    pub bail: bool,
    /// Print each line before its output.
    pub echo: bool,
    /// Answers and errors only.
    pub quiet: bool,
    /// Keep what is typed in a file.
    pub history: bool,
    /// What to run.
    pub work: Work,
    /// The servers beside it.
    pub serve: Option<Serve>,
    /// The real servers behind it.
    pub remote: Option<Remote>,
}

/// What to run.
#[derive(Debug)]
pub enum Work {
    /// The prompt, or standard input if that is no terminal.
    Shell,
    /// These commands.
    Commands(Vec<Vec<u8>>),
    /// These files; `-` is standard input.
    Files(Vec<PathBuf>),
    /// A scenario built into the binary; without a name, their list.
    Demo(Option<String>),
}

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All well.
    Success,
    /// A command failed.
    Failure,
    /// Wrong usage.
    Usage,
    /// A check could not decide, and nothing else failed.
    Undecided,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The process's exit status.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Undecided => 3,
            Self::Interrupted => 130,
        }
    }
}

/// Runs the program.
///
/// # Errors
/// If the cluster cannot be built, or the terminal fails.
pub fn run(options: &Options) -> anyhow::Result<Exit> {
    let wakeup = Arc::new(Wakeup::default());
    wakeup::catch_ctrl_c(&wakeup)?;
    let world = match &options.remote {
        Some(remote) => {
            remote::hide_password()?;
            remote::world(options, remote, &wakeup)?
        }
        None => simulated(options, &wakeup)?,
    };
    let (server, session) = match &options.serve {
        None => (None, LocalSession::from(world)),
        Some(serve) => {
            wakeup::catch_terminate(&wakeup)?;
            let (server, session) = serve::start(options, serve, world, &wakeup)?;
            (Some(server), session)
        }
    };
    let interactive = matches!(options.work, Work::Shell) && is_interactive();
    let runner = Runner::new(
        Output::standard(),
        manners(options, interactive),
        Arc::clone(&wakeup),
    );
    if !interactive {
        wakeup::watch_output(&wakeup);
    }
    let exit = if interactive && is_dumb() {
        dumb::run(session, runner, &wakeup, server.is_some())
    } else if interactive {
        interactive::run(session, runner, &wakeup, options.history, server.is_some())?
    } else {
        batch::run(session, runner, &wakeup, &options.work, server.is_some())
    };
    if let Some(server) = server {
        server.stop()?;
    }
    Ok(exit)
}

/// The simulated cluster.
fn simulated(options: &Options, wakeup: &Arc<Wakeup>) -> anyhow::Result<World> {
    let serve = options.serve.as_ref();
    let is_cluster = serve.is_some_and(|serve| serve.is_cluster(options));
    let cluster = Cluster::new(options.config.by_slot(is_cluster))?;
    let clock = ShellClock::new(options.clock, Arc::clone(wakeup));
    Ok(World::new(cluster, Box::new(clock)))
}

/// Whether both stdin and stdout are terminals.
fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Whether the terminal cannot move its cursor, as far as is known. These are the names that the line
/// editor takes for such.
fn is_dumb() -> bool {
    let term = std::env::var("TERM")
        .unwrap_or_default()
        .to_ascii_lowercase();
    matches!(term.as_str(), "" | "dumb" | "cons25" | "emacs")
}

fn manners(options: &Options, interactive: bool) -> Manners {
    let style = |is_terminal| crate::render::Style {
        color: options.color.wanted(interactive && is_terminal),
        interactive,
        unicode: interactive && color::speaks_utf8(),
        width: terminal::columns().filter(|_| is_terminal),
    };
    Manners {
        format: options.format,
        out: style(io::stdout().is_terminal()),
        err: style(io::stderr().is_terminal()),
        bail: options.bail,
        echo: options.echo,
        quiet: options.quiet,
        seed: options.config.seed,
        can_redraw: interactive && !is_dumb(),
    }
}

/// An I/O error without std's "(os error 2)".
fn plain_error(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text.chars().take(end).collect(),
        None => text,
    }
}
