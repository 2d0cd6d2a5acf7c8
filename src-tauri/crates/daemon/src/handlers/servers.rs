//! Model servers that answer on this machine. Looked for only when somebody asks.

use std::time::Duration;

use domain::BackendKind;
use engine::BackendConfig;
use protocol::ServerFound;
use secrets::KeySource;

use super::agents::together;
use crate::api::Working;

/// Longest a server may take to list its models: one that is there answers at once.
const LIST: Duration = Duration::from_millis(1_500);

/// Who listens where unless told otherwise (their documentation, 2026).
pub(super) const USUAL: [(&str, u16); 4] = [
    ("Ollama", 11_434),
    ("LM Studio", 1_234),
    ("llama.cpp", 8_080),
    ("vLLM", 8_000),
];

/// Those of `places` that answer as servers of OpenAI's API do.
pub(crate) async fn look(
    working: &Working,
    backends: &[BackendConfig],
    places: &[(&str, u16)],
) -> Vec<ServerFound> {
    let looked = places.iter().map(|(name, port)| async move {
        let base_url = format!("http://127.0.0.1:{port}/v1");
        let config = BackendConfig {
            name: (*name).to_owned(),
            kind: BackendKind::OpenAi,
            base_url: Some(base_url.clone()),
            model: None,
            command: None,
            free: true,
            key: KeySource::None,
        };
        let tried = working.engine.try_backend(&config, None);
        let checked = tokio::time::timeout(LIST, tried).await.ok()?.ok()?;
        // Something else listens there, or a server that has nothing to offer.
        if checked.models.is_empty() {
            return None;
        }
        Some(ServerFound {
            name: (*name).to_owned(),
            kind: BackendKind::OpenAi,
            base_url,
            models: checked.models,
            added_as: backends
                .iter()
                .filter(|backend| uses(backend, *port))
                .map(|backend| backend.name.clone())
                .collect(),
        })
    });
    together(looked).await.into_iter().flatten().collect()
}

/// Whether the backend is at this port of this machine, however it is written.
fn uses(backend: &BackendConfig, port: u16) -> bool {
    let Some(url) = backend.base_url.as_deref() else {
        return false;
    };
    let hosts = ["127.0.0.1", "localhost", "[::1]"];
    hosts.iter().any(|host| {
        let rest = url.strip_prefix(&format!("http://{host}:{port}"));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_known_in_all_its_spellings() {
        let at = |url: &str| BackendConfig {
            name: "b".to_owned(),
            kind: BackendKind::OpenAi,
            base_url: Some(url.to_owned()),
            model: None,
            command: None,
            free: true,
            key: KeySource::None,
        };
        for url in [
            "http://localhost:1234",
            "http://127.0.0.1:1234/v1",
            "http://[::1]:1234/",
        ] {
            assert!(uses(&at(url), 1_234), "{url}");
        }
        for url in [
            "http://localhost:12345",
            "http://other:1234/v1",
            "https://example.invalid",
        ] {
            assert!(!uses(&at(url), 1_234), "{url}");
        }
    }
}
