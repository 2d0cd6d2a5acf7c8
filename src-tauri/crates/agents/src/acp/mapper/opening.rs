//! How a process is begun with: what it can, its session, its model, and the prompt.

use domain::OpErrorKind;
use serde_json::Value;

use super::{Mapper, over};
use crate::acp::ending;
use crate::acp::protocol::{self, Open};
use crate::acp::session::{self, Model};
use crate::driver::TurnError;
use crate::supervised::{Action, agent_error, text};

impl Mapper {
    pub(super) fn greeted(&mut self, agent: &Value) -> Vec<Action> {
        let name = self.task.name;
        let version = agent["protocolVersion"].as_u64();
        if version != Some(protocol::VERSION) {
            let speaks = version.map_or("no known version".to_owned(), |v| format!("version {v}"));
            let words = format!(
                "{name} speaks {speaks} of the Agent Client Protocol; this version of Longhaul speaks version {} only",
                protocol::VERSION
            );
            return vec![over(Err(TurnError::refused(
                OpErrorKind::BadRequest,
                words,
            )))];
        }
        if self.task.keyed {
            self.key_login = session::key_login(agent);
        }
        let way = session::way(agent, self.task.session.as_deref());
        let Some(open) = way.or(self.task.adopted.then_some(Open::New)) else {
            let why = "it cannot take one up again".to_owned();
            return vec![Action::UnknownSession(why)];
        };
        self.open = Some(open);
        self.open_session()
    }

    pub(super) fn open_session(&self) -> Vec<Action> {
        let open = self
            .open
            .as_ref()
            .map(|o| protocol::open(o, &self.task.cwd));
        open.map(Action::Send).into_iter().collect()
    }

    pub(super) fn opened(&mut self, opened: &Value) -> Vec<Action> {
        let id = match (text(opened, "sessionId"), &self.task.session) {
            ("", Some(known)) => known.clone(),
            ("", None) => {
                let words = format!("{} opened a session and did not name it", self.task.name);
                return vec![over(Err(agent_error(words)))];
            }
            (id, _) => id.to_owned(),
        };
        self.session = Some(id.clone());
        match session::model(opened, &self.task.model) {
            Model::Right => self.prompt(),
            Model::Unsaid => {
                let note = format!(
                    "{} chooses its model itself; {} was asked for",
                    self.task.name, self.task.model
                );
                let mut actions = self.prompt();
                actions.insert(0, Action::Note(note));
                actions
            }
            Model::Option { option, value } => {
                vec![Action::Send(protocol::set_option(&id, &option, &value))]
            }
            Model::Named(model) => vec![Action::Send(protocol::set_model(&id, &model))],
            Model::Missing(offered) => {
                let (name, asked) = (self.task.name, &self.task.model);
                let words = format!("{name} does not offer the model {asked}; it offers {offered}");
                vec![over(Err(TurnError::refused(
                    OpErrorKind::BadRequest,
                    words,
                )))]
            }
        }
    }

    pub(super) fn not_opened(&mut self, error: &Value) -> Vec<Action> {
        if protocol::wants_login(error) {
            return match self.key_login.take() {
                Some(method) => vec![Action::Send(protocol::authenticate(&method))],
                None => vec![over(Err(ending::of(self.task.name, error)))],
            };
        }
        // Agents have no common word for a session that is gone. Whatever it is, a new one
        // that is told what was done is no worse than none; if that fails too, it is said.
        match &self.task.session {
            Some(_) => vec![Action::UnknownSession(ending::words(error))],
            None => vec![over(Err(ending::of(self.task.name, error)))],
        }
    }

    /// Begins the turn. Gemini CLI goes on telling what was said of old after it has said that
    /// the session is loaded (recorded): it is let finish.
    pub(super) fn prompt(&mut self) -> Vec<Action> {
        if matches!(self.open, Some(Open::Load(_))) && !self.task.adopted {
            self.settling = true;
            return Vec::new();
        }
        self.prompt_now()
    }

    pub(super) fn prompt_now(&mut self) -> Vec<Action> {
        self.prompted = true;
        let session = self.session.clone().unwrap_or_default();
        let system = match self.task.session {
            Some(_) => "",
            None => self.task.system.as_str(),
        };
        let pieces = [system, self.task.prompt.as_str()];
        vec![Action::Send(protocol::prompt(&session, &pieces))]
    }
}
