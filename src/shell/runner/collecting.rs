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

/// The objects of the commands inside a command.
pub enum Collected {
    /// Inside REPEAT: the latest ones within a bound, and how many older ones it has dropped.
    Turns {
        results: VecDeque<JsonText>,
        bytes: usize,
        omitted: u64,
    },
    /// Inside TRACE: the latest one. Those before it, as of SOURCE, go out as they come.
    Traced(Option<JsonText>),
}

impl Collected {
    pub fn turns() -> Self {
        Self::Turns {
            results: VecDeque::new(),
            bytes: 0,
            omitted: 0,
        }
    }

    /// Adds an object. Returns one that is to be printed before it.
    fn push(&mut self, object: JsonText) -> Option<JsonText> {
        let (results, bytes, omitted) = match self {
            Self::Traced(latest) => return latest.replace(object),
            Self::Turns {
                results,
                bytes,
                omitted,
            } => (results, bytes, omitted),
        };
        *bytes += object.len();
        results.push_back(object);
        while results.len() > MAX_RESULTS || *bytes > MAX_BYTES && results.len() > 1 {
            *bytes -= results.pop_front().map_or(0, |object| object.len());
            *omitted += 1;
        }
        None
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
        if self.collected.is_empty() {
            write(self.out.buffer());
            return self.out.settle();
        }
        let mut line = Vec::new();
        write(&mut line);
        let mut object = Some(JsonText::new(&line));
        for collected in self.collected.iter_mut().rev() {
            object = object.and_then(|object| collected.push(object));
        }
        if let Some(object) = object {
            object.write(self.out.buffer());
            self.out.settle();
        }
    }

    /// From now on the objects of commands are kept, if there are any.
    pub(super) fn start_collecting(&mut self, collected: Collected) {
        if self.manners.format == Format::Json {
            self.collected.push(collected);
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
        let Some(Collected::Turns {
            results, omitted, ..
        }) = self.collected.pop()
        else {
            return end;
        };
        let line = place.of(spec);
        let repeated = render::Repeated {
            turns: count,
            failed,
            results: results.into(),
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

    /// Answers a TRACE with its one object.
    pub(super) fn put_traced(&mut self, place: Place<'_>, spec: &'static Spec, path: &Reply<'_>) {
        let Some(Collected::Traced(reply)) = self.collected.pop() else {
            return;
        };
        let line = place.of(spec);
        self.put_object(|out| render::traced(line, reply.as_ref(), path, out));
    }
}
