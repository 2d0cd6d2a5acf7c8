//! What each line means: pure, so that recordings can be replayed through it.

use std::collections::{HashMap, HashSet};

use domain::OpErrorKind;
use serde_json::{Value, json};

use super::protocol::{CLEAN, INITIALIZE, Line, Settings, THREAD, TURN};
use super::tally::Tally;
use super::{CODEX, calls, ending, protocol};
use crate::driver::{Delta, ObservedCall, Stop, Turn, TurnError, Usage};
use crate::supervised::{Action, Dialect, Phase, Unreadable, agent_error, text};

/// Codex waits for a network that is gone as long as it takes, and says so again after up
/// to several minutes (5, 10, 20 s … measured).
const NETWORK_WAIT_MS: u64 = 15 * 60 * 1000;

/// A refused credential is not tried more often than this: nothing mends by itself, and the
/// first may be a login token being renewed.
const REFUSED_TRIES: u32 = 2;

/// What a process is to do.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) cwd: String,
    pub(crate) model: String,
    pub(crate) system: String,
    pub(crate) prompt: String,
    /// The thread to go on with.
    pub(crate) thread: Option<String>,
    pub(crate) sandbox: &'static str,
}

/// Follows one process from its first line.
#[derive(Debug)]
pub(crate) struct Mapper {
    task: Task,
    thread: Option<String>,
    turn: Option<String>,
    /// Calls without a result.
    open: HashMap<String, ObservedCall>,
    /// Of these, those it may be about to ask about.
    held: Vec<String>,
    /// Questions, with the call each is about.
    asked: HashMap<String, String>,
    /// Messages and thoughts that are being told.
    telling: HashSet<String>,
    retry_ms: Option<u64>,
    /// Tries of the request under way that failed.
    failures: u32,
    last_text: String,
    tally: Tally,
    /// The turn's end, while what it left running is being ended.
    ending: Option<Box<Result<Turn, TurnError>>>,
    interrupted: bool,
    unreadable: Unreadable,
}

impl Mapper {
    pub(crate) fn new(task: Task) -> Self {
        Self {
            task,
            thread: None,
            turn: None,
            open: HashMap::new(),
            held: Vec::new(),
            asked: HashMap::new(),
            telling: HashSet::new(),
            retry_ms: None,
            failures: 0,
            last_text: String::new(),
            tally: Tally::default(),
            ending: None,
            interrupted: false,
            unreadable: Unreadable::default(),
        }
    }

    fn meaning(&mut self, line: Line, bytes: &[u8]) -> Vec<Action> {
        match line {
            Line::Response(INITIALIZE, Ok(_)) => vec![Action::Send(protocol::thread(
                self.task.thread.as_deref(),
                &Settings {
                    cwd: &self.task.cwd,
                    model: &self.task.model,
                    system: &self.task.system,
                    sandbox: self.task.sandbox,
                },
            ))],
            Line::Response(THREAD, Ok(thread)) => self.begun(&thread),
            Line::Response(THREAD, Err(error))
                if self.task.thread.is_some() && knows_none(text(&error, "message")) =>
            {
                vec![Action::UnknownSession(text(&error, "message").to_owned())]
            }
            Line::Response(TURN, Ok(turn)) => {
                self.turn = Some(text(&turn["turn"], "id").to_owned());
                Vec::new()
            }
            Line::Response(INITIALIZE | THREAD | TURN, Err(error)) => {
                let why = text(&error, "message");
                vec![over(Err(agent_error(format!(
                    "codex did not begin: {why}"
                ))))]
            }
            Line::Response(CLEAN, _) => self
                .ending
                .take()
                .map(Action::Finished)
                .into_iter()
                .collect(),
            Line::Response(..) => Vec::new(),
            Line::Request(id, method, params) => self.question(id, &method, &params),
            Line::Notification(method, params) => self.told(&method, &params),
            Line::Garbage => {
                let said: String = String::from_utf8_lossy(bytes).chars().take(200).collect();
                self.unreadable(said)
            }
        }
    }

    fn begun(&mut self, thread: &Value) -> Vec<Action> {
        let id = text(&thread["thread"], "id").to_owned();
        let turn = protocol::turn(&id, &self.task.prompt);
        self.thread = Some(id.clone());
        let mut actions = vec![Action::Session(id), Action::Send(turn)];
        let model = text(thread, "model");
        if !self.task.model.is_empty() && model != self.task.model {
            let asked = &self.task.model;
            actions.push(Action::Note(format!(
                "codex answers with {model}; {asked} was asked for"
            )));
        }
        actions
    }

