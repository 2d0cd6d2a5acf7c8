//! How a session is come by, and with which model: from what an agent says it can.

use serde_json::Value;

use super::protocol::Open;
use crate::models::same_model;
use crate::supervised::text;

/// How many of the models on offer are named.
const NAMED: usize = 12;

/// How the session is opened; None if it is to be gone on with and the agent cannot.
pub(crate) fn way(agent: &Value, session: Option<&str>) -> Option<Open> {
    let can = &agent["agentCapabilities"];
    let resumes = can["sessionCapabilities"]["resume"].is_object();
    match session {
        None => Some(Open::New),
        Some(id) if resumes => Some(Open::Resume(id.to_owned())),
        Some(id) if can["loadSession"] == true => Some(Open::Load(id.to_owned())),
        Some(_) => None,
    }
}

/// Its way to log in with a key, if it says that it has one.
pub(crate) fn key_login(agent: &Value) -> Option<String> {
    let methods = agent["authMethods"].as_array()?;
    let takes_key = |method: &&Value| {
        method["_meta"]["api-key"].is_object() || text(method, "id").ends_with("api-key")
    };
    let method = methods.iter().find(takes_key)?;
    Some(text(method, "id").to_owned()).filter(|id| !id.is_empty())
}

/// What is to be done about the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    /// Nothing: it is the right one, or none was asked for.
    Right,
    /// Nothing can be: the agent does not speak of models.
    Unsaid,
    /// This option is to be set.
    Option { option: String, value: String },
    /// This one is to be set.
    Named(String),
    /// It is not on offer; these are.
    Missing(String),
}

/// What is to be done so that `asked` answers in the session that was `opened`.
pub(crate) fn model(opened: &Value, asked: &str) -> Model {
    if asked.is_empty() {
        return Model::Right;
    }
    let mut options = opened["configOptions"].as_array().into_iter().flatten();
    if let Some(option) = options.find(|option| text(option, "category") == "model") {
        let offered = Offered::of(&option["options"], "value");
        return match offered.find(asked, text(option, "currentValue")) {
            Found::Current => Model::Right,
            Found::Other(value) => Model::Option {
                option: text(option, "id").to_owned(),
                value,
            },
            Found::None => Model::Missing(offered.words()),
        };
    }
    let models = &opened["models"];
    if !models["availableModels"].is_array() {
        return Model::Unsaid;
    }
    let offered = Offered::of(&models["availableModels"], "modelId");
    match offered.find(asked, text(models, "currentModelId")) {
        Found::Current => Model::Right,
        Found::Other(value) => Model::Named(value),
        Found::None => Model::Missing(offered.words()),
    }
}

/// Models on offer: how they are asked for, and what they are called.
struct Offered<'a>(Vec<(&'a str, &'a str)>);

enum Found {
    Current,
    Other(String),
    None,
}

impl<'a> Offered<'a> {
    /// Options may stand in groups.
    fn of(list: &'a Value, id: &str) -> Self {
        let list = || list.as_array().into_iter().flatten();
        let groups = list().filter_map(|entry| entry["options"].as_array());
        let entries = list().chain(groups.flatten());
        let named = entries.map(|entry| (text(entry, id), text(entry, "name")));
        Self(named.filter(|(id, _)| !id.is_empty()).collect())
    }

    fn find(&self, asked: &str, current: &str) -> Found {
        let exact = self
            .0
            .iter()
            .find(|(id, name)| *id == asked || *name == asked);
        // A current one that is the same is believed before others that are.
        let found = match exact {
            None if !current.is_empty() && same_model(asked, current) => return Found::Current,
            None => self.0.iter().find(|(id, _)| same_model(asked, id)),
            exact => exact,
        };
        match found {
            Some((id, _)) if *id == current => Found::Current,
            Some((id, _)) => Found::Other((*id).to_owned()),
            None => Found::None,
        }
    }

    fn words(&self) -> String {
        let ids: Vec<&str> = self.0.iter().take(NAMED).map(|(id, _)| *id).collect();
        match self.0.len().saturating_sub(NAMED) {
            0 if ids.is_empty() => "none".to_owned(),
            0 => ids.join(", "),
            more => format!("{} and {more} more", ids.join(", ")),
        }
    }
}
