//! What the model's answers of a turn consumed, as Codex counts it after each of them. The
//! answer under way is not counted by anybody: what was streamed of it is all there is.

use domain::{Tokens, UsagePart};
use serde_json::{Value, json};

use super::protocol::{Line, THREAD};
use crate::driver::Usage;
use crate::supervised::text;

/// Bytes that are certainly no fewer than one token's.
const BYTES_A_TOKEN: u64 = 3;

/// Tokens of the first prompt of a thread: instructions and tools of the program's own
/// (about 6,000 in the recordings), and some for the task.
const FIRST_PROMPT: u64 = 8_000;

/// The answers of one process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    model: String,
    parts: Vec<UsagePart>,
    /// The thread's sum so far: it has earlier turns.
    total: Option<Tokens>,
    /// A turn goes on: always a request of it is under way.
    under_way: bool,
    /// Bytes streamed of the answer under way.
    streamed: u64,
}

impl Tally {
    /// What a line says of it; true if something was counted.
    pub(crate) fn line(&mut self, line: &Line) -> bool {
        match line {
            Line::Response(THREAD, Ok(thread)) => text(thread, "model").clone_into(&mut self.model),
            Line::Notification(method, params) => return self.notification(method, params),
            _ => {}
        }
        false
    }

    fn notification(&mut self, method: &str, params: &Value) -> bool {
        match method {
            "turn/started" => self.under_way = true,
            "turn/completed" => self.under_way = false,
            "model/rerouted" => text(params, "toModel").clone_into(&mut self.model),
            "thread/tokenUsage/updated" => return self.counted(&params["tokenUsage"]),
            method if method.ends_with("elta") => {
                self.streamed += text(params, "delta").len() as u64
            }
            _ => {}
        }
        false
    }

    fn counted(&mut self, usage: &Value) -> bool {
        let (total, last) = (tokens(&usage["total"]), tokens(&usage["last"]));
        let before = self.total.replace(total);
        // A resumed thread repeats its sum before anything of this turn was answered.
        if !self.under_way || before == Some(total) {
            return false;
        }
        self.streamed = 0;
        self.parts.push(UsagePart {
            model: self.model.clone(),
            tokens: before
                .and_then(|before| beyond(total, before))
                .unwrap_or(last),
            ..UsagePart::default()
        });
        true
    }

    /// The model that answers.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// Answers counted.
    pub(crate) fn answers(&self) -> usize {
        self.parts.len()
    }

    /// What was counted. None if nothing was.
    pub(crate) fn so_far(&self) -> Option<Usage> {
        (!self.parts.is_empty()).then(|| usage(self.parts.clone()))
    }

    /// What a turn may be billed that ends here: a request on its way counts too, with a
    /// prompt as long as the one before it and its answer.
    pub(crate) fn at_an_end(&self) -> Option<Usage> {
        if !self.under_way {
            return self.so_far();
        }
        let prompt = match self.parts.last() {
            Some(last) => last.tokens.prompt() + last.tokens.output,
            None => FIRST_PROMPT,
        };
        let mut parts = self.parts.clone();
        parts.push(UsagePart {
            model: self.model.clone(),
            tokens: Tokens {
                input: prompt,
                output: self.streamed.div_ceil(BYTES_A_TOKEN),
                ..Tokens::default()
            },
            ..UsagePart::default()
        });
        Some(usage(parts))
    }
}

fn usage(parts: Vec<UsagePart>) -> Usage {
    Usage {
        raw: json!({"counted_by": "codex", "answers": parts.len()}),
        parts,
        ..Usage::default()
    }
}

/// Codex's input contains what came from the cache; ours does not.
fn tokens(usage: &Value) -> Tokens {
    let count = |field: &str| usage[field].as_u64().unwrap_or(0);
    let (cached, written) = (count("cachedInputTokens"), count("cacheWriteInputTokens"));
    Tokens {
        input: count("inputTokens").saturating_sub(cached + written),
        output: count("outputTokens"),
        cache_read: cached,
        cache_write: written,
        cache_write_long: 0,
    }
}

/// What a sum grew by; None where it shrank (a thread that was compacted).
fn beyond(total: Tokens, before: Tokens) -> Option<Tokens> {
    Some(Tokens {
        input: total.input.checked_sub(before.input)?,
        output: total.output.checked_sub(before.output)?,
        cache_read: total.cache_read.checked_sub(before.cache_read)?,
        cache_write: total.cache_write.checked_sub(before.cache_write)?,
        cache_write_long: 0,
    })
}
