//! Columns, with or without a box around them.

use comfy_table::presets::{ASCII_FULL_CONDENSED, NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use textwrap::core::display_width;

use super::style::{Paint, Style};
use super::text::sentence;

/// The widest bar, in characters.
const BAR: u64 = 10;
/// The columns between two columns of a table without a box.
const GAP: usize = 2;

/// A table of text.
#[derive(Default)]
pub struct Grid {
    /// Lines before the table.
    pub above: String,
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
    /// The headers of the columns that are left out where there is little room, the first one first.
    rare: &'static [&'static str],
    /// Lines after the table.
    pub below: String,
}

impl Grid {
    /// A table with these headers. Columns of numbers are aligned to the right.
    pub fn new(headers: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Self {
        Self {
            headers: headers.iter().map(|&header| header.into()).collect(),
            rows: rows.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Names the columns that are left out on a narrow terminal, the first one first.
    pub fn rare(mut self, rare: &'static [&'static str]) -> Self {
        self.rare = rare;
        self
    }

    /// Appends the table with a box around it.
    pub fn boxed(mut self, style: Style, out: &mut Vec<u8>) {
        let border = |columns: usize| 3 * columns + 1;
        let hidden = style.width.map(|width| self.fit(width, border));
        let mut table = self.table(style.width.filter(|_| self.is_wide(style, border)));
        table.load_style(if style.unicode {
            UTF8_FULL_CONDENSED
        } else {
            ASCII_FULL_CONDENSED
        });
        lines(style, &self.above, out);
        out.extend_from_slice(format!("{table}\n").as_bytes());
        lines(style, &self.below, out);
        hidden_columns(style, &hidden.unwrap_or_default(), out);
    }

    /// Appends the table as aligned columns, each line behind an indent.
    pub fn columns(mut self, style: Style, indent: &str, out: &mut Vec<u8>) {
        let gaps = |columns: usize| GAP * columns.saturating_sub(1) + indent.len();
        let hidden = style.width.map(|width| self.fit(width, gaps));
        // The padding behind the last column is cut off.
        let width = style
            .width
            .map(|width| width + GAP - indent.len().min(width));
        let mut table = self.table(width.filter(|_| self.is_wide(style, gaps)));
        table.load_style(NOTHING);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        lines(style, &self.above, out);
        for (number, line) in table.lines().enumerate() {
            let line = line.trim_end();
            let line = match number {
                0 => style.painted(Paint::Heading, line),
                _ => line.into(),
            };
            out.extend_from_slice(format!("{indent}{line}\n").as_bytes());
        }
        lines(style, &self.below, out);
        hidden_columns(style, &hidden.unwrap_or_default(), out);
    }

    /// Takes out rare columns until the table has at most `width` columns, of which `frame` says how
    /// many are not text. Returns the headers of those that are out, in the order of the table.
    fn fit(&mut self, width: usize, frame: impl Fn(usize) -> usize) -> Vec<String> {
        let mut hidden = self.headers.clone();
        for rare in self.rare {
            if self.width(&frame) <= width {
                break;
            }
            let Some(index) = self.headers.iter().position(|header| header == rare) else {
                continue;
            };
            self.headers.remove(index);
            for row in self.rows.iter_mut().filter(|row| index < row.len()) {
                row.remove(index);
            }
        }
        hidden.retain(|header| !self.headers.contains(header));
        hidden
    }

    fn is_wide(&self, style: Style, frame: impl Fn(usize) -> usize) -> bool {
        style.width.is_some_and(|width| self.width(frame) > width)
    }

    /// How wide the table is.
    fn width(&self, frame: impl Fn(usize) -> usize) -> usize {
        let mut widths: Vec<usize> = self.headers.iter().map(|it| display_width(it)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = display_width(cell).max(*width);
            }
        }
        widths.iter().sum::<usize>() + frame(widths.len())
    }

    /// The table; with a width its cells are wrapped.
    fn table(&self, width: Option<usize>) -> Table {
        let mut table = Table::new();
        table.set_content_arrangement(ContentArrangement::Disabled);
        if let Some(width) = width {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        }
        table.set_header(&self.headers);
        table.add_rows(&self.rows);
        for (index, column) in table.column_iter_mut().enumerate() {
            let mut cells = self.rows.iter().filter_map(|row| row.get(index));
            if cells.all(|cell| is_number(cell)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}

/// The lines above or below a table.
fn lines(style: Style, text: &str, out: &mut Vec<u8>) {
    for line in text.lines() {
        sentence(style, line, 2, out);
    }
}

/// Names the columns that a narrow terminal has no room for.
fn hidden_columns(style: Style, hidden: &[String], out: &mut Vec<u8>) {
    let names = hidden.iter().filter(|name| !name.is_empty());
    let names: Vec<&str> = names.map(String::as_str).collect();
    if !names.is_empty() {
        let text = format!("too narrow for: {}", names.join(", "));
        sentence(style, &style.painted(Paint::Faint, &text), 2, out);
    }
}

fn is_number(cell: &str) -> bool {
    cell.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'%' | b'-'))
}

/// A bar for a part of `all`. It has its full length if they are equal.
pub fn bar(style: Style, part: u64, all: u64) -> String {
    let len = match all {
        0 => 0,
        all => part.saturating_mul(BAR).div_ceil(all).min(BAR),
    };
    let mark = if style.unicode { "█" } else { "#" };
    let bar = mark.repeat(usize::try_from(len).unwrap_or(0));
    style.painted(Paint::Command, &bar)
}
