//! What the supervision asks of it.

use serde_json::Value;

use super::Mapper;
use crate::acp::calls::Call;
use crate::acp::protocol::{self, Line};
use crate::driver::Usage;
use crate::supervised::{Action, Dialect, Phase};

impl Dialect for Mapper {
    fn name(&self) -> &'static str {
        self.task.name
    }

    fn line(&mut self, bytes: &[u8]) -> Vec<Action> {
        let line = Line::parse(bytes);
        // What is told again of an earlier process is not this one's.
        let counts = self.prompted || matches!(line, Line::Response(..));
        let counted = counts && self.tally.line(&line);
        let mut actions = self.meaning(line, bytes);
        if counted {
            actions.push(Action::Used(self.tally.so_far()));
        }
        actions
    }

    fn unreadable(&mut self, what: String) -> Vec<Action> {
        self.unreadable.tell(self.task.name, &what)
    }

    fn phase(&self) -> Phase {
        if !self.asked.is_empty() {
            Phase::Busy
        } else if self.streaming {
            Phase::Expecting
        } else if !self.calls.is_empty() {
            Phase::Busy
        } else if self.retrying {
            Phase::Retrying(0)
        } else {
            Phase::Expecting
        }
    }

    fn is_between(&self) -> bool {
        let runs = |call: &String| !self.held.contains(call) && !self.is_asked(call);
        self.begun && !self.streaming && !self.calls.keys().any(runs)
    }

    fn open_calls(&self) -> usize {
        self.calls.len()
    }

    fn is_about_to_ask(&self) -> bool {
        self.settling || (!self.held.is_empty() && self.asked.is_empty())
    }

    fn release_calls(&mut self) -> Vec<Action> {
        if std::mem::take(&mut self.settling) {
            return self.prompt_now();
        }
        let held = std::mem::take(&mut self.held);
        let calls = held.iter().filter_map(|id| self.calls.get(id));
        calls.map(Call::observed).map(Action::Started).collect()
    }

    fn answered(&mut self, request_id: &str) {
        self.asked.remove(request_id);
    }

    fn has_answered(&self) -> bool {
        self.tally.has_answered()
    }

    fn consumed(&self) -> Option<Usage> {
        match self.prompted {
            true => self.tally.at_an_end(),
            false => None,
        }
    }

    fn allow(&self, request_id: &str, _input: &Value) -> Vec<u8> {
        let question = self.asked.get(request_id);
        let allow = question.and_then(|question| question.allow.as_deref());
        protocol::outcome(request_id, allow)
    }

    fn allow_edited(&self, request_id: &str, _edited: &Value) -> Vec<u8> {
        // The protocol has no words for other arguments; the engine offers no edits for it.
        self.deny(request_id, "")
    }

    fn deny(&self, request_id: &str, _why: &str) -> Vec<u8> {
        // Nor has it any for the reason.
        let question = self.asked.get(request_id);
        let reject = question.and_then(|question| question.reject.as_deref());
        protocol::outcome(request_id, reject)
    }

    fn unsupported(&self, request_id: &str, what: &str) -> Vec<u8> {
        protocol::unsupported(request_id, what)
    }

    fn interrupt(&mut self) -> Vec<u8> {
        self.interrupted = true;
        let Some(session) = &self.session else {
            // Nothing goes on yet.
            return Vec::new();
        };
        let mut lines = protocol::cancel(session);
        // What it asks is not waited for any more.
        for request_id in self.asked.keys() {
            lines.extend(protocol::outcome(request_id, None));
        }
        lines
    }
}
