//! What each line means: pure, so that recordings can be replayed through it.

mod dialect;
mod opening;

use std::collections::HashMap;

use domain::{OpErrorKind, PlanItem, PlanState};
use serde_json::{Value, json};

use super::calls::{self, Call};
use super::ending;
use super::protocol::{self, AUTHENTICATE, INITIALIZE, Line, MODEL, Open, PROMPT, SESSION};
use super::tally::Tally;
use crate::driver::{Answered, Delta, Stop, Turn, TurnError};
use crate::supervised::uses::{Telling, Uses};
use crate::supervised::{Action, Dialect, Unreadable, agent_error, text};

/// Calls that may be open at the same time. More is an agent gone wild.
const OPEN_MAX: usize = 1000;

/// What open calls may hold, in bytes of the lines that told of them.
const HELD_MAX: usize = 64 * 1024 * 1024;

/// The longest answer that is kept, in bytes.
const SAID_MAX: usize = 1024 * 1024;

/// What a process is to do.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// What the agent is called in messages.
    pub(crate) name: &'static str,
    pub(crate) cwd: String,
    /// Empty: its own default.
    pub(crate) model: String,
    /// Goes before the first prompt of a session; the protocol has no other place for it.
    pub(crate) system: String,
    pub(crate) prompt: String,
    /// The session to go on with.
    pub(crate) session: Option<String>,
    /// It is in its turn already: all was said to it, whatever it can.
    pub(crate) adopted: bool,
    /// Whether it was given a key.
    pub(crate) keyed: bool,
}

/// A question that is open.
#[derive(Clone, Debug)]
struct Question {
    call: String,
    allow: Option<String>,
    reject: Option<String>,
}

/// Follows one process from its first line.
#[derive(Debug)]
pub(crate) struct Mapper {
    task: Task,
    /// How its session is come by, once it has said what it can.
    open: Option<Open>,
    /// Its way to log in with a key, until it was tried.
    key_login: Option<String>,
    session: Option<String>,
    /// The session is open, and may still tell what was said in it of old.
    settling: bool,
    /// The prompt was sent: what is told is of this turn.
    prompted: bool,
    /// It has begun to work on it.
    begun: bool,
    calls: HashMap<String, Call>,
    /// Bytes the open calls may hold.
    weight: usize,
    /// Calls that are not told of yet: a question may be coming, or better words.
    held: Vec<String>,
    /// The names of the calls, where ids are used again.
    uses: Uses,
    asked: HashMap<String, Question>,
    /// An answer is being told.
    streaming: bool,
    /// The message under way, and what of it was told.
    message: String,
    said: String,
    /// The next words begin another message.
    next: bool,
    plan: Vec<PlanItem>,
    /// Codex's word of what went wrong, through its adapter.
    trouble: Value,
    /// It says that the turn failed, whatever else it says.
    failed: bool,
    retrying: bool,
    tally: Tally,
    interrupted: bool,
    unreadable: Unreadable,
}

impl Mapper {
    pub(crate) fn new(task: Task) -> Self {
        let tally = Tally::of(task.session.is_none() && !task.adopted);
        Self {
            task,
            open: None,
            key_login: None,
            session: None,
            settling: false,
            prompted: false,
            begun: false,
            calls: HashMap::new(),
            weight: 0,
            held: Vec::new(),
            uses: Uses::default(),
            asked: HashMap::new(),
            streaming: false,
            message: String::new(),
            said: String::new(),
            next: true,
            plan: Vec::new(),
            trouble: Value::Null,
            failed: false,
            retrying: false,
            tally,
            interrupted: false,
            unreadable: Unreadable::default(),
        }
    }

