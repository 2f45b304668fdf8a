//! REPEAT and TRACE in JSON: each answers with one object, which has the objects of the commands
//! inside it.

use std::collections::VecDeque;

use super::{Place, Runner, Step};
use crate::language::catalog::Spec;
use crate::language::{Error, ErrorKind};
use crate::render::{self, Format, JsonText, LineOutcome};
use crate::reply::Reply;

/// The most objects that are kept.
const MAX_RESULTS: usize = 1000;
/// The most bytes that they take.
const MAX_BYTES: usize = 16 << 20;

/// The objects of the commands inside a command, the latest ones within a bound.
#[derive(Default)]
pub struct Collected {
    results: VecDeque<JsonText>,
    bytes: usize,
    /// How many older ones the bound has dropped.
    omitted: u64,
}

impl Collected {
    fn push(&mut self, object: JsonText) {
        self.bytes += object.len();
        self.results.push_back(object);
        while self.results.len() > MAX_RESULTS || self.bytes > MAX_BYTES {
            let dropped = self.results.pop_front();
            self.bytes -= dropped.map_or(0, |object| object.len());
            self.omitted += 1;
        }
    }
}

/// How the turns of a REPEAT have ended.
pub struct Turns {
    /// How many were run.
    pub count: u64,
    /// How many of them failed.
    pub failed: u64,
    pub end: Result<Step, Error>,
}

impl Runner {
    /// Prints the outcome of a line. Inside of REPEAT or TRACE its JSON object goes into theirs.
    #[inline]
    pub(super) fn put(&mut self, outcome: LineOutcome<'_>, style: render::Style) {
        if self.collected.is_empty() {
            render::outcome(self.manners.format, style, outcome, self.out.buffer());
            self.out.settle();
        } else {
            self.put_object(|out| render::outcome(Format::Json, style, outcome, out));
        }
    }

    fn put_object(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(collected) = self.collected.last_mut() else {
            write(self.out.buffer());
            return self.out.settle();
        };
        let mut line = Vec::new();
        write(&mut line);
        collected.push(JsonText::new(&line));
    }

    /// From now on the objects of commands are kept, if there are any.
    pub(super) fn start_collecting(&mut self) {
        if self.manners.format == Format::Json {
            self.collected.push(Collected::default());
        }
    }

    /// Answers a REPEAT with its one object. Returns how to go on.
    pub(super) fn put_repeated(
        &mut self,
        place: Place<'_>,
        spec: &'static Spec,
        turns: Turns,
    ) -> Result<Step, Error> {
        let Turns { count, failed, end } = turns;
        let Some(collected) = self.collected.pop() else {
            return end;
        };
        let line = place.of(spec);
        let results = collected.results.into();
        let omitted = collected.omitted;
        let repeated = render::Repeated {
            turns: count,
            failed,
            results,
            omitted,
            error: end.as_ref().err(),
        };
        self.put_object(|out| render::repeated(line, &repeated, out));
        match end {
            Ok(step) => Ok(step),
            Err(error) if error.kind == ErrorKind::Interrupted => {
                self.failures += 1;
                Ok(self.interrupt(&error.message))
            }
            Err(_) => {
                self.failures += 1;
                Ok(if self.manners.bail {
                    Step::Stop
                } else {
                    Step::Next
                })
            }
        }
    }

    /// Answers a TRACE with its one object. The objects of several commands inside it, as of SOURCE,
    /// come before it, except for the last one.
    pub(super) fn put_traced(&mut self, place: Place<'_>, spec: &'static Spec, path: &Reply<'_>) {
        let Some(mut collected) = self.collected.pop() else {
            return;
        };
        let reply = collected.results.pop_back();
        for object in collected.results {
            self.put_object(|out| object.write(out));
        }
        let line = place.of(spec);
        self.put_object(|out| render::traced(line, reply.as_ref(), path, out));
    }
}
