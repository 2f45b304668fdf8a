//! Requests for a sequence of blocks of which only a prefix is of use: a block hits only if all before
//! it in its request hit. A block after a miss is read and stored all the same.

/// Whether a block of the present request has missed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prefix {
    is_cut: bool,
}

impl Prefix {
    /// Whether a block of the present request has missed.
    pub fn is_cut(self) -> bool {
        self.is_cut
    }

    /// Notes whether the latest block missed, or one before it.
    pub fn cut(&mut self, is_cut: bool) {
        self.is_cut = is_cut;
    }

    /// Takes the next block: whether it follows the one before it, and whether it is in the cache.
    /// Returns whether it hits.
    pub fn hits(&mut self, follows: bool, is_there: bool) -> bool {
        self.is_cut = !is_there || (follows && self.is_cut);
        !self.is_cut
    }
}