    fn meaning(&mut self, line: Line, bytes: &[u8]) -> Vec<Action> {
        match line {
            Line::Response(INITIALIZE, Ok(agent)) => self.greeted(&agent),
            Line::Response(AUTHENTICATE, Ok(_)) => self.open_session(),
            Line::Response(SESSION, Ok(opened)) => self.opened(&opened),
            Line::Response(SESSION, Err(error)) => self.not_opened(&error),
            Line::Response(MODEL, Ok(_)) => self.prompt(),
            Line::Response(PROMPT, Ok(result)) => self.turn_over(&result),
            Line::Response(PROMPT, Err(error)) => {
                let error = ending::of(self.task.name, &error);
                self.end(Err(error))
            }
            Line::Response(INITIALIZE | AUTHENTICATE | MODEL, Err(error)) => {
                self.end(Err(ending::of(self.task.name, &error)))
            }
            Line::Response(..) => Vec::new(),
            Line::Request(id, method, params) => self.question(id, &method, &params, bytes.len()),
            Line::Notification(method, params) => self.told(&method, &params, bytes.len()),
            Line::Garbage => {
                let said: String = String::from_utf8_lossy(bytes).chars().take(200).collect();
                self.unreadable(said)
            }
        }
    }

    fn told(&mut self, method: &str, params: &Value, length: usize) -> Vec<Action> {
        match method {
            "session/update" => {}
            "$/cancel_request" => {
                // It need not be answered; its review is withdrawn with the turn.
                self.answered(&params["requestId"].to_string());
                return Vec::new();
            }
            _ => return Vec::new(),
        }
        let other = text(params, "sessionId");
        let ours = other.is_empty() || self.session.as_deref() == Some(other);
        // What was said in an earlier process is told again before the session is open.
        if !self.prompted || !ours {
            return Vec::new();
        }
        let update = &params["update"];
        let mut actions = self.begin(protocol::is_work(update));
        actions.extend(self.update(update, length));
        actions
    }

    /// The first sign of work proves that the prompt was heard: now the session is worth
    /// going on with.
    fn begin(&mut self, is_work: bool) -> Vec<Action> {
        if self.begun || !is_work {
            return Vec::new();
        }
        self.begun = true;
        let session = self.session.clone();
        session.map(Action::Session).into_iter().collect()
    }

    fn update(&mut self, update: &Value, length: usize) -> Vec<Action> {
        match text(update, "sessionUpdate") {
            "agent_message_chunk" => self.words(update),
            "agent_thought_chunk" => {
                self.flowing();
                let thought = text(&update["content"], "text").to_owned();
                vec![Action::Delta(Delta::Thinking(thought))]
            }
            "tool_call" | "tool_call_update" => self.call(update, length),
            "plan" => self.planned(update),
            "usage_update" => {
                self.streaming = false;
                Vec::new()
            }
            "session_info_update" => self.codex(&update["_meta"]["codex"]),
            "current_mode_update" => {
                let mode = text(update, "currentModeId");
                vec![Action::Note(format!(
                    "{} is in its mode '{mode}' now",
                    self.task.name
                ))]
            }
            "compaction_update" => {
                let name = self.task.name;
                vec![Action::Note(format!(
                    "{name} summed up what was said so far, to make room"
                ))]
            }
            // Kept in the spool, like all others.
            _ => Vec::new(),
        }
    }

    fn flowing(&mut self) {
        self.streaming = true;
        self.retrying = false;
    }

    fn words(&mut self, update: &Value) -> Vec<Action> {
        self.flowing();
        let message = text(update, "messageId");
        if std::mem::take(&mut self.next) || message != self.message {
            message.clone_into(&mut self.message);
            self.said.clear();
        }
        let words = text(&update["content"], "text");
        let room = SAID_MAX.saturating_sub(self.said.len());
        self.said.push_str(calls::within(words, room));
        vec![Action::Delta(Delta::Text(words.to_owned()))]
    }

