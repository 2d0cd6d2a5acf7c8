//! The offline tour in the user's own home: a sample project, and a model that only
//! says its lines. Its server lives in this process, and only for this.

use domain::BackendKind;
use engine::{BackendConfig, NewRun};
use protocol::{ApiError, RehearsalStarted};
use secrets::KeySource;
use testkit::rehearsal::{self, Pace};
use testkit::{ModelServer, SampleProject};

use crate::api::{Api, Working};

/// The backend's name; it says in every list what it is.
const BACKEND: &str = "rehearsal";

/// The scripted model, once it was asked for.
#[derive(Default)]
pub(crate) struct Stage {
    server: tokio::sync::Mutex<Option<ModelServer>>,
}

impl Stage {
    /// Where the scripted model answers.
    async fn url(&self) -> Result<String, ApiError> {
        let mut server = self.server.lock().await;
        if server.is_none() {
            let started = rehearsal::start(Pace::Reading).await;
            *server = Some(started.map_err(ApiError::internal)?);
        }
        let url = server.as_ref().map(ModelServer::url);
        url.ok_or_else(|| ApiError::internal("the scripted model did not start"))
    }

    /// Lets tours go on that an earlier daemon began: their model answers again, at its
    /// new address.
    pub(crate) async fn reopen(&self, working: &Working) -> Result<(), ApiError> {
        let Ok(backend) = working.engine.backend(BACKEND).await else {
            return Ok(());
        };
        if backend.kind == BackendKind::Rehearsal && backend.key == KeySource::None {
            keep(working, self.url().await?).await?;
        }
        Ok(())
    }
}

async fn keep(working: &Working, url: String) -> Result<(), ApiError> {
    let config = BackendConfig {
        name: BACKEND.to_owned(),
        kind: BackendKind::Rehearsal,
        base_url: Some(url),
        model: Some(rehearsal::MODEL.to_owned()),
        command: None,
        free: true,
        key: KeySource::None,
    };
    let value = serde_json::to_value(&config).map_err(ApiError::internal)?;
    let kept = working.store.put_backend(BACKEND, value).await;
    kept.map_err(ApiError::internal)?;
    working.engine.backend_changed(BACKEND);
    Ok(())
}

/// Begins a tour: each has a project of its own.
pub(crate) async fn begin(api: &Api) -> Result<RehearsalStarted, ApiError> {
    let working = api.working()?;
    if let Ok(backend) = working.engine.backend(BACKEND).await
        && backend.kind != BackendKind::Rehearsal
    {
        return Err(ApiError::new(
            protocol::ErrorCode::Conflict,
            format!("there is a backend named '{BACKEND}' that is a real one"),
            "remove it or add it under another name, then start the tour again",
        ));
    }
    keep(working, api.inner.rehearsal.url().await?).await?;
    let folder = api.home().join("rehearsal");
    let project = tokio::task::spawn_blocking(move || sample(&folder))
        .await
        .map_err(ApiError::internal)??;
    let new = NewRun {
        prompt: rehearsal::PROMPT.to_owned(),
        project: project.path().to_owned(),
        backend: Some(BACKEND.to_owned()),
        model: None,
        verify: Some(rehearsal::VERIFY.to_owned()),
        workspace: None,
        policy: Some(domain::Preset::Balanced),
        budget: domain::Budget::default(),
        after: None,
        fallback: Vec::new(),
        priority: 0,
    };
    let run = working.engine.start_run(new).await;
    let run = run.map_err(crate::handlers::start_error)?;
    Ok(RehearsalStarted {
        run: run.id,
        project: project.path().display().to_string(),
        backend: BACKEND.to_owned(),
    })
}

/// A new sample project in a folder of its own.
fn sample(folder: &std::path::Path) -> Result<SampleProject, ApiError> {
    std::fs::create_dir_all(folder).map_err(ApiError::internal)?;
    let free = (1..1_000)
        .map(|n| folder.join(format!("calc-{n}")))
        .find(|path| !path.exists())
        .ok_or_else(|| {
            ApiError::usage(
                "there are a thousand tours already",
                format!("remove some in {}", folder.display()),
            )
        })?;
    rehearsal::project(free).map_err(ApiError::internal)
}
