//! The report of a comparison: one HTML page that needs no script and no other file.
//!
//! Its sections stand in the order in which an engineer reads them: the sentence, the curves, the grid,
//! the course over time, the cluster, the causes of misses, the trace, and how to repeat it.

use std::fmt::Write;

use super::cell::Cell;
use super::number::percent;
use super::output::Details;
use super::svg::{Chart, chart, escape};
use super::{cluster, events, matrix, over_time};
use crate::render::grouped;
use crate::replay::{Counts, Policy, Unit};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Page<'p> {
    /// The verdict in words.
    pub sentence: &'p str,
    /// Notes on parts that are left out, with the reasons.
    pub notes: &'p [String],
    /// The charts of requests and of bytes.
    pub charts: &'p [Chart<'p>],
    /// The cells.
    pub cells: &'p [Cell],
    /// The ratio that the verdict minimises.
    pub by: Unit,
    /// The chosen cell.
    pub choice: usize,
    /// The course over time and the nodes of the chosen cell.
    pub details: &'p Details,
    /// Facts about the trace: names and values.
    pub trace: &'p [(String, String)],
    /// How to repeat it: names and values.
    pub repeat: &'p [(String, String)],
}

const CSS: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}\
.v{font-size:1.15rem;border-left:4px solid #0072b2;padding:.2rem 1rem}table{border-collapse:collapse;margin:.6rem 0}\
caption{text-align:left;font-weight:600;padding:.2rem 0;white-space:nowrap}\
th[scope=row],.l code{white-space:nowrap}\
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #ddd;vertical-align:top}\
th{font-weight:600}tr>th:first-child,tr>td:first-child,.l,.l td,.l th{text-align:left}\
.x td,.x th{padding:.2rem .45rem}small{font-size:.75rem;opacity:.85;line-height:1.25;display:inline-block}\
.best{font-weight:700}.tie{color:#666}.w{overflow-x:auto}\
code{background:#f2f2f2;padding:0 .3rem;overflow-wrap:anywhere}svg{width:100%;height:auto}\
.b{width:10rem;height:.75rem;vertical-align:middle}.c{width:20rem;height:.9rem;vertical-align:middle}\
.k{width:.8rem;height:.8rem}\
@media screen and (prefers-color-scheme:dark){body{background:#161616;color:#e8e8e8}th,td{border-color:#3a3a3a}\
code{background:#2a2a2a}.tie{color:#aaa}}\
@media print{body{max-width:none;margin:0;font-size:11px}h2{break-after:avoid}.w{overflow:visible}\
.x td,.x th{padding:.1rem .25rem}small{font-size:.6rem}.c{width:16rem}svg,tr{break-inside:avoid}}";

/// Writes the page. The same contents give the same bytes.
#[must_use]
pub fn page(page: &Page<'_>) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>shardlab compare</title><style>{CSS}</style></head><body><main>\n\
         <h1>Which cache for this trace?</h1>\n<p class=\"v\">{}</p>\n",
        // A number and its unit stay in one line.
        escape(&page.sentence.replace(" %", "\u{a0}%"))
    );
    for note in page.notes {
        let _ = writeln!(html, "<p>Note: {}.</p>", escape(note));
    }
    html += "<h2>Miss ratio by size</h2>\n";
    for one in page.charts {
        html += &chart(one);
    }
    grid(&mut html, page);
    course(&mut html, page);
    nodes(&mut html, page);
    causes(&mut html, page);
    facts(&mut html, "The trace", page.trace);
    facts(&mut html, "How to repeat this", page.repeat);
    html += "</main></body></html>\n";
    html
}

fn grid(html: &mut String, page: &Page<'_>) {
    let what = match page.by {
        Unit::Objects => "requests",
        Unit::Bytes => "bytes",
    };
    let _ = writeln!(
        html,
        "<h2>All policies and sizes</h2>\n<p>The share of {what} that miss; below it the requests that \
         miss, and how many points it is above the best of its size. Bold is the best of a size, grey \
         is as good.</p>"
    );
    if matrix::tables(html, page.cells, page.by) {
        *html += "<p>There are more cells than a page can hold: <code>--format csv</code> has all.</p>\n";
    }
}

/// The miss ratio over time, and what the events cost.
fn course(html: &mut String, page: &Page<'_>) {
    let Some(over) = &page.details.over_time else {
        return;
    };
    *html += "<h2>Over time</h2>\n";
    *html += &over_time::picture(over);
    let told = events::told(&page.cells[page.choice], &over.marks, page.details.requests);
    if told.is_empty() {
        return;
    }
    *html += "<table class=\"l\"><caption>What each event costs</caption><tr><th scope=\"col\">\
              <th scope=\"col\">event<th scope=\"col\">before<th scope=\"col\">cost</tr>\n";
    for (number, event) in (1..).zip(&told) {
        let _ = writeln!(
            html,
            "<tr><td>{number}<td><code>{}</code><td>{}<td>{}</tr>",
            escape(&event.command),
            escape(&event.place),
            escape(&event.cost)
        );
    }
    *html += "</table>\n<p>A cost is counted until two windows in a row miss as often as without the \
              events, but for twice the square root of the misses, which is noise.</p>\n";
}

fn nodes(html: &mut String, page: &Page<'_>) {
    let chosen = &page.cells[page.choice];
    let others = cluster::others(page.cells, chosen, page.by);
    if chosen.nodes.is_empty() && others.is_empty() {
        return;
    }
    *html += "<h2>The cluster</h2>\n";
    if !chosen.nodes.is_empty() {
        let balance = cluster::balance(chosen, page.details.nodes.as_ref());
        let _ = writeln!(html, "<p>{}</p>", escape(&balance));
    }
    if !others.is_empty() {
        let _ = writeln!(html, "<p>{}</p>", escape(&others));
    }
    if !chosen.nodes.is_empty() {
        cluster::rows(html, chosen);
    }
    if let Some(nodes) = &page.details.nodes {
        cluster::hottest(html, nodes);
    }
}

/// A cause of misses: its name, its colour, and its count.
type Cause = (&'static str, &'static str, fn(&Counts) -> u64);

const CAUSES: [Cause; 5] = [
    ("first request of the object", "#56b4e9", |it| it.compulsory),
    ("expired", "#d55e00", |it| it.expired_misses),
    ("no room", "#0072b2", Counts::capacity_misses),
    ("a block before it missed", "#cc79a7", |it| it.prefix_misses),
    ("no node answered", "#e69f00", |it| it.failed),
];

/// The misses of every policy at the size of the choice, by their causes.
fn causes(html: &mut String, page: &Page<'_>) {
    let chosen = &page.cells[page.choice];
    let beside = page
        .cells
        .iter()
        .filter(|it| it.size == chosen.size && it.deployment == chosen.deployment);
    let mut beside: Vec<&Cell> = beside.filter(|it| it.policy != Policy::Belady).collect();
    beside.sort_by_key(|cell| cell.counts.misses);
    let most = beside.iter().map(|cell| cell.counts.misses).max();
    let most = most.unwrap_or(0).max(1) as f64;
    let is_used = |cause: &Cause| beside.iter().any(|cell| cause.2(&cell.counts) > 0);
    let used: Vec<&Cause> = CAUSES.iter().filter(|cause| is_used(cause)).collect();
    *html += "<h2>Why requests miss</h2>\n<p>More memory helps against misses for which there was no \
              room, longer TTLs against expired ones, and nothing against first requests.</p>\n\
              <div class=\"w\"><table><caption>Misses by cause</caption><tr><th scope=\"col\">policy";
    for (name, colour, _) in &used {
        let _ = write!(
            html,
            "<th scope=\"col\"><svg class=\"k\" viewBox=\"0 0 8 8\" aria-hidden=\"true\"><rect \
             width=\"8\" height=\"8\" fill=\"{colour}\"/></svg> {name}"
        );
    }
    *html += "<th scope=\"col\">all misses<th></tr>\n";
    for cell in beside {
        causes_of(html, cell, &used, most);
    }
    *html += "</table></div>\n";
}

fn causes_of(html: &mut String, cell: &Cell, causes: &[&Cause], most: f64) {
    let _ = write!(html, "<tr><th scope=\"row\">{}", cell.policy);
    let misses = cell.counts.misses.max(1) as f64;
    for (_, _, count) in causes {
        let part = count(&cell.counts);
        let share = percent(part as f64 / misses);
        let _ = write!(html, "<td>{}<br><small>{share}</small>", grouped(part));
    }
    let all = grouped(cell.counts.misses);
    let _ = write!(
        html,
        "<td>{all}<td class=\"l\"><svg class=\"c\" viewBox=\"0 0 400 14\" \
         preserveAspectRatio=\"none\" role=\"img\"><title>{all} misses</title>"
    );
    let mut left = 0.0;
    for (_, colour, count) in causes {
        let width = count(&cell.counts) as f64 / most * 400.0;
        let _ = write!(
            html,
            "<rect x=\"{left:.1}\" width=\"{width:.1}\" height=\"14\" fill=\"{colour}\"/>"
        );
        left += width;
    }
    *html += "</svg></tr>\n";
}

fn facts(html: &mut String, title: &str, facts: &[(String, String)]) {
    let _ = writeln!(html, "<h2>{title}</h2>\n<table class=\"l\">");
    for (name, value) in facts {
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}<td>{}</tr>",
            escape(name),
            escape(value)
        );
    }
    *html += "</table>\n";
}
