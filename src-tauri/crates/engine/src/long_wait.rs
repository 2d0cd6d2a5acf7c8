//! A wait for a limit that takes long is no longer a matter of course: a person says whether
//! the run goes on waiting. It waits while they think about it, and nothing is switched.

use domain::{Choice, Event, Review, ReviewId, ReviewKind, Run, Timestamp};
use limiter::{LimitKind, Pause};
use store::ReviewFilter;

use crate::asks;
use crate::gate::limited_since;
use crate::journal::{Batch, Halt};
use crate::worker::Worker;

fn ask(run: &Run, pause: &Pause, since: Timestamp, now: Timestamp) -> Review {
    let minutes = pause.until.ms_since(now).max(0) / 60_000;
    let lasts = match minutes {
        0..60 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    };
    let mut review = asks::ask(
        run,
        ReviewKind::LimitWait,
        format!("The limit of '{}' lasts {lasts} more", run.backend),
        pause.words(),
        format!(
            "The run waits for backend '{}' in step {}. It goes on by itself when the limit ends, whether or not \
             this is answered; no other backend answers in its place, and what it made so far is kept.",
            run.backend,
            run.step + 1
        ),
        now,
    );
    review.subject = Some(subject(since));
    review.choices = vec![
        Choice::new(
            "wait",
            "Go on waiting",
            "It waits as long as it takes (max_wait does not end it) and goes on by itself. You are not asked again in \
             this wait.",
        ),
        Choice::new(
            "end",
            "End",
            "The run ends here; what there is so far is kept, and it can be resumed later.",
        ),
    ];
    review
}

/// What tells one wait of a run from the next one.
fn subject(since: Timestamp) -> String {
    format!("limit:{}", since.0)
}

impl Worker {
    /// Asks about a wait that is long, once a wait. The question as long as nobody has
    /// answered it.
    pub(crate) async fn mind_long_wait(&self, pause: &Pause) -> Result<Option<Review>, Halt> {
        let (run, now) = (self.journal.load().await?, self.core.now());
        if let Some((id, review)) = asks::pending(&run, ReviewKind::LimitWait) {
            if review.decision(now).is_none() {
                return Ok(Some(review.clone()));
            }
            let used = Event::ReviewUsed { review: id };
            self.journal.append(Batch::of(used)).await?;
            return Ok(None);
        }
        let since = limited_since(&run, now);
        let long = pause.until.ms_since(since) > self.core.settings().long_wait_ms;
        if !long || pause.kind == LimitKind::Offline {
            return Ok(None);
        }
        if self.asked_in_this_wait(&run, since).await?.is_some() {
            return Ok(None);
        }
        let review = ask(&run, pause, since, now);
        let asking = Event::ReviewRequested {
            review: Box::new(review.clone()),
        };
        self.journal.append(Batch::of(asking)).await?;
        Ok(Some(review))
    }

    /// What was asked of the wait that began then, whatever became of it.
    async fn asked_in_this_wait(
        &self,
        run: &Run,
        since: Timestamp,
    ) -> Result<Option<Review>, Halt> {
        let asked = ReviewFilter {
            run: Some(run.id),
            subject: Some(subject(since)),
            limit: Some(1),
            ..ReviewFilter::default()
        };
        let found = self.core.store().reviews(&asked).await?;
        Ok(found.into_iter().next().map(|row| row.review))
    }

    /// Whether somebody has said that the run goes on waiting, in the wait that began then.
    pub(crate) async fn agreed_to_wait(&self, run: &Run, since: Timestamp) -> Result<bool, Halt> {
        let asked = self.asked_in_this_wait(run, since).await?;
        let now = self.core.now();
        let answer = asked.as_ref().and_then(|review| review.decision(now));
        Ok(answer.is_some_and(|answer| answer.choice == "wait"))
    }

    /// The decision that ends the run instead of its wait, where there is one.
    pub(crate) async fn ended_the_wait(&self) -> Result<Option<ReviewId>, Halt> {
        let run = self.journal.load().await?;
        let decided = asks::pending(&run, ReviewKind::LimitWait)
            .and_then(|(id, review)| Some((id, review.decision(self.core.now())?)))
            .filter(|(_, answer)| answer.choice == "end");
        Ok(decided.map(|(id, _)| id))
    }

    /// The wait is over: nobody need say whether it goes on. An end that somebody has decided
    /// stays, and is the run's as soon as it holds.
    pub(crate) fn nobody_need_wait(&self, run: &Run, batch: &mut Batch) {
        let now = self.core.now();
        let waits = run.reviews.iter();
        for (id, review) in waits.filter(|(_, r)| r.kind == ReviewKind::LimitWait) {
            let review_id = *id;
            match review.answer() {
                Some(answer) if answer.choice == "end" => {}
                Some(answer) if answer.holds_at(now) => {
                    batch.push(Event::ReviewUsed { review: review_id });
                }
                _ => {
                    let why = "the limit is over".to_owned();
                    batch.push(Event::ReviewWithdrawn {
                        review: review_id,
                        why,
                    });
                }
            }
        }
    }
}
