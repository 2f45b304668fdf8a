//! Columns, with or without a box around them.

use comfy_table::presets::{ASCII_FULL_CONDENSED, NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use textwrap::{Options, core::display_width};

use super::style::{Paint, Style};
use super::text::sentence;

/// The widest bar, in characters.
const BAR: u64 = 10;
/// The columns between two columns of a table without a box.
const GAP: usize = 2;

/// The narrowest column whose cells are wrapped.
const NARROWEST: usize = 8;

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
        let hidden = self.fit(style, |columns| 3 * columns + 1);
        let mut table = self.table();
        table.load_style(if style.unicode {
            UTF8_FULL_CONDENSED
        } else {
            ASCII_FULL_CONDENSED
        });
        lines(style, &self.above, out);
        out.extend_from_slice(format!("{table}\n").as_bytes());
        lines(style, &self.below, out);
        hidden_columns(style, &hidden, out);
    }

    /// Appends the table as aligned columns, each line behind an indent.
    pub fn columns(mut self, style: Style, indent: &str, out: &mut Vec<u8>) {
        let gaps = |columns: usize| GAP * columns.saturating_sub(1) + indent.len();
        let hidden = self.fit(style, gaps);
        let mut table = self.table();
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
        hidden_columns(style, &hidden, out);
    }

    /// Fits the table to the terminal: takes out rare columns, and then wraps the widest. `frame` says
    /// how many columns of the terminal are not text. Returns the headers that are out.
    fn fit(&mut self, style: Style, frame: impl Fn(usize) -> usize) -> Vec<String> {
        let Some(width) = style.width else {
            return Vec::new();
        };
        let room = |grid: &Self| width.saturating_sub(frame(grid.headers.len()));
        let mut hidden = self.headers.clone();
        for rare in self.rare {
            if self.widths().iter().sum::<usize>() <= room(self) {
                break;
            }
            if let Some(index) = self.headers.iter().position(|header| header == rare) {
                self.headers.remove(index);
                let rows = self.rows.iter_mut().filter(|row| index < row.len());
                rows.for_each(|row| drop(row.remove(index)));
            }
        }
        self.wrap(room(self));
        hidden.retain(|header| !self.headers.contains(header));
        hidden
    }

    /// Wraps the cells of the widest columns until all columns together have `room`.
    fn wrap(&mut self, room: usize) {
        let mut widths = self.widths();
        loop {
            let excess = widths.iter().sum::<usize>().saturating_sub(room);
            let widest = widths
                .iter()
                .copied()
                .enumerate()
                .max_by_key(|&(_, width)| width);
            let Some((index, widest)) = widest.filter(|it| excess > 0 && it.1 > NARROWEST) else {
                return;
            };
            let width = widest.saturating_sub(excess).max(NARROWEST);
            widths[index] = width;
            for cell in self.rows.iter_mut().filter_map(|row| row.get_mut(index)) {
                *cell = textwrap::wrap(cell, Options::new(width)).join("\n");
            }
        }
    }

    /// How wide each column is.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.headers.iter().map(|it| display_width(it)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = display_width(cell).max(*width);
            }
        }
        widths
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: usize, rows: &[[&str; 3]]) -> String {
        let rows = rows.iter().map(|row| row.map(String::from).to_vec());
        let grid = Grid::new(&["key", "count", "share"], rows).rare(&["share", "nothing"]);
        let style = Style {
            width: Some(width),
            ..Style::default()
        };
        let mut out = Vec::new();
        grid.columns(style, "", &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_narrow_terminal_goes_without_rare_columns_and_wraps_wide_ones() {
        let rows = [["apple", "12", "80%"], ["a key of words", "3", "20%"]];
        let all = "key             count  share\napple              12    80%\na key of words      3    20%\n";
        assert_eq!(shown(28, &rows), all);
        let few = "key             count\napple              12\na key of words      3\n";
        assert_eq!(shown(27, &rows), format!("{few}too narrow for: share\n"));
        let wrapped = "key       count\napple        12\na key of      3\nwords\n";
        assert_eq!(
            shown(16, &rows),
            format!("{wrapped}too narrow for:\n  share\n")
        );
    }

    #[test]
    fn a_cell_of_a_megabyte_costs_no_more_than_its_length() {
        let long = "x".repeat(1_000_000);
        let text = shown(80, &[[&long, "1", "1%"]]);
        assert!(text.lines().count() > 10_000);
        assert!(text.lines().all(|line| line.len() <= 80));
    }
}
