//! The key a call needs. Without a working one the run waits, one review asks
//! for all runs of the backend, and they go on by themselves when it is mended.

use std::time::Duration;

use domain::{Event, FailCause, ReviewId, ReviewKind, ReviewState, Run, WaitCause};
use secrets::{KeySource, Secret};

use crate::asks;
use crate::backends::BackendConfig;
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
            let problem = match self.usable_key(&backend).await {
                Ok(found) => {
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

    async fn usable_key(
        &self,
        backend: &BackendConfig,
    ) -> Result<(Option<Secret>, String), String> {
        if backend.key == KeySource::None {
            return Ok((None, format!("open:{}", backend.name)));
        }
        let refused = self.core.refused(&backend.name);
        let credentials = &self.core.parts.credentials;
        let key = match &refused {
            None => credentials.get(&backend.key).await,
            Some(_) => credentials.refresh_after_401(&backend.key).await,
        };
        let key = key.map_err(|error| error.to_string())?;
        let fingerprint = credentials.fingerprint(&key);
        match refused {
            // Refused before: it must be another key, or be accepted by a free check.
            Some(old) if old == fingerprint => {
                let driver = self.core.driver(backend).map_err(|e| e.to_string())?;
                match driver.check(None, Some(&key)).await {
                    Ok(_) => self.core.accept(&backend.name),
                    Err(error) if error.kind == domain::OpErrorKind::Auth => {
                        return Err(error.message);
                    }
                    Err(_) => self.core.accept(&backend.name),
                }
            }
            _ => self.core.accept(&backend.name),
        }
        self.core.parts.redactor.add(&key);
        Ok((Some(key), fingerprint))
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
            && let ReviewState::Decided(answer) = &review.state
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
        let subject = format!("auth:{}", backend.name);
        if self.core.store().has_open_review_about(&subject).await? {
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
            batch.push(match review.state {
                ReviewState::Open => Event::ReviewWithdrawn {
                    review: *id,
                    why: format!("the credential of '{}' works again", backend.name),
                },
                ReviewState::Decided(_) => Event::ReviewUsed { review: *id },
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
