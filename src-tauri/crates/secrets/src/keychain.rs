//! The operating system's keychain. Every call may block for good (a service
//! that never answers, a prompt nobody sees), so each runs on its own thread and
//! its caller waits a bounded time. The store is opened anew each time: a failed
//! start must not stay failed for the daemon's whole life.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyring_core::{Entry, Error};
use tokio::sync::oneshot;

use crate::secret::Secret;

const SERVICE: &str = "longhaul";
const LIMIT: Duration = Duration::from_secs(2);

/// Why the keychain did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeychainError {
    /// There is none to talk to, or it failed.
    #[error("there is no usable keychain here ({0}); use --key-command or --key-env instead")]
    NoKeychain(String),
    /// It is locked and could not be unlocked.
    #[error("the keychain is locked; unlock it, or use --key-command or --key-env instead")]
    Locked,
    /// It did not answer in time, or an earlier call still has not returned.
    #[error(
        "the keychain did not answer within 2 s (it may be waiting for its password); unlock it, or use --key-command or --key-env instead"
    )]
    TimedOut,
    /// It has no such entry.
    #[error(
        "the keychain has no key named '{0}'; add it again with --key-stdin, or use --key-command or --key-env instead"
    )]
    NotFound(String),
}

/// This home's entries in the keychain. Cheap to clone.
#[derive(Clone)]
pub struct Keychain {
    home_id: String,
    /// A blocked thread cannot be ended, so there is never more than one.
    busy: Arc<AtomicBool>,
}

impl Keychain {
    /// `home_id` is the home's UUID: entries of different homes never meet.
    pub fn new(home_id: &str) -> Self {
        Self {
            home_id: home_id.to_owned(),
            busy: Arc::default(),
        }
    }

    /// Reads a key.
    pub async fn get(&self, account: &str) -> Result<Secret, KeychainError> {
        self.bounded(account, |entry| entry.get_password().map(Secret::new))
            .await
    }

    /// Stores a key, replacing one of the same name.
    pub async fn set(&self, account: &str, secret: &Secret) -> Result<(), KeychainError> {
        let secret = secret.clone();
        self.bounded(account, move |entry| entry.set_password(secret.expose()))
            .await
    }

    /// Removes a key.
    pub async fn delete(&self, account: &str) -> Result<(), KeychainError> {
        self.bounded(account, |entry| entry.delete_credential())
            .await
    }

    /// Waits for an earlier call that is still at it, then for its own; both
    /// within the one limit.
    async fn bounded<T: Send + 'static>(
        &self,
        account: &str,
        call: impl FnOnce(&Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T, KeychainError> {
        tokio::time::timeout(LIMIT, async {
            while self.busy.swap(true, Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            self.on_thread(account, call).await
        })
        .await
        .unwrap_or(Err(KeychainError::TimedOut))
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        account: &str,
        call: impl FnOnce(&Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T, KeychainError> {
        let (answer, answered) = oneshot::channel();
        let user = format!("{}/{account}", self.home_id);
        let free = Freed(Arc::clone(&self.busy));
        let spawned = std::thread::Builder::new()
            .name("keychain".into())
            .spawn(move || {
                let result = open(&user).and_then(|entry| call(&entry));
                drop(free);
                // Nobody is listening any more when the limit has passed.
                let _ = answer.send(result);
            });
        spawned.map_err(|error| KeychainError::NoKeychain(error.to_string()))?;
        match answered.await {
            Ok(result) => result.map_err(|error| explain(error, account)),
            Err(_) => Err(KeychainError::NoKeychain(
                "its client library failed".into(),
            )),
        }
    }
}

/// Lets the next call begin, also when this one panics or never started.
struct Freed(Arc<AtomicBool>);

impl Drop for Freed {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[cfg(target_os = "linux")]
fn open(user: &str) -> keyring_core::Result<Entry> {
    use keyring_core::api::CredentialStoreApi;
    zbus_secret_service_keyring_store::Store::new()?.build(SERVICE, user, None)
}

#[cfg(not(target_os = "linux"))]
fn open(user: &str) -> keyring_core::Result<Entry> {
    Entry::new(SERVICE, user)
}

fn explain(error: Error, account: &str) -> KeychainError {
    match error {
        Error::NoEntry => KeychainError::NotFound(account.to_owned()),
        // "No result" is what a keychain without a default collection answers:
        // one nobody has ever set up.
        Error::NoStorageAccess(cause) if cause.to_string().contains("result not returned") => {
            KeychainError::NoKeychain("it has no default collection yet".into())
        }
        Error::NoStorageAccess(_) => KeychainError::Locked,
        // These carry the stored bytes: say only what they are.
        Error::BadEncoding(_) | Error::BadDataFormat(..) => {
            KeychainError::NoKeychain("the stored key is not text".into())
        }
        Error::Ambiguous(_) => KeychainError::NoKeychain("it has several keys of that name".into()),
        other if other.to_string().contains("IsLocked") => KeychainError::Locked,
        other => KeychainError::NoKeychain(other.to_string()),
    }
}