    fn call(&mut self, told: &Value, length: usize) -> Vec<Action> {
        self.streaming = false;
        self.retrying = false;
        self.next = true;
        let telling = protocol::telling(told).unwrap_or(Telling::Known);
        let id = match self.take_in(told, telling, length) {
            Ok(Some(id)) => id,
            Ok(None) => return Vec::new(),
            Err(gone_wild) => return vec![Action::GaveUp(gone_wild)],
        };
        let status = text(told, "status");
        if !protocol::is_over(told) {
            return Vec::new();
        }
        self.uses.end(&protocol::call_id(told));
        self.asked.retain(|_, question| question.call != id);
        let mut actions = self.release(&id);
        if let Some(call) = self.calls.remove(&id) {
            self.weight = self.weight.saturating_sub(call.weight);
            let (outcome, result) = call.ended(status);
            actions.push(Action::Ended {
                call_id: id,
                outcome,
                result,
            });
        }
        actions
    }

    /// Puts what is told of a call to what is known of it. None: it is over.
    fn take_in(
        &mut self,
        told: &Value,
        telling: Telling,
        length: usize,
    ) -> Result<Option<String>, Box<TurnError>> {
        let id = protocol::call_id(told);
        if id.is_empty() {
            return Ok(None);
        }
        let Some(id) = self.uses.name(&id, telling) else {
            return Ok(None);
        };
        if !self.calls.contains_key(&id) {
            self.calls.insert(id.clone(), Call::new(id.clone()));
            self.held.push(id.clone());
        }
        let open = self.calls.len();
        if let Some(call) = self.calls.get_mut(&id) {
            call.take_in(told);
            let more = length.saturating_sub(call.weight);
            call.weight += more;
            self.weight += more;
        }
        if open > OPEN_MAX || self.weight > HELD_MAX {
            let words = format!(
                "{} has {open} calls open at once, told in {} MB: it has gone wild",
                self.task.name,
                self.weight / 1_000_000
            );
            return Err(Box::new(agent_error(words)));
        }
        Ok(Some(id))
    }

    /// Tells of a call that was held back.
    fn release(&mut self, id: &str) -> Vec<Action> {
        let Some(at) = self.held.iter().position(|held| held == id) else {
            return Vec::new();
        };
        self.held.remove(at);
        let call = self.calls.get(id).map(Call::observed);
        call.map(Action::Started).into_iter().collect()
    }

    fn planned(&mut self, update: &Value) -> Vec<Action> {
        let entries = update["entries"].as_array().into_iter().flatten();
        let items: Vec<PlanItem> = entries.take(PLAN_MAX).map(plan_item).collect();
        if items == self.plan {
            return Vec::new();
        }
        self.plan.clone_from(&items);
        vec![Action::Plan(items)]
    }

    /// What Codex's adapter adds of retries and failures: nothing else tells of them.
    fn codex(&mut self, meta: &Value) -> Vec<Action> {
        match text(&meta["threadStatus"], "type") {
            "" => {}
            status => self.failed = status == "systemError",
        }
        let error = &meta["error"];
        if error.is_null() {
            return Vec::new();
        }
        self.trouble = error.clone();
        if error["willRetry"] != true {
            return Vec::new();
        }
        self.streaming = false;
        let first = !std::mem::replace(&mut self.retrying, true);
        let reason = match text(error, "additionalDetails") {
            "" => text(error, "message").to_owned(),
            details => format!("{} ({details})", text(error, "message")),
        };
        let mut actions = vec![Action::Delta(Delta::Retrying {
            reason: reason.clone(),
            at: None,
        })];
        if first {
            let name = self.task.name;
            actions.push(Action::Note(format!("{name}'s request failed: {reason}")));
        }
        actions
    }

