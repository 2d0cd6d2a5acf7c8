//! Removing known secrets from whatever comes in, before the model or the store sees it.

use std::borrow::Cow;
use std::sync::{Arc, RwLock};

use crate::patterns::{Found, Patterns, SHORTEST_SECRET};
use crate::secret::Secret;

/// What stands where a secret stood.
pub const MARKER: &str = "[redacted by longhaul]";

/// Whether a text holds the marker. Tools refuse to write such a text back: it
/// would destroy the secret in the user's file.
pub fn contains_marker(text: &str) -> bool {
    text.contains(MARKER)
}

/// The secrets known so far. Cheap to clone; clones learn of new ones too.
#[derive(Clone)]
pub struct Redactor {
    patterns: Arc<RwLock<Arc<Patterns>>>,
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new()
    }
}

impl Redactor {
    /// Knows no secrets yet.
    pub fn new() -> Self {
        Self {
            patterns: Arc::new(RwLock::new(Arc::new(Patterns::new()))),
        }
    }

    /// Remembers a secret: from now on it is removed as it is, JSON-escaped,
    /// percent-encoded, and in base64 or hexadecimal digits, these also where they
    /// are broken into lines. One of under 8 bytes is ignored.
    pub fn add(&self, secret: &Secret) {
        let value = secret.expose().trim();
        if value.len() >= SHORTEST_SECRET {
            let mut patterns = self
                .patterns
                .write()
                .expect("no panic while the patterns are held");
            Arc::make_mut(&mut patterns).add(value);
        }
    }

    /// The text without secrets; borrowed when there are none in it.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.redact_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The bytes without secrets, whatever their encoding.
    pub fn redact_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let patterns = self.patterns();
        let has_secret =
            (0..bytes.len()).any(|at| patterns.at_start_of_last(&bytes[at..]) != Found::Nothing);
        if !has_secret {
            return Cow::Borrowed(bytes);
        }
        let mut clean = Vec::with_capacity(bytes.len());
        drain(bytes, &mut clean, |rest| patterns.at_start_of_last(rest));
        Cow::Owned(clean)
    }

    /// For bytes that come in chunks.
    pub fn stream(&self) -> RedactStream {
        RedactStream {
            redactor: self.clone(),
            held: Vec::new(),
        }
    }

    fn patterns(&self) -> Arc<Patterns> {
        Arc::clone(
            &self
                .patterns
                .read()
                .expect("no panic while the patterns are held"),
        )
    }
}

/// Redacts chunks as they come. Bytes that may be the beginning of a secret are
/// held back until the next chunk, or `finish`, tells.
pub struct RedactStream {
    redactor: Redactor,
    held: Vec<u8>,
}

impl RedactStream {
    /// Takes a chunk; returns what can be passed on.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        let patterns = self.redactor.patterns();
        self.held.extend_from_slice(chunk);
        let mut clean = Vec::with_capacity(self.held.len());
        let used = drain(&self.held, &mut clean, |rest| patterns.at_start(rest));
        self.held.drain(..used);
        clean
    }

    /// The rest, when no more chunks will come.
    pub fn finish(self) -> Vec<u8> {
        self.redactor.redact_bytes(&self.held).into_owned()
    }
}

/// Copies `bytes` without secrets up to where something unfinished begins;
/// returns how many bytes were dealt with.
fn drain(bytes: &[u8], clean: &mut Vec<u8>, find: impl Fn(&[u8]) -> Found) -> usize {
    let mut at = 0;
    while at < bytes.len() {
        match find(&bytes[at..]) {
            Found::Nothing => {
                clean.push(bytes[at]);
                at += 1;
            }
            Found::Secret(length) => {
                clean.extend_from_slice(MARKER.as_bytes());
                at += length;
            }
            Found::Unfinished => break,
        }
    }
    at
}
