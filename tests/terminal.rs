//! The shell as a person meets it: the program runs in a pseudo-terminal, keys are pressed, and the
//! screen is read by a terminal emulator.
//!
//! Nothing here depends on how long something takes: a test waits until the screen shows what it
//! should, and fails with the screen's contents if that has not come about after a generous time.

#![cfg(unix)]

use std::fs;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tempfile::TempDir;
use vt100::{Parser, Screen};

/// How long a test waits for the screen to show something.
const PATIENCE: Duration = Duration::from_secs(10);
const ROWS: u16 = 30;
const COLUMNS: u16 = 100;
/// The prompt of a new shell, as a row of the screen.
const PROMPT: &str = "3 nodes, 0 keys>";

/// What is on the keyboard besides letters.
#[derive(Clone, Copy)]
enum Key {
    Enter,
    Tab,
    Up,
    Right,
    CtrlC,
    CtrlD,
    CtrlL,
}

impl Key {
    fn code(self) -> &'static str {
        match self {
            Self::Enter => "\r",
            Self::Tab => "\t",
            Self::Up => "\x1b[A",
            Self::Right => "\x1b[C",
            Self::CtrlC => "\x03",
            Self::CtrlD => "\x04",
            Self::CtrlL => "\x0c",
        }
    }
}

/// What has come out of the program so far.
struct Shown {
    parser: Parser,
    /// The bytes as they came.
    raw: String,
    /// How many rows the banner takes.
    banner: usize,
    /// Whether the program has closed its terminal.
    ended: bool,
}

impl Shown {
    fn screen(&self) -> &Screen {
        self.parser.screen()
    }

    /// The screen's rows below the banner, without the empty ones at its end.
    fn rows(&self) -> Vec<String> {
        let rows = self.screen().rows(0, self.screen().size().1.get());
        let rows = rows.skip(self.banner).map(|row| row.trim_end().to_owned());
        let mut rows: Vec<_> = rows.collect();
        let empty = rows.iter().rev().take_while(|row| row.is_empty()).count();
        rows.truncate(rows.len() - empty);
        rows
    }

    /// The row below the banner, and the column.
    fn cursor(&self) -> (usize, usize) {
        let (row, column) = self.screen().cursor_position();
        (usize::from(row).saturating_sub(self.banner), column.into())
    }
}

/// A shell in a terminal of its own.
struct Terminal {
    shown: Arc<(Mutex<Shown>, Condvar)>,
    keyboard: Box<dyn Write + Send>,
    screen: Box<dyn MasterPty + Send>,
    shell: Box<dyn Child + Send + Sync>,
    state: Arc<TempDir>,
}

impl Terminal {
    /// A new shell at its first prompt, with a history of its own.
    #[track_caller]
    fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &new_state())
    }

    /// A new shell at its first prompt that keeps its history in `state`.
    #[track_caller]
    fn start_with(arguments: &[&str], state: &Arc<TempDir>) -> Self {
        let terminal = Self::spawn(arguments, "xterm-256color", state);
        terminal.wait_for_prompt();
        terminal
    }

    /// A new shell at its first prompt, in a terminal of this size.
    #[track_caller]
    fn start_sized(arguments: &[&str], rows: u16, columns: u16) -> Self {
        let size = (rows, columns);
        let terminal = Self::spawn_sized(arguments, "xterm-256color", &new_state(), size);
        terminal.wait_for_prompt();
        terminal
    }

    /// Waits for the first prompt, and takes what stands above it for the banner.
    #[track_caller]
    fn wait_for_prompt(&self) {
        self.wait_for(|shown| {
            let rows = shown.rows();
            rows.last().is_some_and(|row| row.ends_with(" 0 keys>"))
        });
        let banner = self.shown().rows().len() - 1;
        self.shown().banner = banner;
    }

    fn spawn(arguments: &[&str], term: &str, state: &Arc<TempDir>) -> Self {
        Self::spawn_sized(arguments, term, state, (ROWS, COLUMNS))
    }

    fn spawn_sized(
        arguments: &[&str],
        term: &str,
        state: &Arc<TempDir>,
        (rows, columns): (u16, u16),
    ) -> Self {
        let size = PtySize {
            rows,
            cols: columns,
            ..PtySize::default()
        };
        let pty = native_pty_system().openpty(size).expect("a new terminal");
        let command = command(arguments, term, state);
        let shell = pty.slave.spawn_command(command).expect("the shell starts");
        let output = pty.master.try_clone_reader().expect("a way to read");
        Self {
            shown: follow(output, (rows, columns)),
            keyboard: pty.master.take_writer().expect("a way to write"),
            screen: pty.master,
            shell,
            state: Arc::clone(state),
        }
    }

    fn type_text(&mut self, text: &str) {
        self.type_bytes(text.as_bytes());
    }

    fn type_bytes(&mut self, bytes: &[u8]) {
        self.keyboard
            .write_all(bytes)
            .expect("the terminal takes keys");
    }

    fn press(&mut self, key: Key) {
        self.type_text(key.code());
    }

    fn enter(&mut self, line: &str) {
        self.type_text(line);
        self.press(Key::Enter);
    }

    /// Pastes as a terminal does that was asked to mark what is pasted.
    fn paste(&mut self, text: &str) {
        assert!(self.shown().screen().bracketed_paste());
        self.type_text(&format!("\x1b[200~{text}\x1b[201~"));
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until what is shown satisfies `wanted`.
    #[track_caller]
    fn wait_for(&self, wanted: impl Fn(&Shown) -> bool) {
        let until = Instant::now() + PATIENCE;
        let mut shown = self.shown();
        while !wanted(&shown) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "the screen is not as it should be:\n{}\ncursor: {:?}, ended: {}",
                shown.screen().contents(),
                shown.screen().cursor_position(),
                shown.ended,
            );
            let woken = self.shown.1.wait_timeout(shown, left);
            shown = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until exactly these rows stand below the banner.
    #[track_caller]
    fn wait_for_rows(&self, rows: &[&str]) {
        self.wait_for(|shown| shown.rows() == rows);
    }

    /// Waits until these rows are the last ones on the screen.
    #[track_caller]
    fn wait_for_end(&self, rows: &[&str]) {
        self.wait_for(|shown| {
            let shown = shown.rows();
            let start = shown.len().saturating_sub(rows.len());
            shown.get(start..).is_some_and(|end| end == rows)
        });
    }

    /// Waits until the shell has left, and answers its exit status.
    #[track_caller]
    fn exit_status(&mut self) -> u32 {
        self.wait_for(|shown| shown.ended);
        self.shell.wait().expect("it has ended").exit_code()
    }

    fn history(&self) -> PathBuf {
        self.state.path().join("shardlab/history")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if !matches!(self.shell.try_wait(), Ok(Some(_))) {
            // It may be leaving just now.
            let _ = self.shell.kill();
            let _ = self.shell.wait();
        }
    }
}

fn new_state() -> Arc<TempDir> {
    Arc::new(TempDir::new().expect("a temporary folder"))
}

