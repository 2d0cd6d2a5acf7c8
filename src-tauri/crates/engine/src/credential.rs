//! The key a call needs. Without a working one the run waits, one review asks
//! for all runs of the backend, and they go on by themselves when it is mended.

use std::time::Duration;

use domain::{Event, FailCause, ReviewId, ReviewKind, Run, WaitCause};
use secrets::{KeySource, Secret};
use store::{ReviewFilter, ReviewStatus};

use crate::asks;
use crate::backends::BackendConfig;
use crate::core::Core;
use crate::journal::{Batch, Halt};
use crate::worker::Worker;

impl Worker {
    /// The backend's key and the limiter's name for it. `None` when the run
    /// ended while waiting for it.
    pub(crate) async fn credential(
        &self,
        run: &Run,
        backend: &BackendConfig,
    ) -> Result<Option<(Option<Secret>, String)>, Halt> {
        let mut backend = backend.clone();
        loop {
            let problem = match self.core.usable_key(&backend).await {
                Ok(found) => {
                    self.core.withdraw_auth_reviews(&backend.name).await;
                    self.auth_mended(&backend).await?;
                    return Ok(Some(found));
                }
                Err(problem) => self.core.redact(&problem),
            };
            if let Some(end) = self.wait_for_credential(&backend, &problem).await? {
                let why = format!("ended while its credential did not work: {problem}");
                self.fail_after(Some(end), FailCause::Review, why).await?;
                return Ok(None);
            }
            // The user may have mended it by changing the backend.
            backend = match self.core.backend(&run.backend).await {
                Ok(backend) => backend,
                Err(error) => {
                    self.fail(FailCause::Backend, error.to_string()).await?;
                    return Ok(None);
                }
            };
        }
    }

    /// Remembers that the endpoint refused the backend's key.
    pub(crate) async fn mark_refused(&self, backend: &BackendConfig) {
        let credentials = &self.core.parts.credentials;
        if let Ok(key) = credentials.get(&backend.key).await {
            self.core
                .refuse(&backend.name, credentials.fingerprint(&key));
        }
    }

    /// Waits until the credential should be looked at again, or returns the review by
    /// which a person ends the run.
    async fn wait_for_credential(
        &self,
        backend: &BackendConfig,
        problem: &str,
    ) -> Result<Option<ReviewId>, Halt> {
        self.begin_wait(WaitCause::Auth, None, problem).await?;
        self.ask_once_for_credential(backend, problem).await?;
        let mut changes = self.control.changes();
        let run = self.journal.load().await?;
        if let Some((id, review)) = asks::pending(&run, ReviewKind::Auth)
            && let Some(answer) = review.decision(self.core.now())
        {
            if answer.choice == "end" {
                return Ok(Some(id));
            }
            self.journal
                .append(Batch::of(Event::ReviewUsed { review: id }))
                .await?;
            return Ok(None);
        }
        self.rest().await;
        let recheck = Duration::from_millis(self.core.settings().auth_recheck_ms);
        let decided = asks::pending(&run, ReviewKind::Auth).and_then(|(_, r)| r.effective_at());
        let recheck = decided.map_or(recheck, |at| recheck.min(self.core.until(at)));
        tokio::select! {
            _ = tokio::time::timeout(recheck, changes.changed()) => Ok(None),
            () = self.control.stop.cancelled() => Err(Halt::Stopped),
        }
    }

    /// One review a credential, however many runs wait for it.
    async fn ask_once_for_credential(
        &self,
        backend: &BackendConfig,
        problem: &str,
    ) -> Result<(), Halt> {
        let _one = self.core.asking_auth.lock().await;
        let subject = asks::auth_subject(&backend.name);
        if self.core.store().is_asked_about(&subject).await? {
            return Ok(());
        }
        let run = self.journal.load().await?;
        let review = asks::auth(&run, &backend.name, problem, self.core.now());
        self.journal
            .append(Batch::of(Event::ReviewRequested {
                review: Box::new(review),
            }))
            .await
            .map(|_| ())
    }

