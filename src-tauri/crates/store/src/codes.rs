//! Closed sets of words as small integers, in rows there are many of. Part of the
//! format: only ever add at the end. Views say the words.

use std::str::FromStr;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::error::ReadError;

/// What events are called.
pub(crate) const EVENTS: &[&str] = &[
    "run_created",
    "step_started",
    "op_intended",
    "op_started",
    "op_finished",
    "checkpoint_taken",
    "message_added",
    "op_retried",
    "op_failed",
    "op_settled",
    "queued",
    "started",
    "backend_switched",
    "workspace_ready",
    "noted",
    "charged",
    "review_requested",
    "review_decided",
    "review_used",
    "review_snoozed",
    "review_withdrawn",
    "wait_began",
    "wait_ended",
    "budget_warned",
    "budget_changed",
    "plan_changed",
    "session_bound",
    "verify_started",
    "verify_ended",
    "paused",
    "interrupted",
    "briefed",
    "suspended",
    "completed",
    "failed",
    "cancelled",
    "applied",
    "discarded",
    "review_reopened",
];

pub(crate) const OP_KINDS: &[&str] = &["model", "tool", "verify", "setup"];
pub(crate) const OP_CLASSES: &[&str] = &["pure", "reconcilable", "at-most-once"];
pub(crate) const OP_MODES: &[&str] = &["gated", "observed"];
pub(crate) const OP_STATES: &[&str] = &[
    "finished", "started", "intended", "failed", "in_doubt", "skipped",
];
pub(crate) const OUTCOMES: &[&str] = &["ok", "error"];
pub(crate) const VERDICTS: &[&str] = &["allow", "review", "deny"];
pub(crate) const FIGURES: &[&str] = &["priced", "reported", "estimated", "unsettled", "unpriced"];
pub(crate) const SPEAKERS: &[&str] = &[
    "model",
    "tool",
    "tool_error",
    "prompt",
    "user",
    "briefing",
    "wrap_up",
    "verify",
    "continue",
];

/// The integer a word is stored as, if it has one.
pub(crate) fn find(words: &[&str], word: &str) -> Option<i64> {
    words
        .iter()
        .position(|w| *w == word)
        .and_then(|n| i64::try_from(n).ok())
}

/// The integer a word is stored as.
pub(crate) fn code(words: &[&str], word: &str) -> i64 {
    find(words, word).expect("a test checks that every word has a code")
}

/// The word an integer stands for.
pub(crate) fn word<'a>(words: &[&'a str], code: i64) -> Result<&'a str, ReadError> {
    usize::try_from(code)
        .ok()
        .and_then(|n| words.get(n))
        .copied()
        .ok_or_else(|| ReadError::Damaged(format!("{code} is none of {}", words.join(", "))))
}

/// A column that holds a code.
pub(crate) fn read<T: FromStr<Err = String>>(
    row: &SqliteRow,
    column: &str,
    words: &[&str],
) -> Result<T, ReadError> {
    word(words, row.try_get(column)?)?
        .parse()
        .map_err(ReadError::Damaged)
}

/// A column that may hold a code.
pub(crate) fn read_option<T: FromStr<Err = String>>(
    row: &SqliteRow,
    column: &str,
    words: &[&str],
) -> Result<Option<T>, ReadError> {
    match row.try_get::<Option<i64>, _>(column)? {
        Some(code) => word(words, code)?
            .parse()
            .map(Some)
            .map_err(ReadError::Damaged),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_a_code() {
        fn all<'a>(words: &[&str], all: impl IntoIterator<Item = &'a str>) {
            for word in all {
                assert!(find(words, word).is_some(), "{word}");
            }
        }
        all(OP_KINDS, domain::OpKind::ALL.iter().map(|w| w.word()));
        all(OP_CLASSES, domain::OpClass::ALL.iter().map(|w| w.word()));
        all(OP_MODES, domain::OpMode::ALL.iter().map(|w| w.word()));
        all(OP_STATES, domain::OpState::ALL.iter().map(|w| w.word()));
        all(OUTCOMES, domain::OpOutcome::ALL.iter().map(|w| w.word()));
        all(VERDICTS, domain::Verdict::ALL.iter().map(|w| w.word()));
        all(
            SPEAKERS,
            domain::MessageOrigin::ALL.iter().map(|w| w.word()),
        );
    }

    #[test]
    fn the_views_say_the_same_words() {
        let (first, reviews) = (
            include_str!("../../../../migrations/0001_journal.sql"),
            include_str!("../../../../migrations/0002_reviews.sql"),
        );
        for (sql, column, words) in [(reviews, "e.kind", EVENTS), (first, "o.state", OP_STATES)] {
            let (_, case) = sql
                .split_once(&format!("CASE {column}\n"))
                .expect("the view has the column");
            let (case, _) = case.split_once("ELSE").expect("the case ends");
            let expected: Vec<String> = words
                .iter()
                .enumerate()
                .map(|(n, w)| format!("WHEN {n} THEN '{w}'"))
                .collect();
            let found: Vec<&str> = case
                .lines()
                .map(str::trim)
                .filter(|l| !l.is_empty())
                .collect();
            assert_eq!(found, expected, "{column}");
        }
    }
}
