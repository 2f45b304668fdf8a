//! Colours of text on one stream.

use colored::{Color, Colorize, Styles};

/// The style of text on one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// With colours.
    pub color: bool,
    /// For a person at a prompt: silent commands print OK, tables have bars.
    pub interactive: bool,
    /// Bars and boxes may use characters outside of ASCII.
    pub unicode: bool,
    /// The columns of the terminal, to which tables and sentences are fitted. `None`: the stream is no
    /// terminal, and nothing is fitted except help, which has 80 columns.
    pub width: Option<usize>,
}

/// The role of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// A command's name.
    Command,
    /// A value.
    Value,
    /// An absent value, an acknowledgement, an arrow, a hint.
    Faint,
    /// An event.
    Notice,
    /// An error.
    Error,
    /// A heading.
    Heading,
    /// A quoted word.
    Quoted,
    /// A number.
    Number,
}

impl Style {
    /// Appends the output of `write` in the colour of `paint`.
    #[inline]
    pub fn paint(self, paint: Paint, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.color {
            return write(out);
        }
        let mut text = Vec::new();
        write(&mut text);
        let text = String::from_utf8_lossy(&text);
        out.extend_from_slice(self.painted(paint, &text).as_bytes());
    }

    /// `text` in the colour of `paint`.
    #[must_use]
    pub fn painted(self, paint: Paint, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.into();
        }
        let (color, style) = match paint {
            Paint::Command => (Some(Color::Cyan), None),
            Paint::Value => (Some(Color::Green), None),
            // A grey that shows on black and on white; bright black is some palettes' background.
            Paint::Faint => (Some(Color::AnsiColor(244)), None),
            Paint::Notice => (Some(Color::Yellow), None),
            Paint::Error => (Some(Color::Red), Some(Styles::Bold)),
            Paint::Heading => (None, Some(Styles::Bold)),
            Paint::Quoted => (Some(Color::Magenta), None),
            Paint::Number => (Some(Color::Blue), None),
        };
        // The style of the stream decides about colour; the crate looks at standard output only.
        colored::control::set_override(true);
        let text = color.map_or_else(|| text.normal(), |color| text.color(color));
        match style {
            Some(Styles::Bold) => text.bold().to_string(),
            _ => text.to_string(),
        }
    }
}
