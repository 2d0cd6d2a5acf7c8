//! Keys: where they come from, how they are held, and how they are kept out of
//! everything that is written down.
//!
//! A run stores a [`KeySource`], never a key. [`Credentials`] turns one into a
//! [`Secret`]; a [`Redactor`] removes every secret it was told of from whatever
//! comes in. Nothing here writes a key to a file.

mod command;
mod credentials;
mod keychain;
mod patterns;
mod redact;
mod secret;
#[cfg(test)]
mod tests;

pub use credentials::{CredentialError, Credentials, ReadEnv};
pub use keychain::{Keychain, KeychainError};
pub use redact::{MARKER, RedactStream, Redactor, contains_marker};
pub use secret::{KeySource, Secret, fingerprint};
