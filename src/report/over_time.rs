//! Miss ratios over time, with the events as marks: as strips for a terminal and as a picture.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "parts of the number of requests, and places on a strip"
)]

use std::fmt::Write;

use super::cell::ratio;
use super::number::{self, percent};
use super::scale::Scale;
use super::svg::{CSS, STYLES, escape};
use crate::render::{grouped, wrapped};
use crate::replay::{Counts, Unit, Windows};

/// The area of the picture's lines.
const LEFT: f64 = 64.0;
const TOP: f64 = 44.0;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 180.0;
/// Room at the right for the names.
const NAMES: f64 = 136.0;

/// The miss ratio of a policy over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The policy, or what else it shows.
    pub name: String,
    /// Its counts.
    pub windows: Windows,
    /// The number of its colour and dashes: its place among the curves of the charts.
    pub style: usize,
    /// Whether it is the chosen policy without the events.
    pub is_calm: bool,
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The place in the trace before which it happens.
    pub at: usize,
    /// The command.
    pub text: String,
}

/// Miss ratios over time. All lines have the same windows.
#[derive(Clone, Debug, PartialEq)]
pub struct OverTime {
    /// The lines, the chosen policy first.
    pub lines: Vec<Line>,
    /// The events, ascending.
    pub marks: Vec<Mark>,
    /// Which miss ratio it is.
    pub by: Unit,
}

impl OverTime {
    /// The first place of the windows, and how many requests there are from there to the last.
    fn range(&self) -> Option<(usize, usize)> {
        let windows = &self.lines.first()?.windows;
        let requests = windows.ends.last()?.checked_sub(windows.from)?;
        (requests > 0).then_some((windows.from, requests))
    }

    fn ratio(&self, counts: &Counts) -> f64 {
        ratio(counts, self.by)
    }

    fn highest(&self) -> f64 {
        let all = self.lines.iter().flat_map(|line| &line.windows.counts);
        all.map(|counts| self.ratio(counts)).fold(0.0, f64::max)
    }

    /// A place in the trace as a part of the windows, from 0 to 1.
    fn part(&self, at: usize) -> f64 {
        let (from, requests) = self.range().unwrap_or((0, 1));
        (at.saturating_sub(from) as f64 / requests as f64).min(1.0)
    }
}

/// A strip for each line, in `width` columns, and the numbers of the events below.
pub fn strips(over: &OverTime, width: usize) -> String {
    let Some((from, requests)) = over.range() else {
        return String::new();
    };
    let names = over.lines.iter().map(|line| line.name.len());
    let name = names.max().unwrap_or(0) + 2;
    let columns = width.saturating_sub(name + 1).clamp(10, 60).min(requests);
    let high = over.highest();
    let head = format!(
        "miss ratio over time, up to {}; a column is {}",
        percent(high),
        number::requests((requests / columns) as u64)
    );
    let mut text = wrapped(&head, width, "", 0) + "\n";
    for line in &over.lines {
        let column = |column: usize| {
            let place = from + (requests * column + requests / 2) / columns;
            bar(over.ratio(&at_place(&line.windows, place)), high)
        };
        let strip: String = (0..columns).map(column).collect();
        let _ = writeln!(text, "{:name$}{strip}", line.name);
    }
    if !over.marks.is_empty() {
        let marks = numbers(over, columns);
        let _ = writeln!(text, "{:name$}{}", "", marks.trim_end());
    }
    text
}

/// The counts of the window with this place.
fn at_place(windows: &Windows, place: usize) -> Counts {
    let window = windows.ends.partition_point(|&end| end <= place);
    let window = window.min(windows.counts.len().saturating_sub(1));
    windows.counts.get(window).copied().unwrap_or_default()
}

fn bar(ratio: f64, high: f64) -> char {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let part = if high > 0.0 { ratio / high } else { 0.0 };
    BARS[((part * 7.0 + 0.5) as usize).min(7)]
}

/// The numbers of the events below their columns; where two share a column, a plus.
fn numbers(over: &OverTime, columns: usize) -> String {
    let mut row = vec![' '; columns];
    for (number, mark) in (1..).zip(&over.marks) {
        let column = ((over.part(mark.at) * columns as f64) as usize).min(columns - 1);
        row[column] = match (row[column], char::from_digit(number, 36)) {
            (' ', Some(digit)) => digit,
            _ => '+',
        };
    }
    row.into_iter().collect()
}

