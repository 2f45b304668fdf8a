//! Commands on keys.
//!
//! Each follows the command of Redis 7.2 of the same name: its replies, its errors, and the order in
//! which it checks its arguments.

mod args;
mod decimal;
mod expiry;
mod hash;
mod hashes;
mod keys;
mod strings;

use std::ops::Range;

pub use args::{integer, is};
pub use hash::Hash;

use super::Args;
use super::call::Context;
use super::spec::Spec;
use super::value::{Failure, Value};

/// The arguments of a command that may outlive the buffer that they came in.
#[derive(Clone, Debug, Default)]
pub struct Words {
    bytes: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

impl From<Args<'_>> for Words {
    fn from(args: Args<'_>) -> Self {
        let bytes = args.iter().map(<[u8]>::len).sum();
        let mut words = Self {
            bytes: Vec::with_capacity(bytes),
            ranges: Vec::with_capacity(args.len()),
        };
        for arg in args.iter() {
            words.push(arg);
        }
        words
    }
}

impl Words {
    /// How many there are, the name of the command included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The bytes of all words.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The word at this place; 0 is the name of the command.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        Some(&self.bytes[self.ranges.get(index)?.clone()])
    }

    /// The words from this place on.
    #[must_use]
    pub fn rest(&self, index: usize) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        let ranges = self.ranges.get(index..).unwrap_or_default();
        ranges.iter().map(|range| &self.bytes[range.clone()])
    }

    /// The words from this place on, as a command of their own.
    #[must_use]
    pub fn tail(&self, index: usize) -> Self {
        let mut words = Self::default();
        for word in self.rest(index) {
            words.push(word);
        }
        words
    }

    fn push(&mut self, word: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(word);
        self.ranges.push(start..self.bytes.len());
    }

    /// The keys of a command.
    pub fn keys<'a>(&'a self, spec: &Spec) -> impl Iterator<Item = &'a [u8]> {
        let places = spec.keys_in(self.args());
        places.map(|at| &self[at])
    }

    fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.ranges)
    }

    /// The name of the command in lower case.
    #[must_use]
    pub fn name(&self) -> String {
        String::from_utf8_lossy(self.get(0).unwrap_or_default()).to_ascii_lowercase()
    }
}

impl std::ops::Index<usize> for Words {
    type Output = [u8];

    fn index(&self, index: usize) -> &[u8] {
        &self.bytes[self.ranges[index].clone()]
    }
}

/// Carries out a command on keys, whose number of arguments fits. `None` if `name`, in lower case, is
/// not one of them.
pub async fn run(
    context: Context,
    name: &'static str,
    words: Words,
) -> Option<Result<Value, Failure>> {
    let (cx, words) = (&context, &words);
    Some(match name {
        "append" => strings::append(cx, words).await,
        "decr" => strings::count(cx, words, Some(-1)).await,
        "decrby" => strings::decr_by(cx, words).await,
        "delifeq" => strings::del_if_equal(cx, words).await,
        "get" => strings::get(cx, words).await,
        "getdel" => strings::get_del(cx, words).await,
        "getex" => strings::get_ex(cx, words).await,
        "getrange" | "substr" => strings::get_range(cx, words).await,
        "getset" => strings::get_set(cx, words).await,
        "incr" => strings::count(cx, words, Some(1)).await,
        "incrby" => strings::count(cx, words, None).await,
        "incrbyfloat" => strings::incr_by_float(cx, words).await,
        "mget" => strings::mget(cx, words).await,
        "mset" => strings::mset(cx, words).await,
        "msetex" => strings::mset_ex(cx, words).await,
        "msetnx" => strings::mset_nx(cx, words).await,
        "psetex" | "setex" => strings::set_ex(cx, words).await,
        "set" => strings::set(cx, words).await,
        "setnx" => strings::set_nx(cx, words).await,
        "setrange" => strings::set_range(cx, words).await,
        "strlen" => strings::strlen(cx, words).await,
        "copy" => keys::copy(cx, words).await,
        "del" | "unlink" => keys::del(cx, words).await,
        "exists" => keys::exists(cx, words).await,
        "touch" => keys::touch(cx, words).await,
        "expire" | "pexpire" | "expireat" | "pexpireat" => keys::expire(cx, words).await,
        "ttl" | "pttl" | "expiretime" | "pexpiretime" => keys::ttl(cx, words).await,
        "persist" => keys::persist(cx, words).await,
        "rename" => keys::rename(cx, words).await,
        "renamenx" => keys::rename_nx(cx, words).await,
        "type" => keys::type_of(cx, words).await,
        "hdel" => hashes::del(cx, words).await,
        "hexists" => hashes::exists(cx, words).await,
        "hget" => hashes::get(cx, words).await,
        "hgetall" | "hkeys" | "hvals" => hashes::get_all(cx, words).await,
        "hincrby" => hashes::incr_by(cx, words).await,
        "hincrbyfloat" => hashes::incr_by_float(cx, words).await,
        "hlen" => hashes::len(cx, words).await,
        "hmget" => hashes::mget(cx, words).await,
        "hset" | "hmset" => hashes::set(cx, words).await,
        "hsetnx" => hashes::set_nx(cx, words).await,
        "hscan" => hashes::scan(cx, words).await,
        "hstrlen" => hashes::strlen(cx, words).await,
        "hrandfield" => hashes::random(cx, words).await,
        _ => return None,
    })
}
