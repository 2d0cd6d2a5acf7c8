//! A key in memory, and the places one can come from.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A key. It cannot be printed, compared or serialized; whoever sends it says
/// `expose`. Clones share one allocation, overwritten when the last one goes
/// (best effort: copies made by others are out of reach).
#[derive(Clone)]
pub struct Secret(Arc<Wiped>);

struct Wiped(String);

impl Drop for Wiped {
    fn drop(&mut self) {
        // black_box keeps the compiler from dropping writes nobody reads.
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        std::hint::black_box(&bytes);
    }
}

impl Secret {
    /// Takes a key in.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Arc::new(Wiped(value.into())))
    }

    /// The key itself: only for the request that needs it.
    pub fn expose(&self) -> &str {
        &self.0.0
    }
}

/// Where a backend's key comes from. Holds no secret, so it may be stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum KeySource {
    /// The operating system's keychain.
    Keychain {
        /// The name of the entry within this home.
        account: String,
    },
    /// A command that prints the key.
    Command {
        /// Run by `sh -c`.
        command: String,
        /// How long its answer is used, in seconds.
        #[serde(default = "default_ttl_s")]
        ttl_s: u64,
    },
    /// An environment variable of the daemon.
    Env {
        /// Its name.
        var: String,
    },
    /// No key is needed.
    None,
}

/// Five minutes, as Claude Code's `apiKeyHelper` does.
const fn default_ttl_s() -> u64 {
    300
}

/// Names a key without telling it: 16 hex digits, different in every home.
pub fn fingerprint(secret: &Secret, home_id: &str) -> String {
    let key = blake3::derive_key(
        "longhaul 2026-11 credential fingerprint",
        home_id.as_bytes(),
    );
    blake3::keyed_hash(&key, secret.expose().as_bytes()).to_hex()[..16].to_owned()
}
