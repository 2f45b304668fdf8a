//! Clocks of servers that are set wrong, by libfaketime.
//!
//! The library is loaded before a server, and reads a file of the server at each look at the clock. Debian's
//! redis-server 7.0.15 does not start with it; the builds of Redis and Valkey that have an allocator of
//! their own do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the library may be.
const PLACES: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
    "/usr/local/lib/faketime/libfaketime.so.1",
    "/opt/homebrew/lib/faketime/libfaketime.1.dylib",
];
/// The file in a server's folder that has by how many seconds its clock is ahead.
const FILE: &str = "clock";

/// Where the library is.
///
/// # Errors
/// If it is not installed, with how to get it.
pub(super) fn library() -> Result<PathBuf, String> {
    let mut places = PLACES.iter().map(PathBuf::from);
    places.find(|place| place.is_file()).ok_or_else(|| {
        "libfaketime is not installed: apt-get install faketime, or brew install libfaketime".into()
    })
}

/// Lets a server have a clock of its own. It keeps it over a restart.
pub(super) fn prepare(command: &mut Command, library: &Path, folder: &Path) -> Result<(), String> {
    let file = folder.join(FILE);
    if !file.exists() {
        set(folder, 0)?;
    }
    let preload = if cfg!(target_os = "macos") {
        "DYLD_INSERT_LIBRARIES"
    } else {
        "LD_PRELOAD"
    };
    command
        .env(preload, library)
        .env("FAKETIME_TIMESTAMP_FILE", file)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    Ok(())
}

/// Sets the clock of the server with this folder.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn set(folder: &Path, nanos: i64) -> Result<(), String> {
    let file = folder.join(FILE);
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    // It is read at any time: it is replaced at once.
    let new = folder.join(format!("{FILE}.new"));
    fs::write(&new, seconds(nanos)).map_err(failed)?;
    fs::rename(&new, &file).map_err(failed)
}

/// Nanoseconds as seconds with a sign.
fn seconds(nanos: i64) -> String {
    let sign = if nanos < 0 { '-' } else { '+' };
    let nanos = nanos.unsigned_abs();
    let (whole, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    format!("{sign}{whole}.{rest:09}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_seconds() {
        let folder = tempfile::tempdir().expect("a folder");
        for (nanos, text) in [
            (0, "+0.000000000\n"),
            (-3_000_000_000, "-3.000000000\n"),
            (1_500_000, "+0.001500000\n"),
            (i64::MIN, "-9223372036.854775808\n"),
        ] {
            set(folder.path(), nanos).expect("written");
            let read = fs::read_to_string(folder.path().join(FILE)).expect("there");
            assert_eq!(read, text);
        }
    }
}
