//! A chart of miss ratios by size as SVG: self-contained, light and dark, readable without colour.

use std::fmt::Write;

use super::number::{percent, plus_minus, short, size};
use super::scale::Scale;
use crate::replay::Unit;

/// The area of the curves.
const LEFT: f64 = 64.0;
const TOP: f64 = 34.0;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;
/// Room at the right for the names of the series.
const NAMES: f64 = 136.0;

/// A curve of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name, as the legend shows it.
    pub name: String,
    /// Sizes, ascending, and miss ratios.
    pub points: Vec<(u64, f64)>,
    /// By point: the lowest and the highest ratio that are likely. Empty where the ratios are exact.
    pub bounds: Vec<(f64, f64)>,
    /// Whether it is the floor that no policy can reach.
    pub is_floor: bool,
}

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart<'c> {
    /// What it shows.
    pub title: &'c str,
    /// The curves.
    pub series: &'c [Series],
    /// The unit of the sizes.
    pub unit: Unit,
    /// The point that was chosen.
    pub chosen: Option<(u64, f64)>,
    /// The miss ratio of a cache without bounds.
    pub infinite: Option<f64>,
}

/// Colours that differ for colour-blind readers (Okabe and Ito, *Color Universal Design*, 2008), each
/// with a dash pattern.
pub const STYLES: [(&str, &str); 7] = [
    ("#0072b2", ""),
    ("#d55e00", "7 3"),
    ("#009e73", "2 3"),
    ("#cc79a7", "9 3 2 3"),
    ("#e69f00", "5 2"),
    ("#56b4e9", "12 3"),
    ("#8a6d00", "2 2 6 2"),
];

/// The style of every picture.
pub const CSS: &str = "text{font:12px system-ui,sans-serif;fill:#1a1a1a}.t{font-size:14px;font-weight:600}\
.g{stroke:#ddd}.a{stroke:#888}.m{fill:#666}.f{stroke:#999}\
@media screen and (prefers-color-scheme:dark){text{fill:#e8e8e8}.g{stroke:#3a3a3a}.m{fill:#aaa}}";

/// The most points of a chart that have a text of their own.
const MAX_TEXTS: usize = 400;

/// Draws a chart. The same chart gives the same bytes.
#[must_use]
pub fn chart(chart: &Chart<'_>) -> String {
    let (width, height) = (LEFT + WIDTH + NAMES, TOP + HEIGHT + 52.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         role=\"img\"><title>{}</title><desc>{}</desc><style>{CSS}</style>\n",
        escape(chart.title),
        escape(&description(chart)),
    );
    let _ = writeln!(
        svg,
        "<text class=\"t\" x=\"{LEFT}\" y=\"20\">{}</text>",
        escape(chart.title)
    );
    let scale = Scale::new(chart.series.iter().flat_map(|one| &one.points));
    axes(&mut svg, chart, &scale);
    if let Some(ratio) = chart.infinite {
        let y = y(&scale, ratio);
        let _ = writeln!(
            svg,
            "<path class=\"a\" stroke-dasharray=\"1 4\" d=\"M{LEFT} {y:.1}h{WIDTH}\"><title>\
             a cache without bounds: {}</title></path>",
            percent(ratio)
        );
    }
    for (number, series) in chart.series.iter().enumerate() {
        band(&mut svg, series, number, &scale);
    }
    let points: usize = chart.series.iter().map(|one| one.points.len()).sum();
    let mut names = Vec::new();
    for (number, series) in chart.series.iter().enumerate() {
        curve(&mut svg, series, number, &scale);
        if points <= MAX_TEXTS {
            texts(&mut svg, series, chart.unit, &scale);
        }
        if let Some(&(_, ratio)) = series.points.last() {
            names.push((y(&scale, ratio), number));
        }
    }
    if let Some(point) = chart.chosen {
        mark(&mut svg, point, chart.unit, &scale);
    }
    label(&mut svg, chart.series, names);
    svg += "</svg>\n";
    svg
}

/// The curves in words.
fn description(chart: &Chart<'_>) -> String {
    let curves = chart.series.iter().filter_map(|series| {
        let (first, last) = (series.points.first()?, series.points.last()?);
        let name = &series.name;
        let (from, to) = (percent(first.1), percent(last.1));
        Some(format!("{name} from {from} to {to}"))
    });
    let curves: Vec<String> = curves.collect();
    format!("Miss ratio by size: {}.", curves.join("; "))
}

fn x(scale: &Scale, size: u64) -> f64 {
    LEFT + scale.x(size) * WIDTH
}

fn y(scale: &Scale, ratio: f64) -> f64 {
    TOP + (1.0 - scale.y(ratio).clamp(0.0, 1.0)) * HEIGHT
}

