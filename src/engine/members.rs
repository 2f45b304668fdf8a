//! What one server of a cluster says about all: the text of `CLUSTER NODES`.

use std::ops::RangeInclusive;

/// How many slots there are.
pub const SLOTS: u16 = 16384;

/// What one server says of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Nothing is wrong.
    #[default]
    Up,
    /// It cannot reach it.
    Suspected,
    /// Most servers cannot reach it.
    Failed,
}

/// One server of a cluster, as another one sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name in the cluster: 40 hexadecimal digits.
    pub id: String,
    /// Whether it is the one that was asked.
    pub is_myself: bool,
    /// What it is a replica of; `None`: it is a primary.
    pub primary: Option<String>,
    /// `ip:port@busport,hostname`.
    pub address: String,
    /// What the one that was asked says of it.
    pub health: Health,
    /// Whether it is not known yet by its name, or not where it is.
    pub is_new: bool,
    /// Its configuration epoch: of two claims to a slot the one of the greater epoch holds.
    pub epoch: u64,
    /// The slots that it owns.
    pub slots: Vec<RangeInclusive<u16>>,
    /// Its open slots, each with where it goes. Only the one that was asked has them.
    pub migrating: Vec<(u16, String)>,
    /// Its open slots, each with where it comes from. Only the one that was asked has them.
    pub importing: Vec<(u16, String)>,
}

impl Member {
    /// How many slots it owns.
    #[must_use]
    pub fn slot_count(&self) -> usize {
        self.slots.iter().map(ExactSizeIterator::len).sum()
    }
}

/// Reads the answer to `CLUSTER NODES`.
///
/// # Errors
/// The first line that is not as it should be.
pub fn parse(text: &str) -> Result<Vec<Member>, String> {
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| member(line).ok_or_else(|| format!("CLUSTER NODES has this line: {line}")))
        .collect()
}

fn member(line: &str) -> Option<Member> {
    let mut words = line.split(' ');
    let id = words.next()?.to_owned();
    let address = words.next()?.to_owned();
    let flags: Vec<&str> = words.next()?.split(',').collect();
    let primary = Some(words.next()?).filter(|&primary| primary != "-");
    let epoch = words.nth(2)?.parse().ok()?;
    words.next()?;
    let mut member = Member {
        id,
        is_myself: flags.contains(&"myself"),
        primary: primary.map(Into::into),
        address,
        health: match () {
            () if flags.contains(&"fail") => Health::Failed,
            () if flags.contains(&"fail?") => Health::Suspected,
            () => Health::Up,
        },
        is_new: flags.contains(&"handshake") || flags.contains(&"noaddr"),
        epoch,
        slots: Vec::new(),
        migrating: Vec::new(),
        importing: Vec::new(),
    };
    for word in words {
        match word.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            Some(open) => add_open(&mut member, open)?,
            None => member.slots.push(range(word)?),
        }
    }
    Some(member)
}

fn add_open(member: &mut Member, text: &str) -> Option<()> {
    if let Some((slot, to)) = text.split_once("->-") {
        member.migrating.push((slot.parse().ok()?, to.into()));
    } else {
        let (slot, from) = text.split_once("-<-")?;
        member.importing.push((slot.parse().ok()?, from.into()));
    }
    Some(())
}

fn range(word: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let range = first.parse().ok()?..=last.parse().ok()?;
    (!range.is_empty() && *range.end() < SLOTS).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
aa 127.0.0.1:7000@17000,host myself,master - 0 0 3 connected 0-5460 7000 [5->-bb] [9-<-cc]
bb 127.0.0.1:7001@17001 master,fail - 1 2 4 connected 5461-6999
cc :0@0 slave,noaddr aa 1 2 3 disconnected
dd 127.0.0.1:7003@17003 handshake - 0 0 0 connected
";

    #[test]
    fn the_members_are_read() {
        let members = parse(TEXT).expect("members");
        let [aa, bb, cc, dd] = members.as_slice() else {
            panic!("{members:?}");
        };
        assert!(aa.is_myself && !bb.is_myself && dd.is_new && cc.is_new);
        assert_eq!((aa.health, bb.health), (Health::Up, Health::Failed));
        assert_eq!(aa.address, "127.0.0.1:7000@17000,host");
        assert_eq!(
            (aa.slots.as_slice(), aa.slot_count()),
            (&[0..=5460, 7000..=7000][..], 5462)
        );
        assert_eq!(aa.migrating, [(5, "bb".to_owned())]);
        assert_eq!(aa.importing, [(9, "cc".to_owned())]);
        assert_eq!((cc.primary.as_deref(), bb.epoch), (Some("aa"), 4));
    }

    #[test]
    fn what_is_no_member_is_an_error() {
        for line in [
            "aa",
            "aa 127.0.0.1:1@2 master - 0 0 x connected",
            "aa 127.0.0.1:1@2 master - 0 0 1",
            "aa 127.0.0.1:1@2 master - 0 0 1 connected 5-16384",
            "aa 127.0.0.1:1@2 master - 0 0 1 connected 7-6",
            "aa 127.0.0.1:1@2 master - 0 0 1 connected [7-6]",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
