//! The nodes of a cluster: how the load is spread, why, and what another number of nodes would give.

use std::fmt::Write;

use serde_json::{Value, json};

use super::cell::Cell;
use super::number::{bytes, percent};
use super::svg::escape;
use super::table::place;
use crate::render::grouped;
use crate::replay::{Counts, Hottest, Unit};

/// The most nodes that a table of text shows.
const MAX_ROWS: usize = 32;
/// The most nodes that a page shows.
const MAX_ROWS_OF_PAGE: usize = 200;

/// What is known about the nodes of the chosen cell beside their counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nodes {
    /// The node with the most requests.
    pub busiest: usize,
    /// Its hottest objects.
    pub hottest: Hottest,
    /// The keys of these, as they can be shown.
    pub keys: Vec<String>,
}

/// The node with the most requests, of equal ones the first.
#[must_use]
pub fn busiest(nodes: &[Counts]) -> Option<usize> {
    let numbers = 0..nodes.len();
    numbers.max_by_key(|&node| (nodes[node].requests, std::cmp::Reverse(node)))
}

/// Requests of the busiest node by the mean of all.
fn by_mean(cell: &Cell) -> f64 {
    let most = cell.nodes.iter().map(|node| node.requests).max();
    let mean = cell.counts.requests as f64 / cell.nodes.len().max(1) as f64;
    most.unwrap_or(0) as f64 / mean.max(1.0)
}

/// How the load is spread, and what explains it.
pub fn balance(cell: &Cell, nodes: Option<&Nodes>) -> String {
    let mut text = format!(
        "{}: the busiest node gets {:.2} times the mean.",
        place(cell.deployment),
        by_mean(cell)
    );
    if let Some(nodes) = nodes.filter(|nodes| nodes.hottest.requests > 0) {
        let hottest = &nodes.hottest;
        let share = percent(hottest.share());
        let _ = match hottest.objects.len() {
            1 => write!(text, " Its hottest key makes {share} of its requests."),
            count => write!(
                text,
                " Its {count} hottest keys make {share} of its requests."
            ),
        };
    }
    text
}

/// What the same policy at the same size misses with other numbers of nodes, of copies, and with other
/// placements, if they were compared.
pub fn others(cells: &[Cell], chosen: &Cell, by: Unit) -> String {
    let here = chosen.deployment;
    let beside = |it: &&Cell| {
        let there = it.deployment;
        let differs = [
            there.nodes != here.nodes,
            there.replicas != here.replicas,
            there.nodes > 1 && there.placement != here.placement,
        ];
        it.policy == chosen.policy
            && it.size == chosen.size
            && differs.into_iter().filter(|it| *it).count() == 1
    };
    let others: Vec<String> = cells
        .iter()
        .filter(beside)
        .take(8)
        .map(|it| format!("with {} {}", place(it.deployment), percent(it.ratio(by))))
        .collect();
    if others.is_empty() {
        return String::new();
    }
    let what = match by {
        Unit::Objects => "requests",
        Unit::Bytes => "bytes",
    };
    let ratio = percent(chosen.ratio(by));
    format!("{ratio} of {what} miss; {}.", others.join(", "))
}

/// The nodes as a table of text.
pub fn table(cell: &Cell, width: usize) -> String {
    let is_wide = width >= 66;
    let mut text = format!(
        "{:>4}{:>13}{:>13}{:>9}",
        "node", "requests", "misses", "ratio"
    );
    if is_wide {
        text += &format!("{:>10}{:>12}", "of all", "bytes");
    }
    text.push('\n');
    for number in shown(cell, MAX_ROWS) {
        let node = &cell.nodes[number];
        let _ = write!(
            text,
            "{number:>4}{:>13}{:>13}{:>9}",
            grouped(node.requests),
            grouped(node.misses),
            percent(node.miss_ratio())
        );
        if is_wide {
            let share = share(node, cell);
            let _ = write!(text, "{:>10}{:>12}", percent(share), bytes(node.bytes));
        }
        text.push('\n');
    }
    if cell.nodes.len() > MAX_ROWS {
        let more = cell.nodes.len() - MAX_ROWS;
        let _ = writeln!(text, "and {more} nodes with fewer requests");
    }
    text
}

/// The numbers of the nodes to show: all, or of many the busiest ones, in the order of their requests.
fn shown(cell: &Cell, most: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..cell.nodes.len()).collect();
    if numbers.len() > most {
        numbers.sort_by_key(|&node| std::cmp::Reverse(cell.nodes[node].requests));
        numbers.truncate(most);
    }
    numbers
}

fn share(node: &Counts, cell: &Cell) -> f64 {
    node.requests as f64 / cell.counts.requests.max(1) as f64
}

/// The nodes as a table of HTML, with a bar for the requests of each.
pub fn rows(html: &mut String, cell: &Cell) {
    let most = cell.nodes.iter().map(|node| node.requests).max();
    let most = most.unwrap_or(0).max(1) as f64;
    *html += "<div class=\"w\"><table><caption>Nodes</caption><tr><th scope=\"col\">node\
              <th scope=\"col\">requests<th scope=\"col\">of all<th scope=\"col\">misses\
              <th scope=\"col\">of its requests<th scope=\"col\">bytes<th scope=\"col\">load</tr>\n";
    for number in shown(cell, MAX_ROWS_OF_PAGE) {
        let node = &cell.nodes[number];
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{number}<td>{}<td>{}<td>{}<td>{}<td>{}<td class=\"l\"><svg \
             class=\"b\" viewBox=\"0 0 160 12\" aria-hidden=\"true\"><rect width=\"{:.1}\" \
             height=\"12\" fill=\"#0072b2\"/></svg></tr>",
            grouped(node.requests),
            percent(share(node, cell)),
            grouped(node.misses),
            percent(node.miss_ratio()),
            bytes(node.bytes),
            node.requests as f64 / most * 160.0
        );
    }
    *html += "</table></div>\n";
    if cell.nodes.len() > MAX_ROWS_OF_PAGE {
        let more = cell.nodes.len() - MAX_ROWS_OF_PAGE;
        let _ = writeln!(html, "<p>And {more} nodes with fewer requests.</p>");
    }
}

/// The hottest keys of the busiest node as a list of HTML.
pub fn hottest(html: &mut String, nodes: &Nodes) {
    if nodes.keys.is_empty() {
        return;
    }
    let all = nodes.hottest.requests.max(1) as f64;
    let keys = nodes.keys.iter().zip(&nodes.hottest.objects);
    let keys = keys.map(|(key, (_, requests))| {
        let share = percent(*requests as f64 / all);
        format!("<code>{}</code> {share}", escape(key))
    });
    let keys: Vec<String> = keys.collect();
    let _ = writeln!(
        html,
        "<p>The hottest keys of node {}, with their share of its requests: {}.</p>",
        nodes.busiest,
        keys.join(", ")
    );
}

/// The nodes for JSON.
pub fn object(cell: &Cell, nodes: Option<&Nodes>) -> Value {
    let hottest = nodes.map(|nodes| &nodes.hottest);
    json!({
        "busiest_by_mean": by_mean(cell),
        "busiest": nodes.map(|nodes| nodes.busiest),
        "hottest": nodes.map(|nodes| &nodes.keys),
        "hottest_requests": hottest.map(|it| it.objects.iter().map(|it| it.1).sum::<u64>()),
    })
}
