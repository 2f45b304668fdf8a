//! Which operations show what is wrong with a read, and what a read read from.

use super::super::facts::{Want, needed, wanted};
use super::super::op::Act;
use super::{Finding, Flaw, Moment, Reads};

impl Reads<'_> {
    /// The operations that show the flaw: one source is enough, and the latest is the easiest to
    /// understand.
    pub(super) fn explain(&self, flaw: Flaw, read: usize) -> Finding {
        let (want, moment) = (
            wanted(&self.ops[read]).unwrap_or(Want::Some),
            Moment::of(read, &self.ops[read]),
        );
        let is_flawed =
            |&source: &usize| self.live_giver(source, moment).is_some() == (flaw == Flaw::Stale);
        let sources = self.sources(read, want).filter(is_flawed);
        let latest = sources.max_by_key(|&source| self.ops[source].begin);
        let Some(source) = latest.filter(|_| flaw != Flaw::Outdated) else {
            let places = vec![read];
            return Finding { flaw, places };
        };
        let (settled, settler) = self.settled[source];
        let mut places = vec![read, source];
        places.extend(settler);
        if flaw == Flaw::Expired {
            places.extend(self.setters.between(settled, moment.begin));
            return Finding { flaw, places };
        }
        let ender = self.ender(source, moment);
        places.extend(ender);
        places.extend(self.live_giver(source, moment));
        let is_delete = |ender: usize| self.ops[ender].act == Act::Delete;
        let flaw = if ender.is_some_and(is_delete) {
            Flaw::Resurrected
        } else {
            flaw
        };
        Finding { flaw, places }
    }

    /// Adds to `places` what their reads read from, so that none of them looks invented, and puts
    /// all in order.
    pub(crate) fn close(&self, places: &mut Vec<usize>) {
        let wants = places
            .iter()
            .map(|&place| (place, wanted(&self.ops[place])));
        let mut open: Vec<_> = wants.collect();
        while let Some((place, want)) = open.pop() {
            let Some(want) = want else { continue };
            for new in self.origin(place, want, places) {
                if !places.contains(&new) {
                    places.push(new);
                    open.push((new, needed(&self.ops[new], want)));
                }
            }
        }
        places.sort_unstable();
        places.dedup();
    }

    /// What a read most likely read from, if possible one of `places`, and what gave that its
    /// deadline.
    fn origin(&self, read: usize, want: Want, places: &[usize]) -> Vec<usize> {
        let is_there = |source: &usize| places.contains(source);
        let all = [
            self.best(read, want, |_| true),
            self.best(read, want, is_there),
        ];
        let best = all.into_iter().flatten().max_by_key(|&(likely, _)| likely);
        let moment = Moment::of(read, &self.ops[read]);
        let source = best.map(|(_, source)| source);
        let giver = source.and_then(|source| self.live_giver(source, moment));
        source.into_iter().chain(giver).collect()
    }

    /// The source that a read is most likely to have read from, and how likely that is.
    fn best(
        &self,
        read: usize,
        want: Want,
        is_one: impl Fn(&usize) -> bool,
    ) -> Option<(Likely, usize)> {
        let sources = self.sources(read, want).filter(is_one);
        let all = sources.map(|source| (self.likely(source, read), source));
        all.max_by_key(|&(likely, source)| (likely, self.ops[source].begin))
    }

    fn likely(&self, source: usize, read: usize) -> Likely {
        let moment = Moment::of(read, &self.ops[read]);
        match self.live_giver(source, moment) {
            Some(_) if self.ender(source, moment).is_none() => Likely::Right,
            Some(_) => Likely::Stale,
            None => Likely::Expired,
        }
    }
}

/// How likely a read was from a source, the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likely {
    Expired,
    Stale,
    Right,
}
