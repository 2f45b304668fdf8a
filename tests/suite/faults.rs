//! Faults at the prompt that no recorded script can show.

use super::{run, text};

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
