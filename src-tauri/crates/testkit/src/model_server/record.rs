//! What the server saw and what it would have billed.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::{script::Usage, wire::bill};

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// A turn of a script.
    Turn,
    /// A title or summary an agent asked for on the side.
    Side,
    CountTokens,
    /// Anything else: model lists, health checks.
    Other,
}

/// How far an answer got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Still being answered.
    Pending,
    /// Sent to the last byte. (Whether the client read it is the client's to prove.)
    Full,
    /// The connection went, or the stream ended early; by whose doing the script knows.
    Cut { events: usize },
    /// An error status.
    Error { status: u16, message: String },
}

/// One request.
#[derive(Clone, Debug, Serialize)]
pub struct RequestRecord {
    /// Position among all requests, from 0.
    pub seq: usize,
    pub request_id: String,
    /// Milliseconds since the server started.
    pub at_ms: u64,
    /// The same in microseconds, for benches.
    pub at_us: u64,
    /// When its answer ended, in microseconds since the server started.
    pub ended_us: Option<u64>,
    pub method: String,
    pub path: String,
    pub kind: RequestKind,
    pub script: String,
    pub turn: usize,
    pub attempt: u32,
    pub conversation: String,
    pub model: String,
    /// `none`, the name given by [`ModelServer::name_key`](super::ModelServer::name_key), or a digest. Never the key.
    pub key: String,
    /// Headers, without credentials.
    pub headers: BTreeMap<String, String>,
    pub body: Value,
    pub outcome: Outcome,
    /// The answer's usage as far as it was generated when it ended.
    pub billed: Option<Value>,
    /// The answer's usage had it been generated to the end, which a vendor may bill too.
    pub worst_case: Option<Value>,
}

/// How much of a billed answer the client was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivered {
    Full,
    Cut,
    /// An error status: nothing is billed.
    Error,
}

/// One call as the vendor's bill would show it.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerRow {
    pub request_id: String,
    pub kind: RequestKind,
    pub script: String,
    pub turn: usize,
    pub attempt: u32,
    pub conversation: String,
    pub model: String,
    pub delivered: Delivered,
    /// `null` where nothing was generated: errors, and clients that left before it began.
    pub usage: Value,
    pub worst_case: Value,
}

/// Sums over billed calls. Where a usage has `iterations`, those are summed instead of its top level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub requests: u64,
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write_5m: u64,
    pub cache_write_1h: u64,
}

/// The vendor's bill.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Ledger {
    pub rows: Vec<LedgerRow>,
}

impl Ledger {
    pub(crate) fn of(records: &[RequestRecord]) -> Self {
        let calls = records.iter().filter(|r| {
            matches!(r.kind, RequestKind::Turn | RequestKind::Side) && r.outcome != Outcome::Pending
        });
        Self {
            rows: calls.map(row).collect(),
        }
    }

    /// Everything billed, wherever the answer was cut.
    pub fn totals(&self) -> Totals {
        self.totals_of(|_| true)
    }

    /// What was billed for the rows that `wanted` picks.
    pub fn totals_of(&self, wanted: impl Fn(&LedgerRow) -> bool) -> Totals {
        let mut totals = Totals::default();
        for row in self
            .rows
            .iter()
            .filter(|row| !row.usage.is_null() && wanted(row))
        {
            totals.requests += 1;
            match row.usage["iterations"].as_array() {
                Some(iterations) => iterations.iter().for_each(|usage| totals.add(usage)),
                None => totals.add(&row.usage),
            }
        }
        totals
    }
}

impl Totals {
    fn add(&mut self, usage: &Value) {
        let tokens = |field: &str| usage[field].as_u64().unwrap_or(0);
        let split = |field: &str| usage["cache_creation"][field].as_u64();
        self.input += tokens("input_tokens");
        self.output += tokens("output_tokens");
        self.cache_read += tokens("cache_read_input_tokens");
        let one_hour = split("ephemeral_1h_input_tokens").unwrap_or(0);
        self.cache_write_1h += one_hour;
        self.cache_write_5m += split("ephemeral_5m_input_tokens")
            .unwrap_or_else(|| tokens("cache_creation_input_tokens").saturating_sub(one_hour));
    }
}

fn row(record: &RequestRecord) -> LedgerRow {
    LedgerRow {
        request_id: record.request_id.clone(),
        kind: record.kind,
        script: record.script.clone(),
        turn: record.turn,
        attempt: record.attempt,
        conversation: record.conversation.clone(),
        model: record.model.clone(),
        delivered: match record.outcome {
            Outcome::Full => Delivered::Full,
            Outcome::Error { .. } => Delivered::Error,
            _ => Delivered::Cut,
        },
        usage: record.billed.clone().unwrap_or_default(),
        worst_case: record.worst_case.clone().unwrap_or_default(),
    }
}

/// The bill of an answer that ended after `sent` of `total` events: all the input, and
/// as much of the output as had been generated. What a vendor really bills is not
/// published; `worst_case` has the other end.
pub(crate) fn partial_bill(usage: &Usage, sent: usize, total: usize) -> Value {
    let mut part = usage.clone();
    part.output = usage.output * sent.min(total) as u64 / total.max(1) as u64;
    part.thinking = part.thinking.min(part.output);
    let mut json = bill(&part);
    if sent < total
        && let Some(fields) = json.as_object_mut()
    {
        fields.remove("iterations");
    }
    json["output_tokens"] = json!(part.output);
    json
}