fn command(arguments: &[&str], term: &str, state: &TempDir) -> CommandBuilder {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_shardlab"));
    command.args(arguments);
    command.cwd(state.path());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM"] {
        command.env_remove(name);
    }
    for name in ["LC_ALL", "LC_CTYPE", "LINES", "COLUMNS"] {
        command.env_remove(name);
    }
    command.env("TERM", term);
    command.env("LANG", "C.UTF-8");
    command.env("HOME", state.path());
    command.env("XDG_STATE_HOME", state.path());
    command
}

/// Shows what comes out of the program, from a thread of its own.
fn follow(
    mut output: Box<dyn Read + Send>,
    (rows, columns): (u16, u16),
) -> Arc<(Mutex<Shown>, Condvar)> {
    let size = |count| NonZeroU16::new(count).expect("a screen has a size");
    let shown = Shown {
        parser: Parser::new(size(rows), size(columns), 0),
        raw: String::new(),
        banner: 0,
        ended: false,
    };
    let shown = Arc::new((Mutex::new(shown), Condvar::new()));
    let shared = Arc::clone(&shown);
    thread::spawn(move || {
        let mut piece = [0; 4096];
        loop {
            let read = output.read(&mut piece).unwrap_or(0);
            let read = piece.get(..read).unwrap_or_default();
            let mut shown = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
            shown.parser.process(read);
            shown.raw += &String::from_utf8_lossy(read);
            shown.ended = read.is_empty();
            shared.1.notify_all();
            if shown.ended {
                return;
            }
        }
    });
    shown
}

#[test]
fn a_banner_says_what_was_started_and_how_to_get_help() {
    let terminal = Terminal::start(&[]);
    let screen = terminal.shown().screen().contents();
    assert!(screen.starts_with("shardlab "), "{screen}");
    let cluster = "3 nodes, modulo placement, real clock";
    assert!(screen.contains(cluster), "{screen}");
    assert!(screen.contains("HELP"), "{screen}");
}

#[test]
fn the_prompt_shows_the_clusters_state() {
    let mut terminal = Terminal::start(&[]);
    terminal.enter("PUT apple red");
    terminal.wait_for_rows(&["3 nodes, 0 keys> PUT apple red", "OK", "3 nodes, 1 key>"]);
    terminal.wait_for(|shown| shown.cursor() == (2, "3 nodes, 1 key> ".len()));
    terminal.enter("GET apple");
    terminal.wait_for_rows(&[
        "3 nodes, 0 keys> PUT apple red",
        "OK",
        "3 nodes, 1 key> GET apple",
        "apple -> red",
        "3 nodes, 1 key>",
    ]);
}

#[test]
fn the_prompt_shows_what_is_wrong_and_a_crashed_node_in_red() {
    let mut terminal = Terminal::start(&["--replicas", "3", "--color", "always"]);
    terminal.enter("CRASH 2");
    terminal.wait_for_end(&["OK", "3 nodes (node 2 crashed), 0 keys>"]);
    assert!(terminal.shown().raw.contains("31mnode 2 crashed"));
    terminal.enter("PAUSE 0");
    terminal.wait_for_end(&["OK", "3 nodes (node 2 crashed, node 0 paused), 0 keys>"]);
    terminal.enter("RESTART 2 cold");
    terminal.wait_for_end(&["OK", "3 nodes (node 0 paused), 0 keys>"]);
    terminal.enter("RESUME 0");
    terminal.wait_for_end(&["OK", "3 nodes, 0 keys>"]);
    terminal.enter("ISOLATE 1");
    terminal.wait_for_end(&["OK", "3 nodes (1 fault), 0 keys>"]);
    terminal.enter("FAULTS");
    terminal.wait_for_end(&["ISOLATE 1", "3 nodes (1 fault), 0 keys>"]);
    terminal.enter("HEAL");
    terminal.wait_for_end(&["OK", "3 nodes, 0 keys>"]);
    terminal.enter("FAULTS");
    terminal.wait_for_end(&["no faults", "3 nodes, 0 keys>"]);
}

#[test]
fn ctrl_c_ends_the_wait_for_an_answer() {
    let mut terminal = Terminal::start(&["--replicas", "3"]);
    // The notice says that the second PUT has begun to wait.
    terminal.paste("PUT x y 300ms\nSLOW 0 60s\nSLOW 1 60s\nSLOW 2 60s\nPUT apple red");
    terminal.press(Key::Enter);
    terminal.wait_for_end(&["Server 2 expired key: x"]);
    terminal.press(Key::CtrlC);
    let prompt = "3 nodes (3 faults), 0 keys>";
    terminal.wait_for_end(&["interrupted: it may or may not have been done", prompt]);
    terminal.enter("HISTORY 1");
    terminal.wait_for(|shown| {
        let rows = shown.rows();
        rows.iter()
            .any(|row| row.ends_with("PUT apple red  unknown"))
    });
}

#[test]
fn tab_completes_nodes_and_ways_to_restart() {
    let mut terminal = Terminal::start(&[]);
    terminal.type_text("RESTART 1 h");
    terminal.press(Key::Tab);
    terminal.wait_for_end(&["3 nodes, 0 keys> RESTART 1 hints"]);
}

#[test]
fn a_hint_shows_the_words_still_missing() {
    let mut terminal = Terminal::start(&[]);
    terminal.type_text("PUT ban");
    terminal.wait_for_rows(&["3 nodes, 0 keys> PUT ban value [ttl]"]);
    let cursor = terminal.shown().cursor();
    assert_eq!(cursor, (0, "3 nodes, 0 keys> PUT ban".len()));
    terminal.enter("ana yellow");
    terminal.wait_for_rows(&[
        "3 nodes, 0 keys> PUT banana yellow",
        "OK",
        "3 nodes, 1 key>",
    ]);
}

#[test]
fn without_colour_there_is_no_hint() {
    let mut terminal = Terminal::start(&["--color", "never"]);
    terminal.type_text("PUT ban");
    terminal.wait_for_rows(&["3 nodes, 0 keys> PUT ban"]);
    terminal.enter("ana yellow");
    terminal.wait_for_end(&["OK", "3 nodes, 1 key>"]);
    let shown = terminal.shown();
    assert!(!shown.raw.contains("[ttl]"), "{:?}", shown.raw);
}

#[test]
fn tab_completes_a_command() {
    let mut terminal = Terminal::start(&["--color", "never"]);
    terminal.type_text("pu");
    terminal.press(Key::Tab);
    terminal.type_text("apple red");
    terminal.wait_for_rows(&["3 nodes, 0 keys> PUT apple red"]);
}

#[test]
fn tab_completes_a_key_that_was_typed_before() {
    let mut terminal = Terminal::start(&[]);
    terminal.enter("PUT apple red");
    terminal.wait_for_end(&["3 nodes, 1 key>"]);
    terminal.type_text("GET ap");
    terminal.press(Key::Tab);
    terminal.wait_for_end(&["3 nodes, 1 key> GET apple"]);
    terminal.press(Key::Enter);
    terminal.wait_for_end(&["apple -> red", "3 nodes, 1 key>"]);
}

