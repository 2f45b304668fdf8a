//! The README and HELP, held against the program.

use std::fs;
use std::path::Path;

use shardlab::eviction::Eviction;
use shardlab::language::catalog::commands;
use shardlab::placement::PlacementKind;

use super::recording::{difference, replay};
use super::{run, text};

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    fs::read_to_string(path).expect("a README")
}

/// The text of every fenced block in this language.
fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let after = markdown.split(&fence).skip(1);
    after
        .filter_map(|rest| Some(rest.split_once("```")?.0.to_owned()))
        .collect()
}

#[test]
fn the_transcripts_in_the_readme_are_what_the_program_prints() {
    let transcripts = blocks(&readme(), "console");
    assert!(!transcripts.is_empty(), "the README has a transcript");
    for transcript in transcripts {
        let now = replay(&transcript, &["--clock", "virtual", "--echo"]);
        assert!(now == transcript, "{}", difference(&transcript, &now));
    }
}

#[test]
fn the_table_of_policies_in_the_readme_is_the_one_in_the_source() {
    let row = |policy: &Eviction| format!("| `{policy}` | {} |\n", policy.summary());
    let table: String = Eviction::ALL.iter().map(row).collect();
    assert!(
        readme().contains(&table),
        "the README should have this table:\n{table}"
    );
}

#[test]
fn the_table_of_placements_in_the_readme_is_the_one_in_the_source() {
    let row = |kind: &PlacementKind| format!("| `{kind}` | {} |\n", kind.summary());
    let table: String = PlacementKind::ALL.iter().map(row).collect();
    assert!(
        readme().contains(&table),
        "the README should have this table:\n{table}"
    );
}

#[test]
fn the_examples_in_help_print_what_help_says() {
    for spec in commands() {
        let lines: String = spec
            .example
            .iter()
            .map(|(line, _)| format!("{line}\n"))
            .collect();
        let outputs = spec.example.iter().map(|(_, output)| *output);
        let expected: Vec<&str> = outputs.filter(|output| !output.is_empty()).collect();
        let output = run(&["--clock", "virtual"], lines.as_bytes());
        assert_eq!(text(&output.stderr), "", "{}", spec.name);
        assert_eq!(
            text(&output.stdout).trim_end(),
            expected.join("\n"),
            "{}",
            spec.name
        );
    }
}

#[test]
fn every_command_has_an_example_or_needs_none() {
    // What they show is a table, or depends on where they are typed.
    let without = [
        "NODES", "RING", "LINKS", "STEP", "STATS", "TRACE", "HOT", "REPLAY", "COMPARE", "SOURCE",
        "HELP", "FAILOVER",
    ];
    for spec in commands() {
        let none = spec.example.is_empty();
        assert_eq!(none, without.contains(&spec.name), "{}", spec.name);
        let named = spec
            .example
            .iter()
            .any(|(line, _)| line.starts_with(spec.name));
        assert!(none || named, "{}'s example shows it", spec.name);
    }
}

#[test]
fn the_comparison_in_the_readme_is_what_the_program_prints() {
    let commands = blocks(&readme(), "sh");
    let comparison = commands
        .iter()
        .find(|block| block.contains("shardlab compare"));
    let comparison = comparison.expect("the README compares");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("web.csv");
    let path = path.to_str().expect("a path of text");
    let chart = folder.path().join("compare.svg");
    let mut printed = String::new();
    for line in comparison.lines() {
        let words = line.split_whitespace().skip(1);
        let mut words: Vec<&str> = words
            .map(|word| if word == "web.csv" { path } else { word })
            .collect();
        if words[0] == "compare" {
            words.extend(["--svg", chart.to_str().expect("a path of text")]);
        }
        let output = run(&words, b"");
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        printed = text(&output.stdout).to_owned();
    }
    let shown = blocks(&readme(), "text");
    assert!(
        shown.contains(&printed),
        "the README should show this:\n{printed}"
    );
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/compare.svg");
    let chart = fs::read_to_string(chart).expect("a chart");
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&picture, &chart).expect("written");
    }
    let shown = fs::read_to_string(picture).unwrap_or_default();
    assert!(
        chart == shown,
        "the chart has changed: UPDATE_GOLDENFILES=1 draws it"
    );
}
