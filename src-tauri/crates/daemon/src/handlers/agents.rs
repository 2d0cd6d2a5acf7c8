//! Agents and model servers on this machine, and trying a backend before it is kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::BackendKind;
use engine::BackendConfig;
use protocol::{
    AgentFound, AgentsFound, AgentsFoundRequest, ApiError, BackendCheck, BackendTest,
    KeySource as GivenKey, ProbeRequest,
};
use secrets::{KeySource, Secret};
use tokio::process::Command;

use super::backends::{KEY_TTL_S, check_settings, command_for};
use super::servers;
use crate::api::{Api, Working};
use crate::environment;

/// Longest an agent may take to say its version.
const VERSION: Duration = Duration::from_secs(5);

/// What a backend is called that has no name yet.
const UNNAMED: &str = "new backend";

/// An agent Longhaul knows of.
struct Known {
    name: &'static str,
    program: &'static str,
    /// What is said to it besides, to be supervised.
    args: &'static [&'static str],
    kind: BackendKind,
    needs: &'static str,
}

/// Those with a driver of their own.
const OWN_DRIVERS: [Known; 2] = [
    Known {
        name: "Claude Code",
        program: "claude",
        args: &[],
        kind: BackendKind::ClaudeCode,
        needs: "A login of its own: run `claude` once in a terminal.",
    },
    Known {
        name: "Codex",
        program: "codex",
        args: &[],
        kind: BackendKind::Codex,
        needs: "A login of its own: run `codex login` once in a terminal.",
    },
];

impl Known {
    /// What a backend of it is added with.
    fn command(&self, path: &Path) -> Option<String> {
        let words = std::iter::once(path.to_str()?).chain(self.args.iter().copied());
        shlex::try_join(words).ok()
    }
}

fn known() -> impl Iterator<Item = Known> {
    let acp = agents::acp::KNOWN.iter().map(|known| Known {
        name: known.name,
        program: known.program,
        args: known.args,
        kind: BackendKind::Acp,
        needs: known.needs,
    });
    OWN_DRIVERS.into_iter().chain(acp)
}

pub(crate) async fn agents_found(
    api: &Api,
    _request: AgentsFoundRequest,
) -> Result<AgentsFound, ApiError> {
    let backends = configs(api.working()?).await?;
    let environment = environment::for_children();
    let path = environment
        .iter()
        .find(|(name, _)| name == "PATH")
        .map_or("", |(_, path)| path.as_str());
    let all: Vec<Known> = known().collect();
    let looked = all.iter().map(|known| look(known, path, &environment));
    let mut agents = Vec::new();
    for (known, found) in all.iter().zip(together(looked).await) {
        let (path, version) = found;
        let added_as = backends
            .iter()
            .filter(|backend| backend.kind == known.kind)
            .filter(|backend| runs(backend, known.program))
            .map(|backend| backend.name.clone());
        agents.push(AgentFound {
            name: known.name.to_owned(),
            program: known.program.to_owned(),
            command: path.as_deref().and_then(|path| known.command(path)),
            path: path.map(|path| path.display().to_string()),
            version,
            kind: Some(known.kind),
            needs: known.needs.to_owned(),
            added_as: added_as.collect(),
        });
    }
    agents.sort_by_key(|agent| agent.path.is_none());
    let servers = servers::look(api.working()?, &backends, &servers::USUAL).await;
    Ok(AgentsFound { agents, servers })
}

pub(super) async fn configs(working: &Working) -> Result<Vec<BackendConfig>, ApiError> {
    let rows = working.store.backends().await.map_err(ApiError::internal)?;
    Ok(rows
        .into_iter()
        .filter_map(|row| serde_json::from_value(row.config).ok())
        .collect())
}

/// Whether the backend's command starts this program.
fn runs(backend: &BackendConfig, program: &str) -> bool {
    let command = backend.command.as_deref().unwrap_or(program);
    let words = shlex::split(command).unwrap_or_default();
    Path::new(agents::acp::program(&words).unwrap_or_default())
        .file_name()
        .is_some_and(|name| name == program)
}

/// All at the same time, in order.
pub(super) async fn together<T>(looks: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    // Few, and each has its own limit: side by side in this task is enough.
    let mut looks: Vec<_> = looks.map(|look| (Box::pin(look), None)).collect();
    std::future::poll_fn(|context| {
        for (look, found) in looks.iter_mut().filter(|(_, found)| found.is_none()) {
            if let std::task::Poll::Ready(value) = look.as_mut().poll(context) {
                *found = Some(value);
            }
        }
        match looks.iter().all(|(_, found)| found.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    looks.into_iter().filter_map(|(_, found)| found).collect()
}

async fn look(
    known: &Known,
    path: &str,
    environment: &[(String, String)],
) -> (Option<PathBuf>, Option<String>) {
    let Some(program) = find(known.program, path) else {
        return (None, None);
    };
    let mut command = Command::new(&program);
    command
        .arg("--version")
        .env_clear()
        .envs(environment.iter().cloned())
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    let said = tokio::time::timeout(VERSION, command.output()).await;
    let version = said
        .ok()
        .and_then(Result::ok)
        .filter(|output| output.status.success())
        .and_then(|output| {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let line = said.lines().next()?.trim();
            Some(line.chars().take(80).collect())
        });
    (Some(program), version)
}

/// The program of this name a shell would run.
fn find(program: &str, path: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let executable = |file: &PathBuf| {
        std::fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path)
        .map(|folder| folder.join(program))
        .find(executable)
}

pub(crate) async fn probe(api: &Api, request: ProbeRequest) -> Result<BackendTest, ApiError> {
    let working = api.working()?;
    check_settings(request.kind, request.base_url.as_deref())?;
    let (source, given) = match request.key {
        None => (KeySource::None, None),
        Some(GivenKey::Env { var }) => (KeySource::Env { var }, None),
        Some(GivenKey::Command { command }) => {
            let ttl_s = KEY_TTL_S;
            (KeySource::Command { command, ttl_s }, None)
        }
        Some(GivenKey::Keychain { key }) => {
            let secret = Secret::new(key.0.trim().to_owned());
            // Whatever the endpoint says back: the key is not among it.
            working.redactor.add(&secret);
            (KeySource::None, Some(secret))
        }
    };
    let command = command_for(UNNAMED, request.kind, request.command)?;
    let config = BackendConfig {
        name: UNNAMED.to_owned(),
        kind: request.kind,
        base_url: request.base_url,
        model: request.model,
        command,
        free: false,
        key: source,
    };
    let tried = working.engine.try_backend(&config, given).await;
    if matches!(config.key, KeySource::Command { .. }) {
        working.credentials.forget(&config.key);
    }
    Ok(tested(working, UNNAMED, tried))
}

/// What trying a backend showed.
pub(super) fn tested(
    working: &Working,
    name: &str,
    tried: Result<agents::Checked, String>,
) -> BackendTest {
    let check = match tried {
        Ok(checked) => BackendCheck {
            what: "reachable, credential accepted".to_owned(),
            ok: true,
            detail: checked
                .version
                .unwrap_or_else(|| format!("{} models offered", checked.models.len())),
        },
        Err(why) => BackendCheck {
            what: "usable".to_owned(),
            ok: false,
            detail: working.redactor.redact(&why).into_owned(),
        },
    };
    BackendTest {
        name: name.to_owned(),
        ok: check.ok,
        checks: vec![check],
    }
}