#[test]
fn an_expiry_is_told_above_a_half_typed_line_when_it_is_due() {
    let mut terminal = Terminal::start(&[]);
    let put = Instant::now();
    terminal.enter("PUT x y 1s");
    terminal.wait_for_end(&["OK", "3 nodes, 1 key>"]);
    terminal.type_text("PUT half");
    terminal.wait_for_end(&["OK", "3 nodes, 1 key> PUT half value [ttl]"]);
    terminal.wait_for(|shown| shown.raw.contains("expired key: x"));
    let waited = put.elapsed();
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    terminal.wait_for(|shown| {
        let half_typed = |row: &String| row.ends_with("> PUT half value [ttl]");
        shown.rows().get(3).is_some_and(half_typed)
    });
    let rows = terminal.shown().rows();
    let above = [
        "3 nodes, 0 keys> PUT x y 1s",
        "OK",
        "Server 0 expired key: x",
    ];
    assert_eq!(rows[..3], above);
    assert_eq!(rows.len(), 4, "{rows:?}");
    terminal.enter("way there");
    terminal.wait_for_end(&["OK", "3 nodes, 1 key>"]);
    terminal.enter("MGET x halfway");
    terminal.wait_for_end(&["x -> null", "halfway -> there", "3 nodes, 1 key>"]);
}

#[test]
fn ctrl_c_clears_a_half_typed_line_with_its_hint() {
    let mut terminal = Terminal::start(&[]);
    terminal.type_text("PUT ban");
    terminal.wait_for_rows(&["3 nodes, 0 keys> PUT ban value [ttl]"]);
    terminal.press(Key::CtrlC);
    terminal.wait_for_rows(&[PROMPT]);
    terminal.enter("GET apple");
    terminal.wait_for_rows(&["3 nodes, 0 keys> GET apple", "apple -> null", PROMPT]);
}

#[test]
fn ctrl_c_on_an_empty_line_goes_on() {
    let mut terminal = Terminal::start(&[]);
    terminal.press(Key::CtrlC);
    terminal.wait_for_rows(&[PROMPT, PROMPT]);
    terminal.enter("GET apple");
    terminal.wait_for_end(&["apple -> null", PROMPT]);
}

#[test]
fn ctrl_c_ends_sleep() {
    let mut terminal = Terminal::start(&[]);
    // The notice says that SLEEP has begun.
    terminal.paste("PUT x y 300ms\nSLEEP 1h");
    terminal.press(Key::Enter);
    terminal.wait_for_end(&["OK", "Server 0 expired key: x"]);
    terminal.press(Key::CtrlC);
    terminal.wait_for_end(&["interrupted", PROMPT]);
    terminal.enter("GET apple");
    terminal.wait_for_end(&["apple -> null", PROMPT]);
}

#[test]
fn ctrl_c_right_behind_enter_is_not_lost() {
    let mut terminal = Terminal::start(&[]);
    for time in 1..=30 {
        terminal.enter("SLEEP 1h");
        // The line has been taken, and the terminal has been handed back.
        terminal.wait_for(|shown| !shown.screen().bracketed_paste() && shown.cursor().1 == 0);
        terminal.press(Key::CtrlC);
        terminal.wait_for(|shown| shown.raw.matches("interrupted").count() == time);
        terminal.wait_for_end(&["interrupted", PROMPT]);
    }
}

#[test]
fn a_line_typed_during_sleep_runs_afterwards() {
    let mut terminal = Terminal::start(&[]);
    terminal.enter("SLEEP 300ms");
    terminal.wait_for(|shown| !shown.screen().bracketed_paste());
    terminal.enter("GET apple");
    terminal.wait_for_end(&["3 nodes, 0 keys> GET apple", "apple -> null", PROMPT]);
}

#[test]
fn bytes_that_are_not_text_do_not_end_the_shell() {
    let mut terminal = Terminal::start(&[]);
    terminal.enter("PUT apple red");
    terminal.wait_for_end(&["OK", "3 nodes, 1 key>"]);
    terminal.type_bytes(b"PUT banana \xff\xfe");
    terminal.wait_for(|shown| {
        let prompt = |row: &String| row == "3 nodes, 1 key>";
        shown.cursor().0 > 2 && shown.rows().last().is_some_and(prompt)
    });
    terminal.enter("GET apple");
    terminal.wait_for_end(&["apple -> red", "3 nodes, 1 key>"]);
}

#[test]
fn lines_of_a_file_are_not_acknowledged() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "PUT apple red\nPUT pear green\nGET pear\n").expect("written");
    let mut terminal = Terminal::start(&[]);
    let source = format!("SOURCE {}", file.path().display());
    terminal.enter(&source);
    let typed = format!("3 nodes, 0 keys> {source}");
    terminal.wait_for_end(&[&typed, "pear -> green", "OK", "3 nodes, 2 keys>"]);
}

#[test]
fn watch_redraws_in_place_and_leaves_only_its_last_frame() {
    let mut terminal = Terminal::start(&[]);
    terminal.enter("WATCH 10ms SIZE");
    terminal.wait_for(|shown| shown.raw.matches("0 keys\r\n").count() > 5);
    // A key that is pressed meanwhile does not show.
    terminal.type_text(" ");
    terminal.press(Key::CtrlC);
    terminal.wait_for_rows(&["3 nodes, 0 keys> WATCH 10ms SIZE", "0 keys", PROMPT]);
    terminal.enter("GET apple");
    terminal.wait_for_end(&["apple -> null", PROMPT]);
}

#[test]
fn watch_goes_on_when_the_command_fails() {
    let mut terminal = Terminal::start(&[]);
    terminal.enter("CRASH 1");
    let prompt = "3 nodes (node 1 crashed), 0 keys>";
    terminal.wait_for_end(&["OK", prompt]);
    terminal.enter("WATCH 10ms GET a");
    let error = "error: GET a: its owner, node 1, is down: the value is unknown";
    let drawn = |shown: &Shown| {
        shown
            .raw
            .matches(" GET a: its owner, node 1, is down")
            .count()
    };
    terminal.wait_for(|shown| drawn(shown) > 3);
    terminal.press(Key::CtrlC);
    let typed = format!("{prompt} WATCH 10ms GET a");
    terminal.wait_for_end(&[prompt]);
    terminal.wait_for(|shown| shown.rows()[2..] == [&*typed, error, prompt]);
}

#[test]
fn notices_stand_above_what_watch_draws() {
    let mut terminal = Terminal::start(&[]);
    terminal.paste("PUT x y 300ms\nWATCH 100ms SIZE");
    terminal.press(Key::Enter);
    terminal.wait_for_end(&["OK", "Server 0 expired key: x", "0 keys"]);
    terminal.press(Key::CtrlC);
    terminal.wait_for_end(&["OK", "Server 0 expired key: x", "0 keys", PROMPT]);
}

#[test]
fn on_the_virtual_clock_watch_takes_its_time() {
    let started = Instant::now();
    let mut terminal = Terminal::start(&["--clock", "virtual"]);
    terminal.enter("WATCH 100ms TIME");
    terminal.wait_for_end(&["3 nodes, 0 keys> WATCH 100ms TIME", "500ms"]);
    terminal.press(Key::CtrlC);
    terminal.wait_for_end(&[PROMPT]);
    assert!(started.elapsed() >= Duration::from_millis(500));
}