    /// The credential works: nobody needs to be asked, and everybody goes on.
    async fn auth_mended(&self, backend: &BackendConfig) -> Result<(), Halt> {
        let run = self.journal.load().await?;
        if !run.waits.iter().any(|w| w.cause == WaitCause::Auth)
            && asks::pending(&run, ReviewKind::Auth).is_none()
        {
            return Ok(());
        }
        self.enter().await?;
        let mut batch = Batch::default();
        for (id, review) in run
            .reviews
            .iter()
            .filter(|(_, r)| r.kind == ReviewKind::Auth)
        {
            batch.push(match review.decision(self.core.now()) {
                None => Event::ReviewWithdrawn {
                    review: *id,
                    why: format!("the credential of '{}' works again", backend.name),
                },
                Some(_) => Event::ReviewUsed { review: *id },
            });
        }
        batch.push(Event::WaitEnded {
            cause: WaitCause::Auth,
        });
        self.journal.append(batch).await?;
        for (_, control) in self.core.controls() {
            control.poke();
        }
        Ok(())
    }
}

impl Core {
    /// The backend's key, if it is thought to work, and the limiter's name for it.
    pub(crate) async fn usable_key(
        &self,
        backend: &BackendConfig,
    ) -> Result<(Option<Secret>, String), String> {
        if backend.key == KeySource::None {
            return Ok((None, format!("open:{}", backend.name)));
        }
        let refused = self.refused(&backend.name);
        let credentials = &self.parts.credentials;
        let key = match &refused {
            None => credentials.get(&backend.key).await,
            Some(_) => credentials.refresh_after_401(&backend.key).await,
        };
        let key = key.map_err(|error| error.to_string())?;
        let fingerprint = credentials.fingerprint(&key);
        match refused {
            // Refused before: it must be another key, or be accepted by a free check.
            Some(old) if old == fingerprint => {
                let driver = self.driver_of_its_api(backend).map_err(|e| e.to_string())?;
                match driver.check(None, Some(&key)).await {
                    Ok(_) => self.accept(&backend.name),
                    Err(error) if error.kind == domain::OpErrorKind::Auth => {
                        return Err(error.message);
                    }
                    Err(_) => self.accept(&backend.name),
                }
            }
            _ => self.accept(&backend.name),
        }
        self.parts.redactor.add(&key);
        Ok((Some(key), fingerprint))
    }

    /// The credential works: whoever was asked about it for a run that nobody works on
    /// (it was paused meanwhile) needs not be asked any more. A run that somebody works
    /// on withdraws its own question.
    pub(crate) async fn withdraw_auth_reviews(&self, backend: &str) {
        let filter = ReviewFilter {
            states: vec![ReviewStatus::Open],
            subject: Some(asks::auth_subject(backend)),
            ..ReviewFilter::default()
        };
        let open = match self.store().reviews(&filter).await {
            Ok(open) => open,
            Err(error) => return tracing::warn!(%error, "open reviews could not be read"),
        };
        for row in open {
            let (run, review) = (row.review.run, row.review.id);
            if self.control(run).is_some() {
                continue;
            }
            let why = format!("the credential of '{backend}' works again");
            let withdrawn = Batch::of(Event::ReviewWithdrawn { review, why });
            // Decided or withdrawn by somebody else just now: as good.
            if let Err(halt) = self.journal(run).append(withdrawn).await {
                tracing::debug!(%run, %halt, "a question about a credential stays");
            }
        }
    }

    /// After a backend was changed: whether its credential works now is worth knowing
    /// only if somebody is asked about it.
    pub(crate) async fn look_at_credential(&self, name: &str) {
        let asked = self.store().is_asked_about(&asks::auth_subject(name)).await;
        if !asked.unwrap_or(false) {
            return;
        }
        if let Ok(backend) = self.backend(name).await
            && self.usable_key(&backend).await.is_ok()
        {
            self.withdraw_auth_reviews(name).await;
        }
    }
}
