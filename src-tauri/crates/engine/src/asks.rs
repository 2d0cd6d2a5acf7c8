//! The reviews the engine asks for, each with what happens for each answer.

use domain::{
    BudgetLimit, Choice, Decision, Op, Review, ReviewId, ReviewKind, ReviewState, Run, Timestamp,
};

use crate::ids::new_review_id;

/// Longest text shown in a review itself; the rest is in its blob.
const DETAIL_LIMIT: usize = 16 * 1024;

/// Longest title, in characters.
const TITLE: usize = 160;

/// A review about `run`, still without choices.
pub(crate) fn ask(
    run: &Run,
    kind: ReviewKind,
    title: String,
    why: String,
    detail: String,
    now: Timestamp,
) -> Review {
    Review {
        id: new_review_id(),
        run: run.id,
        op: None,
        kind,
        title,
        why,
        detail: clip(detail),
        rule_id: None,
        always: false,
        detail_blob: None,
        choices: Vec::new(),
        digest: None,
        subject: None,
        requested_at: now,
        asked_again_at: None,
        snoozed_until: None,
        state: ReviewState::Open,
    }
}

fn clip(mut text: String) -> String {
    if text.len() > DETAIL_LIMIT {
        let mut cut = DETAIL_LIMIT;
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        text.truncate(cut);
        text.push_str("\n… (shortened)");
    }
    text
}

/// The call in one line: with the tool's name where the summary does not begin with it, and
/// is no command line, which says by itself what it is.
fn called(op: &Op) -> String {
    called_as(&op.name, &op.summary)
}

fn called_as(tool: &str, summary: &str) -> String {
    let named = summary
        .strip_prefix(tool)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
    if named || summary.starts_with("$ ") {
        summary.to_owned()
    } else {
        format!("{tool}: {summary}")
    }
}

/// May this tool call run?
pub(crate) fn tool_call(
    run: &Run,
    op: &Op,
    decision: &Decision,
    detail: String,
    kind: ReviewKind,
    now: Timestamp,
) -> Review {
    let why = decision.rule.clone();
    let mut review = ask(run, kind, called(op), why, detail, now);
    review.rule_id.clone_from(&decision.rule_id);
    review.op = Some(op.id);
    review.digest = Some(op.digest.clone());
    review.detail_blob = (review.detail.len() > DETAIL_LIMIT).then(|| op.args.clone());
    review.choices = vec![
        Choice::new("approve", "Approve", "It runs once, exactly as shown."),
        Choice::new(
            "reject",
            "Reject",
            "It does not run; the agent is told, with your note.",
        ),
    ];
    review
}

/// The agent asks something.
pub(crate) fn question(
    run: &Run,
    op: &Op,
    question: &str,
    options: &[String],
    now: Timestamp,
) -> Review {
    let mut review = ask(
        run,
        ReviewKind::Question,
        first_line(question, TITLE),
        "the agent asks".to_owned(),
        question.to_owned(),
        now,
    );
    review.op = Some(op.id);
    review.digest = Some(op.digest.clone());
    review.choices = options
        .iter()
        .map(|option| Choice::new(option, option, "The agent is given this answer."))
        .collect();
    review
}

/// The agent doubts its own plan.
pub(crate) fn doubt(run: &Run, op: &Op, what: &str, why: &str, now: Timestamp) -> Review {
    let mut review = ask(
        run,
        ReviewKind::Doubt,
        first_line(what, TITLE),
        why.to_owned(),
        what.to_owned(),
        now,
    );
    review.op = Some(op.id);
    review.digest = Some(op.digest.clone());
    review.choices = vec![
        Choice::new("approve", "Go on", "The agent goes on as it proposes."),
        Choice::new(
            "reject",
            "Not like this",
            "The agent is told not to, with your note.",
        ),
    ];
    review
}

/// A crash left an operation whose outcome is unknown.
pub(crate) fn in_doubt(run: &Run, op: &Op, evidence: &str, now: Timestamp) -> Review {
    let mut review = ask(
        run,
        ReviewKind::InDoubt,
        format!("Did this happen? {}", called(op)),
        "it was interrupted, and it is not something to be done twice unasked".to_owned(),
        evidence.to_owned(),
        now,
    );
    review.op = Some(op.id);
    review.digest = Some(op.digest.clone());
    review.choices = vec![
        Choice::new(
            "happened",
            "It happened",
            "It is taken as done; the agent is told so, with the evidence.",
        ),
        Choice::new(
            "again",
            "Run it again",
            if run.task.kind.is_native() {
                "It runs a second time, exactly as before."
            } else {
                "The agent is asked to make the call again."
            },
        ),
        Choice::new(
            "skip",
            "Skip it",
            "It is left; the agent is told that its outcome is unknown.",
        ),
    ];
    review
}

