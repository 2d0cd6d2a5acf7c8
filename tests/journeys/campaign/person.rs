//! The person in charge: approves what is flagged, answers questions, looks at the
//! world where something is in doubt, and resumes what was left.

use std::time::Duration;

use anyhow::bail;
use client::ClientError;
use domain::{ReviewKind, RunId};
use protocol::{
    DecideRequest, ErrorCode, ResumeRequest, ReviewStatus, ReviewView, ReviewsRequest, RunSelector,
};
use tokio::time::Instant;

use super::script::effect_in;
use super::world::World;

/// Nobody resumes a run the daemon is just about to let go on by itself.
const PATIENCE: Duration = Duration::from_millis(600);

impl World {
    /// Answers every open review.
    pub(crate) async fn answer_reviews(&mut self) -> anyhow::Result<()> {
        let open = self.client.reviews(ReviewsRequest::default()).await?;
        let mine = |review: &&ReviewView| {
            review.state == ReviewStatus::Open && Some(review.kind) != self.left_open
        };
        let open: Vec<ReviewView> = open.reviews.iter().filter(mine).cloned().collect();
        for review in &open {
            let choice = self.choose(review)?;
            let request = DecideRequest {
                review: review.id.to_string(),
                choice: choice.clone(),
                by: "cli".to_owned(),
                ..DecideRequest::default()
            };
            match self.client.decide(request).await {
                Ok(_) => self.decisions.push((review.id, choice)),
                // Decided before the crash that swallowed the acknowledgement.
                Err(ClientError::Refused(error))
                    if matches!(error.code, ErrorCode::Conflict | ErrorCode::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn choose(&self, review: &ReviewView) -> anyhow::Result<String> {
        Ok(match review.kind {
            ReviewKind::ToolCall | ReviewKind::Loop => "approve".to_owned(),
            ReviewKind::Question => review
                .choices
                .first()
                .map_or("left", |c| c.id.as_str())
                .to_owned(),
            ReviewKind::VerifyFailed => "again".to_owned(),
            ReviewKind::InDoubt => match effect_in(&review.title) {
                Some(effect) if self.effects.count(effect)? > 0 => "happened".to_owned(),
                _ => "again".to_owned(),
            },
            other => bail!("nobody expects a review of kind {other}: {review:?}"),
        })
    }

    /// Resumes a run that stays interrupted.
    pub(crate) async fn resume_if_left(&mut self, run: RunId) -> anyhow::Result<()> {
        let since = *self
            .interrupted_since
            .entry(run)
            .or_insert_with(Instant::now);
        if since.elapsed() < PATIENCE {
            return Ok(());
        }
        self.interrupted_since.remove(&run);
        let runs = RunSelector::One(run.to_string());
        match self.client.resume(ResumeRequest { runs }).await {
            Ok(_) => {
                self.resumed += 1;
                Ok(())
            }
            Err(ClientError::Refused(error)) if error.code == ErrorCode::Conflict => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
