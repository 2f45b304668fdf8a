//! Work on all cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::progress::Progress;
use crate::shell::wakeup::Wakeup;

/// How work is done.
#[derive(Clone, Copy)]
pub struct Workers<'w> {
    /// Threads; `None`: one for each core.
    pub jobs: Option<usize>,
    /// Ends the work.
    pub wakeup: &'w Arc<Wakeup>,
    /// Names the work in the progress line.
    pub label: &'w str,
}

impl Workers<'_> {
    /// Does so many pieces of work, in order, as many at a time as there are threads. After an interrupt
    /// those that were not begun are `None`.
    pub fn each<T: Send>(
        &self,
        count: usize,
        work: impl Fn(usize) -> Option<T> + Sync,
    ) -> Vec<Option<T>> {
        let next = AtomicUsize::new(0);
        let mut empty = Vec::new();
        empty.resize_with(count, || None);
        let done = Mutex::new(empty);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = self.jobs.unwrap_or(cores).min(count).max(1);
        let progress = Progress::new(self.wakeup, self.label.to_owned(), Some(count as u64));
        let progress = Mutex::new(progress);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= count {
                            return;
                        }
                        let mut shown = progress.lock().unwrap_or_else(PoisonError::into_inner);
                        if !shown.go_on(at as u64) {
                            return;
                        }
                        drop(shown);
                        let found = work(at);
                        done.lock().unwrap_or_else(PoisonError::into_inner)[at] = found;
                    }
                });
            }
        });
        done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
