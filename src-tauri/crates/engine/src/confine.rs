//! Commands in their sandbox: whether there is one, and what is told where there is none.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use domain::{BackendKind, Event, Run};
use keeper::{Limits, Spec};
use tokio::time::Instant;
use workspace::{Boundary, Network, Sandbox, Surroundings, Unavailable, Workspace};

use crate::core::{Core, Engine};
use crate::journal::{Batch, Halt};
use crate::worker::Worker;

/// How long it is believed that there can be no sandbox: somebody may install one.
const BELIEVED: Duration = Duration::from_secs(60);

/// When commands run in a sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UseSandbox {
    /// Wherever there can be one.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// What a user may say about the sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    /// When there is one.
    pub wanted: UseSandbox,
    /// Whether commands can talk to others.
    pub network: Network,
    /// Caches besides the known ones that commands may write.
    pub caches: Vec<PathBuf>,
    /// What else they may write.
    pub writable: Vec<PathBuf>,
    /// What one of them, or an agent, may take with all it starts.
    pub limits: Limits,
}

/// Whether commands that begin now are sandboxed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxReport {
    /// This machine can.
    pub available: bool,
    /// It is done.
    pub used: bool,
    /// How, or why not.
    pub detail: String,
}

/// What was found out about this machine, and when.
#[derive(Default)]
pub(crate) struct Probed(Mutex<Option<(Result<Sandbox, Unavailable>, Instant)>>);

impl Probed {
    fn known(&self) -> Option<Result<Sandbox, Unavailable>> {
        let known = self.0.lock().expect("no code panics while holding this");
        let (found, at) = known.as_ref()?;
        (found.is_ok() || at.elapsed() < BELIEVED).then(|| found.clone())
    }

    fn set(&self, found: Option<Result<Sandbox, Unavailable>>) {
        let mut known = self.0.lock().expect("no code panics while holding this");
        *known = found.map(|found| (found, Instant::now()));
    }
}

impl Engine {
    /// Whether commands that begin now are sandboxed, and why not.
    pub async fn sandbox(&self) -> SandboxReport {
        let found = self.core.probe().await;
        let confinement = self.core.settings().confinement.clone();
        let off = confinement.wanted == UseSandbox::Off;
        let detail = match &found {
            Ok(_) if off => "switched off by the setting `sandbox`: commands run with all the \
                             rights of the user"
                .to_owned(),
            Ok(_) => match confinement.network {
                Network::On => "commands run in bubblewrap, with the network".to_owned(),
                Network::Off => "commands run in bubblewrap, without the network".to_owned(),
            },
            Err(why) => format!("commands run with all the rights of the user: {why}"),
        };
        SandboxReport {
            available: found.is_ok(),
            used: found.is_ok() && !off,
            detail,
        }
    }
}

impl Engine {
    /// The same for what this run starts.
    pub async fn sandbox_of(&self, run: &Run) -> SandboxReport {
        let report = self.sandbox().await;
        let command = match (run.task.kind, self.core.backend(&run.backend).await) {
            (BackendKind::Acp, Ok(backend)) => backend.command_line().unwrap_or_default(),
            _ => return report,
        };
        match agents::acp::own_files(&command) {
            Some(_) => report,
            None => SandboxReport {
                used: false,
                detail: format!(
                    "the agent runs with all the rights of the user: {UNKNOWN_AGENT}; verify commands run in the \
                     sandbox where there is one"
                ),
                ..report
            },
        }
    }
}

impl Core {
    async fn probe(&self) -> Result<Sandbox, Unavailable> {
        if let Some(known) = self.probed.known() {
            return known;
        }
        let found = tokio::task::spawn_blocking(Sandbox::probe).await;
        // A panic in there would be a bug; it is no reason to run without.
        let found = found.expect("probing does not panic");
        match &found {
            Ok(_) => tracing::info!("commands run in a sandbox"),
            Err(why) => tracing::warn!(%why, "commands run without a sandbox"),
        }
        self.probed.set(Some(found.clone()));
        found
    }

    /// The sandbox commands are to run in; None if there is none, or none is wanted.
    pub(crate) async fn sandbox(&self) -> Option<Sandbox> {
        if self.settings().confinement.wanted == UseSandbox::Off {
            return None;
        }
        self.probe().await.ok()
    }