#[test]
fn what_watch_shows_is_cut_to_the_screen() {
    let mut terminal = Terminal::start_sized(&[], 10, 60);
    terminal.shown().banner = 0;
    terminal.enter("WATCH 50ms HELP");
    terminal.wait_for(|shown| {
        let rows = shown.rows();
        rows.len() >= 9
            && rows
                .iter()
                .any(|row| row.starts_with("... ") && row.ends_with(" more lines"))
    });
    terminal.press(Key::CtrlC);
    terminal.wait_for(|shown| shown.rows().last().is_some_and(|row| row == PROMPT));
    let rows = terminal.shown().rows();
    assert!(rows[rows.len() - 2].ends_with(" more lines"), "{rows:?}");
}

/// Waits until the command that was entered has its output, and answers whether any row is wrapped.
#[track_caller]
fn wraps_a_row(terminal: &mut Terminal, line: &str, columns: usize) -> bool {
    terminal.press(Key::CtrlL);
    terminal.wait_for(|shown| shown.rows().len() <= 1);
    terminal.enter(line);
    terminal.wait_for(|shown| {
        let rows = shown.rows();
        rows.len() > 1 && rows.last().is_some_and(|row| row.ends_with("keys>"))
    });
    let shown = terminal.shown();
    let typed = format!("{PROMPT} {line}").len().div_ceil(columns);
    let rows = shown.screen().size().0.get();
    (u16::try_from(typed).expect("few")..rows).any(|row| shown.screen().row_wrapped(row))
}

#[test]
fn views_fit_narrow_terminals() {
    for columns in [80, 40] {
        for format in ["plain", "table"] {
            let arguments = ["--format", format, "--replicas", "3"];
            let mut terminal = Terminal::start_sized(&arguments, 60, columns);
            let lines = [
                "MSET apple red banana yellow 'a key with quite a long name' value",
                "REPEAT 1000 MGET apple banana 'a key with quite a long name'",
                "CRASH 2",
                "PUT apple green",
                "RESTART 2 stale",
                "GET apple",
                "REPEAT 9 PAUSE 0",
                "RESUME 0",
            ];
            terminal.paste(&lines.join("\n"));
            terminal.press(Key::Enter);
            terminal.wait_for(|shown| {
                shown
                    .rows()
                    .last()
                    .is_some_and(|row| row == "3 nodes, 3 keys>")
            });
            terminal.shown().banner = 0;
            for line in [
                "NODES",
                "STATS",
                "HOT",
                "EVENTS",
                "CHECK",
                "HISTORY",
                "HELP @data",
                "LOAD zipf REQUESTS 1000",
            ] {
                let wraps = wraps_a_row(&mut terminal, line, columns.into());
                let screen = terminal.shown().screen().contents();
                assert!(!wraps, "{line} in {columns} columns, {format}:\n{screen}");
            }
        }
    }
}

#[test]
fn help_fits_a_screen() {
    let mut terminal = Terminal::start_sized(&[], 24, 80);
    terminal.enter("HELP");
    terminal.wait_for(|shown| shown.raw.contains("1h 30m"));
    terminal.wait_for_end(&[PROMPT]);
    terminal.shown().banner = 0;
    let rows = terminal.shown().rows();
    for group in [
        "@data ",
        "@time ",
        "@cluster ",
        "@faults ",
        "@seeing ",
        "@script ",
    ] {
        assert!(
            rows.iter().any(|row| row.starts_with(group)),
            "{group}: {rows:?}"
        );
    }
}

/// A file with as many keys as a person cannot read in time.
fn many_keys(count: u32, ttl: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let lines: String = (0..count)
        .map(|key| format!("PUT k{key} v {ttl}\n"))
        .collect();
    fs::write(file.path(), lines).expect("written");
    file
}

#[test]
fn many_notices_are_counted_and_notices_off_silences_them() {
    let mut terminal = Terminal::start(&["--clock", "virtual"]);
    let file = many_keys(3000, "1h");
    let source = format!("SOURCE {}", file.path().display());
    let prompt = "3 nodes, 3000 keys>";
    for notices in ["3,000 keys expired on 3 servers", "OK"] {
        terminal.enter(&source);
        terminal.wait_for_end(&["OK", prompt]);
        terminal.enter("SLEEP 2h");
        let typed = format!("{prompt} SLEEP 2h");
        if notices == "OK" {
            terminal.wait_for_end(&[&typed, "OK", PROMPT]);
        } else {
            terminal.wait_for_end(&[&typed, notices, "OK", PROMPT]);
        }
        terminal.enter("NOTICES off");
        terminal.wait_for_end(&["OK", PROMPT]);
    }
    terminal.enter("NOTICES");
    terminal.wait_for_end(&["off", PROMPT]);
}

#[test]
fn clear_asks_before_it_removes_many_keys() {
    let mut terminal = Terminal::start(&[]);
    terminal.enter("PUT a 1");
    terminal.wait_for_end(&["OK", "3 nodes, 1 key>"]);
    terminal.enter("clear");
    terminal.wait_for_end(&["1 removed (Ctrl-L clears the screen)", PROMPT]);
    let file = many_keys(2000, "");
    terminal.enter(&format!("SOURCE {}", file.path().display()));
    let prompt = "3 nodes, 2000 keys>";
    terminal.wait_for_end(&["OK", prompt]);
    let question = "Remove all 2,000 keys? [y/N]";
    let refused = "Nothing was removed.";
    for answer in ["", "n", "CLEAR"] {
        terminal.enter("TRACE clear");
        terminal.wait_for_end(&[question]);
        terminal.enter(answer);
        terminal.wait_for_end(&[refused, prompt]);
    }
    terminal.enter("clear");
    terminal.wait_for_end(&[question]);
    terminal.press(Key::CtrlC);
    terminal.wait_for_end(&[refused, prompt]);
    terminal.enter("clear");
    terminal.wait_for_end(&[question]);
    terminal.enter("y");
    terminal.wait_for_end(&["2,000 removed (Ctrl-L clears the screen)", PROMPT]);
}

#[test]
fn the_prompt_counts_many_crashed_nodes_and_marks_a_count_of_moving_keys() {
    let mut terminal = Terminal::start(&["--nodes", "12"]);
    for node in 0..4 {
        terminal.enter(&format!("CRASH {node}"));
    }
    terminal.wait_for_end(&["OK", "12 nodes (4 crashed), 0 keys>"]);
    let rows = terminal.shown().rows();
    let two = "12 nodes (nodes 0, 1 crashed), 0 keys> CRASH 2";
    assert!(rows.contains(&two.to_owned()), "{rows:?}");
    terminal.enter("ISOLATE 11");
    terminal.wait_for_end(&["OK", "12 nodes (4 crashed, 1 fault), 0 keys>"]);
    let mut terminal = Terminal::start(&[]);
    terminal.paste("PUT apple red\nPUT grape purple\nISOLATE 2\nJOIN\nREPLICAS 2");
    terminal.press(Key::Enter);
    terminal.wait_for(|shown| {
        let prompt =
            |row: &String| row.contains(" (1 fault), ~") && row.ends_with(", move unfinished>");
        shown.rows().last().is_some_and(prompt)
    });
}