/// The lines as a picture. The same lines give the same bytes.
pub fn picture(over: &OverTime) -> String {
    let Some((from, requests)) = over.range() else {
        return String::new();
    };
    let (width, height) = (LEFT + WIDTH + NAMES, TOP + HEIGHT + 48.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\
         <title>Miss ratio over time</title><desc>{}</desc><style>{CSS}</style>\n",
        escape(&description(over))
    );
    let scale = Scale::new([(1, over.highest())].iter());
    axes(&mut svg, &scale, from, requests);
    for (number, line) in over.lines.iter().enumerate() {
        draw(&mut svg, over, number, line, &scale);
    }
    for (number, mark) in (1..).zip(&over.marks) {
        draw_mark(&mut svg, over, number, mark);
    }
    svg += "</svg>\n";
    svg
}

fn description(over: &OverTime) -> String {
    let lines = over.lines.iter().map(|line| {
        let ratios = line.windows.counts.iter().map(|counts| over.ratio(counts));
        let low = ratios.clone().fold(1.0, f64::min);
        let high = ratios.fold(0.0, f64::max);
        format!("{} from {} to {}", line.name, percent(low), percent(high))
    });
    let lines: Vec<String> = lines.collect();
    format!("Lowest and highest window: {}.", lines.join("; "))
}

fn y(scale: &Scale, ratio: f64) -> f64 {
    TOP + (1.0 - scale.y(ratio).clamp(0.0, 1.0)) * HEIGHT
}

fn axes(svg: &mut String, scale: &Scale, from: usize, requests: usize) {
    for ratio in scale.ratios() {
        let y = y(scale, ratio);
        let _ = writeln!(
            svg,
            "<path class=\"g\" d=\"M{LEFT} {y:.1}h{WIDTH}\"/><text class=\"m\" x=\"{:.0}\" y=\"{:.1}\" \
             text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            percent(ratio)
        );
    }
    for quarter in 0..=4 {
        let at = from + requests / 4 * quarter + requests % 4 * quarter / 4;
        let _ = writeln!(
            svg,
            "<text class=\"m\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
            LEFT + WIDTH * quarter as f64 / 4.0,
            TOP + HEIGHT + 18.0,
            grouped(at as u64)
        );
    }
    let _ = writeln!(
        svg,
        "<text class=\"m\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">requests</text>",
        LEFT + WIDTH / 2.0,
        TOP + HEIGHT + 38.0
    );
}

fn style(line: &Line) -> String {
    if line.is_calm {
        return "class=\"f\" stroke-dasharray=\"4 3\"".into();
    }
    let (colour, dashes) = STYLES[line.style % STYLES.len()];
    format!("stroke=\"{colour}\" stroke-dasharray=\"{dashes}\"")
}

fn draw(svg: &mut String, over: &OverTime, number: usize, line: &Line, scale: &Scale) {
    let style = style(line);
    let mut path = String::new();
    let mut before = line.windows.from;
    for (&end, counts) in line.windows.ends.iter().zip(&line.windows.counts) {
        let letter = if path.is_empty() { 'M' } else { 'L' };
        let middle = f64::midpoint(over.part(before), over.part(end));
        let x = LEFT + WIDTH * middle;
        let y = y(scale, over.ratio(counts));
        let _ = write!(path, "{letter}{x:.1} {y:.1}");
        before = end;
    }
    let name_y = TOP + 10.0 + 16.0 * number as f64;
    let left = LEFT + WIDTH;
    let _ = writeln!(
        svg,
        "<path fill=\"none\" stroke-width=\"1.5\" {style} d=\"{path}\"/>\
         <path stroke-width=\"2\" {style} d=\"M{:.0} {name_y:.1}h18\"/>\
         <text x=\"{:.0}\" y=\"{:.1}\">{}</text>",
        left + 6.0,
        left + 28.0,
        name_y + 4.0,
        escape(&line.name)
    );
}

/// A line down, with the number of the event on top. Neighbours stand on two levels.
fn draw_mark(svg: &mut String, over: &OverTime, number: usize, mark: &Mark) {
    let x = LEFT + WIDTH * over.part(mark.at);
    let top = if number.is_multiple_of(2) {
        TOP - 26.0
    } else {
        TOP - 12.0
    };
    let _ = writeln!(
        svg,
        "<path class=\"a\" stroke-dasharray=\"2 2\" d=\"M{x:.1} {:.0}V{:.0}\"/><text x=\"{x:.1}\" \
         y=\"{top:.0}\" text-anchor=\"middle\">{number}<title>{}</title></text>",
        top + 4.0,
        TOP + HEIGHT,
        escape(&mark.text)
    );
}
