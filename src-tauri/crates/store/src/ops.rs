//! Operations as rows, open or over.

use domain::{
    BlobRef, Charge, Entry, Event, Figure, NanoUsd, OpClass, OpErrorKind, OpId, OpKind, OpMode,
    OpOutcome, OpState, ReviewId, RunId, Settlement, Timestamp, Tokens, Verdict,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use crate::chain::name_bytes;
use crate::codes;
use crate::error::ReadError;
use crate::journal::name_of;
use crate::ledger::{figure_of, figure_word};
use crate::runs::{count, word};
use crate::script::{Script, blob_id};

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpRow {
    /// Number within the run.
    pub id: OpId,
    /// The step it belongs to.
    pub step: u32,
    /// Kind of effect.
    pub kind: OpKind,
    /// Tool name, model id or `verify`.
    pub name: String,
    /// What may be done when its outcome is unknown.
    pub class: OpClass,
    /// Gated or observed.
    pub mode: OpMode,
    /// Where it is.
    pub state: OpState,
    /// Whether it answered well, once it answered.
    pub outcome: Option<OpOutcome>,
    /// The model's id of the call.
    pub call_id: Option<String>,
    /// What the policy said.
    pub verdict: Verdict,
    /// The rule that said it.
    pub rule: String,
    /// One line for people: the command, the path, the model.
    pub summary: String,
    /// One line for people: what came of it.
    pub result_line: Option<String>,
    /// Why the model stopped, or a command's exit status.
    pub stop: Option<String>,
    /// Why it failed, by what may be done about it.
    pub error_kind: Option<OpErrorKind>,
    /// Why it failed, in words.
    pub error: Option<String>,
    /// The last review about it.
    pub review: Option<ReviewId>,
    /// How often it was tried.
    pub tries: u32,
    /// When it was recorded.
    pub intended_at: Timestamp,
    /// When its effect could first begin.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// What it consumed, all tries together. Long and short cache writes are one figure here.
    pub tokens: Tokens,
    /// What it cost, all tries together; absent when nothing is known.
    pub cost: Option<NanoUsd>,
    /// How the last figure is known.
    pub figure: Option<Figure>,
    /// Its arguments.
    pub args: BlobRef,
    /// What the model was told.
    pub result: Option<BlobRef>,
    /// The whole output where `result` is a shortened one.
    pub full: Option<BlobRef>,
    /// The model's own words in its answer, to 2 KB.
    pub reasoning: Option<String>,
}

/// Records an intent.
pub(crate) fn intend(script: &mut Script, key: i64, entry: &Entry) {
    let Event::OpIntended {
        op,
        step,
        op_kind,
        name,
        class,
        mode,
        call_id,
        args,
        summary,
        decision,
        ..
    } = &entry.event
    else {
        return;
    };
    script.add(concat!(
        "INSERT INTO op (run, id, step, kind, name, class, mode, state, call_id, verdict, rule, summary,
                         tries, intended_at, input, output, cache_read, cache_write, args)
         VALUES (?, ?, ?, ?, ?, ?, ?, 2, ?, ?, ?, ?, 0, ?, 0, 0, 0, 0, ",
        blob_id!(),
        ")"
    ))
    .bind(key)
    .bind(op.0)
    .bind(*step)
    .bind(codes::code(codes::OP_KINDS, op_kind.word()))
    .bind(name.as_str())
    .bind(codes::code(codes::OP_CLASSES, class.word()))
    .bind(codes::code(codes::OP_MODES, mode.word()))
    .bind(call_id.as_deref())
    .bind(codes::code(codes::VERDICTS, decision.verdict.word()))
    .bind(decision.rule.as_str())
    .bind(summary.as_str())
    .bind(entry.at.0)
    .bind_blob(name_bytes(args).as_ref());
}

/// What an event makes of an operation's row.
#[derive(Default)]
struct Update<'a> {
    state: Option<OpState>,
    outcome: Option<OpOutcome>,
    started: bool,
    ended: bool,
    result: Option<&'a BlobRef>,
    full: Option<&'a BlobRef>,
    result_line: Option<&'a str>,
    stop: Option<&'a str>,
    error: Option<(OpErrorKind, &'a str)>,
}

fn update_of(event: &Event) -> Option<Update<'_>> {
    let none = Update::default;
    Some(match event {
        Event::OpStarted { .. } => Update {
            state: Some(OpState::Started),
            started: true,
            ..none()
        },
        Event::OpRetried { error, .. } => Update {
            state: Some(OpState::Intended),
            error: Some((error.kind, &error.message)),
            ..none()
        },
        Event::OpFinished {
            outcome,
            result,
            full,
            summary,
            stop,
            ..
        } => Update {
            state: Some(OpState::Finished),
            outcome: Some(*outcome),
            ended: true,
            result: Some(result),
            full: full.as_ref(),
            result_line: Some(summary),
            stop: stop.as_deref(),
            ..none()
        },
        Event::OpFailed { error, result, .. } => Update {
            state: Some(OpState::Failed),
            ended: true,
            result: result.as_ref(),
            error: Some((error.kind, &error.message)),
            ..none()
        },
        Event::OpSettled { settlement, .. } => match settlement {
            Settlement::Again => Update {
                state: Some(OpState::Intended),
                ..none()
            },
            Settlement::InDoubt { evidence } => Update {
                state: Some(OpState::InDoubt),
                result_line: Some(evidence),
                ..none()
            },
            Settlement::Happened { result, evidence } => Update {
                state: Some(OpState::Finished),
                outcome: Some(OpOutcome::Ok),
                ended: true,
                result: Some(result),
                result_line: Some(evidence),
                ..none()
            },
            Settlement::Skipped { result } => Update {
                state: Some(OpState::Skipped),
                ended: true,
                result: Some(result),
                ..none()
            },
        },
        _ => return None,
    })
}

