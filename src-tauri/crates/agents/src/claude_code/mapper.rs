//! What each line means: pure, so that recordings can be replayed through it.

use std::collections::{HashMap, HashSet};

use domain::{OpErrorKind, OpOutcome};
use serde_json::Value;

use super::protocol::{Freshness, Line, Seen, Teller, readable, remark, text};
use super::tally::{Changed, Tally};
use super::{CLAUDE, calls, ending, protocol};
use crate::driver::{Delta, ObservedCall, TurnError, Usage};
use crate::supervised::{Action, Dialect, Phase, Unreadable};

/// A retry of this many failed tries with a refused credential is not waited for:
/// the agent would go on for minutes (ten tries), and nothing mends by itself.
/// The first may be a login token being renewed.
const REFUSED_TRIES: u64 = 2;

/// Follows one process from its first line.
#[derive(Debug)]
pub(crate) struct Mapper {
    fresh: Freshness,
    /// The session asked for by `--resume`.
    resumed: Option<String>,
    pub(crate) session: Option<String>,
    open: HashSet<String>,
    /// Calls it is about to ask about: told when it asks, so that the record says
    /// that they were decided on, or when it turns out that it does not.
    held: Vec<ObservedCall>,
    asked: HashMap<String, String>,
    retry_ms: Option<u64>,
    /// The message being streamed.
    streaming: Option<String>,
    /// The last message that was streamed: its blocks were shown already.
    shown: Option<String>,
    messages: HashSet<String>,
    pub(crate) seen: Seen,
    last_text: String,
    /// What the answers consumed.
    pub(crate) tally: Tally,
    /// Models that answered and were told of.
    told: HashSet<String>,
    unreadable: Unreadable,
}

impl Mapper {
    /// `resumed` is the session the process was told to go on with.
    pub(crate) fn new(resumed: Option<String>) -> Self {
        Self {
            fresh: if resumed.is_some() {
                Freshness::Resumed
            } else {
                Freshness::NewSession
            },
            resumed,
            session: None,
            open: HashSet::new(),
            held: Vec::new(),
            asked: HashMap::new(),
            retry_ms: None,
            streaming: None,
            shown: None,
            messages: HashSet::new(),
            seen: Seen::default(),
            last_text: String::new(),
            tally: Tally::default(),
            told: HashSet::new(),
            unreadable: Unreadable::default(),
        }
    }

    fn unhold(&mut self, call_id: &str) -> Option<ObservedCall> {
        let at = self.held.iter().position(|call| call.call_id == call_id)?;
        Some(self.held.remove(at))
    }

    /// Whether the agent has begun to work on what it was sent.
    pub(crate) fn has_begun(&self) -> bool {
        self.session.is_some()
    }

    fn meaning(&mut self, line: Line, bytes: &[u8]) -> Vec<Action> {
        if !matches!(line, Line::Garbage | Line::Other(_) | Line::Response(..)) {
            self.retry_ms = None;
        }
        match line {
            Line::System(subtype, message) => self.system(&subtype, &message),
            Line::Stream(event, Teller::Main) => self.stream(&event),
            Line::Assistant(message, teller) => self.assistant(&message, teller),
            Line::User(message) => self.user(&message),
            Line::Request(id, request) => vec![self.request(id, request)],
            Line::Cancel(request_id) => {
                // It need not be answered; its review is withdrawn with the turn.
                self.asked.remove(&request_id);
                Vec::new()
            }
            Line::Response(id, Some(error)) => {
                vec![Action::Note(format!("claude refused {id}: {error}"))]
            }
            Line::Result(result) => vec![self.result(&result)],
            Line::Stream(_, Teller::Subagent) | Line::Response(_, None) | Line::Other(_) => {
                Vec::new()
            }
            Line::Garbage => {
                self.unreadable(String::from_utf8_lossy(bytes).chars().take(200).collect())
            }
        }
    }

    fn system(&mut self, subtype: &str, message: &Value) -> Vec<Action> {
        match subtype {
            "init" => {
                self.seen.model = text(message, "model").to_owned();
                let session = text(message, "session_id").to_owned();
                let known = self.session.replace(session.clone());
                if session.is_empty() || known.as_ref() == Some(&session) {
                    return Vec::new();
                }
                vec![Action::Session(session)]
            }
            "status" => {
                if text(message, "status") == "requesting" {
                    self.streaming = None;
                }
                Vec::new()
            }
            "api_retry" => self.retry(message),
            "informational"
            | "model_refusal_no_fallback"
            | "permission_denied"
            | "compact_boundary" => {
                vec![Action::Note(remark(subtype, message))]
            }
            // No model is swapped behind the user's back, by whatever word.
            _ if message.get("original_model").is_some()
                || message.get("fallback_model").is_some() =>
            {
                vec![Action::Note(remark(subtype, message))]
            }
            _ => Vec::new(),
        }
    }

