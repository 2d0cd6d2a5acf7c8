//! What a turn consumed, as far as the agent says. Agents differ: some report tokens by
//! model, some a sum, some money, some nothing; hidden calls (titles, summaries) are in none
//! of it. So tokens are an estimate, and nothing is never taken for free.

use domain::{NanoUsd, Tokens, UsagePart};
use serde_json::{Value, json};

use super::protocol::{Line, PROMPT, SESSION};
use crate::driver::{Counted, Usage};
use crate::openai::nano;
use crate::supervised::text;

/// Bytes that are certainly no fewer than one token's.
const BYTES_A_TOKEN: u64 = 3;

/// Tokens of a prompt of which nothing is known: an agent's own instructions and tools
/// (6,000 to 8,000 in the recordings), and some for the task.
const PROMPT_GUESS: u64 = 10_000;

/// Models that are no names of models.
const NO_MODELS: [&str; 2] = ["default", "auto"];

/// One process's turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// The session is a new one: what it has cost is this turn's.
    fresh: bool,
    model: String,
    /// What the session has cost so far.
    cost: Option<NanoUsd>,
    /// Tokens in the context, as last told.
    context: u64,
    /// Answers seen: one, and one after each round of calls.
    answers: u64,
    streamed: u64,
    /// The prompt was heard and is not answered.
    under_way: bool,
    parts: Vec<UsagePart>,
    raw: Value,
}

impl Tally {
    /// Of a session that is new, or is not.
    pub(crate) fn of(fresh: bool) -> Self {
        Self {
            fresh,
            ..Self::default()
        }
    }

    /// What a line says of it; true if that is worth telling.
    pub(crate) fn line(&mut self, line: &Line) -> bool {
        match line {
            Line::Response(SESSION, Ok(session)) => self.model_of(session),
            Line::Response(PROMPT, Ok(result)) => {
                self.under_way = false;
                self.reported(result);
            }
            Line::Response(PROMPT, Err(_)) => self.under_way = false,
            Line::Notification(method, params) if method == "session/update" => {
                return self.update(&params["update"]);
            }
            _ => {}
        }
        false
    }

    fn model_of(&mut self, session: &Value) {
        let options = session["configOptions"].as_array().into_iter().flatten();
        let option = options
            .filter(|option| text(option, "category") == "model")
            .map(|option| text(option, "currentValue"));
        let named = option.chain([text(&session["models"], "currentModelId")]);
        let mut named = named.filter(|name| !name.is_empty() && !NO_MODELS.contains(name));
        if let Some(model) = named.next() {
            model.clone_into(&mut self.model);
        }
    }

    fn update(&mut self, update: &Value) -> bool {
        match text(update, "sessionUpdate") {
            "agent_message_chunk" | "agent_thought_chunk" => {
                self.begin();
                self.streamed += text(&update["content"], "text").len() as u64;
            }
            "tool_call" => self.begin(),
            "tool_call_update" if matches!(text(update, "status"), "completed" | "failed") => {
                self.begin();
                self.answers += 1;
            }
            "usage_update" => return self.used(update),
            _ => {}
        }
        false
    }

    fn begin(&mut self) {
        self.under_way = true;
        self.answers = self.answers.max(1);
    }

    fn used(&mut self, update: &Value) -> bool {
        let model = text(&update["_meta"], "_claude/model");
        if !model.is_empty() {
            model.clone_into(&mut self.model);
        }
        if let Some(used) = update["used"].as_u64().filter(|used| *used > 0) {
            self.context = used;
        }
        let cost = &update["cost"];
        match text(cost, "currency") {
            "USD" => {
                let before = std::mem::replace(
                    &mut self.cost,
                    // Nothing may be no price: it is not taken for one.
                    nano(&cost["amount"]).filter(|cost| *cost > NanoUsd::ZERO),
                );
                self.fresh && before != self.cost
            }
            _ => false,
        }
    }

    /// What the end of the prompt reports: by model, or a sum.
    fn reported(&mut self, result: &Value) {
        let quota = &result["_meta"]["quota"];
        let by_model = quota["model_usage"].as_array().into_iter().flatten();
        let mut parts: Vec<UsagePart> = by_model
            .map(|used| part(text(used, "model"), tokens(&used["token_count"])))
            .collect();
        // A sum that says more goes first: what came from the cache is in it.
        let sum = tokens(&result["usage"]);
        if sum != Tokens::default() {
            let model = match parts.as_slice() {
                [one] => one.model.clone(),
                _ => self.model.clone(),
            };
            if parts.len() < 2 {
                parts = vec![part(&model, sum)];
            }
        }
        parts.retain(|part| part.tokens != Tokens::default());
        if let Some(last) = parts.last() {
            self.model.clone_from(&last.model);
        }
        self.parts = parts;
        self.raw = json!({"usage": result["usage"], "quota": quota});
    }

    /// The model that answers, where it is known.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// Whether a model has answered.
    pub(crate) fn has_answered(&self) -> bool {
        self.answers > 0
    }

    /// What the turn consumed, by the agent's own words; nothing said counts as a call of
    /// which nothing is known.
    pub(crate) fn so_far(&self) -> Usage {
        let parts = match self.parts.is_empty() {
            true => vec![part("", Tokens::default())],
            false => self.parts.clone(),
        };
        let cost = self.cost.filter(|_| self.fresh);
        Usage {
            counted: match cost {
                Some(_) => Counted::Reported,
                None => Counted::Estimated,
            },
            raw: json!({"counted_by": "the agent", "reported": self.raw, "cost_of_the_session_usd": self.cost.map(|cost| cost.0)}),
            cost,
            parts,
            request_id: None,
        }
    }

    /// What a turn may be billed that ends here without a report: its answers by their
    /// number, each with a prompt as long as the last that is known of.
    pub(crate) fn at_an_end(&self) -> Option<Usage> {
        if !self.parts.is_empty() || (self.cost.is_some() && self.fresh) {
            return Some(self.so_far());
        }
        if !self.has_answered() && !self.under_way {
            return None;
        }
        let prompt = match self.context {
            0 => PROMPT_GUESS,
            known => known,
        };
        let answers = self.answers.max(1);
        let tokens = Tokens {
            input: prompt.saturating_mul(answers),
            output: self.streamed.div_ceil(BYTES_A_TOKEN),
            ..Tokens::default()
        };
        Some(Usage {
            raw: json!({"counted_by": "longhaul", "answers": answers}),
            parts: vec![part(&self.model, tokens)],
            counted: Counted::Estimated,
            ..Usage::default()
        })
    }
}

fn part(model: &str, tokens: Tokens) -> UsagePart {
    UsagePart {
        model: model.to_owned(),
        tokens,
        ..UsagePart::default()
    }
}

/// In whichever of the names that are in use.
fn tokens(usage: &Value) -> Tokens {
    let count = |names: &[&str]| {
        let known = names.iter().find_map(|name| usage[*name].as_u64());
        known.unwrap_or(0)
    };
    Tokens {
        input: count(&["inputTokens", "input_tokens"]),
        output: count(&["outputTokens", "output_tokens"]),
        cache_read: count(&["cachedReadTokens", "cachedInputTokens"]),
        cache_write: count(&[
            "cachedWriteTokens",
            "cacheWriteInputTokens",
            "cacheWriteTokens",
        ]),
        cache_write_long: 0,
    }
}
