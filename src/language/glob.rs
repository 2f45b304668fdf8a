//! Patterns for keys with the syntax of Redis: `*`, `?`, `[abc]`, `[a-z]`, `[^a]`, and `\` before a
//! literal character.

/// Whether the whole of `key` matches `pattern`. Cost: at most the product of the two lengths.
#[must_use]
pub fn matches(pattern: &[u8], key: &[u8]) -> bool {
    let (mut p, mut k) = (0, 0);
    // The position to return to after a mismatch: behind the latest star, which then matches one
    // byte more.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let here = pattern.get(p..).unwrap_or_default();
        match (here.first(), key.get(k)) {
            (Some(b'*'), _) => {
                p += 1;
                retry = Some((p, k));
                continue;
            }
            (Some(_), Some(&byte)) => {
                let (matched, len) = matches_one(here, byte);
                if matched {
                    p += len;
                    k += 1;
                    continue;
                }
            }
            (None, None) => return true,
            _ => {}
        }
        match retry {
            Some((after_star, matched)) if matched < key.len() => {
                retry = Some((after_star, matched + 1));
                (p, k) = (after_star, matched + 1);
            }
            _ => return false,
        }
    }
}

/// Matches one byte with the element at the start of `pattern`, which is not a star. Returns
/// whether they match, and the length of the element.
fn matches_one(pattern: &[u8], byte: u8) -> (bool, usize) {
    match pattern {
        [b'?', ..] => (true, 1),
        [b'\\', literal, ..] => (*literal == byte, 2),
        [b'[', class @ ..] => matches_class(class, byte),
        [literal, ..] => (*literal == byte, 1),
        [] => (false, 0),
    }
}

/// `class` starts behind the bracket. One that is never closed reaches to the end.
fn matches_class(class: &[u8], byte: u8) -> (bool, usize) {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        let (low, len) = match class.get(at..).unwrap_or_default() {
            [] => return (found != negated, at + 1),
            [b']', ..] => return (found != negated, at + 2),
            [b'\\', literal, ..] => (*literal, 2),
            [literal, ..] => (*literal, 1),
        };
        at += len;
        let high = match class.get(at..).unwrap_or_default() {
            [b'-', high, ..] if *high != b']' => {
                at += 2;
                *high
            }
            _ => low,
        };
        found |= (low.min(high)..=low.max(high)).contains(&byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, key, expected) in [
            ("*", "", true),
            ("", "a", false),
            ("user:*", "user:1", true),
            ("user:*", "users:1", false),
            ("*:1", "user:1", true),
            ("*a*b*", "xaybz", true),
            ("*a*b", "abab", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("[\\]]", "]", true),
            ("[abc", "c", true),
            ("a", "A", false),
        ] {
            let matched = matches(pattern.as_bytes(), key.as_bytes());
            assert_eq!(matched, expected, "{pattern} {key}");
        }
        let slow = [b"*a".repeat(40).as_slice(), b"b"].concat();
        assert!(!matches(&slow, &b"a".repeat(4000)));
    }
}
