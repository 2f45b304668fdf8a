//! The prompt.

use std::io;
use std::sync::Arc;

use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, Event, EventContext,
    EventHandler, KeyEvent, Movement, RepeatCount,
};
use unicode_width::UnicodeWidthStr;

use super::editor::Editor;
use super::runner::{Place, Runner, Step};
use super::timer::{self, SharedSession};
use super::wakeup::Wakeup;
use super::{Exit, history};
use crate::cluster::Status;
use crate::render::Paint;
use crate::session::{LocalSession, Overview};

type LineEditor = rustyline::Editor<Editor, FileHistory>;

/// For bytes that are not UTF-8, which the line editor does not take. The line is lost.
const NOT_TEXT: &[u8] =
    b"error: that is not UTF-8; such bytes are typed as \\xHH in double quotes\n";

/// Talks to a person until they leave.
///
/// # Errors
/// If the terminal fails.
pub fn run(
    session: LocalSession,
    mut runner: Runner,
    wakeup: &Arc<Wakeup>,
    keep_history: bool,
) -> anyhow::Result<Exit> {
    let mut editor = line_editor(&runner)?;
    let file = keep_history.then(history::file).flatten();
    if let Some(file) = &file {
        // A first session has no history yet.
        let _ = editor.load_history(file);
    }
    let shared = Arc::new(SharedSession::new(session, runner.notices()));
    if let Ok(printer) = editor.create_external_printer() {
        timer::start(Arc::clone(&shared), runner.manners, printer);
    }
    if !runner.manners.quiet {
        banner(&mut runner, &shared);
    }
    loop {
        let prompt = prompt(&runner, &shared);
        if let Some(helper) = editor.helper_mut() {
            helper.nodes = nodes(&shared);
        }
        let width = prompt.0.width();
        // Only what comes from here on is meant for what is typed now.
        wakeup.take_interrupt();
        let typed = match editor.readline(&prompt) {
            Ok(typed) => typed,
            Err(ReadlineError::Interrupted) => {
                end_monitoring(&mut runner, &shared);
                continue;
            }
            Err(ReadlineError::Eof) => return Ok(Exit::Success),
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                runner.out.error(NOT_TEXT);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let columns = editor
            .dimensions()
            .map_or(80, |(columns, _)| usize::from(columns));
        let single = !typed.contains('\n') && width + typed.width() < columns;
        runner.typed_at = single.then_some(width);
        // A paste can bring several lines at once.
        for line in typed.split('\n') {
            remember(&mut editor, line, file.as_deref());
            let place = Place {
                file: None,
                line: 1,
            };
            let step = runner.run_line(&mut shared.lock(), place, line.as_bytes());
            runner.out.flush();
            shared.wake_timer(runner.notices());
            match step {
                Step::Next if runner.out.broken().is_none() => {}
                Step::Interrupted => break,
                Step::Quit | Step::Next => return Ok(Exit::Success),
                Step::Stop => return Ok(Exit::Failure),
            }
        }
    }
}

fn line_editor(runner: &Runner) -> rustyline::Result<LineEditor> {
    let config = Config::builder()
        .max_history_size(history::MAX_LINES)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .build();
    let style = runner.manners.out;
    let mut editor = LineEditor::with_config(config)?;
    // The helper knows whether there is colour, and has more to do than that.
    editor.set_color_mode(ColorMode::Forced);
    editor.set_helper(Some(Editor::new(style)));
    let clear = EventHandler::Conditional(Box::new(ClearLine));
    editor.bind_sequence(KeyEvent::ctrl('C'), clear);
    Ok(editor)
}

/// Ctrl-C clears the line where it stands. (Left to itself, the editor would end the line and leave
/// its hint on the screen, and lose what was typed ahead.) On an empty line it is an interrupt.
struct ClearLine;

impl ConditionalEventHandler for ClearLine {
    fn handle(
        &self,
        _: &Event,
        _: RepeatCount,
        _: bool,
        context: &EventContext<'_>,
    ) -> Option<Cmd> {
        let empty = context.line().is_empty();
        (!empty).then_some(Cmd::Kill(Movement::WholeLine))
    }
}

fn remember(editor: &mut LineEditor, line: &str, file: Option<&std::path::Path>) {
    if let Some(helper) = editor.helper_mut() {
        helper.remember(line);
    }
    let added = editor.add_history_entry(line).unwrap_or(false);
    if let Some(file) = file.filter(|_| added) {
        // Line by line, behind what other shells have written. A history that cannot be written
        // is no reason to stop working.
        let _ = editor.append_history(file);
    }
}

fn banner(runner: &mut Runner, shared: &SharedSession) {
    let session = shared.lock();
    let clock = session.world.clock.kind();
    let overview = session.world.backend.overview();
    let nodes = counted(overview.nodes.len() as u64, "node");
    let placement = overview.placement;
    let version = env!("CARGO_PKG_VERSION");
    let text = format!(
        "shardlab {version}: {nodes}, {placement} placement, {clock} clock\n\
         HELP lists the commands, Ctrl-D leaves.\n"
    );
    runner.out.buffer().extend_from_slice(text.as_bytes());
    runner.out.flush();
}

/// The numbers of the nodes, for completion.
fn nodes(shared: &SharedSession) -> Vec<String> {
    let overview = shared.lock().world.backend.overview();
    let nodes = overview.nodes.into_iter();
    nodes.map(|(node, _)| node.to_string()).collect()
}

/// The prompt, without and with colour.
fn prompt(runner: &Runner, shared: &SharedSession) -> (String, String) {
    let overview = shared.lock().world.backend.overview();
    let keys = counted(overview.keys, "key");
    let nodes = counted(overview.nodes.len() as u64, "node");
    let moving = if overview.is_moving { ", moving" } else { "" };
    let monitoring = if runner.monitoring() {
        " (monitor)"
    } else {
        ""
    };
    let style = runner.manners.out;
    let trouble = trouble(&overview);
    if trouble.is_empty() {
        let text = format!("{nodes}, {keys}");
        let painted = style.painted(Paint::Heading, &text);
        return (
            format!("{text}{moving}{monitoring}> "),
            format!("{painted}{moving}{monitoring}> "),
        );
    }
    let plain = trouble.iter().map(|(_, it)| it.clone());
    let plain = plain.collect::<Vec<_>>().join(", ");
    let painted = trouble.iter().map(|(paint, it)| style.painted(*paint, it));
    let painted = painted.collect::<Vec<_>>().join(", ");
    let heading = |text: &str| style.painted(Paint::Heading, text);
    (
        format!("{nodes} ({plain}), {keys}{moving}{monitoring}> "),
        format!(
            "{} ({painted}), {}{moving}{monitoring}> ",
            heading(&nodes),
            heading(&keys)
        ),
    )
}

/// What is wrong with the cluster: nodes that are not up, and how many faults the network has.
fn trouble(overview: &Overview) -> Vec<(Paint, String)> {
    let mut trouble = Vec::new();
    for state in [Status::Crashed, Status::Paused, Status::Syncing] {
        let nodes = overview.nodes.iter().filter(|(_, it)| *it == state);
        let nodes: Vec<String> = nodes.map(|(node, _)| node.to_string()).collect();
        let paint = match state {
            Status::Crashed => Paint::Error,
            _ => Paint::Notice,
        };
        match nodes.as_slice() {
            [] => {}
            [one] => trouble.push((paint, format!("node {one} {state}"))),
            all => trouble.push((paint, format!("nodes {} {state}", all.join(" ")))),
        }
    }
    if overview.faults > 0 {
        trouble.push((Paint::Notice, counted(overview.faults, "fault")));
    }
    trouble
}

fn counted(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

fn end_monitoring(runner: &mut Runner, shared: &SharedSession) {
    if runner.monitoring() {
        runner.stop_monitoring();
        shared.wake_timer(runner.notices());
        runner.out.buffer().extend_from_slice(b"monitoring ended\n");
        runner.out.flush();
    }
}
