//! The events of a stream, put together to an answer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::content::{Block, End, Fields, Finished, Input};
use super::errors::{self, ApiError};
use super::usage;
use crate::driver::{Answered, Delta, Stop, ToolCall, Turn, TurnError, Usage};
use crate::wire::listen::{Answer, Broken, Complete};

/// An answer so far.
#[derive(Debug)]
pub(super) struct Assembly {
    /// The model as the response names it; the requested one until then.
    model: String,
    blocks: BTreeMap<u64, Block>,
    usage: Value,
    stop: Option<Stop>,
    answered: Answered,
    complete: Complete,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    usage: Value,
    #[serde(borrow, default)]
    content: Vec<&'a RawValue>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    stop_details: Option<StopDetails>,
}

#[derive(Deserialize)]
struct MessageStart<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct BlockStart {
    index: u64,
    content_block: Fields,
}

#[derive(Deserialize)]
struct BlockDelta {
    index: u64,
    delta: Fields,
}

#[derive(Deserialize)]
struct BlockStop {
    index: u64,
}

#[derive(Deserialize)]
struct StopDetails {
    #[serde(default)]
    category: Option<String>,
}

#[derive(Default, Deserialize)]
struct Ending {
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    stop_details: Option<StopDetails>,
}

#[derive(Deserialize)]
struct MessageDelta {
    #[serde(default)]
    delta: Ending,
    #[serde(default)]
    usage: Value,
}

impl Assembly {
    pub(super) fn new(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            blocks: BTreeMap::new(),
            usage: Value::Null,
            stop: None,
            answered: Answered::No,
            complete: Complete::No,
        }
    }

    /// Takes the data of one event. Types nobody knows yet are passed over.
    fn take(&mut self, data: &[u8]) -> Result<Option<Delta>, Broken> {
        let data = std::str::from_utf8(data).map_err(|_| Broken::no_text())?;
        if data.is_empty() {
            return Ok(None);
        }
        let kind: Kind<'_> = read(data)?;
        match &*kind.kind {
            "message_start" => self.start(read::<MessageStart<'_>>(data)?.message)?,
            "content_block_start" => {
                let start: BlockStart = read(data)?;
                return Ok(self.begin_block(start.index, start.content_block));
            }
            "content_block_delta" => {
                let change: BlockDelta = read(data)?;
                return Ok(self.change_block(change.index, &change.delta));
            }
            "content_block_stop" => {
                let stop: BlockStop = read(data)?;
                if let Some(block) = self.blocks.get_mut(&stop.index) {
                    block.end = End::Seen;
                }
            }
            "message_delta" => {
                let end: MessageDelta = read(data)?;
                usage::merge(&mut self.usage, end.usage);
                self.end(end.delta.stop_reason, end.delta.stop_details);
            }
            "message_stop" => self.complete = Complete::Yes,
            "error" => {
                return Err(ApiError::read(data.as_bytes()).unwrap_or_default().into());
            }
            _ => {}
        }
        Ok(None)
    }

    /// Takes a whole message, as servers answer that do not stream.
    fn take_whole(&mut self, body: &[u8]) -> Result<(), Broken> {
        let text = std::str::from_utf8(body).map_err(|_| Broken::no_text())?;
        let kind: Kind<'_> = read(text)?;
        match &*kind.kind {
            "message" => {
                self.start(read(text)?)?;
                self.complete = Complete::Yes;
                Ok(())
            }
            "error" => Err(ApiError::read(body).unwrap_or_default().into()),
            _ => Err(Broken::garbage(text)),
        }
    }

    fn start(&mut self, message: Message<'_>) -> Result<(), Broken> {
        self.answered = Answered::Begun;
        if let Some(model) = message.model.filter(|model| !model.is_empty()) {
            self.model = model;
        }
        usage::merge(&mut self.usage, message.usage);
        for (index, block) in (0..).zip(message.content) {
            let mut block = Block::begin(read(block.get())?);
            block.end = End::Seen;
            self.blocks.insert(index, block);
        }
        self.end(message.stop_reason, message.stop_details);
        Ok(())
    }

    fn end(&mut self, reason: Option<String>, details: Option<StopDetails>) {
        if let Some(reason) = reason {
            self.stop = Some(stop(&reason, details.and_then(|details| details.category)));
        }
    }

    fn begin_block(&mut self, index: u64, fields: Fields) -> Option<Delta> {
        let block = Block::begin(fields);
        let delta = (block.kind() == "tool_use").then(|| Delta::Tool(block.name()));
        self.blocks.insert(index, block);
        delta
    }

    fn change_block(&mut self, index: u64, delta: &Fields) -> Option<Delta> {
        let block = self.blocks.get_mut(&index)?;
        match delta.text("type").as_str() {
            "text_delta" => {
                let text = delta.text("text");
                block.grow("text", &text);
                Some(Delta::Text(text))
            }
            "thinking_delta" => {
                let thinking = delta.text("thinking");
                block.grow("thinking", &thinking);
                Some(Delta::Thinking(thinking))
            }
            "signature_delta" => {
                block.replace("signature", delta.raw("signature")?);
                None
            }
            "input_json_delta" => {
                block.grow_input(&delta.text("partial_json"));
                None
            }
            "citations_delta" => {
                block.cite(delta.raw("citation")?);
                None
            }
            "compaction_delta" => {
                let fields: Vec<_> = delta.iter().filter(|(name, _)| *name != "type").collect();
                fields
                    .into_iter()
                    .for_each(|(name, value)| block.replace(name, value));
                None
            }
            other => {
                tracing::debug!(delta = other, "unknown delta passed over");
                None
            }
        }
    }

    /// The answer. Tool calls that `max_tokens` cut off in the middle are left out
    /// of it: they can neither be run nor sent back.
    fn into_answer(self, request_id: Option<String>) -> Turn {
        let usage = usage::of(&self.model, self.usage, request_id);
        let cut_off = |finished: &Finished, end: End| {
            finished.kind == "tool_use" && (end == End::Open || finished.input == Input::Broken)
        };
        let limited = matches!(self.stop, Some(Stop::MaxTokens | Stop::ContextFull));
        let mut blocks: Vec<Finished> = Vec::new();
        for block in self.blocks.into_values() {
            let end = block.end;
            let finished = block.finish();
            // The API refuses blank text blocks in a history, even its own.
            let blank = finished.kind == "text" && finished.text.trim().is_empty();
            let lost = limited && cut_off(&finished, end);
            if !blank && !lost {
                blocks.push(finished);
            }
        }
        let json: Vec<&str> = blocks.iter().map(|block| block.json.as_str()).collect();
        let content = format!("[{}]", json.join(","));
        let texts: Vec<&str> = blocks
            .iter()
            .map(|block| block.text.as_str())
            .filter(|text| !text.is_empty())
            .collect();
        let text = texts.join("\n\n");
        let calls: Vec<ToolCall> = blocks
            .into_iter()
            .filter_map(|block| block.call)
            .map(|(call_id, name, input)| ToolCall {
                call_id,
                name,
                input,
            })
            .collect();
        let unsaid = if calls.is_empty() {
            Stop::EndTurn
        } else {
            Stop::ToolUse
        };
        let stop = self.stop.unwrap_or(unsaid);
        Turn {
            content,
            text,
            calls,
            stop,
            model: self.model,
            usage: Some(usage),
            charge: None,
        }
    }
}

