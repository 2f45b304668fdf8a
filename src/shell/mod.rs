//! The shell: the program's face, in a terminal and in pipes.
//!
//! The `runner` runs lines, wherever they come from. `batch` feeds it files, pipes and `-c`
//! commands; `interactive` feeds it what is typed, with the `editor`'s hints and colours, while the
//! `timer` tells what happens meanwhile. `wakeup` is what can end a wait.

mod batch;
mod caret;
mod clock;
mod color;
mod demo;
mod editor;
mod history;
mod interactive;
pub mod lab;
mod lines;
mod output;
mod printer;
mod rehearsal;
mod runner;
mod simulate;
mod timer;
mod wakeup;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use crate::cluster::Cluster;
use crate::config::Config;
use crate::render::Format;
use crate::session::LocalSession;
use crate::time::ClockKind;
use clock::ShellClock;
pub use color::When;
pub use demo::SCENARIOS;
use output::Output;
use printer::Manners;
use runner::Runner;
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
    /// The request itself made no sense.
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
    let cluster = Cluster::new(options.config)?;
    let clock = ShellClock::new(options.clock, Arc::clone(&wakeup));
    let session = LocalSession::new(cluster, Box::new(clock));
    let interactive = matches!(options.work, Work::Shell) && is_interactive();
    let runner = Runner::new(
        Output::standard(),
        manners(options, interactive),
        Arc::clone(&wakeup),
    );
    if !interactive {
        wakeup::watch_output(&wakeup);
    }
    if interactive {
        return interactive::run(session, runner, &wakeup, options.history);
    }
    Ok(batch::run(session, runner, &wakeup, &options.work))
}

/// Whether there is a person at both ends.
fn is_interactive() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    !dumb && io::stdin().is_terminal() && io::stdout().is_terminal()
}

fn manners(options: &Options, interactive: bool) -> Manners {
    let style = |is_terminal| crate::render::Style {
        color: options.color.wanted(interactive && is_terminal),
        interactive,
        unicode: interactive && color::speaks_utf8(),
    };
    Manners {
        format: options.format,
        out: style(io::stdout().is_terminal()),
        err: style(io::stderr().is_terminal()),
        bail: options.bail,
        echo: options.echo,
        quiet: options.quiet,
    }
}
