//! The cells of a comparison as tables of HTML: a row for each policy, a column for each size.

use std::fmt::Write;

use super::cell::{Cell, Deployment};
use super::number::{estimate, short};
use super::table::{deployments, place, policies};
use crate::render::grouped;
use crate::replay::{Policy, Unit};

/// The most cells that a page shows, so that it stays small.
const MAX_CELLS: usize = 1500;
/// Cells whose ratio differs from the best by at most so many points are ties.
const TIE: f64 = 0.05;

/// A table for each deployment. Returns whether some were left out.
pub fn tables(html: &mut String, cells: &[Cell], by: Unit) -> bool {
    let mut shown = 0;
    for deployment in deployments(cells) {
        let here = cells.iter().filter(|cell| cell.deployment == deployment);
        let here: Vec<&Cell> = here.collect();
        shown += here.len();
        if shown > MAX_CELLS && shown > here.len() {
            return true;
        }
        table(html, &here, deployment, by);
    }
    false
}

fn table(html: &mut String, cells: &[&Cell], deployment: Deployment, by: Unit) {
    let mut sizes: Vec<u64> = cells.iter().map(|cell| cell.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let unit = cells.first().map_or(Unit::Objects, |cell| cell.unit);
    let name = match unit {
        Unit::Objects => "objects on each node",
        Unit::Bytes => "bytes on each node",
    };
    let _ = write!(
        html,
        "<div class=\"w\"><table class=\"x\"><caption>{}; columns are {name}</caption>\
         <tr><th scope=\"col\">policy",
        place(deployment)
    );
    for &size in &sizes {
        let _ = write!(html, "<th scope=\"col\">{}", short(size, unit));
    }
    *html += "</tr>\n";
    for policy in policies(cells) {
        let _ = write!(html, "<tr><th scope=\"row\">{policy}");
        for &size in &sizes {
            cell(html, cells, policy, size, by);
        }
        *html += "</tr>\n";
    }
    *html += "</table></div>\n";
}

fn cell(html: &mut String, cells: &[&Cell], policy: Policy, size: u64, by: Unit) {
    let at_size = || cells.iter().filter(|cell| cell.size == size);
    let Some(cell) = at_size().find(|cell| cell.policy == policy) else {
        *html += "<td>";
        return;
    };
    let others = at_size().filter(|it| it.policy != Policy::Belady);
    let best = others.map(|it| it.ratio(by)).fold(f64::INFINITY, f64::min);
    let more = (cell.ratio(by) - best) * 100.0;
    let (class, regret) = match policy {
        Policy::Belady => (" class=\"tie\"", "floor".into()),
        _ if more <= 0.0 => (" class=\"best\"", "best".into()),
        _ if more <= TIE => (" class=\"tie\"", format!("+{more:.2}")),
        _ => ("", format!("+{more:.1}")),
    };
    let _ = write!(
        html,
        "<td{class}>{}<br><small>{}<br>{regret}</small>",
        estimate(cell.ratio(by), cell.plus_minus(by)),
        grouped(cell.counts.misses)
    );
}
