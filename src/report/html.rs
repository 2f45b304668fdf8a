//! The report of a comparison: one HTML page that needs no script and no other file.

use std::fmt::Write;

use super::cell::Cell;
use super::number::{percent, size};
use super::svg::{Chart, chart, escape};
use super::table::{deployments, place};
use crate::render::grouped;
use crate::replay::{Counts, Policy, Unit};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Page<'p> {
    /// The verdict in words.
    pub sentence: &'p str,
    /// The charts of requests and of bytes.
    pub charts: &'p [Chart<'p>],
    /// The cells.
    pub cells: &'p [Cell],
    /// The ratio that the verdict minimises.
    pub by: Unit,
    /// The chosen cell.
    pub choice: usize,
    /// Miss ratios over time of the best policies at the chosen size: a name, and the counts of each
    /// window.
    pub windows: &'p [(String, Vec<Counts>)],
    /// Facts about the trace: names and values.
    pub trace: &'p [(String, String)],
    /// How to repeat it: names and values.
    pub repeat: &'p [(String, String)],
}

const CSS: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}\
.v{font-size:1.15rem;border-left:4px solid #0072b2;padding:.2rem 1rem}table{border-collapse:collapse}\
th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ddd}th:first-child,td:first-child\
{text-align:left}.best{font-weight:700}.tie{color:#777}.w{overflow-x:auto}code{background:#f2f2f2;padding:0 .3rem}\
svg{width:100%;height:auto}.bar{display:inline-block;height:.8rem;vertical-align:middle}\
@media(prefers-color-scheme:dark){body{background:#161616;color:#e8e8e8}th,td{border-color:#3a3a3a}\
code{background:#2a2a2a}.tie{color:#999}}@media print{body{max-width:none;margin:0}h2{break-after:avoid}\
svg,table{break-inside:avoid}}";

/// Writes the page. The same contents give the same bytes.
#[must_use]
pub fn page(page: &Page<'_>) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>shardlab compare</title><style>{CSS}</style></head><body>\n\
         <h1>Which cache for this trace?</h1>\n<p class=\"v\">{}</p>\n",
        escape(page.sentence)
    );
    html += "<h2>Miss ratio by size</h2>\n";
    for one in page.charts {
        html += &chart(one);
    }
    grids(&mut html, page);
    over_time(&mut html, page);
    cluster(&mut html, page);
    causes(&mut html, page);
    facts(&mut html, "The trace", page.trace);
    facts(&mut html, "How to repeat this", page.repeat);
    html += "</body></html>\n";
    html
}

fn grids(html: &mut String, page: &Page<'_>) {
    *html += "<h2>All cells</h2>\n";
    for deployment in deployments(page.cells) {
        let cells = page
            .cells
            .iter()
            .filter(|cell| cell.deployment == deployment);
        let mut cells: Vec<&Cell> = cells.collect();
        cells.sort_by(|a, b| {
            let order = a.size.cmp(&b.size);
            order.then(a.ratio(page.by).total_cmp(&b.ratio(page.by)))
        });
        let _ = writeln!(
            html,
            "<div class=\"w\"><table><caption>{}</caption><tr><th>policy<th>size<th>misses\
             <th>of requests<th>of bytes<th>more than the best</tr>",
            place(deployment),
        );
        for cell in &cells {
            row(html, &cells, cell, page.by);
        }
        *html += "</table></div>\n";
    }
}

fn row(html: &mut String, cells: &[&Cell], cell: &Cell, by: Unit) {
    let beside = cells
        .iter()
        .filter(|it| it.size == cell.size && it.policy != Policy::Belady);
    let best = beside.map(|it| it.ratio(by)).fold(f64::INFINITY, f64::min);
    let more = (cell.ratio(by) - best) * 100.0;
    let class = match cell.policy {
        Policy::Belady => " class=\"tie\"",
        _ if more <= 0.0 => " class=\"best\"",
        _ if more <= 0.05 => " class=\"tie\"",
        _ => "",
    };
    let _ = writeln!(
        html,
        "<tr{class}><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
        cell.policy,
        size(cell.size, cell.unit),
        grouped(cell.counts.misses),
        percent(cell.counts.miss_ratio()),
        percent(cell.counts.byte_miss_ratio()),
        if cell.policy == Policy::Belady {
            "floor".into()
        } else {
            format!("{more:.1}")
        },
    );
}

/// A strip for each policy: the darker, the more misses.
fn over_time(html: &mut String, page: &Page<'_>) {
    if page.windows.is_empty() {
        return;
    }
    *html += "<h2>Over time</h2>\n<p>Each strip is the trace from left to right at the chosen size. \
              The darker, the more requests miss.</p>\n";
    for (name, windows) in page.windows {
        let wide = 700.0 / windows.len().max(1) as f64;
        let _ = write!(
            html,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 26\" role=\"img\" \
             aria-label=\"{0} over time\"><text x=\"0\" y=\"18\" font-size=\"13\" \
             fill=\"currentColor\">{0}</text>",
            escape(name)
        );
        for (at, counts) in windows.iter().enumerate() {
            let ratio = counts.miss_ratio();
            let _ = write!(
                html,
                "<rect x=\"{:.1}\" y=\"2\" width=\"{:.1}\" height=\"22\" fill=\"#0072b2\" \
                 fill-opacity=\"{ratio:.2}\"><title>window {}: {}</title></rect>",
                100.0 + wide * at as f64,
                wide + 0.1,
                at + 1,
                percent(ratio)
            );
        }
        *html += "</svg>\n";
    }
}

fn cluster(html: &mut String, page: &Page<'_>) {
    let chosen = &page.cells[page.choice];
    if chosen.nodes.is_empty() {
        return;
    }
    let most = chosen
        .nodes
        .iter()
        .map(|node| node.requests)
        .max()
        .unwrap_or(0)
        .max(1);
    let mean = chosen.counts.requests as f64 / chosen.nodes.len() as f64;
    let _ = write!(
        html,
        "<h2>The cluster</h2>\n<p>The busiest node gets {:.2} times the mean.</p>\n<table><tr><th>node\
         <th>requests<th>misses<th>of requests<th></tr>\n",
        most as f64 / mean.max(1.0)
    );
    for (node, counts) in chosen.nodes.iter().enumerate() {
        let _ = writeln!(
            html,
            "<tr><td>{node}<td>{}<td>{}<td>{}<td style=\"text-align:left\"><span class=\"bar\" \
             style=\"width:{:.1}rem;background:#0072b2\"></span></tr>",
            grouped(counts.requests),
            grouped(counts.misses),
            percent(counts.miss_ratio()),
            counts.requests as f64 / most as f64 * 12.0
        );
    }
    *html += "</table>\n";
}

/// The misses of the choice by their causes.
fn causes(html: &mut String, page: &Page<'_>) {
    let counts = page.cells[page.choice].counts;
    let misses = counts.misses.max(1) as f64;
    let capacity = counts
        .misses
        .saturating_sub(counts.compulsory + counts.expired_misses);
    let parts = [
        ("first request of the object", counts.compulsory, "#56b4e9"),
        ("expired", counts.expired_misses, "#d55e00"),
        ("no room", capacity, "#0072b2"),
    ];
    *html += "<h2>Why requests miss</h2>\n<p>";
    for (name, part, colour) in parts {
        let width = part as f64 / misses * 40.0;
        let _ = write!(
            html,
            "<span class=\"bar\" style=\"width:{width:.2}rem;background:{colour}\" title=\"{name}\">\
             </span>"
        );
    }
    *html += "</p>\n<table>";
    for (name, part, _) in parts {
        let share = percent(part as f64 / misses);
        let _ = writeln!(html, "<tr><td>{name}<td>{}<td>{share}</tr>", grouped(part));
    }
    *html += "</table>\n";
}

fn facts(html: &mut String, title: &str, facts: &[(String, String)]) {
    let _ = writeln!(html, "<h2>{title}</h2>\n<table>");
    for (name, value) in facts {
        let _ = writeln!(html, "<tr><td>{}<td>{}</tr>", escape(name), escape(value));
    }
    *html += "</table>\n";
}