fn axes(svg: &mut String, chart: &Chart<'_>, scale: &Scale) {
    for ratio in scale.ratios() {
        let y = y(scale, ratio);
        let _ = writeln!(
            svg,
            "<path class=\"g\" d=\"M{LEFT} {y:.1}h{WIDTH}\"/><text class=\"m\" x=\"{:.0}\" \
             y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            percent(ratio)
        );
    }
    for size in ticks(chart.series) {
        let _ = writeln!(
            svg,
            "<text class=\"m\" x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
            x(scale, size),
            TOP + HEIGHT + 18.0,
            short(size, chart.unit)
        );
    }
    let unit = match chart.unit {
        Unit::Objects => "objects on each node, logarithmic",
        Unit::Bytes => "bytes on each node, logarithmic",
    };
    let _ = writeln!(
        svg,
        "<text class=\"m\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{unit}</text>",
        LEFT + WIDTH / 2.0,
        TOP + HEIGHT + 40.0
    );
}

/// Up to seven sizes of the series, spread evenly.
fn ticks(series: &[Series]) -> Vec<u64> {
    let mut sizes: Vec<u64> = series
        .iter()
        .flat_map(|one| one.points.iter().map(|it| it.0))
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    let step = sizes.len().div_ceil(7).max(1);
    sizes.into_iter().step_by(step).collect()
}

fn style(series: &Series, number: usize) -> String {
    if series.is_floor {
        return "class=\"f\" stroke-dasharray=\"4 3\"".to_owned();
    }
    let (colour, dashes) = STYLES[number % STYLES.len()];
    match dashes {
        "" => format!("stroke=\"{colour}\""),
        dashes => format!("stroke=\"{colour}\" stroke-dasharray=\"{dashes}\""),
    }
}

/// The area between the bounds of the ratios.
fn band(svg: &mut String, series: &Series, number: usize, scale: &Scale) {
    let sizes = || series.points.iter().map(|point| point.0);
    let low = sizes().zip(series.bounds.iter().map(|bounds| bounds.0));
    let high = sizes().zip(series.bounds.iter().map(|bounds| bounds.1));
    let mut path = String::new();
    for (size, ratio) in low.chain(high.rev()) {
        let letter = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{letter}{:.1} {:.1}", x(scale, size), y(scale, ratio));
    }
    if !path.is_empty() {
        let colour = if series.is_floor {
            "#999"
        } else {
            STYLES[number % STYLES.len()].0
        };
        let _ = writeln!(
            svg,
            "<path fill=\"{colour}\" fill-opacity=\"0.15\" d=\"{path}Z\"/>"
        );
    }
}

fn curve(svg: &mut String, series: &Series, number: usize, scale: &Scale) {
    let mut path = String::new();
    for (at, &(size, ratio)) in series.points.iter().enumerate() {
        let letter = if at == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{letter}{:.1} {:.1}", x(scale, size), y(scale, ratio));
    }
    let style = style(series, number);
    let _ = writeln!(
        svg,
        "<path fill=\"none\" stroke-width=\"2\" {style} d=\"{path}\"/>"
    );
}

/// The texts that a pointer on a point of a curve shows.
fn texts(svg: &mut String, series: &Series, unit: Unit, scale: &Scale) {
    for (point, &(at, ratio)) in series.points.iter().enumerate() {
        let error = series.bounds.get(point).map(|(low, high)| {
            let half_width = (ratio - low).max(high - ratio);
            format!(" ± {}", plus_minus(half_width))
        });
        let _ = writeln!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" opacity=\"0\"><title>{}, {}: {}{}</title></circle>",
            x(scale, at),
            y(scale, ratio),
            escape(&series.name),
            size(at, unit),
            percent(ratio),
            error.unwrap_or_default()
        );
    }
}

fn mark(svg: &mut String, (size_at, ratio): (u64, f64), unit: Unit, scale: &Scale) {
    let _ = writeln!(
        svg,
        "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"6\" fill=\"none\" class=\"a\" stroke-width=\"2\">\
         <title>the choice: {}, {}</title></circle>",
        x(scale, size_at),
        y(scale, ratio),
        size(size_at, unit),
        percent(ratio)
    );
}

/// The names at the right ends of the curves, moved apart where they would overlap.
fn label(svg: &mut String, series: &[Series], mut names: Vec<(f64, usize)>) {
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = TOP - 8.0;
    let lowest = TOP + HEIGHT - 15.0 * names.len().saturating_sub(1) as f64;
    for (at, (y, number)) in names.into_iter().enumerate() {
        let y = y.min(lowest + 15.0 * at as f64).max(free + 15.0);
        free = y;
        let left = LEFT + WIDTH;
        let style = style(&series[number], number);
        let _ = writeln!(
            svg,
            "<path stroke-width=\"2\" {style} d=\"M{:.0} {y:.1}h18\"/><text x=\"{:.0}\" \
             y=\"{:.1}\">{}</text>",
            left + 6.0,
            left + 28.0,
            y + 4.0,
            escape(&series[number].name)
        );
    }
}

/// Text as content of an element or an attribute.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}