#[test]
fn ctrl_c_during_a_command_that_ends_gets_a_line_of_its_own() {
    let mut terminal = Terminal::start(&[]);
    terminal.paste("FILL 1000000\nSIZE");
    terminal.press(Key::Enter);
    terminal.wait_for(|shown| shown.cursor().1 == 0);
    // The editor gives the terminal back, and FILL begins.
    thread::sleep(Duration::from_millis(200));
    terminal.press(Key::CtrlC);
    terminal.wait_for_end(&["^C", "1000000 stored", "3 nodes, 1000000 keys>"]);
}

#[test]
fn a_long_prompt_is_short_on_a_narrow_terminal_and_lines_wrap_at_words() {
    let mut terminal = Terminal::start_sized(&[], 24, 40);
    terminal.enter("CRASH 1");
    terminal.wait_for_end(&["OK", ">"]);
    terminal.enter("WHERE apple");
    let place = ["apple -> node 2 (modulo, hash", "  0x10bc2abf, bucket 2)"];
    terminal.wait_for_end(&[place[0], place[1], ">"]);
    terminal.enter("INSPECT apple");
    terminal.wait_for_end(&["too narrow for: bytes, rank", ">"]);
}

#[test]
fn ctrl_c_ends_monitor() {
    let mut terminal = Terminal::start(&[]);
    terminal.enter("MONITOR");
    terminal.wait_for_end(&["OK", "3 nodes, 0 keys (monitor)>"]);
    terminal.press(Key::CtrlC);
    terminal.wait_for_end(&["monitoring ended", PROMPT]);
    terminal.enter("GET apple");
    terminal.wait_for_end(&["apple -> null", PROMPT]);
}

#[test]
fn ctrl_c_ends_a_workload_with_what_it_has_done_so_far() {
    let mut terminal = Terminal::start(&["--clock", "virtual"]);
    terminal.enter("LOAD uniform KEYS 10 REQUESTS 1000000000000");
    terminal.wait_for(|shown| shown.raw.contains(" requests, 100.0% hits"));
    terminal.press(Key::CtrlC);
    terminal.wait_for_end(&["3 nodes, 10 keys>"]);
    {
        let shown = terminal.shown();
        let rows = shown.rows();
        let done = |row: &&String| row.contains(", interrupted, in ");
        assert!(rows.iter().any(|row| done(&row)), "{rows:?}");
        let progress = |row: &&String| row.contains("100.0% hits");
        assert_eq!(rows.iter().find(progress), None, "the progress is gone");
        let curve = rows.iter().rev().nth(1).expect("rows");
        assert!(curve.ends_with('█'), "{rows:?}");
    }
    terminal.enter("LOAD uniform KEYS 10 REQUESTS 10");
    terminal.wait_for(|shown| shown.raw.contains("uniform: 10 requests from request "));
    terminal.wait_for_end(&["3 nodes, 10 keys>"]);
}

#[test]
fn ctrl_c_ends_simulate_with_what_it_has_seen_so_far() {
    let arguments = ["simulate", "--seeds", "100000000"];
    let mut terminal = Terminal::spawn(&arguments, "xterm-256color", &new_state());
    terminal.wait_for(|shown| shown.raw.contains(" of 100000000 seeds, "));
    terminal.press(Key::CtrlC);
    assert_eq!(terminal.exit_status(), 130);
    let shown = terminal.shown();
    let rows = shown.rows();
    assert!(rows[0].contains(" runs, "), "{rows:?}");
    let last = rows.last().expect("rows");
    assert!(last.starts_with("interrupted: "), "{rows:?}");
    assert!(last.ends_with(" of 100000000 seeds are done"), "{rows:?}");
    let progress = |row: &&String| row.contains(" seeds, ");
    assert_eq!(rows.iter().find(progress), None, "the progress is gone");
    assert_eq!(shown.cursor(), (rows.len(), 0));
    assert!(!shown.screen().hide_cursor());
}

#[test]
fn ctrl_d_on_an_empty_line_leaves() {
    let mut terminal = Terminal::start(&[]);
    terminal.press(Key::CtrlD);
    assert_eq!(terminal.exit_status(), 0);
    let shown = terminal.shown();
    assert!(
        !shown.screen().bracketed_paste(),
        "the terminal is as it was"
    );
    assert_eq!(shown.cursor(), (1, 0));
}

#[test]
fn beside_servers_ctrl_d_ends_the_prompt_only() {
    let mut terminal = Terminal::spawn(&["serve", "--port", "0"], "xterm-256color", &new_state());
    terminal.wait_for(|shown| shown.rows().iter().any(|row| row.starts_with("3 nodes")));
    terminal.press(Key::CtrlD);
    terminal.wait_for(|shown| {
        let says = "The servers go on. Ctrl-C ends them.";
        shown.rows().iter().any(|row| row == says)
    });
    terminal.press(Key::CtrlC);
    assert_eq!(terminal.exit_status(), 0);
}

#[test]
fn quit_leaves() {
    let mut terminal = Terminal::start(&[]);
    terminal.enter("QUIT");
    assert_eq!(terminal.exit_status(), 0);
}

#[test]
fn all_lines_of_a_marked_paste_run() {
    let mut terminal = Terminal::start(&[]);
    terminal.paste("PUT apple red\nPUT banana yellow\nMGET apple banana");
    terminal.press(Key::Enter);
    terminal.wait_for_end(&[
        "OK",
        "OK",
        "apple -> red",
        "banana -> yellow",
        "3 nodes, 2 keys>",
    ]);
}

#[test]
fn all_lines_of_an_unmarked_paste_run() {
    for end in ["\r", "\n"] {
        let mut terminal = Terminal::start(&[]);
        let lines = [
            "PUT apple red",
            "PUT banana yellow",
            "MGET apple banana",
            "",
        ];
        terminal.type_text(&lines.join(end));
        terminal.wait_for_end(&["apple -> red", "banana -> yellow", "3 nodes, 2 keys>"]);
    }
}

/// Enters a line that is wrong, and answers what the screen then shows.
#[track_caller]
fn complain(terminal: &mut Terminal, line: &str) -> Vec<String> {
    terminal.enter(line);
    terminal.wait_for(|shown| {
        let rows = shown.rows();
        rows.len() > 3 && rows.last().is_some_and(|row| row == PROMPT)
    });
    terminal.shown().rows()
}

#[test]
fn a_caret_stands_under_the_word_that_is_wrong() {
    let mut terminal = Terminal::start(&[]);
    let rows = complain(&mut terminal, "PUT apple red 1.5");
    assert_eq!(rows[0], "3 nodes, 0 keys> PUT apple red 1.5");
    assert_eq!(rows[1], "                               ^^^");
    assert!(rows[2].starts_with("error: 1.5 is not a time"), "{rows:?}");
}

