//! What the handlers work with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use domain::{Clock, Timestamp};
use engine::Engine;
use protocol::{ApiError, DaemonMode, ErrorCode};
use secrets::{Credentials, Redactor};
use store::{OpenError, Ownership, ReviewFilter, Store};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::Options;
use crate::buckets::Buckets;
use crate::heard::Heard;
use crate::notifier::Notifier;
use crate::rehearsal::Stage;
use crate::settings::live::Live;
use crate::webhook::Teller;

/// How the daemon is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Not yet.
    No,
    /// Stop what runs at once; keepers live on.
    Now,
    /// Let model calls finish first.
    Drain,
}

/// Everything that needs an open store.
pub(crate) struct Working {
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    pub(crate) credentials: Credentials,
    pub(crate) redactor: Redactor,
    pub(crate) notifier: Arc<Notifier>,
    pub(crate) teller: Arc<Teller>,
    pub(crate) buckets: Buckets,
}

/// Why the daemon is in maintenance mode.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    /// What is wrong.
    pub(crate) what: String,
    /// What to do.
    pub(crate) hint: String,
}

const DAMAGED: &str =
    "`longhaul doctor` says what is wrong; `longhaul restore FILE` brings a backup back";

impl Trouble {
    pub(crate) fn of(error: &OpenError) -> Self {
        let hint = match error {
            OpenError::Damaged { .. } | OpenError::LostTail { .. } => DAMAGED.to_owned(),
            OpenError::DiskFull { .. }
            | OpenError::Locked { .. }
            | OpenError::NotWritable { .. } => format!(
                "{} (`longhaul daemon stop`; the next command starts it)",
                error.hint()
            ),
            _ => format!("{} `longhaul doctor` says more.", error.hint()),
        };
        Self {
            what: error.to_string(),
            hint,
        }
    }

    pub(crate) fn unrecoverable(why: &str) -> Self {
        Self {
            what: format!("what was interrupted cannot be taken up again: {why}"),
            hint: DAMAGED.to_owned(),
        }
    }

    pub(crate) fn words(&self) -> String {
        format!("{}. {}", self.what, self.hint)
    }
}

/// The daemon as its handlers see it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) began: Timestamp,
    /// Absent in maintenance mode.
    pub(crate) working: Option<Working>,
    /// Why there is no store.
    pub(crate) trouble: Option<Trouble>,
    /// The home is ours as long as this lasts.
    pub(crate) owned: Arc<Ownership>,
    pub(crate) ending: watch::Sender<Ending>,
    /// Ends open event streams.
    pub(crate) closing: CancellationToken,
    pub(crate) settings: Live,
    pub(crate) heard: Heard,
    pub(crate) rehearsal: Stage,
    /// Where browsers are listened to, if they are.
    pub(crate) listens: OnceLock<SocketAddr>,
}

/// Endpoints that work without a store.
const WITHOUT_STORE: &[&str] = &["version", "status", "doctor", "backup", "restore", "stop"];

impl Api {
    pub(crate) fn new(
        options: Options,
        clock: Arc<dyn Clock>,
        owned: Arc<Ownership>,
        working: Option<Working>,
        trouble: Option<Trouble>,
        settings: Live,
        rehearsal: Stage,
    ) -> Self {
        let inner = Inner {
            options,
            began: clock.now(),
            clock,
            working,
            trouble,
            owned,
            ending: watch::Sender::new(Ending::No),
            closing: CancellationToken::new(),
            settings,
            heard: Heard::default(),
            rehearsal,
            listens: OnceLock::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The parts that need a store.
    pub(crate) fn working(&self) -> Result<&Working, ApiError> {
        self.inner
            .working
            .as_ref()
            .ok_or_else(|| self.maintenance())
    }

    /// Refuses what cannot be served in this mode.
    pub(crate) fn must_serve(&self, endpoint: &str) -> Result<(), ApiError> {
        if self.inner.working.is_none() && !WITHOUT_STORE.contains(&endpoint) {
            return Err(self.maintenance());
        }
        Ok(())
    }

    fn maintenance(&self) -> ApiError {
        let (what, hint) = match &self.inner.trouble {
            Some(trouble) => (trouble.what.as_str(), trouble.hint.as_str()),
            None => ("there is no store", DAMAGED),
        };
        ApiError::new(
            ErrorCode::Maintenance,
            format!("Longhaul is in maintenance mode: {what}"),
            hint,
        )
    }

    /// What it serves; about to end, it says so in every mode.
    pub(crate) fn mode(&self) -> DaemonMode {
        if *self.inner.ending.borrow() != Ending::No {
            return DaemonMode::Draining;
        }
        match self.inner.working {
            Some(_) => DaemonMode::Normal,
            None => DaemonMode::Maintenance,
        }
    }

    pub(crate) fn end(&self, how: Ending) {
        self.inner.ending.send_if_modified(|ending| {
            let earlier = *ending;
            if earlier != Ending::Now {
                *ending = how;
            }
            *ending != earlier
        });
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.inner.options.paths.home.clone()
    }

    /// The run a user means: an id or a unique prefix.
    pub(crate) async fn run_id(&self, text: &str) -> Result<domain::RunId, ApiError> {
        let store = &self.working()?.store;
        if let Ok(id) = text.parse() {
            let known = store.load(id).await.map_err(ApiError::internal)?;
            return known.map(|run| run.id).ok_or_else(|| no_run(text));
        }
        let found = store.find_runs(text, 6).await.map_err(ApiError::internal)?;
        one(text, "run", found, no_run)
    }

    /// The review a user means: an id or a unique prefix, also of one that was decided.
    pub(crate) async fn review_id(&self, text: &str) -> Result<domain::ReviewId, ApiError> {
        let store = &self.working()?.store;
        if let Ok(id) = text.parse() {
            let known = store.review(id).await.map_err(ApiError::internal)?;
            return known
                .map(|row| row.review.id)
                .ok_or_else(|| no_review(text));
        }
        let found = store
            .find_reviews(text, 6)
            .await
            .map_err(ApiError::internal)?;
        // Among several, those still open are meant.
        if found.len() > 1 {
            let filter = ReviewFilter {
                states: vec![store::ReviewStatus::Open],
                ..ReviewFilter::default()
            };
            let open = store.reviews(&filter).await.map_err(ApiError::internal)?;
            let open: Vec<_> = open
                .iter()
                .map(|row| row.review.id)
                .filter(|id| found.contains(id))
                .collect();
            if !open.is_empty() {
                return one(text, "review", open, no_review);
            }
        }
        one(text, "review", found, no_review)
    }
}

fn one<T: ToString + Copy>(
    text: &str,
    what: &str,
    found: Vec<T>,
    none: impl Fn(&str) -> ApiError,
) -> Result<T, ApiError> {
    match found.as_slice() {
        [] => Err(none(text)),
        [id] => Ok(*id),
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(ApiError::new(
                ErrorCode::Ambiguous,
                format!(
                    "'{text}' is the beginning of several {what}s: {}",
                    names.join(", ")
                ),
                "give more of the id",
            ))
        }
    }
}

fn no_run(text: &str) -> ApiError {
    ApiError::not_found(
        format!("there is no run '{text}'"),
        "`longhaul runs` lists them",
    )
}

fn no_review(text: &str) -> ApiError {
    ApiError::not_found(
        format!("there is no review '{text}'"),
        "`longhaul reviews` lists those that are open",
    )
}