    fn told(&mut self, method: &str, params: &Value) -> Vec<Action> {
        let item = &params["item"];
        let delta = || text(params, "delta").to_owned();
        match method {
            "turn/started" => {
                self.turn = Some(text(&params["turn"], "id").to_owned());
                Vec::new()
            }
            "item/started" => self.started(item),
            "item/completed" => self.completed(item),
            "item/agentMessage/delta" => self.shown(Delta::Text(delta())),
            "item/reasoning/summaryTextDelta" | "item/reasoning/textDelta" => {
                self.shown(Delta::Thinking(delta()))
            }
            "item/commandExecution/outputDelta" => self.release(text(params, "itemId")),
            // Answered by us, or taken back.
            "serverRequest/resolved" => {
                self.answered(&params["requestId"].to_string());
                Vec::new()
            }
            "error" => self.error(&params["error"], params["willRetry"] == true),
            "turn/completed" => self.turn_over(&params["turn"]),
            "model/rerouted" => vec![Action::Note(format!(
                "{} answers instead of {} ({})",
                text(params, "toModel"),
                text(params, "fromModel"),
                text(params, "reason"),
            ))],
            "warning" | "guardianWarning" => {
                vec![Action::Note(format!("codex: {}", text(params, "message")))]
            }
            _ => Vec::new(),
        }
    }

    fn shown(&mut self, delta: Delta) -> Vec<Action> {
        self.retry_ms = None;
        self.failures = 0;
        vec![Action::Delta(delta)]
    }

    fn started(&mut self, item: &Value) -> Vec<Action> {
        self.retry_ms = None;
        let id = text(item, "id").to_owned();
        match (calls::observed(item), text(item, "type")) {
            (Some(call), _) => {
                self.open.insert(id.clone(), call.clone());
                if calls::is_asked_about(item) {
                    self.held.push(id);
                    Vec::new()
                } else {
                    vec![Action::Started(call)]
                }
            }
            (None, "agentMessage" | "reasoning" | "plan") => {
                self.telling.insert(id);
                Vec::new()
            }
            (None, _) => Vec::new(),
        }
    }

    fn completed(&mut self, item: &Value) -> Vec<Action> {
        self.failures = 0;
        let id = text(item, "id");
        self.telling.remove(id);
        match text(item, "type") {
            "agentMessage" => {
                text(item, "text").clone_into(&mut self.last_text);
                return Vec::new();
            }
            "contextCompaction" => {
                let note = "codex summed up what was said so far, to make room".to_owned();
                return vec![Action::Note(note)];
            }
            _ => {}
        }
        let mut actions = self.release(id);
        self.asked.retain(|_, call| call != id);
        let known = self.open.remove(id);
        let Some(call) = known.clone().or_else(|| calls::observed(item)) else {
            return actions;
        };
        if known.is_none() {
            actions.push(Action::Started(call.clone()));
        }
        let (outcome, result) = calls::ended(item);
        actions.push(Action::Ended {
            call_id: call.call_id,
            outcome,
            result,
        });
        actions
    }

    /// Tells of a call that was held back for its question.
    fn release(&mut self, id: &str) -> Vec<Action> {
        let Some(at) = self.held.iter().position(|held| held == id) else {
            return Vec::new();
        };
        self.held.remove(at);
        let call = self.open.get(id).cloned();
        call.map(Action::Started).into_iter().collect()
    }

    fn question(&mut self, request_id: String, method: &str, params: &Value) -> Vec<Action> {
        let asks = matches!(
            method,
            "item/commandExecution/requestApproval" | "item/fileChange/requestApproval"
        );
        let unsupported = |what: &str| Action::Unsupported {
            request_id: request_id.clone(),
            what: what.to_owned(),
        };
        if !asks {
            return vec![unsupported(method)];
        }
        let id = text(params, "itemId");
        // Named by its item. A question that says itself what it is about is about that, whatever
        // the item was: that is what is decided on.
        let asked = calls::observed(&json!({
            "type": "commandExecution", "id": id, "command": params["command"], "cwd": params["cwd"],
        }))
        .filter(|_| params["command"].is_string());
        let command = |call: &ObservedCall| {
            let input: Value = serde_json::from_str(&call.input).unwrap_or_default();
            input["command"].clone()
        };
        let call = match (self.open.get(id).cloned(), asked) {
            (Some(known), Some(asked)) if command(&known) != command(&asked) => Some(asked),
            (known, asked) => known.or(asked),
        };
        let Some(call) = call else {
            return vec![unsupported("a question about nothing")];
        };
        self.held.retain(|held| held != id);
        self.open.insert(id.to_owned(), call.clone());
        self.asked.insert(request_id.clone(), id.to_owned());
        let input = serde_json::from_str(&call.input).unwrap_or_default();
        vec![Action::Permit {
            request_id,
            call,
            input,
        }]
    }

    fn error(&mut self, error: &Value, will_retry: bool) -> Vec<Action> {
        if !will_retry {
            // The turn's end says it again.
            return Vec::new();
        }
        self.telling.clear();
        self.failures += 1;
        let kind = ending::kind(error);
        if kind == OpErrorKind::Auth && self.failures >= REFUSED_TRIES {
            return vec![Action::GaveUp(Box::new(ending::of(error)))];
        }
        self.retry_ms = Some(match kind {
            OpErrorKind::Offline | OpErrorKind::Cut => NETWORK_WAIT_MS,
            _ => 0,
        });
        let said = text(error, "message");
        let reason = match ending::status(error) {
            Some(status) => format!("{said} ({status})"),
            None => said.to_owned(),
        };
        let mut actions = vec![Action::Delta(Delta::Retrying {
            reason: reason.clone(),
            at: None,
        })];
        // One remark a series: the deltas tell the rest.
        if self.failures == 1 {
            actions.push(Action::Note(format!("codex's request failed: {reason}")));
        }
        actions
    }

