//! Which slots go where, so that each primary has its fair share.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use super::View;
use crate::engine::members::Member;

/// Slots that go from one primary to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotMove {
    /// The name of the primary that has them.
    pub from: String,
    /// The name of the primary that gets them.
    pub to: String,
    /// The slots.
    pub slots: RangeInclusive<u16>,
}

/// Moves to be made, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub(super) moves: VecDeque<SlotMove>,
}

impl Plan {
    /// The plan after which each primary that stays has its share, give or take one slot, and those that
    /// leave have none. It moves the fewest slots that do so.
    ///
    /// # Errors
    /// If no primary stays.
    pub fn fair(view: &View, leaving: &[&str]) -> Result<Self, String> {
        let is_leaving = |id: &str| leaving.contains(&id);
        let primaries: Vec<(&str, Vec<u16>)> = view
            .primaries()
            .map(|it| (it.id.as_str(), slots(view, it)))
            .collect();
        let quotas = quotas(&primaries, &is_leaving)?;
        let mut plan = Self::default();
        let mut takers = primaries
            .iter()
            .zip(&quotas)
            .flat_map(|((id, slots), quota)| {
                std::iter::repeat_n(*id, quota.saturating_sub(slots.len()))
            });
        for ((id, slots), &quota) in primaries.iter().zip(&quotas) {
            for &slot in slots.iter().skip(quota) {
                let to = takers.next().ok_or("the shares do not add up")?;
                plan.add(id, to, slot);
            }
        }
        Ok(plan)
    }

    /// How many slots are still to be moved.
    #[must_use]
    pub fn left(&self) -> usize {
        self.moves.iter().map(|it| it.slots.len()).sum()
    }

    /// The moves that are still to be made.
    pub fn moves(&self) -> impl Iterator<Item = &SlotMove> {
        self.moves.iter()
    }

    fn add(&mut self, from: &str, to: &str, slot: u16) {
        if let Some(last) = self.moves.back_mut() {
            let is_next = last.slots.end().checked_add(1) == Some(slot);
            if is_next && last.from == from && last.to == to {
                last.slots = *last.slots.start()..=slot;
                return;
            }
        }
        self.moves.push_back(SlotMove {
            from: from.into(),
            to: to.into(),
            slots: slot..=slot,
        });
    }

    /// The next slots to be moved, at most so many, from one primary to one other.
    pub(super) fn next(&self, most: usize) -> Option<SlotMove> {
        let mut next = self.moves.front()?.clone();
        let first = *next.slots.start();
        let more = u16::try_from(most.checked_sub(1)?).unwrap_or(u16::MAX);
        next.slots = first..=first.saturating_add(more).min(*next.slots.end());
        Some(next)
    }

    /// Takes slots off that [`Plan::next`] gave and that were moved.
    pub(super) fn done(&mut self, moved: &SlotMove) {
        let Some(first) = self.moves.front_mut() else {
            return;
        };
        if moved.slots.end() == first.slots.end() {
            self.moves.pop_front();
        } else {
            first.slots = moved.slots.end() + 1..=*first.slots.end();
        }
    }
}

/// The slots that a primary has, not only claims.
fn slots(view: &View, member: &Member) -> Vec<u16> {
    let all = member.slots.iter().flat_map(Clone::clone);
    all.filter(|&slot| view.owner(slot).is_some_and(|it| it.id == member.id))
        .collect()
}

/// How many slots each is to have. What does not divide goes to those that have the most.
fn quotas(
    primaries: &[(&str, Vec<u16>)],
    is_leaving: &dyn Fn(&str) -> bool,
) -> Result<Vec<usize>, String> {
    let mut staying: Vec<usize> = (0..primaries.len())
        .filter(|&at| !is_leaving(primaries[at].0))
        .collect();
    if staying.is_empty() {
        return Err("the last primary cannot leave".into());
    }
    let total: usize = primaries.iter().map(|(_, slots)| slots.len()).sum();
    let (share, rest) = (total / staying.len(), total % staying.len());
    staying.sort_by_key(|&at| std::cmp::Reverse(primaries[at].1.len()));
    let mut quotas = vec![0; primaries.len()];
    for (rank, &at) in staying.iter().enumerate() {
        quotas[at] = share + usize::from(rank < rest);
    }
    Ok(quotas)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::members::parse;

    fn view(claims: &[(&str, u64, &str)]) -> View {
        let member = |(id, epoch, slots): &(&str, u64, &str)| {
            let line = format!("{id} :1@2 myself,master - 0 0 {epoch} connected {slots}");
            parse(line.trim_end()).expect("a member")
        };
        View {
            members: claims.iter().flat_map(member).collect(),
        }
    }

    /// The plan as text, and how many slots it moves.
    fn shown(view: &View, leaving: &[&str]) -> (String, usize) {
        let plan = Plan::fair(view, leaving).expect("a plan");
        let moves = plan.moves().map(|SlotMove { from, to, slots }| {
            format!("{from}>{to} {}-{}", slots.start(), slots.end())
        });
        (moves.collect::<Vec<_>>().join(", "), plan.left())
    }

    const THREE: [(&str, u64, &str); 3] = [
        ("a", 1, "0-5460"),
        ("b", 2, "5461-10922"),
        ("c", 3, "10923-16383"),
    ];

    #[test]
    fn who_joins_gets_its_share_of_each() {
        let joined = view(&[&THREE[..], &[("d", 0, "")]].concat());
        let expected = "a>d 4096-5460, b>d 9557-10922, c>d 15019-16383";
        assert_eq!(shown(&joined, &[]), (expected.into(), 4096));
        assert_eq!(shown(&view(&THREE), &[]), (String::new(), 0));
    }

    #[test]
    fn who_leaves_gives_all_it_has() {
        let (moves, count) = shown(&view(&THREE), &["b"]);
        assert_eq!(
            (moves.as_str(), count),
            ("b>a 5461-8191, b>c 8192-10922", 5462)
        );
        assert!(Plan::fair(&view(&THREE[..1]), &["a"]).is_err());
    }

    #[test]
    fn of_two_claims_the_newer_one_counts() {
        let claims = [("a", 1, "0-9"), ("b", 2, "5-9"), ("c", 0, "")];
        assert_eq!(view(&claims).owner(5).map(|it| it.id.as_str()), Some("b"));
        assert_eq!(shown(&view(&claims), &[]), ("a>c 4-4, b>c 8-9".into(), 3));
    }

    #[test]
    fn a_plan_is_made_in_steps() {
        let mut plan = Plan::fair(&view(&THREE), &["b"]).expect("a plan");
        let mut slots = Vec::new();
        assert_eq!(plan.next(0), None);
        while let Some(step) = plan.next(1000) {
            assert!(step.slots.len() <= 1000);
            slots.extend(step.slots.clone());
            plan.done(&step);
        }
        assert!(slots.into_iter().eq(5461..=10_922));
        assert_eq!(plan.left(), 0);
    }
}