/// A cap is reached.
pub(crate) fn budget(run: &Run, limit: BudgetLimit, detail: String, now: Timestamp) -> Review {
    let title = match limit {
        BudgetLimit::Cost => "The cost cap is reached",
        BudgetLimit::Tokens => "The token cap is reached",
        BudgetLimit::ToolCalls => "The cap on tool calls is reached",
        BudgetLimit::Time => "The time cap is reached",
    };
    let mut review = ask(
        run,
        ReviewKind::Budget,
        title.to_owned(),
        "the task's budget".to_owned(),
        detail,
        now,
    );
    review.choices = more_or_end(
        "The cap is raised (by its first amount, or to what you name) and the run goes on.",
    );
    review
}

/// The model has no known price and the task has a cost cap.
pub(crate) fn unpriced(run: &Run, model: &str, now: Timestamp) -> Review {
    let mut review = ask(
        run,
        ReviewKind::Budget,
        format!("The price of {model} is not known"),
        "a cost cap cannot be kept without a price".to_owned(),
        format!(
            "{model} is not in the price book. Its calls would be listed as unpriced, never as free."
        ),
        now,
    );
    review.subject = Some(UNPRICED.to_owned());
    review.choices = more_or_end("The run goes on without a cost cap; the other caps hold.");
    review
}

/// Subject of the review [`unpriced`] makes.
pub(crate) const UNPRICED: &str = "unpriced";

fn more_or_end(more: &str) -> Vec<Choice> {
    vec![
        Choice::new("more", "More", more),
        Choice::new(
            "end",
            "End",
            "The run ends here; what there is so far is kept.",
        ),
    ]
}

/// The same call fails or repeats.
pub(crate) fn looping(run: &Run, op: &Op, times: usize, now: Timestamp) -> Review {
    let mut review = ask(
        run,
        ReviewKind::Loop,
        format!("The same call {times} times: {}", called(op)),
        format!("the agent made the same call {times} times in a row"),
        format!(
            "{}\n\nAsked for {times} times in a row with the same arguments. An agent that does so has mostly \
             not understood the answer.",
            op.summary
        ),
        now,
    );
    review.op = Some(op.id);
    review.digest = Some(op.digest.clone());
    review.choices = vec![
        Choice::new(
            "approve",
            "Let it",
            "It runs once more; the count begins again.",
        ),
        Choice::new(
            "reject",
            "Stop it",
            "It does not run; the agent is told to try something else, with your note.",
        ),
    ];
    review
}

/// The verify command fails and the agent did not mend it.
pub(crate) fn verify_failed(run: &Run, command: &str, output: &str, now: Timestamp) -> Review {
    let mut review = ask(
        run,
        ReviewKind::VerifyFailed,
        format!("'{}' still fails", first_line(command, TITLE)),
        "the agent could not make the verify command succeed".to_owned(),
        output.to_owned(),
        now,
    );
    review.choices = vec![
        Choice::new(
            "again",
            "Let it try again",
            "The output goes back to the agent once more.",
        ),
        Choice::new(
            "accept",
            "Accept as it is",
            "The run is completed although the command fails.",
        ),
        Choice::new("end", "End", "The run fails; what there is so far is kept."),
    ];
    review
}

/// The run passed, and changed what judges it.
pub(crate) fn tests_changed(run: &Run, command: &str, detail: &str, now: Timestamp) -> Review {
    let mut review = ask(
        run,
        ReviewKind::SensitiveChange,
        "The agent changed the tests that judge it".to_owned(),
        format!(
            "'{}' passes, which may say less than before",
            first_line(command, TITLE)
        ),
        detail.to_owned(),
        now,
    );
    review.choices = vec![
        Choice::new(
            "accept",
            "Accept the changes",
            "The run is completed as it is.",
        ),
        Choice::new(
            "again",
            "Send it back",
            "The agent is told to undo it or to say why it is right, with your note.",
        ),
        Choice::new("end", "End", "The run fails; what there is so far is kept."),
    ];
    review
}

/// Whether a review shows less than all of its detail.
pub(crate) fn is_shortened(review: &Review, detail: &str) -> bool {
    review.detail.len() != detail.len()
}

