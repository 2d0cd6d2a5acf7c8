//! Reviews nobody answers in time, where the user has set one (ADR 0010). Expiry decides nothing:
//! what was asked about neither happens nor is it refused. A run that cannot go on without the
//! answer stops, and asks again when it is resumed.

use std::sync::Arc;
use std::time::Duration;

use domain::{Event, InterruptCause, Phase, Review, ReviewKind, ReviewState, Run, Timestamp};

use crate::commands::CommandError;
use crate::core::{Core, Engine};
use crate::journal::Batch;

/// The wall clock is looked at so often: a timer stands still while the machine sleeps.
const LOOK: Duration = Duration::from_secs(30);

/// And not more often.
const AGAIN: Duration = Duration::from_secs(1);

impl Engine {
    /// When a review expires if nobody answers; `None` if it never does.
    pub fn expires_at(&self, review: &Review) -> Option<Timestamp> {
        let after = self.core.settings().review_expires_ms;
        let expires = after > 0 && review.is_open();
        expires.then(|| review.waits_since().plus_ms(after))
    }

    /// Lets reviews expire, until the engine leaves. Sleeps while none can.
    pub async fn mind_expiry(&self) {
        let core = &self.core;
        let mut settings = core.settings_moved.subscribe();
        loop {
            settings.borrow_and_update();
            let mut journal = core.store().subscribe();
            journal.borrow_and_update();
            let after = core.settings().review_expires_ms;
            let next = core.expire_due(after).await;
            let look = async {
                match next {
                    // Only a change of the settings makes one expire.
                    Ok(Next::Never) => std::future::pending().await,
                    Ok(Next::NothingOpen) => {
                        let _ = journal.changed().await;
                    }
                    Ok(Next::In(time)) => tokio::time::sleep(time.min(LOOK)).await,
                    Err(error) => {
                        tracing::warn!(%error, "reviews could not be looked through for expired ones");
                        tokio::time::sleep(LOOK).await;
                    }
                }
            };
            tokio::select! {
                () = look => {}
                _ = settings.changed() => {}
                () = core.leaving.cancelled() => return,
            }
        }
    }
}

enum Next {
    /// None ever expires.
    Never,
    /// Nobody is asked anything.
    NothingOpen,
    /// The next one expires then.
    In(Duration),
}

impl Core {
    async fn expire_due(self: &Arc<Self>, after_ms: i64) -> Result<Next, CommandError> {
        if after_ms <= 0 {
            return Ok(Next::Never);
        }
        let cutoff = self.now().plus_ms(-after_ms);
        for review in self.store().reviews_waiting_since(cutoff).await? {
            self.expire(&review, after_ms).await?;
        }
        let longest = self.store().longest_wait().await?;
        Ok(match longest {
            // One whose time was over just now, or has come since, is looked at once more.
            Some(since) => Next::In(self.until(since.plus_ms(after_ms)).max(AGAIN)),
            None => Next::NothingOpen,
        })
    }

    async fn expire(self: &Arc<Self>, review: &Review, after_ms: i64) -> Result<(), CommandError> {
        faults::crash_point("engine.before_expiry");
        let changed = self
            .change(review.run, |run| {
                let mut batch = Batch::default();
                // Somebody may have been faster.
                let due = run.reviews.get(&review.id).filter(|found| {
                    found.is_open() && found.waits_since().plus_ms(after_ms) <= self.now()
                });
                if let Some(found) = due {
                    expired(run, found, after_ms, &mut batch, self.now());
                }
                Ok(batch)
            })
            .await?;
        faults::crash_point("engine.expired");
        match self.control(review.run) {
            Some(control) if changed.phase == Phase::Interrupted => control.stop_soon(),
            _ => self.poke(review.run),
        }
        Ok(())
    }
}

/// What is recorded of one that expires: in one commit with what it does to its run.
fn expired(run: &Run, review: &Review, after_ms: i64, batch: &mut Batch, now: Timestamp) {
    batch.push(Event::ReviewExpired {
        review: review.id,
        after_ms,
    });
    let words = format!(
        "nobody answered \"{}\" within {}",
        review.title,
        waited(after_ms)
    );
    let works = matches!(run.phase, Phase::Queued | Phase::Active | Phase::Verifying);
    if review.kind.holds_up_its_run() && works {
        batch.push(Event::Interrupted {
            cause: InterruptCause::Unanswered,
            detail: format!("{words}; it is asked again when the run is resumed"),
            last_alive: now,
        });
    }
    if review.kind == ReviewKind::Conflict && run.applying.is_some() {
        batch.push(Event::ApplyEnded { why: words });
    }
}

/// What makes reviews that expired open again, before their run goes on.
pub(crate) fn asked_again(run: &Run) -> impl Iterator<Item = Event> {
    let expired = run
        .reviews
        .values()
        .filter(|review| review.state == ReviewState::Expired);
    expired.map(|review| Event::ReviewAskedAgain { review: review.id })
}

fn waited(ms: i64) -> String {
    let minutes = ms / 60_000;
    match minutes {
        0 => format!("{} s", ms / 1000),
        1..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}
