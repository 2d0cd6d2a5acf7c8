//! After the verify command passed: did the run change what judges it? If so, the policy
//! decides who looks at it before the run is completed. It never goes unsaid.

use std::fmt::Write as _;

use domain::{Event, FailCause, MessageOrigin, Preset, Review, ReviewKind, Run, TestChange};
use workspace::{ChangeStatus, ChangedFile, FilePatch, Sign, by_file};

use crate::asks;
use crate::journal::{Batch, Halt};
use crate::judge::{Change, Status, Verdict, concerns, judge};
use crate::worker::Worker;

/// What the subject of such a review begins with; the snapshot follows.
const SUBJECT: &str = "tests:";

/// What was found, and the parts of the diff it was found in.
#[derive(Default)]
struct Found {
    changed: Vec<TestChange>,
    diff: String,
}

impl Worker {
    /// The review about changed tests, if it is about the files as they are now. One about
    /// earlier files is of no use any more.
    pub(crate) async fn tests_review(&self, run: &Run) -> Result<Option<Review>, Halt> {
        let about_tests = |review: &&Review| {
            let subject = review.subject.as_deref();
            review.kind == ReviewKind::SensitiveChange
                && subject.is_some_and(|subject| subject.starts_with(SUBJECT))
        };
        let Some(review) = run.reviews.values().find(about_tests) else {
            return Ok(None);
        };
        if review.subject == subject_of(run) {
            return Ok(Some(review.clone()));
        }
        let withdrawn = Event::ReviewWithdrawn {
            review: review.id,
            why: "the files have changed since".to_owned(),
        };
        self.journal.append(Batch::of(withdrawn)).await?;
        Ok(None)
    }

    /// Completes a run whose verify command passed, unless a person is to look first at
    /// what it changed of its tests.
    pub(crate) async fn complete_if_judged_fairly(
        &self,
        run: Run,
        command: &str,
    ) -> Result<Run, Halt> {
        let found = self.tests_changed(&run, command).await;
        let judged = Event::TestsJudged {
            snapshot: snapshot_of(&run).unwrap_or_default().to_owned(),
            changed: found.changed.clone(),
        };
        if found.changed.is_empty() {
            // What was said of an earlier state is no longer so.
            let first = (!run.tests_changed.is_empty()).then_some(judged);
            return self.complete(run, None, first.into_iter().collect()).await;
        }
        let mut batch = Batch::of(judged);
        let words = words(&found.changed);
        if run.task.policy == Preset::HandsOff {
            batch.push(Event::Noted {
                text: format!("The agent changed the tests that judge it.\n{words}"),
            });
            return self.complete(run, None, batch.events).await;
        }
        let detail = self.core.redact(&format!("{words}\n{}", found.diff));
        let mut review = asks::tests_changed(&run, command, &detail, self.core.now());
        review.subject = subject_of(&run);
        review.detail_blob = asks::is_shortened(&review, &detail).then(|| batch.blob(detail));
        batch.push(Event::ReviewRequested {
            review: Box::new(review),
        });
        let asked = self.journal.append_at(run.head, batch).await?;
        faults::crash_point("engine.tests_judged");
        Ok(asked)
    }

    /// Waits for the decision, or does what was decided.
    pub(crate) async fn act_on_tests_review(&self, run: Run, review: Review) -> Result<Run, Halt> {
        let Some(answer) = review.decision(self.core.now()).cloned() else {
            let mut changes = self.control.changes();
            let now = self.journal.load().await?;
            if now.head == run.head {
                self.await_decision(&mut changes, &review).await?;
            }
            return self.journal.load().await;
        };
        self.enter().await?;
        let used = Event::ReviewUsed { review: review.id };
        match answer.choice.as_str() {
            "accept" => self.complete(run, Some(review.id), Vec::new()).await,
            "again" => {
                let mut batch = Batch::of(used);
                let note = answer.note.map(|n| format!("\n\nThe user's note: {n}"));
                let text = batch.blob(format!(
                    "The verify command passes, but you changed what judges your work, and the user does not accept \
                     that. Undo it, or say why it is right.\n\n{}{}",
                    words(&run.tests_changed),
                    note.unwrap_or_default()
                ));
                batch.push(Event::MessageAdded {
                    origin: MessageOrigin::Verify,
                    text,
                });
                self.journal.append(batch).await
            }
            _ => {
                let why = "the tests that judge it were changed".to_owned();
                self.fail_after(Some(review.id), FailCause::Review, why)
                    .await
            }
        }
    }