    fn retry(&mut self, message: &Value) -> Vec<Action> {
        self.streaming = None;
        let wait = message["retry_delay_ms"].as_f64().unwrap_or(0.0).max(0.0) as u64;
        let (attempt, status) = (
            message["attempt"].as_u64().unwrap_or(1),
            message["error_status"].as_u64(),
        );
        if matches!(status, Some(401 | 403)) && attempt >= REFUSED_TRIES {
            let error = TurnError::refused(
                OpErrorKind::Auth,
                ending::words_for(status, text(message, "error")),
            );
            return vec![Action::GaveUp(Box::new(error))];
        }
        self.retry_ms = Some(wait);
        let what = match status {
            Some(status) => format!("{} ({status})", text(message, "error")),
            None => text(message, "error").to_owned(),
        };
        let reason = format!(
            "{what}; try {} follows in {:.1} s",
            attempt + 1,
            wait as f64 / 1000.0
        );
        let mut actions = vec![Action::Delta(Delta::Retrying {
            reason: reason.clone(),
            at: None,
        })];
        // One remark a series: the deltas tell the rest.
        if attempt == 1 {
            actions.push(Action::Note(format!("claude's request failed: {reason}")));
        }
        actions
    }

    fn stream(&mut self, event: &Value) -> Vec<Action> {
        let delta = match text(event, "type") {
            "message_start" => {
                let id = text(&event["message"], "id").to_owned();
                self.streaming = Some(id.clone());
                self.shown = Some(id);
                None
            }
            "message_stop" => {
                self.streaming = None;
                None
            }
            "content_block_start"
                if text(&event["content_block"], "type").ends_with("tool_use") =>
            {
                Some(Delta::Tool(
                    text(&event["content_block"], "name").to_owned(),
                ))
            }
            "content_block_delta" => match text(&event["delta"], "type") {
                "text_delta" => Some(Delta::Text(text(&event["delta"], "text").to_owned())),
                "thinking_delta" => Some(Delta::Thinking(
                    text(&event["delta"], "thinking").to_owned(),
                )),
                _ => None,
            },
            _ => None,
        };
        delta.map(Action::Delta).into_iter().collect()
    }

    fn assistant(&mut self, message: &Value, teller: Teller) -> Vec<Action> {
        let body = &message["message"];
        let (id, model) = (text(body, "id"), text(body, "model"));
        let mut actions = Vec::new();
        if model != "<synthetic>" && !model.is_empty() {
            if self.messages.insert(id.to_owned()) {
                self.seen.requests += 1;
            }
            if let Some(request) = message["request_id"].as_str() {
                self.seen.request_id = Some(request.to_owned());
            }
            actions.extend(self.answering(model, teller));
        }
        if teller == Teller::Main && self.streaming.as_deref() != Some(id) {
            // Not what was being streamed: that stream was given up.
            self.streaming = None;
        }
        for block in body["content"].as_array().into_iter().flatten() {
            match text(block, "type") {
                "text" if teller == Teller::Main && model != "<synthetic>" => {
                    self.last_text = text(block, "text").to_owned();
                    if self.shown.as_deref() != Some(id) {
                        actions.push(Action::Delta(Delta::Text(self.last_text.clone())));
                    }
                }
                "tool_use" => {
                    let call =
                        calls::observed(text(block, "id"), text(block, "name"), &block["input"]);
                    self.open.insert(call.call_id.clone());
                    if calls::is_asked_about(&call.name) {
                        self.held.push(call);
                    } else {
                        actions.push(Action::Started(call));
                    }
                }
                _ => {}
            }
        }
        actions
    }

    fn answering(&mut self, model: &str, teller: Teller) -> Option<Action> {
        let announced = std::mem::replace(&mut self.seen.model, model.to_owned());
        if teller == Teller::Subagent {
            self.seen.model = announced;
            return None; // Subagents have models of their own, by configuration.
        }
        let other = !announced.is_empty() && announced != model;
        (other && self.told.insert(model.to_owned()))
            .then(|| Action::Note(format!("{model} answered; {announced} was expected")))
    }

