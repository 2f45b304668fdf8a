//! The prompt at a terminal, with a line editor.

use std::io;
use std::sync::{Arc, Mutex};

use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, Event, EventContext,
    EventHandler, KeyCode, KeyEvent, Modifiers, Movement, RepeatCount,
};
use unicode_width::UnicodeWidthStr;

use super::Exit;
use super::caret::Typed;
use super::editor::Editor;
use super::history::{History, MAX_LINES};
use super::keys::Keys;
use super::prompt::{self, Prompt};
use super::runner::{Place, Runner, Step};
use super::terminal;
use super::timer::{self, SharedSession};
use super::wakeup::Wakeup;
use crate::language::Behind;
use crate::render::Style;
use crate::session::LocalSession;

type LineEditor = rustyline::Editor<Editor, MemHistory>;

/// For bytes that are not UTF-8, which the line editor does not take. The line is lost.
const NOT_TEXT: &[u8] =
    b"error: that is not UTF-8; such bytes are typed as \\xHH in double quotes\n";

/// More than the words that are ever offered: keys, nodes and names together.
const MAX_CANDIDATES: usize = 2000;

/// A person at a terminal, and what serves them.
struct Shell {
    editor: LineEditor,
    runner: Runner,
    shared: Arc<SharedSession>,
    wakeup: Arc<Wakeup>,
    history: Option<History>,
}

/// Talks to a person until they leave.
///
/// # Errors
/// If the terminal fails.
pub fn run(
    mut session: LocalSession,
    mut runner: Runner,
    wakeup: &Arc<Wakeup>,
    keep_history: bool,
    serves: bool,
) -> anyhow::Result<Exit> {
    let (notices, keys) = (Arc::default(), Arc::default());
    session.world.lock();
    let behind = session.world.backend.behind();
    session.world.unlock();
    runner.at_prompt(&notices, &keys);
    let shared = SharedSession::new(session, runner.notices(), notices);
    let shared = Arc::new(shared);
    let poked = Arc::clone(&shared);
    let waker = Arc::clone(wakeup);
    wakeup.on_poke(move || {
        poked.wake();
        if waker.is_service_over() {
            // The line editor waits for a key, and nothing else ends it.
            let _ = signal_hook::low_level::raise(signal_hook::consts::SIGTERM);
        }
    });
    terminal::restore_when_ended(serves)?;
    let mut shell = Shell {
        editor: line_editor(runner.manners.out, keys, behind)?,
        runner,
        shared,
        wakeup: Arc::clone(wakeup),
        history: keep_history.then(History::new).flatten(),
    };
    shell.start();
    loop {
        let typed = match shell.read() {
            Ok(Some(typed)) => typed,
            Ok(None) | Err(_) if serves => return Ok(shell.stand_by()),
            Ok(None) => return Ok(Exit::Success),
            Err(error) => return Err(error),
        };
        if let Some(exit) = shell.run_lines(&typed) {
            return Ok(exit);
        }
    }
}

impl Shell {
    /// The servers go on without a prompt.
    fn stand_by(&mut self) -> Exit {
        self.runner.print(super::serve::STANDS_BY);
        self.wakeup.take_interrupt();
        self.runner.stand_by(&mut self.shared.lock());
        Exit::Success
    }

    /// Loads the history, starts the timer, and says what was started.
    fn start(&mut self) {
        let read = self.history.as_mut().map(History::read);
        let (lines, warning) = read.unwrap_or_default();
        for line in lines {
            // The history in memory takes every line, or leaves it out.
            let _ = self.editor.add_history_entry(line);
        }
        if let Ok(printer) = self.editor.create_external_printer() {
            timer::start(Arc::clone(&self.shared), self.runner.manners, printer);
        }
        if !self.runner.manners.quiet {
            let banner = prompt::banner(self.runner.manners.out, &self.shared.lock());
            self.runner.print_bytes(&banner);
        }
        self.warn(warning);
    }

    /// Reports what is no error of a command.
    fn warn(&mut self, warning: Option<String>) {
        if let Some(warning) = warning {
            self.runner.out.error(format!("{warning}\n").as_bytes());
        }
    }

