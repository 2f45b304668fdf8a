//! What the subcommands show alike.

use serde_json::{Map, Value, json};

use crate::render::{Format, write_json};
use crate::report::Form;
use crate::shell::output::Output;
use crate::trace::{Skipped, TraceError};

/// Shows an error: in JSON as an object on standard output.
pub fn show_error(error: &TraceError, format: Format, screen: &mut Output) {
    if format == Format::Json {
        let object = json!({ "error": error.to_string(), "kind": "trace" });
        write_json(&object, screen.buffer());
        screen.flush();
    } else {
        screen.error(format!("error: {error}\n").as_bytes());
    }
}

/// The number of skipped records by reason.
pub fn skipped(skipped: &Skipped) -> Map<String, Value> {
    let all = skipped.iter();
    all.map(|(reason, count)| (reason.to_owned(), json!(count)))
        .collect()
}

/// The rendering of a form that every command knows.
///
/// # Errors
/// For `csv`.
pub fn format_of(form: Form) -> Result<Format, &'static str> {
    match form {
        Form::Plain => Ok(Format::Plain),
        Form::Table => Ok(Format::Table),
        Form::Json => Ok(Format::Json),
        Form::Csv => Err("--format csv is only for compare"),
    }
}
