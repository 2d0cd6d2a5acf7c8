//! The user's backends and the drivers behind them.

use std::sync::Arc;

use agents::Driver;
use agents::acp::AcpDriver;
use agents::anthropic::AnthropicDriver;
use agents::claude_code::ClaudeCodeDriver;
use agents::codex::CodexDriver;
use agents::openai::{OPENAI_URL, OpenAiDriver};
use domain::BackendKind;
use secrets::KeySource;
use serde::{Deserialize, Serialize};

use crate::core::{Core, Engine};

/// Where the thinking comes from, as the user set it up. Holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackendConfig {
    /// The user's name for it.
    pub name: String,
    /// Its kind.
    pub kind: BackendKind,
    /// The endpoint, where not the vendor's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The model, where a task names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The command that starts an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The user says its calls cost nothing.
    #[serde(default)]
    pub free: bool,
    /// Where its key comes from.
    pub key: KeySource,
}

/// Why a backend cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// No backend has that name.
    #[error("there is no backend '{0}'")]
    Unknown(String),
    /// A setting is missing or wrong.
    #[error("backend '{name}': {problem}")]
    Misconfigured {
        /// Which backend.
        name: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The store could not be read.
    #[error("{0}")]
    Store(String),
}

/// The Anthropic API's own address (its documentation, 2026).
pub(crate) const ANTHROPIC_URL: &str = "https://api.anthropic.com";

/// Model asked for when neither the task nor the backend names one.
const ANTHROPIC_MODEL: &str = "claude-sonnet-5-5";

/// The same of OpenAI's own API. Whoever imitates it has models of their own.
const OPENAI_MODEL: &str = "gpt-5.4";

impl BackendConfig {
    /// The model a task on this backend uses.
    pub fn model_for(&self, asked: Option<&str>) -> Option<String> {
        let fallback = match self.kind {
            BackendKind::Anthropic | BackendKind::Rehearsal => Some(ANTHROPIC_MODEL),
            BackendKind::OpenAi if self.base_url.is_none() => Some(OPENAI_MODEL),
            _ => None,
        };
        asked
            .or(self.model.as_deref())
            .or(fallback)
            .map(str::to_owned)
    }

    /// The command line that starts an agent.
    pub(crate) fn command_line(&self) -> Result<Vec<String>, BackendError> {
        let usual = match self.kind {
            BackendKind::Codex => "codex",
            BackendKind::Acp => "",
            _ => "claude",
        };
        let text = self.command.as_deref().unwrap_or(usual);
        match shlex::split(text) {
            Some(words) if !words.is_empty() => Ok(words),
            _ => Err(BackendError::Misconfigured {
                name: self.name.clone(),
                problem: format!(
                    "its command '{text}' cannot be split into words; check the quotes"
                ),
            }),
        }
    }
}

impl Core {
    pub(crate) async fn backend(&self, name: &str) -> Result<BackendConfig, BackendError> {
        let row = self
            .store()
            .backend(name)
            .await
            .map_err(|e| BackendError::Store(e.to_string()))?;
        let value = row.ok_or_else(|| BackendError::Unknown(name.to_owned()))?;
        serde_json::from_value(value).map_err(|e| BackendError::Misconfigured {
            name: name.to_owned(),
            problem: e.to_string(),
        })
    }

    /// Whoever can say whether a backend's key is good: of an agent with a key the API behind
    /// it, since the agent itself could only try.
    pub(crate) fn driver_of_its_api(
        &self,
        backend: &BackendConfig,
    ) -> Result<Arc<dyn Driver>, BackendError> {
        let kind = match backend.kind {
            BackendKind::ClaudeCode => BackendKind::Anthropic,
            BackendKind::Codex => BackendKind::OpenAi,
            kind => kind,
        };
        let api = BackendConfig {
            kind,
            ..backend.clone()
        };
        self.driver(&api)
    }

    pub(crate) fn driver(&self, backend: &BackendConfig) -> Result<Arc<dyn Driver>, BackendError> {
        let misconfigured = |problem: String| BackendError::Misconfigured {
            name: backend.name.clone(),
            problem,
        };
        match backend.kind {
            BackendKind::Anthropic | BackendKind::Rehearsal => {
                let url = match (&backend.base_url, backend.kind) {
                    (Some(url), _) => url.as_str(),
                    (None, BackendKind::Anthropic) => ANTHROPIC_URL,
                    (None, _) => return Err(misconfigured("it needs --base-url".to_owned())),
                };
                let driver = AnthropicDriver::new(url, self.parts.http.clone())
                    .map_err(|e| misconfigured(e.to_string()))?;
                Ok(Arc::new(driver))
            }
            BackendKind::OpenAi => {
                let url = backend.base_url.as_deref().unwrap_or(OPENAI_URL);
                let driver = OpenAiDriver::new(url, self.parts.http.clone())
                    .map_err(|e| misconfigured(e.to_string()))?;
                Ok(Arc::new(driver))
            }
            BackendKind::ClaudeCode => Ok(Arc::new(ClaudeCodeDriver::new(backend.command_line()?))),
            BackendKind::Codex => {
                let url = backend.base_url.clone();
                Ok(Arc::new(CodexDriver::new(backend.command_line()?, url)))
            }
            BackendKind::Acp => {
                let url = backend.base_url.clone();
                Ok(Arc::new(AcpDriver::new(backend.command_line()?, url)))
            }
        }
    }
}

impl Engine {
    /// A backend as the user set it up.
    pub async fn backend(&self, name: &str) -> Result<BackendConfig, BackendError> {
        self.core.backend(name).await
    }

    /// Whether it can be used: reachable, credential valid. Free of charge.
    pub async fn test_backend(&self, name: &str) -> Result<agents::Checked, String> {
        let backend = self.core.backend(name).await.map_err(|e| e.to_string())?;
        self.try_backend(&backend, None).await
    }

    /// The same for one that is not kept, with a key that is not kept either.
    pub async fn try_backend(
        &self,
        backend: &BackendConfig,
        given: Option<secrets::Secret>,
    ) -> Result<agents::Checked, String> {
        let driver = self.core.driver(backend).map_err(|e| e.to_string())?;
        let key = match (given, &backend.key) {
            (Some(given), _) => Some(given),
            (None, KeySource::None) => None,
            (None, source) => Some(
                self.core
                    .parts
                    .credentials
                    .get(source)
                    .await
                    .map_err(|e| e.to_string())?,
            ),
        };
        let model = backend.model_for(None);
        driver
            .check(model.as_deref(), key.as_ref())
            .await
            .map_err(|e| e.message)
    }

    /// A backend was added or changed: runs that wait for its credential look again.
    pub fn backend_changed(&self, name: &str) {
        tracing::info!(backend = name, "backend changed");
        for (_, control) in self.core.controls() {
            control.poke();
        }
        let (core, name) = (self.core.clone(), name.to_owned());
        self.core
            .tasks
            .spawn(async move { core.look_at_credential(&name).await });
    }
}
