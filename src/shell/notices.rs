//! Notices at a terminal: a line for each key while they come slowly, counts where they come faster
//! than a person reads.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::event::{Event, EventKind};
use crate::render::{self, Format, Style};

/// The most lines in a window.
const LINES: usize = 10;
/// How long a window is, in real time.
const WINDOW: Duration = Duration::from_secs(1);

/// Holds notices back and counts them. In each window of a second it lets ten lines through, and one
/// count. Memory: ten events, and a number for each node.
#[derive(Default)]
pub struct Notices {
    /// When the present window started.
    window: Option<Instant>,
    /// The lines printed in the window.
    lines: usize,
    /// Whether the window has a count.
    has_count: bool,
    held: Vec<Event>,
    counts: Vec<Count>,
}

/// The events of one kind.
struct Count {
    kind: EventKind,
    keys: u64,
    nodes: BTreeSet<u32>,
}

impl Notices {
    /// Adds a notice.
    pub fn add(&mut self, event: &Event) {
        if self.held.len() < LINES {
            self.held.push(event.clone());
        }
        let known = self.counts.iter().position(|it| it.kind == event.kind);
        let index = known.unwrap_or_else(|| {
            self.counts.push(Count {
                kind: event.kind.clone(),
                keys: 0,
                nodes: BTreeSet::new(),
            });
            self.counts.len() - 1
        });
        if let Some(count) = self.counts.get_mut(index) {
            count.keys += 1;
            count.nodes.extend(event.node.map(|node| node.0));
        }
    }

    /// When the notices that are held back can be printed.
    pub fn due(&self) -> Option<Instant> {
        let window = self.window.filter(|_| !self.counts.is_empty());
        window.map(|start| start + WINDOW)
    }

    /// Appends those notices that can be printed at `now`.
    pub fn take(&mut self, now: Instant, style: Style, out: &mut Vec<u8>) {
        if self.counts.is_empty() {
            return;
        }
        if self.window.is_some_and(|start| now >= start + WINDOW) {
            (self.window, self.lines, self.has_count) = (None, 0, false);
        }
        let keys: u64 = self.counts.iter().map(|count| count.keys).sum();
        let fits = keys <= (LINES - self.lines) as u64;
        if !fits && self.has_count {
            return;
        }
        self.window.get_or_insert(now);
        if fits || keys == 1 {
            self.lines = LINES.min(self.lines + self.held.len());
            for event in &self.held {
                render::event(Format::Plain, style, event, out);
            }
        } else {
            self.lines = LINES;
            for count in &self.counts {
                render::condensed(style, &count.kind, count.keys, count.nodes.len(), out);
            }
        }
        self.has_count |= !fits;
        self.held.clear();
        self.counts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;

    fn expiry(number: usize) -> Event {
        Event {
            key: format!("k{number}").into_bytes().into(),
            deadline: Some(crate::time::Instant::START),
            ..Event::of_node(
                crate::time::Instant::START,
                NodeId(u32::try_from(number % 4).expect("a small number")),
                EventKind::Expired,
            )
        }
    }

    fn take(notices: &mut Notices, now: Instant) -> String {
        let mut out = Vec::new();
        notices.take(now, Style::default(), &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_few_are_lines_and_many_are_counted() {
        let (mut notices, start) = (Notices::default(), Instant::now());
        notices.add(&expiry(2));
        assert_eq!(take(&mut notices, start), "Server 2 expired key: k2\n");
        (0..28_571).for_each(|number| notices.add(&expiry(number)));
        let count = "28,571 keys expired on 4 servers\n";
        assert_eq!(take(&mut notices, start), count);
        assert_eq!(notices.due(), None);
        notices.add(&expiry(0));
        notices.add(&expiry(4));
        assert_eq!(take(&mut notices, start), "");
        let due = notices.due().expect("the end of the window");
        assert_eq!(due, start + WINDOW);
        let lines = "Server 0 expired key: k0\nServer 0 expired key: k4\n";
        assert_eq!(take(&mut notices, due), lines);
    }

    #[test]
    fn no_notice_is_lost_and_a_window_has_eleven_lines_at_most() {
        let (mut notices, start) = (Notices::default(), Instant::now());
        let mut told = 0;
        for window in 0..5 {
            let mut lines = 0;
            for number in 0..50 {
                notices.add(&expiry(number));
                let text = take(&mut notices, start + window * WINDOW);
                lines += text.lines().count();
                told += counted(&text);
            }
            assert!((1..=11).contains(&lines), "{lines}");
        }
        told += counted(&take(&mut notices, start + 5 * WINDOW));
        assert_eq!(told, 250);
    }

    fn counted(text: &str) -> u64 {
        let count = |line: &str| {
            let first = line.split(' ').next().unwrap_or_default();
            first.parse().unwrap_or(1)
        };
        text.lines().map(count).sum()
    }
}