#[test]
fn a_caret_stands_under_the_word_inside_other_commands() {
    for outer in [
        "TRACE",
        "REPEAT 3",
        "TRACE REPEAT 2",
        "VIA 1",
        "CLIENT 2",
        "CLIENT 2 VIA 1",
    ] {
        let mut terminal = Terminal::start(&[]);
        let rows = complain(&mut terminal, &format!("{outer} GTE x"));
        let before = format!("{PROMPT} {outer} ").len();
        assert_eq!(rows[1], " ".repeat(before) + "^^^", "{rows:?}");
        assert!(rows[2].contains("did you mean GET?"), "{rows:?}");
    }
}

#[test]
fn watch_fails_at_once_if_its_command_cannot_be_parsed() {
    let mut terminal = Terminal::start(&[]);
    terminal.enter("WATCH 50ms PUT a b 1.5");
    terminal.wait_for(|shown| {
        shown.rows().len() > 3 && shown.rows().last().is_some_and(|row| row == PROMPT)
    });
    let rows = terminal.shown().rows();
    assert_eq!(rows[1], " ".repeat(36) + "^^^");
    assert!(rows[2].starts_with("error: 1.5 is not a time"), "{rows:?}");
    terminal.enter("WATCH GTE");
    terminal.wait_for_end(&["error: unknown command GTE; did you mean GET?", PROMPT]);
}

#[test]
fn of_a_line_that_is_too_long_the_part_with_the_caret_is_shown() {
    let mut terminal = Terminal::start_sized(&[], 24, 40);
    terminal.enter("PUT apple 'a value of some length' 1.5");
    terminal.wait_for(|shown| {
        let rows = shown.rows();
        let line = rows
            .iter()
            .position(|row| row == "  PUT apple 'a value of some length' 1.5");
        let caret = line.and_then(|line| rows.get(line + 1));
        caret.is_some_and(|row| *row == " ".repeat(37) + "^^^")
    });
}

#[test]
fn a_near_miss_of_a_command_is_pointed_at_with_a_suggestion() {
    let mut terminal = Terminal::start(&[]);
    let rows = complain(&mut terminal, "GTE apple");
    assert_eq!(rows[1], "                 ^^^");
    assert!(rows[2].contains("did you mean GET?"), "{rows:?}");
}

