//! Ids as people type them.

use std::fmt::Display;

/// UUIDv7 begins with 48 bits of milliseconds: ids made in the same minute share 8
/// digits and more. These 13 characters (12 digits and a hyphen) tell apart what was
/// not made in the same millisecond.
const ENOUGH: usize = 13;

/// The shortest prefix, of at least 13 characters, that tells `id` from all of `others`.
pub(crate) fn short<T: Display>(id: &T, others: impl IntoIterator<Item = T>) -> String {
    let id = id.to_string();
    let shared = others
        .into_iter()
        .map(|other| other.to_string())
        .filter(|other| *other != id)
        .map(|other| {
            id.bytes()
                .zip(other.bytes())
                .take_while(|(a, b)| a == b)
                .count()
        })
        .max()
        .unwrap_or(0);
    let length = (shared + 1).max(ENOUGH).min(id.len());
    // Never end on a hyphen: it looks like a cut.
    let length = if id.as_bytes()[length - 1] == b'-' {
        length + 1
    } else {
        length
    };
    id[..length].to_owned()
}
