//! "Always allow this here": the rule that is proposed, what else it would have allowed, and
//! approving with it. The rule is durable before the decision is: whoever dies in between is
//! asked once more, and writes no second rule.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use domain::{Answer, Review, ReviewId, ReviewKind, Run, RunId};
use policy::{Layer, Proposal, Source, Trust, UserRules};
use store::{ReviewFilter, ReviewOrder};

use crate::core::{Core, Engine};
use crate::decide::DecideError;
use crate::edit::waiting_call;
use crate::policy::{Asked, Rules};

/// How far back is looked for what else a rule would have allowed, in milliseconds.
const LOOKED_BACK: i64 = 30 * 24 * 60 * 60 * 1000;

/// Most reviews looked at for it.
const LOOKED_AT: u32 = 2_000;

/// Most of them shown.
const SHOWN: usize = 5;

/// What "always allow this here" would do.
#[derive(Clone, Debug)]
pub struct RulePreview {
    /// The rules that would be written; or why there are none.
    pub rule: Result<Proposal, String>,
    /// The folder they would be for.
    pub project: PathBuf,
    /// The file they would be written to.
    pub file: PathBuf,
    /// Reviews of this folder's runs in the last 30 days, this one not counted.
    pub looked_at: usize,
    /// How many of them would not have been asked.
    pub spared: usize,
    /// The newest of those.
    pub samples: Vec<Review>,
}

impl Engine {
    /// Says what "always allow this here" would write for a review, and what else that
    /// would have allowed. Writes nothing.
    ///
    /// # Errors
    /// If the review is not open, or the journal cannot be read.
    pub async fn preview_rule(&self, review: ReviewId) -> Result<RulePreview, DecideError> {
        let (run, found) = self.find(review).await?;
        let rules = self.core.rules(&run).await;
        let rule = self.core.proposal(&run, &found, &rules).await?;
        let mut preview = RulePreview {
            rule,
            project: rules.project().to_owned(),
            file: self.core.users_rules(),
            looked_at: 0,
            spared: 0,
            samples: Vec::new(),
        };
        if let Ok(proposal) = &preview.rule {
            let layer = Layer::parse(Source::Here, &proposal.bare(), Trust::Trusted);
            let layer = layer.map_err(|error| DecideError::NotAlways(error.to_string()))?;
            self.core.look_back(review, &layer, &mut preview).await?;
        }
        Ok(preview)
    }

    /// Approves a call, and allows its like in this folder from now on, by the very rules
    /// that [`preview_rule`](Self::preview_rule) has shown.
    ///
    /// # Errors
    /// As [`decide`](Self::decide); and if there is no such rule, another one would be
    /// proposed now, or it cannot be written. Nothing is decided then.
    pub async fn decide_always(
        &self,
        review: ReviewId,
        answer: Answer,
        shown: &str,
    ) -> Result<RunId, DecideError> {
        let (run, found) = self.find(review).await?;
        if answer.choice != "approve" || answer.effective_at.is_some() || !found.is_open() {
            let why = "only an approval that holds at once comes with a rule";
            return Err(DecideError::NotAlways(why.to_owned()));
        }
        let rules = self.core.rules(&run).await;
        let proposal = self.core.proposal(&run, &found, &rules).await?;
        let proposal = proposal.map_err(DecideError::NotAlways)?;
        if proposal.text.trim() != shown.trim() {
            let why = "the rule is another one than was shown; look at it again";
            return Err(DecideError::Decided(why.to_owned()));
        }
        let ids = proposal.ids.join(", ");
        let project = rules.project().to_owned();
        self.core
            .change_rules(move |text| UserRules::with_rules(text, &proposal, &project))
            .await?;
        faults::crash_point("engine.rule_written");
        let note = format!("Always allowed here from now on, by the user's rule {ids}");
        self.record(run.id, review, answer, Vec::new(), Some(note))
            .await
    }
}

impl Core {
    /// The rules that would have allowed the call a review is about, or why there are none.
    async fn proposal(
        &self,
        run: &Run,
        review: &Review,
        rules: &Rules,
    ) -> Result<Result<Proposal, String>, DecideError> {
        let call = waiting_call(run, review).filter(|_| is_approval(review.kind));
        let Some(op) = call else {
            return Ok(Err(
                "only a call that waits for its approval can be".to_owned()
            ));
        };
        let input = self.store().blob(&op.args).await;
        let input = input.map_err(|e| DecideError::Store(e.to_string()))?;
        let asked = asked(run, &op.name, op.class, &String::from_utf8_lossy(&input));
        Ok(match asked {
            Some(asked) => rules.propose(&asked).map_err(|why| why.to_string()),
            None => Err("the call cannot be read".to_owned()),
        })
    }

    async fn look_back(
        &self,
        this: ReviewId,
        layer: &Layer,
        preview: &mut RulePreview,
    ) -> Result<(), DecideError> {
        let failed = |error: store::ReadError| DecideError::Store(error.to_string());
        let filter = ReviewFilter {
            order: ReviewOrder::NewestFirst,
            limit: Some(LOOKED_AT),
            ..ReviewFilter::default()
        };
        let from = self.now().plus_ms(-LOOKED_BACK);
        let mut runs: HashMap<RunId, Option<(Run, Rules, Rules)>> = HashMap::new();
        for row in self.store().reviews(&filter).await.map_err(failed)? {
            let review = row.review;
            if review.requested_at < from {
                break;
            }
            let Some(op) = review
                .op
                .filter(|_| review.id != this && is_approval(review.kind))
            else {
                continue;
            };
            if let Entry::Vacant(entry) = runs.entry(review.run) {
                let run = self.store().load(review.run).await.map_err(failed)?;
                let here = |run: &Run| Path::new(&run.task.project) == preview.project;
                entry.insert(match run.filter(here) {
                    Some(run) => {
                        let now = self.rules(&run).await;
                        let then = now.clone().with(layer.clone());
                        Some((run, now, then))
                    }
                    None => None,
                });
            }
            let Some(Some((run, now, then))) = runs.get(&review.run) else {
                continue;
            };
            preview.looked_at += 1;
            let rows = self.store().ops(review.run, op, 1).await.map_err(failed)?;
            let Some(op) = rows.into_iter().find(|row| row.id == op) else {
                continue;
            };
            let input = self.store().blob(&op.args).await.map_err(failed)?;
            let input = String::from_utf8_lossy(&input);
            let Some(asked) = asked(run, &op.name, op.class, &input) else {
                continue;
            };
            let allowed = |rules: &Rules| rules.judge(&asked).verdict == domain::Verdict::Allow;
            if !allowed(now) && allowed(then) {
                preview.spared += 1;
                if preview.samples.len() < SHOWN {
                    preview.samples.push(review);
                }
            }
        }
        Ok(())
    }
}

/// Whether a review of this kind is asked for by the rules.
const fn is_approval(kind: ReviewKind) -> bool {
    matches!(kind, ReviewKind::ToolCall | ReviewKind::SensitiveChange)
}

fn asked(run: &Run, name: &str, class: domain::OpClass, input: &str) -> Option<Asked> {
    match run.task.kind.is_native() {
        true => agents::tools::Tool::parse(name, input)
            .ok()
            .map(|tool| Asked::of_tool(&tool)),
        false => Some(Asked::of_agent(name, class, input)),
    }
}
