//! A run step by step, one operation in full, and how busy a run is.

use domain::{OpId, OpKind};
use protocol::{
    Activity, ActivityRequest, ApiError, BlockKind, BlockView, MAX_BUCKETS, MAX_STEP_ENTRIES,
    MAX_STEPS, OpDetail, OpRequest, StepPage, StepView, StepsRequest,
};
use serde_json::Value;
use store::{Beat, OpRow, Store};

use crate::api::Api;
use crate::{stream, views};

/// Longest text of arguments or a result, in bytes.
const LONGEST: usize = 256 << 10;

pub(crate) async fn steps(api: &Api, request: StepsRequest) -> Result<StepPage, ApiError> {
    let run = api.run_id(&request.run).await?;
    let store = &api.working()?.store;
    let count = request.count.clamp(1, MAX_STEPS);
    let most = u32::try_from(MAX_STEP_ENTRIES).unwrap_or(u32::MAX);
    let page = store.steps(run, request.from, count, most).await;
    let page = page.map_err(ApiError::internal)?.ok_or_else(|| {
        ApiError::not_found(
            format!("there is no run {run}"),
            "`longhaul runs` lists them",
        )
    })?;
    let mut page = page;
    let now = store.load(run).await.map_err(ApiError::internal)?;
    let undone = |seq: u64| now.as_ref().is_some_and(|run| !run.counts(seq));
    let began = |step: &store::StepRow| step.entries.first().map_or(0, |s| s.entry.seq);
    let undone: Vec<bool> = page.steps.iter().map(|s| undone(began(s))).collect();
    let lengths: Vec<usize> = page.steps.iter().map(|step| step.entries.len()).collect();
    let recorded = page
        .steps
        .iter_mut()
        .flat_map(|step| step.entries.drain(..));
    let recorded = stream::entries_of(store, recorded.collect()).await;
    let mut recorded = recorded.into_iter();
    let mut steps = Vec::with_capacity(page.steps.len());
    for ((step, length), undone) in page.steps.into_iter().zip(lengths).zip(undone) {
        steps.push(StepView {
            step: step.step,
            at: step.at.into(),
            ended_at: step.ended_at.map(Into::into),
            undone,
            entries: recorded.by_ref().take(length).collect(),
            ops: step.ops.iter().map(views::op_view).collect(),
            truncated: step.truncated,
        });
    }
    Ok(StepPage {
        run,
        total: page.total,
        head_seq: page.head,
        steps,
    })
}

pub(crate) async fn op(api: &Api, request: OpRequest) -> Result<OpDetail, ApiError> {
    let run = api.run_id(&request.run).await?;
    op_detail(&api.working()?.store, run, OpId(request.op)).await
}

/// One operation in full.
pub(crate) async fn op_detail(
    store: &Store,
    run: domain::RunId,
    op: OpId,
) -> Result<OpDetail, ApiError> {
    let rows = store.ops(run, op, 1).await.map_err(ApiError::internal)?;
    let row = rows.into_iter().find(|row| row.id == op).ok_or_else(|| {
        ApiError::not_found(
            format!("run {run} has no operation {}", op.0),
            "`longhaul show` lists them",
        )
    })?;
    let arguments = store.blob(&row.args).await.map_err(ApiError::internal)?;
    let answer = match &row.result {
        Some(blob) => Some(store.blob(blob).await.map_err(ApiError::internal)?),
        None => None,
    };
    let full_bytes = match &row.full {
        Some(blob) => Some(store.blob(blob).await.map_err(ApiError::internal)?.len() as u64),
        None => None,
    };
    let blocks = match (&answer, row.kind) {
        (Some(answer), OpKind::Model) => blocks(answer),
        _ => Vec::new(),
    };
    Ok(OpDetail {
        run,
        op: views::op_view(&row),
        arguments: cut(pretty(&arguments)),
        edited: edited(store, &row).await?,
        result: answer.map(|bytes| cut(views::readable(&bytes))),
        full_bytes,
        blocks,
        verdict: row.verdict,
        error: words_of_error(&row),
        rule: row.rule,
        call_id: row.call_id,
        review: row.review,
    })
}

/// What a person put in the place of its arguments, if somebody did.
async fn edited(store: &Store, row: &OpRow) -> Result<Option<String>, ApiError> {
    let Some(review) = row.review else {
        return Ok(None);
    };
    let review = store.review(review).await.map_err(ApiError::internal)?;
    let Some(edit) = review.and_then(|row| row.review.answer()?.edit.clone()) else {
        return Ok(None);
    };
    let bytes = store.blob(&edit.args).await.map_err(ApiError::internal)?;
    Ok(Some(cut(pretty(&bytes))))
}

fn words_of_error(row: &OpRow) -> Option<String> {
    row.error.clone()
}

/// JSON laid out for reading; anything else as it is.
fn pretty(bytes: &[u8]) -> String {
    serde_json::from_slice::<Value>(bytes)
        .ok()
        .and_then(|value| serde_json::to_string_pretty(&value).ok())
        .unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned())
}

fn cut(text: String) -> String {
    views::beginning(text, LONGEST).0
}

/// The blocks of a model's answer.
fn blocks(answer: &[u8]) -> Vec<BlockView> {
    let Ok(Value::Array(blocks)) = serde_json::from_slice(answer) else {
        let text = cut(String::from_utf8_lossy(answer).into_owned());
        let kind = BlockKind::Text;
        return vec![BlockView { kind, text }];
    };
    blocks.iter().map(block).collect()
}

fn block(block: &Value) -> BlockView {
    let text = |field: &str| block.get(field).and_then(Value::as_str).map(str::to_owned);
    let kind = block.get("type").and_then(Value::as_str);
    let (kind, text) = match kind.unwrap_or_default() {
        "text" => (BlockKind::Text, text("text")),
        "thinking" => (BlockKind::Thinking, text("thinking")),
        // Kept under the name its server had for it.
        "reasoning" => {
            let words = text("reasoning_content").or_else(|| text("reasoning"));
            (BlockKind::Thinking, words)
        }
        "tool_use" => (BlockKind::ToolUse, None),
        _ => (BlockKind::Other, None),
    };
    let text = text.unwrap_or_else(|| {
        serde_json::to_string_pretty(block).unwrap_or_else(|_| block.to_string())
    });
    BlockView {
        kind,
        text: cut(text),
    }
}

pub(crate) async fn activity(api: &Api, request: ActivityRequest) -> Result<Activity, ApiError> {
    let run = api.run_id(&request.run).await?;
    let buckets = request.buckets.clamp(1, MAX_BUCKETS) as usize;
    let ms = i64::from(request.seconds.max(1)) * 1000;
    let now = api.inner.clock.now();
    let from = now.plus_ms(-ms);
    let beats = api.working()?.store.beats(run, from).await;
    let (events, charges) = beats.map_err(ApiError::internal)?;
    let bucket = |beat: &Beat| {
        let n = beat.at.ms_since(from).saturating_mul(buckets as i64) / ms;
        usize::try_from(n).unwrap_or(0).min(buckets - 1)
    };
    let (mut counts, mut tokens) = (vec![0_u32; buckets], vec![0_u64; buckets]);
    for beat in &events {
        counts[bucket(beat)] += 1;
    }
    for beat in &charges {
        tokens[bucket(beat)] += beat.tokens;
    }
    Ok(Activity {
        from: from.into(),
        bucket_s: f64::from(request.seconds.max(1)) / buckets as f64,
        events: counts,
        tokens,
    })
}
