//! Each script under `tests/scripts` is a test: it prints its recorded output.
//!
//! A test has the path of its file: `cargo test faults/` runs the scripts of one folder,
//! `cargo test faults/crash` those that start so. `UPDATE_GOLDENFILES=1 cargo test` records the
//! present output; review it as a diff.

#[path = "suite/recording.rs"]
mod recording;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use recording::{difference, folder, merged, replay, shardlab};

/// Fewer scripts than this mean that the folder was not read.
const FEWEST: usize = 100;

fn main() -> ExitCode {
    let mut paths = Vec::new();
    files(&folder(), &mut paths);
    paths.sort();
    assert!(paths.len() > FEWEST, "only {} scripts", paths.len());
    let mut trials: Vec<Trial> = paths.into_iter().map(script).collect();
    trials.push(Trial::test("demo/availability", availability));
    trials.extend(wild());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            found.push(path);
        }
    }
}

fn script(path: PathBuf) -> Trial {
    let name = path
        .strip_prefix(folder())
        .expect("a path below the folder");
    let name = name.with_extension("").display().to_string();
    Trial::test(name, move || {
        let recorded = fs::read_to_string(&path)?;
        compare(
            &path,
            &recorded,
            &replay(&recorded, &["--clock", "virtual", "--echo"]),
        )
    })
}

/// Each script of the folder `wild` as a demo, which prints what is recorded.
fn wild() -> Vec<Trial> {
    let mut paths = Vec::new();
    files(&folder().join("wild"), &mut paths);
    let demo = |path: PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy();
        let name = name.replace('_', "-");
        Trial::test(format!("demo/{name}"), move || {
            let recorded = fs::read_to_string(&path)?;
            let first = recorded
                .lines()
                .next()
                .and_then(|line| line.strip_prefix("# "));
            let played = recorded.find("\n>").and_then(|at| recorded.get(at + 1..));
            let expected = format!(
                "{}\n\n{}",
                first.ok_or("no first line")?,
                played.ok_or("no commands")?
            );
            let now = merged(shardlab(&["demo", &name]), b"");
            let now = now.replace(&format!("\n{name}:"), "\n<stdin>:");
            if now == expected {
                return Ok(());
            }
            Err(difference(&expected, &now).into())
        })
    };
    assert!(paths.len() > 10, "only {} demos", paths.len());
    paths.into_iter().map(demo).collect()
}

fn availability() -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/availability.txt");
    let now = merged(shardlab(&["demo", "availability"]), b"");
    compare(&path, &fs::read_to_string(&path)?, &now)
}

/// Compares the present output with the recorded one, or records it.
fn compare(path: &Path, recorded: &str, now: &str) -> Result<(), Failed> {
    if now == recorded {
        return Ok(());
    }
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        return Ok(fs::write(path, now)?);
    }
    let message = format!("{}:\n{}", path.display(), difference(recorded, now));
    Err(message.into())
}