#[test]
fn what_is_typed_is_kept_in_a_file_for_nobody_else() {
    let mut terminal = Terminal::start(&[]);
    terminal.enter("PUT apple red");
    terminal.wait_for_end(&["3 nodes, 1 key>"]);
    terminal.enter(" PUT secret word");
    terminal.wait_for_end(&["3 nodes, 2 keys>"]);
    let history = fs::read_to_string(terminal.history()).expect("there is a history");
    assert!(
        history.lines().any(|line| line == "PUT apple red"),
        "{history}"
    );
    assert!(!history.contains("secret"), "{history}");
    let metadata = fs::metadata(terminal.history()).expect("there is a history");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_up_arrow_recalls_the_last_line() {
    let mut terminal = Terminal::start(&[]);
    terminal.enter("PUT apple red");
    terminal.wait_for_end(&["3 nodes, 1 key>"]);
    terminal.enter(" GET apple");
    terminal.wait_for_end(&["apple -> red", "3 nodes, 1 key>"]);
    terminal.press(Key::Up);
    terminal.wait_for_end(&["apple -> red", "3 nodes, 1 key> PUT apple red [ttl]"]);
    terminal.press(Key::Enter);
    terminal.wait_for_end(&["3 nodes, 1 key> PUT apple red", "OK", "3 nodes, 1 key>"]);
}

#[test]
fn without_history_no_file_is_made() {
    let mut terminal = Terminal::start(&["--no-history"]);
    terminal.enter("PUT apple red");
    terminal.wait_for_end(&["OK", "3 nodes, 1 key>"]);
    terminal.press(Key::CtrlD);
    assert_eq!(terminal.exit_status(), 0);
    let files = fs::read_dir(terminal.state.path()).expect("the folder is there");
    assert_eq!(files.count(), 0);
}

#[test]
fn a_second_shell_recalls_the_lines_of_the_first() {
    let mut first = Terminal::start(&[]);
    first.enter("PUT apple red");
    first.wait_for_end(&["OK", "3 nodes, 1 key>"]);
    let mut second = Terminal::start_with(&[], &first.state);
    second.press(Key::Up);
    second.wait_for_rows(&["3 nodes, 0 keys> PUT apple red [ttl]"]);
}

#[test]
fn two_shells_at_once_keep_the_lines_of_both() {
    let mut first = Terminal::start(&[]);
    let mut second = Terminal::start_with(&[], &first.state);
    let lines = ["PUT a 1", "PUT b 2", "PUT c 3", "PUT d 4"];
    for (done, pair) in lines.chunks_exact(2).enumerate() {
        let prompt = format!("{}>", ["3 nodes, 1 key", "3 nodes, 2 keys"][done]);
        first.enter(pair[0]);
        first.wait_for_end(&["OK", &prompt]);
        second.enter(pair[1]);
        second.wait_for_end(&["OK", &prompt]);
    }
    let history = fs::read_to_string(first.history()).expect("there is a history");
    let kept: Vec<_> = history
        .lines()
        .filter(|line| line.starts_with("PUT"))
        .collect();
    assert_eq!(kept, lines);
}

#[test]
fn an_escape_sequence_in_a_key_or_a_value_never_reaches_the_terminal() {
    let mut terminal = Terminal::start(&["--color", "never"]);
    terminal.enter(r#"PUT a "\x1b[31m\x07""#);
    terminal.wait_for_end(&["OK", "3 nodes, 1 key>"]);
    terminal.enter("GET a");
    terminal.wait_for_end(&[r#"a -> "\x1b[31m\x07""#, "3 nodes, 1 key>"]);
    // A key goes other ways as well: through its expiry, and through completion.
    terminal.enter(r#"PUT "\x1b[31m" b 1ms"#);
    terminal.wait_for(|shown| {
        let notice = |row: &String| row.ends_with(r#" expired key: "\x1b[31m""#);
        shown.rows().iter().any(notice)
    });
    terminal.wait_for(|shown| shown.rows().last().is_some_and(|row| row.ends_with('>')));
    terminal.type_text(r#"GET "\"#);
    terminal.press(Key::Tab);
    terminal.press(Key::Enter);
    terminal.wait_for_end(&[r#""\x1b[31m" -> null"#, "3 nodes, 1 key>"]);
    let shown = terminal.shown();
    assert!(!shown.raw.contains("\x1b[31m"), "{:?}", shown.raw);
    assert!(!shown.raw.contains('\x07'), "{:?}", shown.raw);
}

/// A new shell at the first prompt of a dumb terminal.
#[track_caller]
fn start_dumb() -> Terminal {
    let terminal = Terminal::spawn(&[], "dumb", &new_state());
    terminal.wait_for_prompt();
    terminal
}

#[test]
fn a_dumb_terminal_gets_a_plain_prompt() {
    let mut terminal = start_dumb();
    terminal.enter("PUT apple red");
    terminal.wait_for_rows(&["3 nodes, 0 keys> PUT apple red", "OK", "3 nodes, 1 key>"]);
    terminal.enter("GTE apple");
    terminal.wait_for_end(&[
        "  GTE apple",
        "  ^^^",
        "error: unknown command GTE; did you mean GET?",
        "3 nodes, 1 key>",
    ]);
    terminal.press(Key::CtrlD);
    assert_eq!(terminal.exit_status(), 0);
    let shown = terminal.shown();
    assert!(!shown.raw.contains('\x1b'), "{:?}", shown.raw);
    assert_eq!(shown.cursor().1, 0);
}

#[test]
fn at_a_dumb_terminal_notices_come_while_nothing_is_typed() {
    let mut terminal = start_dumb();
    terminal.enter("PUT x y 300ms");
    terminal.wait_for_end(&["Server 0 expired key: x", PROMPT]);
    terminal.enter("GET x");
    terminal.wait_for_end(&["x -> null", PROMPT]);
}

#[test]
fn at_a_dumb_terminal_ctrl_c_ends_waits_and_not_the_shell() {
    let mut terminal = start_dumb();
    terminal.press(Key::CtrlC);
    terminal.wait_for_rows(&["3 nodes, 0 keys> ^C", PROMPT]);
    terminal.enter("WATCH 10ms SIZE");
    terminal.wait_for(|shown| shown.raw.matches("0 keys\r\n").count() > 3);
    terminal.press(Key::CtrlC);
    terminal.wait_for(|shown| shown.rows().last().is_some_and(|row| row == PROMPT));
    // Ctrl-C makes a terminal forget a line that was not read yet; the notice comes when it was.
    terminal.enter("PUT apple red 500ms");
    terminal.enter("SLEEP 1h");
    terminal.wait_for(|shown| shown.raw.contains("expired key: apple"));
    terminal.press(Key::CtrlC);
    terminal.wait_for_end(&["interrupted", PROMPT]);
    terminal.enter("GET apple");
    terminal.wait_for_end(&["apple -> null", PROMPT]);
}

/// A line for each of 200 keys, of which one is due in each millisecond.
fn many_short_lives() -> Vec<String> {
    let line = |millis| format!("PUT k{millis} v {millis}ms");
    (1..=200).map(line).collect()
}

/// How many expiries the notices tell of.
fn expired(shown: &Shown) -> u64 {
    let counts = shown.raw.lines().filter_map(|line| {
        let (before, _) = line
            .split_once(" key expired on ")
            .or_else(|| line.split_once(" keys expired on "))?;
        let digits = before
            .rsplit(|char: char| char != ',' && !char.is_ascii_digit())
            .next()?;
        digits.replace(',', "").parse::<u64>().ok()
    });
    counts.sum::<u64>() + shown.raw.matches(" expired key: ").count() as u64
}

#[track_caller]
fn expect_all_expired(terminal: &mut Terminal) {
    terminal.wait_for(|shown| expired(shown) >= 200);
    terminal.wait_for(|shown| {
        shown
            .rows()
            .last()
            .is_some_and(|row| row.ends_with("keys>"))
    });
    terminal.enter("SIZE");
    terminal.wait_for_end(&["0 keys", PROMPT]);
    assert_eq!(expired(&terminal.shown()), 200);
    let lines = terminal.shown().raw.matches(" expired key: ").count();
    assert!(lines < 100, "{lines} lines, faster than a person reads");
}

#[test]
fn keys_that_expire_while_a_marked_paste_runs_do_not_freeze_the_shell() {
    let mut terminal = Terminal::start(&["--color", "never"]);
    terminal.paste(&many_short_lives().join("\n"));
    terminal.press(Key::Enter);
    expect_all_expired(&mut terminal);
}

#[test]
fn keys_that_expire_while_lines_are_typed_do_not_freeze_the_shell() {
    let mut terminal = Terminal::start(&["--color", "never"]);
    for line in many_short_lives() {
        terminal.enter(&line);
    }
    expect_all_expired(&mut terminal);
}

#[test]
fn a_line_survives_another_size_of_the_window() {
    let mut terminal = Terminal::start(&[]);
    terminal.type_text("PUT apple");
    terminal.wait_for_rows(&["3 nodes, 0 keys> PUT apple value [ttl]"]);
    let size = PtySize {
        rows: ROWS,
        cols: COLUMNS / 2,
        ..PtySize::default()
    };
    terminal
        .screen
        .resize(size)
        .expect("the terminal takes a size");
    terminal.enter(" red");
    terminal.wait_for_rows(&["3 nodes, 0 keys> PUT apple red", "OK", "3 nodes, 1 key>"]);
}

#[test]
fn the_right_arrow_completes_a_name_in_capitals() {
    let mut terminal = Terminal::start(&[]);
    terminal.type_text("pu");
    terminal.wait_for_rows(&["3 nodes, 0 keys> put key value [ttl]"]);
    terminal.press(Key::Right);
    terminal.wait_for_rows(&["3 nodes, 0 keys> PUT key value [ttl]"]);
    terminal.type_text("apple red");
    terminal.wait_for_rows(&["3 nodes, 0 keys> PUT apple red [ttl]"]);
}

#[test]
fn tab_completes_a_key_in_quotes() {
    let mut terminal = Terminal::start(&["--color", "never"]);
    terminal.enter("PUT 'an apple' red");
    terminal.wait_for_end(&["3 nodes, 1 key>"]);
    for typed in ["GET an", "GET 'an ", "GET \"an app"] {
        terminal.type_text(typed);
        terminal.press(Key::Tab);
        terminal.wait_for_end(&["3 nodes, 1 key> GET \"an apple\""]);
        terminal.press(Key::CtrlC);
        terminal.wait_for_end(&["3 nodes, 1 key>"]);
    }
}

#[test]
fn the_keys_of_a_script_are_completed_in_order() {
    let mut terminal = Terminal::start(&["--color", "never"]);
    let file = many_keys(20_000, "");
    terminal.enter(&format!("SOURCE {}", file.path().display()));
    let prompt = "3 nodes, 20000 keys>";
    terminal.wait_for_end(&["OK", prompt]);
    terminal.type_text("GET k123");
    terminal.press(Key::Tab);
    terminal.press(Key::Tab);
    terminal.wait_for(|shown| {
        let rows = shown.rows();
        let row = rows.iter().find(|row| row.starts_with("k123 "));
        row.is_some_and(|row| row.split_whitespace().is_sorted())
    });
}

#[test]
fn a_long_line_that_is_typed_is_not_drawn_again_at_each_key() {
    let mut terminal = Terminal::start(&[]);
    let line = format!("PUT k {}", "x".repeat(20_000));
    for piece in line.as_bytes().chunks(500) {
        terminal.type_bytes(piece);
    }
    terminal.press(Key::Enter);
    terminal.wait_for_end(&["OK", "3 nodes, 1 key>"]);
    let shown = terminal.shown().raw.len();
    assert!(shown < 8_000_000, "{shown} bytes for 20,000 keys");
}

#[test]
fn a_bad_byte_in_the_history_file_costs_one_line() {
    let state = new_state();
    let folder = state.path().join("shardlab");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("history"), b"#V2\nPUT a \xff\nGET first\n").expect("written");
    let mut terminal = Terminal::start_with(&[], &state);
    terminal.enter("GET second");
    terminal.wait_for_end(&["second -> null", PROMPT]);
    let history = fs::read(terminal.history()).expect("a history");
    assert!(history.ends_with(b"GET first\nGET second\n"), "{history:?}");
    let mut terminal = Terminal::start_with(&[], &state);
    terminal.press(Key::Up);
    terminal.press(Key::Up);
    terminal.wait_for_rows(&["3 nodes, 0 keys> GET first"]);
}

#[test]
fn a_history_that_cannot_be_written_is_reported_once() {
    let state = new_state();
    fs::write(state.path().join("shardlab"), "no folder").expect("written");
    let mut terminal = Terminal::start_with(&[], &state);
    for line in ["GET a", "GET b", "GET c"] {
        terminal.enter(line);
    }
    terminal.wait_for_end(&["c -> null", PROMPT]);
    let shown = terminal.shown();
    assert_eq!(
        shown.raw.matches("no history: cannot ").count(),
        1,
        "{}",
        shown.raw
    );
}

#[test]
fn sigterm_at_a_prompt_leaves_the_terminal_on_a_new_line() {
    let mut terminal = Terminal::start(&[]);
    terminal.type_text("PUT half");
    terminal.wait_for_rows(&["3 nodes, 0 keys> PUT half value [ttl]"]);
    let shell = terminal.shell.process_id().expect("it runs").to_string();
    let kill = Command::new("kill").args(["-TERM", &shell]).status();
    assert!(kill.expect("kill runs").success());
    terminal.wait_for(|shown| shown.ended);
    assert_ne!(terminal.exit_status(), 0);
    let shown = terminal.shown();
    assert_eq!(shown.rows(), ["3 nodes, 0 keys> PUT half"]);
    assert_eq!(shown.cursor(), (1, 0));
    assert!(!shown.screen().bracketed_paste());
}

#[test]
fn source_does_not_read_a_terminal() {
    let mut terminal = Terminal::start(&[]);
    terminal.enter("SOURCE /dev/tty");
    terminal.wait_for_end(&["error: /dev/tty is a terminal: type the commands", PROMPT]);
}

#[test]
fn ctrl_c_ends_the_wait_for_a_pipe() {
    let mut terminal = Terminal::start(&[]);
    let pipe = terminal.state.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    terminal.enter("SOURCE pipe");
    terminal.wait_for(|shown| !shown.screen().bracketed_paste() && shown.cursor().1 == 0);
    terminal.press(Key::CtrlC);
    terminal.wait_for_end(&["interrupted", PROMPT]);
}

/// The picture of the README, as the program draws its screen now. `UPDATE_GOLDENFILES=1` writes it.
#[test]
fn the_picture_in_the_readme_is_a_session() {
    const ENTERED: &[&str] = &[
        "PUT banana yellow",
        "CRASH 1",
        "PUT banana green",
        "GET banana",
        "RESTART 1",
        "PARTITION 0,1 | 2",
        "VIA 2 PUT banana brown",
        "HEAL",
        "GET banana",
        "CHECK",
    ];
    let options = ["--clock", "virtual", "--replicas", "3"];
    let quorums = ["--write-quorum", "2", "--read-quorum", "2"];
    let mut terminal = Terminal::start_sized(&[options, quorums].concat(), 24, 90);
    terminal.press(Key::CtrlL);
    terminal.shown().banner = 0;
    for (number, line) in ENTERED.iter().enumerate() {
        terminal.wait_for(|shown| shown.rows().last().is_some_and(|row| row.ends_with('>')));
        terminal.enter(line);
        terminal.wait_for(|shown| {
            let is_entered = |row: &&String| row.contains("keys> ") || row.contains("key> ");
            let entered = shown.rows().iter().filter(is_entered).count();
            entered > number && shown.rows().last().is_some_and(|row| row.ends_with('>'))
        });
    }
    terminal.type_text("SLEEP 2");
    terminal.wait_for(|shown| {
        shown
            .rows()
            .last()
            .is_some_and(|row| row.ends_with("SLEEP 2"))
    });
    let picture = svg(terminal.shown().screen());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/picture.svg");
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&path, &picture).expect("the picture can be written");
    }
    let recorded = fs::read_to_string(&path).expect("a picture");
    assert!(
        recorded == picture,
        "the session is another now:\n{picture}"
    );
}

/// A screen as an SVG picture: a text element for each run of characters of one style.
fn svg(screen: &Screen) -> String {
    const WIDTH: f32 = 7.2;
    const HEIGHT: f32 = 16.0;
    let (rows, columns) = screen.size();
    let (wide, high) = (
        f32::from(columns.get()) * WIDTH,
        f32::from(rows.get()) * HEIGHT,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-12 -12 {:.0} {:.0}\">\n\
         <style>text{{font:12px ui-monospace,Menlo,Consolas,'Liberation Mono',monospace;\
         white-space:pre}}</style>\n\
         <rect x=\"-12\" y=\"-12\" width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#161b22\"/>\n",
        wide + 24.0,
        high + 24.0
    );
    for row in 0..rows.get() {
        for (column, text, style) in runs(screen, row, columns.get()) {
            let x = f32::from(column) * WIDTH;
            let y = f32::from(row) * HEIGHT + 12.0;
            let long = text.chars().count() as f32 * WIDTH;
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            svg += &format!(
                "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{long:.1}\" {style}>{text}</text>\n"
            );
        }
    }
    svg + "</svg>\n"
}

/// The runs of one style in a row: where each begins, its text and its attributes.
fn runs(screen: &Screen, row: u16, columns: u16) -> Vec<(u16, String, String)> {
    let mut runs: Vec<(u16, String, String)> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else {
            continue;
        };
        let text = if cell.has_contents() {
            cell.contents()
        } else {
            " "
        };
        let style = style(cell);
        match runs.last_mut() {
            Some((_, run, last)) if *last == style => run.push_str(text),
            _ => runs.push((column, text.into(), style)),
        }
    }
    for run in &mut runs {
        run.1.truncate(run.1.trim_end().len());
    }
    runs.retain(|run| !run.1.is_empty());
    runs
}

fn style(cell: &vt100::Cell) -> String {
    let colour = match cell.fgcolor() {
        vt100::Color::Idx(1 | 9) => "#ff7b72",
        vt100::Color::Idx(2 | 10) => "#7ee787",
        vt100::Color::Idx(3 | 11) => "#e3b341",
        vt100::Color::Idx(4 | 12) => "#79c0ff",
        vt100::Color::Idx(5 | 13) => "#d2a8ff",
        vt100::Color::Idx(6 | 14) => "#56d4dd",
        vt100::Color::Idx(8) => "#8b949e",
        _ if cell.dim() => "#8b949e",
        _ => "#d1d7e0",
    };
    let weight = if cell.bold() {
        " font-weight=\"600\""
    } else {
        ""
    };
    format!("fill=\"{colour}\"{weight}")
}
