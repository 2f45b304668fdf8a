//! The index against a list, with hashes that collide in all their parts.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Insert { hash: u64 },
    Remove { nth: usize },
    Renumber { nth: usize },
}

/// Few home chunks and few tags. The tags 0 and 1 are equal; 2 and 3 differ in the lowest bit, as do
/// the tag 1 and the 0 of a vacant lane.
fn hash() -> impl Strategy<Value = u64> {
    let tag = prop_oneof![0..4_u64, Just(0x80), Just(0xff)];
    (tag, prop_oneof![0..2_u64, 0..64_u64]).prop_map(|(tag, home)| tag << 56 | home)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => hash().prop_map(|hash| Step::Insert { hash }),
        3 => any::<usize>().prop_map(|nth| Step::Remove { nth }),
        1 => any::<usize>().prop_map(|nth| Step::Renumber { nth }),
    ]
}

/// An index, and a list of what it holds.
#[derive(Default)]
struct Pair {
    index: Index,
    entries: Vec<(u64, Record)>,
    numbers: u32,
}

impl Pair {
    fn new_record(&mut self) -> Record {
        self.numbers += 1;
        Record(self.numbers)
    }

    fn insert(&mut self, hash: u64) {
        let record = self.new_record();
        if self.index.is_full() {
            self.index = Index::with_room_for(self.entries.len() + 1);
            for &(hash, record) in &self.entries {
                self.index.insert(hash, record);
            }
        }
        self.index.insert(hash, record);
        self.entries.push((hash, record));
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Insert { hash } => self.insert(hash),
            Step::Remove { nth } if !self.entries.is_empty() => {
                let (hash, record) = self.entries.swap_remove(nth % self.entries.len());
                self.index.remove(hash, record);
                self.index.remove(hash, record);
            }
            Step::Renumber { nth } if !self.entries.is_empty() => {
                let (nth, new) = (nth % self.entries.len(), self.new_record());
                let (hash, old) = self.entries[nth];
                self.index.renumber(hash, old, new);
                self.entries[nth].1 = new;
            }
            Step::Remove { .. } | Step::Renumber { .. } => {}
        }
    }

    fn hash_of(&self, record: Record) -> u64 {
        let found = self.entries.iter().find(|entry| entry.1 == record);
        found
            .expect("only records that are there are asked about")
            .0
    }

    fn check(&self) {
        assert_eq!(self.index.len(), self.entries.len());
        self.index.validate(|record| self.hash_of(record));
        for &(hash, record) in &self.entries {
            let is_it = |it| {
                assert_eq!(
                    tag_of(self.hash_of(it)),
                    tag_of(hash),
                    "the tag is compared"
                );
                it == record
            };
            assert_eq!(self.index.find(hash, is_it), Some(record));
            let first = self.index.first(hash).expect("at least this one");
            assert_eq!(tag_of(self.hash_of(first)), tag_of(hash));
        }
        for hash in (0..6).map(|tag| tag << 56) {
            let none = self
                .entries
                .iter()
                .all(|entry| tag_of(entry.0) != tag_of(hash));
            assert!(!none || self.index.first(hash).is_none(), "{hash:x}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_index_does_what_a_list_does(steps in prop::collection::vec(step(), 1..300)) {
        let mut pair = Pair::default();
        for step in &steps {
            pair.step(step);
            pair.check();
        }
    }
}

#[test]
fn an_empty_index_finds_nothing_and_removes_nothing() {
    let mut index = Index::default();
    assert!(index.is_full());
    assert_eq!(index.first(7), None);
    assert_eq!(index.find(7, |_| true), None);
    index.remove(7, Record(1));
    index.renumber(7, Record(1), Record(2));
    assert_eq!(index.len(), 0);
}

#[test]
fn entries_of_one_home_fill_the_table_round_its_end() {
    let mut index = Index::with_room_for(80);
    let hash = 7 | 5 << 56;
    for number in 0..80 {
        index.insert(hash, Record(number));
    }
    index.validate(|_| hash);
    assert!(index.is_full());
    for number in 0..80 {
        assert_eq!(index.find(hash, |it| it.0 == number), Some(Record(number)));
        index.remove(hash, Record(number));
        index.validate(|_| hash);
    }
}

/// Entries of each chunk may have gone into the other one, so that no chunk ends a search.
#[test]
fn a_search_ends_though_entries_have_passed_every_chunk() {
    let mut index = Index::with_room_for(20);
    let (even, odd, absent) = (4 << 56, 1 | 5 << 56, 6 << 56);
    // One odd entry goes into the even chunk, and the others go.
    for number in 0..13 {
        index.insert(odd, Record(number));
    }
    for number in 0..12 {
        index.remove(odd, Record(number));
    }
    // One even entry goes into the odd chunk.
    for number in 20..32 {
        index.insert(even, Record(number));
    }
    assert_eq!(index.first(absent), None);
    assert_eq!(index.find(absent, |_| true), None);
    assert_eq!(index.find(odd, |it| it.0 == 0), None);
    index.remove(absent, Record(12));
    assert_eq!(index.len(), 13);
    assert_eq!(index.find(odd, |it| it.0 == 12), Some(Record(12)));
    assert_eq!(index.find(even, |it| it.0 == 31), Some(Record(31)));
}