/// Records what became of an operation.
pub(crate) fn update(script: &mut Script, key: i64, entry: &Entry) {
    let (Some(op), Some(update)) = (entry.event.op(), update_of(&entry.event)) else {
        return;
    };
    // An error of an earlier try is not the operation's once it has answered.
    let answered = update.outcome.is_some();
    let (error_kind, error) = update.error.unzip();
    script
        .add(concat!(
            "UPDATE op SET state = coalesce(?, state), outcome = coalesce(?, outcome),
             tries = tries + ?, started_at = coalesce(started_at, ?), ended_at = ?,
             result = coalesce(",
            blob_id!(),
            ", result), full = coalesce(",
            blob_id!(),
            ", full),
             result_line = coalesce(?, result_line), stop = coalesce(?, stop),
             error_kind = CASE WHEN ? THEN NULL ELSE coalesce(?, error_kind) END,
             error = CASE WHEN ? THEN NULL ELSE coalesce(?, error) END
         WHERE run = ? AND id = ?"
        ))
        .bind(
            update
                .state
                .map(|s| codes::code(codes::OP_STATES, s.word())),
        )
        .bind(
            update
                .outcome
                .map(|o| codes::code(codes::OUTCOMES, o.word())),
        )
        .bind(update.started)
        .bind(update.started.then_some(entry.at.0))
        .bind(update.ended.then_some(entry.at.0))
        .bind_blob(update.result.and_then(name_bytes).as_ref())
        .bind_blob(update.full.and_then(name_bytes).as_ref())
        .bind(update.result_line)
        .bind(update.stop)
        .bind(answered)
        .bind(error_kind.map(OpErrorKind::word))
        .bind(answered)
        .bind(error)
        .bind(key)
        .bind(op.0);
}

/// Remembers the review about an operation.
pub(crate) fn link_review(script: &mut Script, key: i64, op: OpId, review: ReviewId) {
    script
        .add("UPDATE op SET review = ? WHERE run = ? AND id = ?")
        .bind(&review.0.as_bytes()[..])
        .bind(key)
        .bind(op.0);
}

/// Adds a charge to its operation.
pub(crate) fn charge(script: &mut Script, key: i64, op: OpId, charge: &Charge) {
    let tokens = &charge.tokens;
    let cost = charge.cost.map(|c| c.0);
    script
        .add(
            "UPDATE op SET input = input + ?, output = output + ?, cache_read = cache_read + ?,
             cache_write = cache_write + ?, figure = ?,
             cost_nano = CASE WHEN ? IS NULL THEN cost_nano ELSE coalesce(cost_nano, 0) + ? END
         WHERE run = ? AND id = ?",
        )
        .bind(tokens.input as i64)
        .bind(tokens.output as i64)
        .bind(tokens.cache_read as i64)
        .bind((tokens.cache_write + tokens.cache_write_long) as i64)
        .bind(codes::code(codes::FIGURES, figure_word(charge.figure)))
        .bind(cost)
        .bind(cost)
        .bind(key)
        .bind(op.0);
}

/// A run's operations from a number on, oldest first.
pub(crate) async fn list(
    conn: &mut SqliteConnection,
    run: RunId,
    from: OpId,
    limit: u32,
) -> Result<Vec<OpRow>, ReadError> {
    let rows = sqlx::query(
        "SELECT o.*, a.hash AS args_hash, b.hash AS result_hash, f.hash AS full_hash,
                CASE o.kind WHEN 0 THEN b.words END AS reasoning
         FROM op o JOIN blob a ON a.id = o.args
         LEFT JOIN blob b ON b.id = o.result LEFT JOIN blob f ON f.id = o.full
         WHERE o.run = (SELECT key FROM run WHERE id = ?) AND o.id >= ? ORDER BY o.id LIMIT ?",
    )
    .bind(&run.0.as_bytes()[..])
    .bind(from.0)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(parse).collect()
}

/// The cost of the run's last model call whose cost is known.
pub(crate) async fn last_call_cost(
    conn: &mut SqliteConnection,
    run: RunId,
) -> Result<Option<NanoUsd>, ReadError> {
    let cost: Option<i64> = sqlx::query_scalar(
        "SELECT cost_nano FROM op WHERE run = (SELECT key FROM run WHERE id = ?)
         AND kind = 0 AND cost_nano IS NOT NULL ORDER BY id DESC LIMIT 1",
    )
    .bind(&run.0.as_bytes()[..])
    .fetch_optional(conn)
    .await?;
    Ok(cost.map(NanoUsd))
}

fn parse(row: &SqliteRow) -> Result<OpRow, ReadError> {
    let blob = |column: &str| -> Result<Option<BlobRef>, ReadError> {
        row.try_get::<Option<&[u8]>, _>(column)?
            .map(name_of)
            .transpose()
    };
    let time = |column: &str| -> Result<Option<Timestamp>, ReadError> {
        Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp))
    };
    let error_kind: Option<String> = row.try_get("error_kind")?;
    let review: Option<&[u8]> = row.try_get("review")?;
    Ok(OpRow {
        id: OpId(row.try_get("id")?),
        step: row.try_get("step")?,
        kind: codes::read(row, "kind", codes::OP_KINDS)?,
        name: row.try_get("name")?,
        class: codes::read(row, "class", codes::OP_CLASSES)?,
        mode: codes::read(row, "mode", codes::OP_MODES)?,
        state: codes::read(row, "state", codes::OP_STATES)?,
        outcome: codes::read_option(row, "outcome", codes::OUTCOMES)?,
        call_id: row.try_get("call_id")?,
        verdict: codes::read(row, "verdict", codes::VERDICTS)?,
        rule: row.try_get("rule")?,
        summary: row.try_get("summary")?,
        result_line: row.try_get("result_line")?,
        stop: row.try_get("stop")?,
        error_kind: error_kind.as_deref().map(word).transpose()?,
        error: row.try_get("error")?,
        review: review
            .and_then(|id| Uuid::from_slice(id).ok())
            .map(ReviewId),
        tries: row.try_get("tries")?,
        intended_at: Timestamp(row.try_get("intended_at")?),
        started_at: time("started_at")?,
        ended_at: time("ended_at")?,
        tokens: Tokens {
            input: count(row, "input")?,
            output: count(row, "output")?,
            cache_read: count(row, "cache_read")?,
            cache_write: count(row, "cache_write")?,
            cache_write_long: 0,
        },
        cost: row.try_get::<Option<i64>, _>("cost_nano")?.map(NanoUsd),
        figure: row
            .try_get::<Option<i64>, _>("figure")?
            .map(|code| figure_of(codes::word(codes::FIGURES, code)?))
            .transpose()?,
        args: name_of(row.try_get("args_hash")?)?,
        result: blob("result_hash")?,
        full: blob("full_hash")?,
        reasoning: row.try_get("reasoning")?,
    })
}
