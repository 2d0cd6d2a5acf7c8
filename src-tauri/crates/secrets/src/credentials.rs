//! From a key's source to the key: one look-up at a time, kept while it is good.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::command;
use crate::keychain::{Keychain, KeychainError};
use crate::secret::{KeySource, Secret, fingerprint};

/// Reads one environment variable. Passed in, because only the daemon reads its environment.
pub type ReadEnv = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A keychain entry changed elsewhere is noticed after this long, or on a 401.
const KEYCHAIN_TTL: Duration = Duration::from_secs(300);

/// Why there is no key. None of these contains one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The keychain failed; its error says what to use instead.
    #[error(transparent)]
    Keychain(#[from] KeychainError),
    /// The key command failed.
    #[error("the key command failed: {why}")]
    Command {
        /// How, without its output.
        why: String,
    },
    /// The variable is unset or empty in the daemon's environment.
    #[error(
        "the environment variable {var} is not set where the daemon runs; set it and restart the daemon, or use --key-command"
    )]
    NoVariable {
        /// Its name.
        var: String,
    },
    /// The backend has no key and none was asked for.
    #[error("this backend is set up without a key")]
    NotNeeded,
}

/// The last look-up's outcome and when it was had.
type Outcome = (Result<Secret, CredentialError>, Instant);

#[derive(Default)]
struct Slot {
    last: tokio::sync::Mutex<Option<Outcome>>,
    /// Counts look-ups that ended, well or not; readable while one is under way.
    ended: AtomicU64,
}

type Slots = Mutex<HashMap<KeySource, Arc<Slot>>>;

/// All keys in use. Cheap to clone; clones share the cache.
#[derive(Clone)]
pub struct Credentials {
    home_id: Arc<str>,
    keychain: Keychain,
    read_env: ReadEnv,
    slots: Arc<Slots>,
}

impl Credentials {
    /// An empty cache for one home.
    pub fn new(home_id: &str, keychain: Keychain, read_env: ReadEnv) -> Self {
        Self {
            home_id: home_id.into(),
            keychain,
            read_env,
            slots: Arc::default(),
        }
    }

    /// The key, from the cache while it is fresh. Callers that come together
    /// share one look-up, and its failure too: a command that hangs is waited
    /// for once, not once by each of them.
    pub async fn get(&self, source: &KeySource) -> Result<Secret, CredentialError> {
        let slot = self.slot(source);
        let seen = slot.ended.load(Ordering::SeqCst);
        let mut last = slot.last.lock().await;
        match last.as_ref() {
            Some((Ok(secret), at)) if at.elapsed() < time_to_live(source) => Ok(secret.clone()),
            Some((outcome, _)) if slot.ended.load(Ordering::SeqCst) != seen => outcome.clone(),
            _ => self.look_up(source, &slot, &mut last).await,
        }
    }

    /// The key, looked up again because the endpoint refused it. Callers that
    /// come together share one look-up.
    pub async fn refresh_after_401(&self, source: &KeySource) -> Result<Secret, CredentialError> {
        let slot = self.slot(source);
        let seen = slot.ended.load(Ordering::SeqCst);
        let mut last = slot.last.lock().await;
        // Whoever had to wait for a look-up takes its answer.
        match last.as_ref() {
            Some((outcome, _)) if slot.ended.load(Ordering::SeqCst) != seen => outcome.clone(),
            _ => self.look_up(source, &slot, &mut last).await,
        }
    }

    /// Forgets a key: its source was changed or removed.
    pub fn forget(&self, source: &KeySource) {
        self.slots
            .lock()
            .expect("no panic while the slots are held")
            .remove(source);
    }

    /// This home's name for a key.
    pub fn fingerprint(&self, secret: &Secret) -> String {
        fingerprint(secret, &self.home_id)
    }

    /// The keychain of this home.
    pub fn keychain(&self) -> &Keychain {
        &self.keychain
    }

    fn slot(&self, source: &KeySource) -> Arc<Slot> {
        let mut slots = self
            .slots
            .lock()
            .expect("no panic while the slots are held");
        Arc::clone(slots.entry(source.clone()).or_default())
    }

    async fn look_up(
        &self,
        source: &KeySource,
        slot: &Slot,
        last: &mut Option<Outcome>,
    ) -> Result<Secret, CredentialError> {
        *last = None;
        let outcome = self.ask(source).await;
        *last = Some((outcome.clone(), Instant::now()));
        slot.ended.fetch_add(1, Ordering::SeqCst);
        outcome
    }

    async fn ask(&self, source: &KeySource) -> Result<Secret, CredentialError> {
        match source {
            KeySource::Keychain { account } => Ok(self.keychain.get(account).await?),
            KeySource::Command { command, .. } => command::ask(command).await,
            KeySource::Env { var } => {
                let value = (self.read_env)(var).map(|value| value.trim().to_owned());
                let value = value.filter(|value| !value.is_empty());
                let value = value.ok_or_else(|| CredentialError::NoVariable { var: var.clone() });
                value.map(Secret::new)
            }
            KeySource::None => Err(CredentialError::NotNeeded),
        }
    }
}

fn time_to_live(source: &KeySource) -> Duration {
    match source {
        KeySource::Command { ttl_s, .. } => Duration::from_secs(*ttl_s),
        KeySource::Keychain { .. } => KEYCHAIN_TTL,
        // Reading a variable costs nothing.
        KeySource::Env { .. } | KeySource::None => Duration::ZERO,
    }
}
