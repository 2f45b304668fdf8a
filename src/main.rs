//! The program `shardlab`. All of it is in the library: see `src/shell`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    shardlab::main()
}