/// Subject of the review [`auth`] makes.
pub(crate) fn auth_subject(backend: &str) -> String {
    format!("auth:{backend}")
}

/// The backend's credential does not work.
pub(crate) fn auth(run: &Run, backend: &str, problem: &str, now: Timestamp) -> Review {
    let mut review = ask(
        run,
        ReviewKind::Auth,
        format!("The credential of backend '{backend}' does not work"),
        problem.to_owned(),
        format!(
            "Mend it with `longhaul backend add {backend} …` (a new key, a key command, or an unlocked keychain). \
             All runs that wait for it go on by themselves."
        ),
        now,
    );
    review.subject = Some(auth_subject(backend));
    review.choices = vec![
        Choice::new(
            "retry",
            "Try again",
            "The credential is looked at again now.",
        ),
        Choice::new(
            "end",
            "End",
            "The run ends here; what there is so far is kept.",
        ),
    ];
    review
}

/// The run this one waits for did not complete.
pub(crate) fn dependency(run: &Run, other: &Run, now: Timestamp) -> Review {
    let mut review = ask(
        run,
        ReviewKind::Dependency,
        format!("The run before it is {}", other.state()),
        format!("it was to start after '{}'", other.task.title),
        dependency_words(other),
        now,
    );
    review.choices = vec![
        Choice::new("start", "Start anyway", "The run starts now."),
        Choice::new("end", "End", "The run is not started."),
    ];
    review
}

/// What became of the run another one waits for, and that nothing of this one was done.
fn dependency_words(other: &Run) -> String {
    let why = other.failure.as_ref().map(|f| f.message.as_str());
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    format!(
        "'{}' ({}) is {}{why}\nThis run has not begun. It begins by itself if that one is completed after all \
         (`longhaul resume {}`).",
        other.task.title,
        other.id,
        other.state(),
        other.id
    )
}

/// What the user did meanwhile stands against what is to be applied.
pub(crate) fn conflict(
    run: &Run,
    conflicts: &workspace::Conflicts,
    detail: String,
    now: Timestamp,
) -> Review {
    let (count, first) = (conflicts.paths.len(), &conflicts.paths[0]);
    let files = match count {
        1 => first.path.clone(),
        n => format!("{} and {} more", first.path, n - 1),
    };
    let rest = match conflicts.clean {
        0 => String::new(),
        n => format!("; {n} other file(s) can be applied as they are"),
    };
    let mut review = ask(
        run,
        ReviewKind::Conflict,
        first_line(&format!("You changed {files} meanwhile"), TITLE),
        format!(
            "{}{rest}. Nothing has been changed yet.",
            first.kind.words()
        ),
        detail,
        now,
    );
    review.digest = Some(domain::Digest(conflicts.digest.clone()));
    if conflicts.replaceable {
        review.choices.push(Choice::new(
            "theirs",
            "Take the run's",
            "These files become the run's version. Yours are kept as copies in the run's store.",
        ));
    }
    review.choices.push(Choice::new(
        "mine",
        "Keep mine",
        "These files stay as you have them; the rest is applied.",
    ));
    if run.task.workspace == domain::WorkspaceMode::Clone {
        review.choices.push(Choice::new(
            "branch",
            "As a branch",
            "All of it becomes a new branch, for you to merge; your files stay as they are.",
        ));
    }
    review.choices.push(Choice::new(
        "cancel",
        "Do not apply",
        "Nothing is applied; the run's result stays where it is.",
    ));
    review
}

/// The id of the run's open or decided review of a kind, if there is one.
pub(crate) fn pending(run: &Run, kind: ReviewKind) -> Option<(ReviewId, &Review)> {
    run.reviews
        .iter()
        .find(|(_, review)| review.kind == kind)
        .map(|(id, review)| (*id, review))
}

/// A text's first line that says anything, cut after `longest` characters.
pub(crate) fn first_line(text: &str, longest: usize) -> String {
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .trim();
    match line.char_indices().nth(longest) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::called_as;

    #[test]
    fn a_title_names_the_tool_once() {
        assert_eq!(called_as("shell", "$ git push"), "$ git push");
        assert_eq!(called_as("write", "write src/a.rs"), "write src/a.rs");
        assert_eq!(called_as("Bash", "git push"), "Bash: git push");
        assert_eq!(called_as("read", "readme.md"), "read: readme.md");
    }
}