    async fn tests_changed(&self, run: &Run, command: &str) -> Found {
        let Some(snapshot) = snapshot_of(run) else {
            return Found::default();
        };
        let compared = match self.open_workspace(run).await {
            Ok(workspace) => compare(&workspace, snapshot, command).await,
            Err(why) => Err(why),
        };
        // What cannot be compared has not been found to be harmless.
        compared.unwrap_or_else(|why| Found {
            changed: vec![TestChange {
                path: ".".to_owned(),
                reason: format!("what changed could not be looked at: {why}"),
            }],
            diff: String::new(),
        })
    }
}

fn snapshot_of(run: &Run) -> Option<&str> {
    run.checkpoint.as_ref().map(|c| c.snapshot.as_str())
}

fn subject_of(run: &Run) -> Option<String> {
    snapshot_of(run).map(|snapshot| format!("{SUBJECT}{snapshot}"))
}

fn words(changed: &[TestChange]) -> String {
    let mut words = String::new();
    for change in changed {
        let _ = writeln!(words, "- {}: {}", change.path, change.reason);
    }
    words
}

async fn compare(
    workspace: &workspace::Workspace,
    snapshot: &str,
    command: &str,
) -> Result<Found, String> {
    let mut files = workspace
        .changed_files(None, Some(snapshot))
        .await
        .map_err(|e| e.to_string())?;
    let old = |file: &ChangedFile| file.old_path.clone().unwrap_or_else(|| file.path.clone());
    files.retain(|file| concerns(&file.path, command) || concerns(&old(file), command));
    if files.is_empty() {
        return Ok(Found::default());
    }
    let diff = workspace
        .diff_bytes(None, Some(snapshot))
        .await
        .map_err(|e| e.to_string())?;
    Ok(judge_all(&files, &by_file(&diff), command))
}

fn judge_all(files: &[ChangedFile], diffs: &[FilePatch<'_>], command: &str) -> Found {
    let mut found = Found::default();
    for file in files {
        // A file that became a link is two parts of the diff.
        let of_file = |diff: &&FilePatch<'_>| String::from_utf8_lossy(&diff.path) == file.path;
        let parts: Vec<&FilePatch<'_>> = diffs.iter().filter(of_file).collect();
        let lines = |wanted: Sign| -> Vec<String> {
            let hunks = parts.iter().flat_map(|part| &part.hunks);
            let lines = hunks.flat_map(|hunk| &hunk.lines);
            lines
                .filter(|(sign, _)| *sign == wanted)
                .map(|(_, line)| {
                    String::from_utf8_lossy(line)
                        .trim_end_matches('\n')
                        .to_owned()
                })
                .collect()
        };
        let (removed, added) = (lines(Sign::Removed), lines(Sign::Added));
        let removed: Vec<&str> = removed.iter().map(String::as_str).collect();
        let added: Vec<&str> = added.iter().map(String::as_str).collect();
        let change = Change {
            path: &file.path,
            old_path: file.old_path.as_deref(),
            status: match file.status {
                ChangeStatus::Added => Status::Added,
                ChangeStatus::Modified => Status::Modified,
                ChangeStatus::Deleted => Status::Deleted,
                ChangeStatus::Renamed => Status::Renamed,
                ChangeStatus::TypeChanged => Status::TypeChanged,
            },
            removed: &removed,
            added: &added,
        };
        if let Verdict::Weakened(reason) = judge(&change, command) {
            found.changed.push(TestChange {
                path: file.path.clone(),
                reason,
            });
            parts
                .iter()
                .for_each(|part| found.diff.push_str(&String::from_utf8_lossy(part.text)));
        }
    }
    found
}