    /// The folders for temporary files that commands which begin now do not share with
    /// anybody; None without a sandbox.
    pub(crate) async fn private_temp(&self) -> Option<policy::Temp> {
        self.sandbox().await?;
        let confinement = &self.settings().confinement;
        let let_in = confinement.caches.iter().chain(&confinement.writable);
        let own = [self.parts.home.clone(), self.parts.runtime_dir.clone()];
        // A home in there is no part of it: some of it is let in.
        let env = self.parts.base_env.iter().cloned().collect();
        let homes = workspace::homes(&env);
        Some(policy::Temp {
            folders: ["/tmp", "/var/tmp"].map(PathBuf::from).into(),
            shared: let_in.cloned().chain(own).chain(homes).collect(),
        })
    }

    /// What the model is told of where its commands run, as far as it is known.
    pub(crate) fn boundary_words(&self) -> Option<&'static str> {
        let wanted = self.settings().confinement.wanted == UseSandbox::Auto;
        let works = matches!(self.probed.known(), Some(Ok(_)));
        (wanted && works).then_some(TOLD)
    }

    /// Looks again at the next command: the sandbox that worked did not.
    pub(crate) fn doubt_sandbox(&self) {
        self.probed.set(None);
    }

    /// Gives a command its temporary folder, and its sandbox where there is one. An error
    /// is one of drawing the boundary: the command must not run without it then.
    pub(crate) async fn confine(
        &self,
        mut spec: Spec,
        workspace: &Workspace,
    ) -> Result<(Spec, Confined), String> {
        let unflushed = |e| format!("the workspace could not be brought to the disk: {e}");
        workspace.settled().await.map_err(unflushed)?;
        spec.limits = self.settings().confinement.limits;
        let failed = |e: std::io::Error| format!("the sandbox could not be set up: {e}");
        let Some(sandbox) = self.sandbox().await else {
            let temp = workspace.temp_folder().map_err(failed)?;
            let temp = temp.display().to_string();
            spec.env.insert("TMPDIR".to_owned(), temp);
            return Ok((spec, Confined::No));
        };
        let around = self.surroundings(spec.env.clone());
        let (workspace, cwd) = (workspace.clone(), spec.cwd.clone());
        let words = tokio::task::spawn_blocking(move || {
            let boundary = Boundary::of(&workspace, &around)?;
            Ok(sandbox.wrapper(&boundary, &cwd))
        });
        let words = words.await.map_err(std::io::Error::other).flatten();
        spec.wrapper = words.map_err(failed)?;
        Ok((spec, Confined::Yes))
    }

    pub(crate) fn surroundings(&self, env: BTreeMap<String, String>) -> Surroundings {
        let confinement = self.settings().confinement.clone();
        Surroundings {
            env,
            own: vec![self.parts.home.clone(), self.parts.runtime_dir.clone()],
            caches: confinement.caches,
            writable: confinement.writable,
            network: confinement.network,
        }
    }
}

/// Why an agent that nobody here knows is not put into a sandbox.
pub(crate) const UNKNOWN_AGENT: &str = "where it keeps its sessions and its login is not known";

/// Whether a command is in a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confined {
    Yes,
    No,
}

/// What the model is told of it.
pub(crate) const TOLD: &str = "\
Shell commands run in a sandbox. They can write only in the workspace and in /tmp (which is this run's own \
and is kept from command to command); the home folder is empty but for toolchains and package caches, and \
what is written elsewhere in it is gone when the command ends. A \"Read-only file system\" error means that \
the path is outside: do not try to get around it; say what is missing.";

impl Worker {
    /// Records, once for each time the run is taken up, that its commands are not
    /// sandboxed.
    pub(crate) async fn tell_confinement(&self, confined: Confined) -> Result<(), Halt> {
        if confined == Confined::Yes {
            return Ok(());
        }
        let why = match self.core.settings().confinement.wanted {
            UseSandbox::Off => "the setting `sandbox` is off".to_owned(),
            UseSandbox::Auto => match self.core.probe().await {
                Ok(_) => return Ok(()),
                Err(why) => why.to_string(),
            },
        };
        self.tell_unconfined(&why).await
    }

    /// The same, for this reason.
    pub(crate) async fn tell_unconfined(&self, why: &str) -> Result<(), Halt> {
        let told = &self.told_unconfined;
        if told.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return Ok(());
        }
        let text = format!("Commands of this run are not sandboxed: {why}");
        let noted = Event::Noted { text };
        self.journal.append(Batch::of(noted)).await.map(|_| ())
    }
}
