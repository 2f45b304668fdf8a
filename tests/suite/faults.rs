//! Faults at the prompt that no recorded script can show.

use std::collections::BTreeSet;

use super::{run, text};

/// The nodes that a line of EVENTS names: `9s 870ms Nemesis: HOLD 0 3`.
fn named(line: &str) -> Option<Vec<u32>> {
    let (_, command) = line.split_once("Nemesis: ")?;
    let words = command.split([' ', ',', '|']);
    // Times and percentages have a unit.
    Some(words.filter_map(|word| word.parse().ok()).collect())
}

#[test]
fn the_nemesis_names_only_members() {
    let mut seen = BTreeSet::new();
    for seed in 1..4 {
        let options = format!("--clock virtual -n 5 --replicas 3 --seed {seed}");
        let options: Vec<&str> = options.split(' ').collect();
        let script = "LEAVE 1\nJOIN\nNEMESIS heavy\nSLEEP 20s\nEVENTS 10000\n";
        let output = run(&options, script.as_bytes());
        for nodes in text(&output.stdout).lines().filter_map(named) {
            assert!(!nodes.contains(&1), "seed {seed}: {nodes:?}");
            seen.extend(nodes);
        }
    }
    assert!(seen.into_iter().eq([0, 2, 3, 4, 5]));
}

/// Of 100 values of 400 KB about half go each way, and a node holds 16 MiB.
#[test]
fn a_node_merges_what_it_lost_to_the_bound_on_held_messages() {
    let value = "x".repeat(400_000);
    let puts: String = (0..100)
        .map(|key| format!("PUT k{key} {value}\n"))
        .collect();
    let script = format!(
        "HOLD 0 1\n{puts}KEYS NODE 0\nRELEASE 0 1\nSLEEP 1s\nKEYS NODE 0\nKEYS NODE 1\nCHECK\n"
    );
    let output = run(
        &["--clock", "virtual", "-n", "2", "--replicas", "2"],
        script.as_bytes(),
    );
    let printed = text(&output.stdout);
    let keys = printed.lines().filter(|line| line.starts_with('k')).count();
    let before = keys - 200;
    assert!((20..80).contains(&before), "{before} of 100 keys before");
    assert!(printed.contains("state: the copies agree"), "{printed}");
}
