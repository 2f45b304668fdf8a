//! The arguments of `serve`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use super::values::{time, whole};
use crate::server::ClusterMode;
use crate::shell::Work;

/// The arguments of `serve`.
#[derive(Args)]
pub struct Serve {
    /// The port of node 0; the next nodes have the next ports. 0 takes free ones
    #[arg(long, value_name = "PORT", default_value_t = 7000)]
    port: u16,
    /// The address to listen on; another than this machine's own needs a password
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    bind: IpAddr,
    /// Whether the nodes speak Redis Cluster; auto: with the placement slots
    #[arg(long, value_name = "auto|yes|no", default_value = "auto", ignore_case = true,
          value_parser = PossibleValuesParser::new(["auto", "yes", "no"]))]
    cluster: String,
    /// A file with the password in its first line
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// How long a node is out of reach before another takes its slots over
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    node_timeout: Duration,
    /// Let slots take so long to move when nodes join or leave, with ASK and TRYAGAIN on the way [default:
    /// they move at once]
    #[arg(long, value_name = "TIME", value_parser = time)]
    move_time: Option<Duration>,
    /// Who may use DEBUG: clients on this machine, or none
    #[arg(long, value_name = "local|no", default_value = "local", ignore_case = true,
          value_parser = PossibleValuesParser::new(["local", "no"]))]
    debug_command: String,
    /// A file that is written when the ports are open, with a line for each node: number, address, port
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Whether to keep a history of what clients do, for CHECK [default: on the virtual clock]
    #[arg(long, value_name = "on|off", ignore_case = true,
          value_parser = PossibleValuesParser::new(["on", "off"]))]
    history: Option<String>,
    /// The most clients at a time
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = whole::<u32>(1, 1_000_000))]
    max_clients: u32,
    #[command(subcommand)]
    work: Option<ServeWork>,
}

/// What `serve` runs.
#[derive(Subcommand)]
pub enum ServeWork {
    /// Run script files first; `-` is standard input
    Run {
        /// The files, in the order in which they run
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

impl Serve {
    /// The options, and what runs beside the servers.
    pub fn into_options(self) -> (crate::shell::Serve, Work) {
        let cluster = match self.cluster.to_ascii_lowercase().as_str() {
            "yes" => ClusterMode::Yes,
            "no" => ClusterMode::No,
            _ => ClusterMode::Auto,
        };
        let is_on = |word: &String| word.eq_ignore_ascii_case("on");
        let serve = crate::shell::Serve {
            port: self.port,
            bind: self.bind,
            cluster,
            password_file: self.password_file,
            node_timeout: self.node_timeout,
            move_time: self.move_time,
            has_debug: self.debug_command.eq_ignore_ascii_case("local"),
            ready_file: self.ready_file,
            history: self.history.as_ref().map(is_on),
            max_clients: usize::try_from(self.max_clients).unwrap_or(usize::MAX),
        };
        let work = match self.work {
            Some(ServeWork::Run { files }) => Work::Files(files),
            None => Work::Shell,
        };
        (serve, work)
    }
}