impl Answer for Assembly {
    fn event(&mut self, data: &[u8]) -> Result<Vec<Delta>, Broken> {
        self.take(data).map(|delta| delta.into_iter().collect())
    }

    fn whole(&mut self, body: &[u8]) -> Result<(), Broken> {
        self.take_whole(body)
    }

    fn complete(&self) -> Complete {
        self.complete
    }

    fn answered(&self) -> Answered {
        self.answered
    }

    /// Usage as far as it was reported, if the model had begun.
    fn partial(&self, request_id: Option<String>) -> Option<Usage> {
        (self.answered == Answered::Begun)
            .then(|| usage::of(&self.model, self.usage.clone(), request_id))
    }

    fn into_turn(self, request_id: Option<String>) -> Turn {
        self.into_answer(request_id)
    }

    fn refused(
        endpoint: &str,
        model: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> TurnError {
        errors::of_status(endpoint, model, status, headers, body)
    }
}

fn stop(reason: &str, category: Option<String>) -> Stop {
    match reason {
        "end_turn" | "stop_sequence" => Stop::EndTurn,
        "tool_use" => Stop::ToolUse,
        "max_tokens" => Stop::MaxTokens,
        "pause_turn" => Stop::Pause,
        "refusal" => Stop::Refusal(category),
        "model_context_window_exceeded" => Stop::ContextFull,
        other => Stop::Other(other.to_owned()),
    }
}

fn read<'de, T: Deserialize<'de>>(data: &'de str) -> Result<T, Broken> {
    serde_json::from_str(data).map_err(|_| Broken::garbage(data))
}
