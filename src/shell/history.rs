//! The history file: what was typed, kept from session to session.

use std::env;
use std::fs;
use std::path::PathBuf;

/// The most lines that are kept.
pub const MAX_LINES: usize = 10_000;

/// `$XDG_STATE_HOME/shardlab/history`, or the same under `~/.local/state`; its folder is made.
/// `None` if there is no such place.
pub fn file() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let state = set("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(PathBuf::from(set("HOME")?).join(".local/state")))?;
    let folder = state.join("shardlab");
    fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}
