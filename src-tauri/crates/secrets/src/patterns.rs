//! The byte strings a secret may appear as, and how to find them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter values are ordinary words; removing them would garble everything.
pub(crate) const SHORTEST_SECRET: usize = 8;

/// All forms of all known secrets, by first byte.
#[derive(Clone)]
pub(crate) struct Patterns {
    by_first: Vec<Vec<Vec<u8>>>,
}

/// What stands at one place of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// Secrets, overlapping or touching inside one another, of this length together.
    Secret(usize),
    /// The text ends within what may be a secret.
    Unfinished,
}

impl Patterns {
    pub(crate) fn new() -> Self {
        Self {
            by_first: vec![Vec::new(); 256],
        }
    }

    pub(crate) fn add(&mut self, secret: &str) {
        for form in forms(secret) {
            let bucket = &mut self.by_first[usize::from(form[0])];
            if form.len() >= SHORTEST_SECRET && !bucket.contains(&form) {
                bucket.push(form);
            }
        }
    }

    /// What begins at the start of `text`. Overlapping secrets are one find, so
    /// that no tail of the second is left standing.
    pub(crate) fn at_start(&self, text: &[u8]) -> Found {
        let mut end = match self.one_at_start(text) {
            Found::Secret(length) => length,
            other => return other,
        };
        let mut from = 1;
        while from < end {
            match self.one_at_start(&text[from..]) {
                Found::Secret(length) => end = end.max(from + length),
                Found::Unfinished => return Found::Unfinished,
                Found::Nothing => {}
            }
            from += 1;
        }
        Found::Secret(end)
    }

    /// As `at_start`, for a text of which there is no more to come.
    pub(crate) fn at_start_of_last(&self, text: &[u8]) -> Found {
        let mut end = 0;
        let mut from = 0;
        while from == 0 || from < end {
            let forms = text
                .get(from)
                .map_or(&[][..], |first| &self.by_first[usize::from(*first)]);
            let longest = forms
                .iter()
                .filter(|form| text[from..].starts_with(form))
                .map(Vec::len)
                .max();
            end = end.max(longest.map_or(0, |length| from + length));
            from += 1;
        }
        if end == 0 {
            Found::Nothing
        } else {
            Found::Secret(end)
        }
    }

    fn one_at_start(&self, text: &[u8]) -> Found {
        let Some(first) = text.first() else {
            return Found::Nothing;
        };
        let mut longest = 0;
        for form in &self.by_first[usize::from(*first)] {
            if text.starts_with(form) {
                longest = longest.max(form.len());
            } else if form.starts_with(text) {
                return Found::Unfinished;
            }
        }
        if longest == 0 {
            Found::Nothing
        } else {
            Found::Secret(longest)
        }
    }
}

fn forms(secret: &str) -> Vec<Vec<u8>> {
    let json = serde_json::Value::from(secret).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let json_again = serde_json::Value::from(json.as_str()).to_string();
    let mut forms = vec![
        secret.to_owned(),
        json.replace('/', "\\/"),
        json_again[1..json_again.len() - 1].to_owned(),
        json,
        percent_encoded(secret, "0123456789ABCDEF"),
        percent_encoded(secret, "0123456789abcdef"),
    ];
    // Within a longer text a secret starts at one of three places of a base64
    // group. The characters it shares with its neighbours are left out.
    for before in 0..3 {
        let mut padded = vec![0u8; before];
        padded.extend_from_slice(secret.as_bytes());
        let (start, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            forms.push(engine.encode(&padded)[start..end].to_owned());
        }
    }
    forms.into_iter().map(String::into_bytes).collect()
}

/// RFC 3986: everything but unreserved characters is escaped.
fn percent_encoded(secret: &str, digits: &str) -> String {
    let digits = digits.as_bytes();
    let mut encoded = String::new();
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(digits[usize::from(byte >> 4)]));
            encoded.push(char::from(digits[usize::from(byte & 15)]));
        }
    }
    encoded
}