    fn question(&mut self, id: String, method: &str, params: &Value, length: usize) -> Vec<Action> {
        let unsupported = |what: &str| Action::Unsupported {
            request_id: id.clone(),
            what: what.to_owned(),
        };
        if method != "session/request_permission" {
            return vec![unsupported(method)];
        }
        let mut actions = self.begin(true);
        let told = &params["toolCall"];
        let call = match self.take_in(told, Telling::Begins, length) {
            Ok(Some(call)) => call,
            Ok(None) => {
                actions.push(unsupported("a question about nothing that is open"));
                return actions;
            }
            Err(gone_wild) => return vec![Action::GaveUp(gone_wild)],
        };
        self.streaming = false;
        self.held.retain(|held| *held != call);
        self.next = true;
        let option = |kind: &str| {
            let options = params["options"].as_array().into_iter().flatten();
            let mut fitting = options.filter(|option| text(option, "kind") == kind);
            Some(text(fitting.next()?, "optionId").to_owned()).filter(|id| !id.is_empty())
        };
        let question = Question {
            call: call.clone(),
            // For good is not what anybody decided here: the next one is asked about again.
            allow: option("allow_once"),
            reject: option("reject_once").or_else(|| option("reject_always")),
        };
        if question.allow.is_none() {
            actions.push(Action::Deny {
                request_id: id.clone(),
                why: "it offers no way to be allowed just once",
            });
            self.asked.insert(id, question);
            return actions;
        }
        self.asked.insert(id.clone(), question);
        let call = self.calls.get(&call).map(Call::observed);
        actions.extend(call.map(|call| Action::Permit {
            request_id: id,
            input: serde_json::from_str(&call.input).unwrap_or_default(),
            call,
        }));
        actions
    }

    fn turn_over(&mut self, result: &Value) -> Vec<Action> {
        let name = self.task.name;
        let mut actions = self.begin(true);
        let turn = match text(result, "stopReason") {
            "cancelled" if self.interrupted => Err(TurnError::refused(
                OpErrorKind::Cancelled,
                format!("{name}'s turn was interrupted"),
            )),
            "cancelled" => Err(agent_error(format!("{name} broke its turn off"))),
            "max_turn_requests" => Err(agent_error(format!(
                "{name} stopped at its own limit of requests for one prompt"
            ))),
            // Called complete, and was not.
            "end_turn" if self.failed => Err(ending::in_text(name, &self.trouble, &self.said)),
            "end_turn" if !self.tally.has_answered() => Err(agent_error(format!(
                "{name} ended its turn without having said or done anything"
            ))),
            "end_turn" => Ok(Stop::EndTurn),
            "max_tokens" => Ok(Stop::MaxTokens),
            "refusal" => Ok(Stop::Refusal(None)),
            other => Ok(Stop::Other(other.to_owned())),
        };
        let turn = turn.map(|stop| self.answer(stop));
        actions.extend(self.end(turn));
        actions
    }

    /// The end of the turn, told after all that was done in it.
    fn end(&mut self, turn: Result<Turn, TurnError>) -> Vec<Action> {
        self.streaming = false;
        let turn = turn.map_err(|error| TurnError {
            answered: match self.has_answered() {
                true => Answered::Begun,
                false => Answered::No,
            },
            partial: self.tally.at_an_end(),
            ..error
        });
        let mut actions = self.release_calls();
        actions.push(over(turn));
        actions
    }

    fn answer(&self, stop: Stop) -> Turn {
        Turn {
            content: json!([{"type": "text", "text": self.said}]).to_string(),
            text: self.said.clone(),
            calls: Vec::new(),
            stop,
            model: self.tally.model().to_owned(),
            usage: Some(self.tally.so_far()),
            charge: None,
        }
    }

    fn is_asked(&self, call: &str) -> bool {
        self.asked.values().any(|question| question.call == call)
    }
}

/// Items of a plan that are shown.
const PLAN_MAX: usize = 100;

fn plan_item(entry: &Value) -> PlanItem {
    PlanItem {
        text: calls::within(text(entry, "content"), 500).to_owned(),
        state: match text(entry, "status") {
            "in_progress" => PlanState::Active,
            "completed" => PlanState::Done,
            _ => PlanState::Pending,
        },
    }
}

fn over(turn: Result<Turn, TurnError>) -> Action {
    Action::Finished(Box::new(turn))
}