    /// Reads what is typed, a paste with all its lines. `None`: the person leaves.
    fn read(&mut self) -> anyhow::Result<Option<String>> {
        loop {
            self.runner.fit_to_terminal();
            let (prompt, nodes) = {
                let session = self.shared.lock();
                (Prompt::new(&self.runner, &session), nodes(&session))
            };
            if let Some(helper) = self.editor.helper_mut() {
                helper.nodes = nodes;
            }
            // Only what comes from here on is meant for what is typed now.
            self.wakeup.take_interrupt();
            let width = prompt.plain.width();
            match self.editor.readline(&(prompt.plain, prompt.painted)) {
                Ok(text) => {
                    self.note_typed(&text, width);
                    return Ok(Some(text));
                }
                Err(ReadlineError::Interrupted) => self.end_monitoring(),
                Err(ReadlineError::Eof) => return Ok(None),
                Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    self.runner.out.error(NOT_TEXT);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Notes where the line stands on the screen, for carets.
    fn note_typed(&mut self, text: &str, width: usize) {
        self.runner.fit_to_terminal();
        let columns = self.runner.manners.out.width.unwrap_or(80);
        let is_single = !text.contains('\n') && width + text.width() < columns;
        self.runner.typed = Some(Typed {
            line: text.into(),
            column: is_single.then_some(width),
            printed: self.runner.out.total(),
        });
    }

    /// Runs what was typed. Returns how the program ends, if it does.
    fn run_lines(&mut self, text: &str) -> Option<Exit> {
        for line in text.split('\n') {
            self.remember(line);
            let step = self.run_line(line);
            self.runner.out.flush();
            self.shared.wake_timer(self.runner.notices());
            match step {
                Step::Next if self.runner.out.broken().is_none() => {}
                Step::Interrupted => break,
                Step::Quit | Step::Next => return Some(Exit::Success),
                Step::Stop => return Some(Exit::Failure),
            }
        }
        None
    }

    fn run_line(&mut self, line: &str) -> Step {
        let place = Place {
            file: None,
            line: 1,
        };
        if let Some(typed) = self
            .runner
            .typed
            .as_mut()
            .filter(|it| it.line != line.as_bytes())
        {
            typed.line = line.into();
        }
        let question = prompt::question(line.as_bytes(), &self.shared.lock());
        if question.is_some_and(|question| !self.confirms(&question)) {
            return self.runner.decline(place, line.as_bytes());
        }
        let mut session = self.shared.lock();
        self.runner.run_line(&mut session, place, line.as_bytes())
    }

    /// Asks a question, and returns whether the answer is yes.
    fn confirms(&mut self, question: &str) -> bool {
        self.set_asking(true);
        let answer = self.editor.readline(question);
        self.set_asking(false);
        answer.is_ok_and(|answer| prompt::is_yes(&answer))
    }

    fn set_asking(&mut self, is_asking: bool) {
        if let Some(helper) = self.editor.helper_mut() {
            helper.is_asking = is_asking;
        }
    }

    fn remember(&mut self, line: &str) {
        let is_new = self.editor.add_history_entry(line).unwrap_or(false);
        let history = self.history.as_mut().filter(|_| is_new);
        // Line by line, behind what other shells have written.
        let warning = history.and_then(|history| history.append(line));
        self.warn(warning);
    }

    fn end_monitoring(&mut self) {
        if self.runner.monitoring() {
            self.runner.stop_monitoring();
            self.shared.wake_timer(self.runner.notices());
            self.runner.print("monitoring ended\n");
        }
    }
}

/// The numbers of the nodes, for completion.
fn nodes(session: &LocalSession) -> Vec<String> {
    let nodes = session.world.backend.overview().nodes.into_iter();
    nodes.map(|(node, _)| node.to_string()).collect()
}

fn line_editor(style: Style, keys: Arc<Mutex<Keys>>, behind: Behind) -> anyhow::Result<LineEditor> {
    let config = Config::builder()
        .max_history_size(MAX_LINES)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        // More are never offered, so there is no question that only y and n answer.
        .completion_prompt_limit(MAX_CANDIDATES)
        .build();
    let history = MemHistory::with_config(&config);
    let mut editor = LineEditor::with_history(config, history)?;
    // The helper knows whether there is colour, and has more to do than that.
    editor.set_color_mode(ColorMode::Forced);
    editor.set_helper(Some(Editor::new(style, keys, behind)));
    let clear = EventHandler::Conditional(Box::new(ClearLine));
    editor.bind_sequence(KeyEvent::ctrl('C'), clear);
    let complete = EventHandler::Conditional(Box::new(CompleteName));
    editor.bind_sequence(KeyEvent(KeyCode::Right, Modifiers::NONE), complete);
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

/// At the end of a line the right arrow completes the name of which the hint shows the rest, as Tab
/// does: in capitals. (Left to itself, the editor would only add the rest.)
struct CompleteName;

impl ConditionalEventHandler for CompleteName {
    fn handle(
        &self,
        _: &Event,
        _: RepeatCount,
        _: bool,
        context: &EventContext<'_>,
    ) -> Option<Cmd> {
        let is_at_end = context.pos() == context.line().len();
        (is_at_end && context.hint_text().is_some()).then_some(Cmd::Complete)
    }
}
