//! Columns, with or without a box around them.

use comfy_table::presets::{ASCII_FULL_CONDENSED, NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement, Table, TableStyle};

use super::style::{Paint, Style};

/// The widest bar, in characters.
const BAR: u64 = 10;

/// A table of text.
#[derive(Default)]
pub struct Grid {
    /// Lines before the table.
    pub above: String,
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
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

    /// Appends the table with a box around it.
    pub fn boxed(&self, style: Style, out: &mut Vec<u8>) {
        let table = self.table(if style.unicode {
            UTF8_FULL_CONDENSED
        } else {
            ASCII_FULL_CONDENSED
        });
        let text = format!("{}{table}\n{}", self.above, self.below);
        out.extend_from_slice(text.as_bytes());
    }

    /// Appends the table as aligned columns, each line behind an indent.
    pub fn columns(&self, style: Style, indent: &str, out: &mut Vec<u8>) {
        let mut table = self.table(NOTHING);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        out.extend_from_slice(self.above.as_bytes());
        for (number, line) in table.lines().enumerate() {
            let line = line.trim_end();
            let line = match number {
                0 => style.painted(Paint::Heading, line),
                _ => line.into(),
            };
            out.extend_from_slice(format!("{indent}{line}\n").as_bytes());
        }
        out.extend_from_slice(self.below.as_bytes());
    }

    fn table(&self, borders: TableStyle) -> Table {
        let mut table = Table::new();
        table.load_style(borders);
        table.set_content_arrangement(ContentArrangement::Disabled);
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

fn is_number(cell: &str) -> bool {
    cell.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'%' | b'-' | b'~'))
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