    fn turn_over(&mut self, turn: &Value) -> Vec<Action> {
        self.telling.clear();
        let result = match text(turn, "status") {
            "completed" => Ok(self.answer()),
            "interrupted" => Err(self.broken(TurnError::refused(
                OpErrorKind::Cancelled,
                "codex's turn was interrupted".to_owned(),
            ))),
            _ => Err(self.broken(ending::of(&turn["error"]))),
        };
        match (&self.thread, self.interrupted) {
            (Some(thread), true) => {
                let clean = protocol::clean(thread);
                self.ending = Some(Box::new(result));
                vec![Action::Send(clean)]
            }
            _ => vec![over(result)],
        }
    }

    fn answer(&self) -> Turn {
        Turn {
            content: json!([{"type": "text", "text": self.last_text}]).to_string(),
            text: self.last_text.clone(),
            calls: Vec::new(),
            stop: Stop::EndTurn,
            model: self.tally.model().to_owned(),
            usage: self.tally.so_far(),
            charge: None,
        }
    }

    fn broken(&self, error: TurnError) -> TurnError {
        TurnError {
            answered: match self.has_answered() {
                true => crate::driver::Answered::Begun,
                false => crate::driver::Answered::No,
            },
            partial: self.tally.so_far(),
            ..error
        }
    }
}

fn over(turn: Result<Turn, TurnError>) -> Action {
    Action::Finished(Box::new(turn))
}

/// Whether a refused resumption means that there is no such thread.
fn knows_none(why: &str) -> bool {
    why.contains("no rollout found") || why.contains("not found")
}

impl Dialect for Mapper {
    fn name(&self) -> &'static str {
        CODEX.name
    }

    fn line(&mut self, bytes: &[u8]) -> Vec<Action> {
        let line = Line::parse(bytes);
        let counted = self.tally.line(&line);
        let mut actions = self.meaning(line, bytes);
        if let Some(usage) = self.tally.so_far().filter(|_| counted) {
            actions.push(Action::Used(usage));
        }
        actions
    }

    fn unreadable(&mut self, what: String) -> Vec<Action> {
        self.unreadable.tell(CODEX.name, &what)
    }

    fn phase(&self) -> Phase {
        if !self.asked.is_empty() {
            Phase::Busy
        } else if !self.telling.is_empty() {
            Phase::Expecting
        } else if !self.open.is_empty() {
            Phase::Busy
        } else {
            self.retry_ms.map_or(Phase::Expecting, Phase::Retrying)
        }
    }

    fn is_between(&self) -> bool {
        let begun = |call: &String| {
            !self.held.contains(call) && !self.asked.values().any(|asked| asked == call)
        };
        let answered = self.has_answered() || !self.asked.is_empty() || self.retry_ms.is_some();
        answered && self.turn.is_some() && self.telling.is_empty() && !self.open.keys().any(begun)
    }

    fn open_calls(&self) -> usize {
        self.open.len()
    }

    fn is_about_to_ask(&self) -> bool {
        !self.held.is_empty() && self.asked.is_empty()
    }

    fn release_calls(&mut self) -> Vec<Action> {
        let held = std::mem::take(&mut self.held);
        let calls = held.iter().filter_map(|id| self.open.get(id).cloned());
        calls.map(Action::Started).collect()
    }

    fn answered(&mut self, request_id: &str) {
        self.asked.remove(request_id);
    }

    fn has_answered(&self) -> bool {
        self.tally.answers() > 0 || !self.open.is_empty() || !self.last_text.is_empty()
    }

    fn consumed(&self) -> Option<Usage> {
        self.tally.at_an_end()
    }

    fn allow(&self, request_id: &str, _input: &Value) -> Vec<u8> {
        protocol::decision(request_id, "accept")
    }

    fn allow_edited(&self, request_id: &str, edited: &Value) -> Vec<u8> {
        // Its protocol has no words for other arguments; the engine offers no edits for it.
        self.deny(
            request_id,
            &format!("use these arguments instead: {edited}"),
        )
    }

    fn deny(&self, request_id: &str, why: &str) -> Vec<u8> {
        // A refusal has no words in this protocol: they go to the model beside it.
        let mut lines = protocol::decision(request_id, "decline");
        if let (Some(thread), Some(turn)) = (&self.thread, &self.turn) {
            let words = format!("The last call was declined: {why}");
            lines.extend(protocol::steer(thread, turn, &words));
        }
        lines
    }

    fn unsupported(&self, request_id: &str, what: &str) -> Vec<u8> {
        protocol::unsupported(request_id, what)
    }

    fn interrupt(&mut self) -> Vec<u8> {
        self.interrupted = true;
        match (&self.thread, &self.turn) {
            (Some(thread), Some(turn)) => protocol::interrupt(thread, turn),
            // Nothing goes on yet.
            _ => Vec::new(),
        }
    }
}
