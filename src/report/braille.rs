//! The curve of miss ratios for a terminal, drawn with braille dots.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "places on a canvas are small and not negative"
)]

use super::number::{percent, short};
use super::scale::Scale;
use super::svg::Series;
use crate::replay::Unit;

/// Braille dots in a character: columns and rows.
const DOTS: (usize, usize) = (2, 4);

/// Draws the series with sizes on a logarithmic scale, in `width` by `height` characters without the
/// axes. Each series has a letter at its last point, and the legend below names them.
#[must_use]
pub fn curve(series: &[Series], unit: Unit, width: usize, height: usize) -> String {
    let points = || series.iter().flat_map(|series| &series.points);
    if points().next().is_none() {
        return String::new();
    }
    let scale = Scale::new(points());
    let mut canvas = Canvas::new(width, height);
    for one in series {
        for pair in one.points.windows(2) {
            canvas.line(place(&scale, pair[0]), place(&scale, pair[1]));
        }
        if let [point] = one.points.as_slice() {
            canvas.line(place(&scale, *point), place(&scale, *point));
        }
    }
    for (letter, one) in ('a'..='z').zip(series) {
        if let Some(&point) = one.points.last() {
            canvas.letter(place(&scale, point), letter);
        }
    }
    let mut text = canvas.with_axis(&scale);
    text += &sizes(series, unit, width);
    text += &legend(series, width);
    text
}

fn place(scale: &Scale, (size, ratio): (u64, f64)) -> (f64, f64) {
    (scale.x(size), scale.y(ratio))
}

/// The smallest and the largest size, and the one in the middle.
fn sizes(series: &[Series], unit: Unit, width: usize) -> String {
    let all = || {
        series
            .iter()
            .flat_map(|one| one.points.iter().map(|point| point.0))
    };
    let (Some(first), Some(last)) = (all().min(), all().max()) else {
        return String::new();
    };
    let (first, last) = (short(first, unit), short(last, unit));
    let gap = width.saturating_sub(first.len() + last.len());
    format!("        {first}{}{last}\n", " ".repeat(gap))
}

/// The names, in as many lines as they take.
fn legend(series: &[Series], width: usize) -> String {
    let mut lines = vec![String::new()];
    for (letter, one) in ('a'..='z').zip(series) {
        let name = format!("{letter} {}", one.name);
        match lines.last_mut() {
            Some(line) if line.is_empty() => *line = name,
            Some(line) if line.len() + 3 + name.len() <= width => *line += &format!("   {name}"),
            _ => lines.push(name),
        }
    }
    let lines = lines.iter().map(|line| format!("        {line}\n"));
    lines.collect()
}

struct Canvas {
    width: usize,
    height: usize,
    /// By character: the dots that are set, as in the Unicode block of braille patterns.
    dots: Vec<u8>,
    letters: Vec<Option<char>>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            dots: vec![0; width * height],
            letters: vec![None; width * height],
        }
    }

    /// The dot at a place given as parts of width and height.
    fn dot(&self, (x, y): (f64, f64)) -> (i64, i64) {
        let (columns, rows) = (self.width * DOTS.0 - 1, self.height * DOTS.1 - 1);
        let column = libm::round(x.clamp(0.0, 1.0) * columns as f64) as i64;
        let row = libm::round((1.0 - y.clamp(0.0, 1.0)) * rows as f64) as i64;
        (column, row)
    }

    /// Bresenham's line: *Algorithm for Computer Control of a Digital Plotter*, IBM Systems Journal
    /// 4(1), 1965.
    fn line(&mut self, from: (f64, f64), to: (f64, f64)) {
        let ((mut x, mut y), (to_x, to_y)) = (self.dot(from), self.dot(to));
        let (dx, dy) = ((to_x - x).abs(), -(to_y - y).abs());
        let (step_x, step_y) = ((to_x - x).signum(), (to_y - y).signum());
        let mut error = dx + dy;
        loop {
            self.set(x as usize, y as usize);
            if (x, y) == (to_x, to_y) {
                return;
            }
            let twice = 2 * error;
            if twice >= dy {
                error += dy;
                x += step_x;
            }
            if twice <= dx {
                error += dx;
                y += step_y;
            }
        }
    }

    fn set(&mut self, x: usize, y: usize) {
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let bit = BITS[y % DOTS.1][x % DOTS.0];
        self.dots[y / DOTS.1 * self.width + x / DOTS.0] |= bit;
    }

    /// Puts a letter at a place, or in the nearest free row below or above it.
    fn letter(&mut self, place: (f64, f64), letter: char) {
        let (x, y) = self.dot(place);
        let (column, row) = (x as usize / DOTS.0, y as usize / DOTS.1);
        let free = (row..self.height).chain((0..row).rev());
        let mut cells = free.map(|row| row * self.width + column);
        if let Some(cell) = cells.find(|&cell| self.letters[cell].is_none()) {
            self.letters[cell] = Some(letter);
        }
    }

    fn row(&self, row: usize) -> String {
        let cells = row * self.width..(row + 1) * self.width;
        let character = |cell: usize| match (self.letters[cell], self.dots[cell]) {
            (Some(letter), _) => letter,
            (None, 0) => ' ',
            (None, dots) => char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' '),
        };
        let text: String = cells.map(character).collect();
        text.trim_end().to_owned()
    }

    /// All rows, with the ratios at the left.
    fn with_axis(&self, scale: &Scale) -> String {
        let mut labels = vec![String::new(); self.height];
        for ratio in scale.ratios() {
            let (_, y) = self.dot((0.0, scale.y(ratio)));
            labels[y as usize / DOTS.1] = percent(ratio);
        }
        let rows = labels.iter().enumerate();
        rows.map(|(row, label)| format!("{label:>7}│{}\n", self.row(row)))
            .collect()
    }
}