    fn user(&mut self, message: &Value) -> Vec<Action> {
        let mut actions = Vec::new();
        for block in message["content"].as_array().into_iter().flatten() {
            if text(block, "type") != "tool_result" {
                continue;
            }
            let call_id = text(block, "tool_use_id").to_owned();
            self.open.remove(&call_id);
            self.asked.retain(|_, asked_for| *asked_for != call_id);
            actions.extend(self.unhold(&call_id).map(Action::Started));
            let failed = block["is_error"] == true;
            actions.push(Action::Ended {
                call_id,
                outcome: if failed {
                    OpOutcome::Error
                } else {
                    OpOutcome::Ok
                },
                result: readable(&block["content"]),
            });
        }
        actions
    }

    fn request(&mut self, request_id: String, request: Value) -> Action {
        let subtype = text(&request, "subtype");
        if subtype != "can_use_tool" {
            return Action::Unsupported {
                request_id,
                what: subtype.to_owned(),
            };
        }
        let name = text(&request, "tool_name");
        if name == "AskUserQuestion" {
            let why =
                "Nobody can answer now. Decide by yourself, or end your turn with the question.";
            return Action::Deny { request_id, why };
        }
        // Older versions name no call; the question is then its own.
        let call_id = match text(&request, "tool_use_id") {
            "" => request_id.as_str(),
            id => id,
        };
        let call = calls::observed(call_id, name, &request["input"]);
        self.unhold(&call.call_id);
        self.asked.insert(request_id.clone(), call.call_id.clone());
        Action::Permit {
            request_id,
            call,
            input: request["input"].clone(),
        }
    }

    fn result(&mut self, result: &Value) -> Action {
        self.streaming = None;
        if !self.has_begun()
            && self
                .resumed
                .as_deref()
                .is_some_and(|id| ending::knows_no(result, id))
        {
            return Action::UnknownSession(String::new());
        }
        Action::Finished(Box::new(ending::of(
            result,
            self.fresh,
            self.seen.clone(),
            &self.tally,
            &self.last_text,
        )))
    }
}

impl Dialect for Mapper {
    fn name(&self) -> &'static str {
        CLAUDE.name
    }

    fn line(&mut self, bytes: &[u8]) -> Vec<Action> {
        let line = Line::parse(bytes);
        let consumed = self.tally.line(&line) == Changed::Yes;
        let mut actions = self.meaning(line, bytes);
        if let Some(usage) = self.tally.so_far().filter(|_| consumed) {
            actions.push(Action::Used(usage));
        }
        actions
    }

    fn unreadable(&mut self, what: String) -> Vec<Action> {
        self.unreadable.tell(CLAUDE.name, &what)
    }

    fn phase(&self) -> Phase {
        if !self.asked.is_empty() {
            Phase::Busy
        } else if self.streaming.is_some() {
            Phase::Expecting
        } else if !self.open.is_empty() {
            Phase::Busy
        } else {
            self.retry_ms.map_or(Phase::Expecting, Phase::Retrying)
        }
    }

    fn is_between(&self) -> bool {
        let begun = |call: &String| {
            let held = self.held.iter().any(|held| held.call_id == *call);
            !held && !self.asked.values().any(|asked| asked == call)
        };
        // Before its first answer it may not have a session to come back to.
        let answered = self.seen.requests > 0 || !self.asked.is_empty() || self.retry_ms.is_some();
        self.has_begun() && answered && self.streaming.is_none() && !self.open.iter().any(begun)
    }

    fn open_calls(&self) -> usize {
        self.open.len()
    }

    fn is_about_to_ask(&self) -> bool {
        !self.held.is_empty() && self.streaming.is_none() && self.asked.is_empty()
    }

    fn release_calls(&mut self) -> Vec<Action> {
        self.held.drain(..).map(Action::Started).collect()
    }

    fn answered(&mut self, request_id: &str) {
        self.asked.remove(request_id);
    }

    fn has_answered(&self) -> bool {
        self.seen.requests > 0
    }

    fn consumed(&self) -> Option<Usage> {
        self.tally.at_an_end()
    }

    fn allow(&self, request_id: &str, input: &Value) -> Vec<u8> {
        protocol::allow(request_id, input)
    }

    fn allow_edited(&self, request_id: &str, edited: &Value) -> Vec<u8> {
        protocol::allow(request_id, edited)
    }

    fn deny(&self, request_id: &str, why: &str) -> Vec<u8> {
        protocol::deny(request_id, why)
    }

    fn unsupported(&self, request_id: &str, what: &str) -> Vec<u8> {
        protocol::unsupported(request_id, what)
    }

    fn interrupt(&mut self) -> Vec<u8> {
        protocol::interrupt()
    }
}
