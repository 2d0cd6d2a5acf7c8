//! An agent in its sandbox: it sees what commands see, its own program, and its own
//! folder of sessions and credentials.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use agents::OwnFiles;
use domain::{BackendKind, Run};
use workspace::{Boundary, Network, Sandbox, Surroundings, Workspace};

use crate::confine::{Confined, UNKNOWN_AGENT};
use crate::journal::Halt;
use crate::worker::Worker;

impl Worker {
    /// The sandbox an agent's process is put into; empty where there is none, which is
    /// noted in the run.
    pub(crate) async fn confine_agent(
        &self,
        run: &Run,
        command: &[String],
        env: &[(String, String)],
    ) -> Result<Vec<String>, Halt> {
        let workspace = self.open_workspace(run).await.map_err(Halt::Store)?;
        let unflushed = |e| {
            Halt::Store(format!(
                "the workspace could not be brought to the disk: {e}"
            ))
        };
        workspace.settled().await.map_err(unflushed)?;
        let own = match run.task.kind {
            BackendKind::ClaudeCode => Some(agents::claude_code::OWN_FILES),
            BackendKind::Codex => Some(agents::codex::OWN_FILES),
            BackendKind::Acp => agents::acp::own_files(command),
            _ => None,
        };
        let (sandbox, own) = match (self.core.sandbox().await, own) {
            (Some(sandbox), Some(own)) => (sandbox, own),
            (Some(_), None) => {
                self.tell_unconfined(UNKNOWN_AGENT).await?;
                return Ok(Vec::new());
            }
            (None, _) => {
                self.tell_confinement(Confined::No).await?;
                return Ok(Vec::new());
            }
        };
        let vars: BTreeMap<String, String> = env.iter().cloned().collect();
        let around = Surroundings {
            // It calls its model itself.
            network: Network::On,
            ..self.core.surroundings(vars)
        };
        let command = agents::acp::program(command).unwrap_or_default().to_owned();
        let drawn = tokio::task::spawn_blocking(move || {
            wrapper(&sandbox, &workspace, &around, Path::new(&command), &own)
        });
        let drawn = drawn.await.map_err(std::io::Error::other).flatten();
        drawn.map_err(|e| Halt::Store(format!("the agent's sandbox could not be set up: {e}")))
    }
}

fn wrapper(
    sandbox: &Sandbox,
    workspace: &Workspace,
    around: &Surroundings,
    command: &Path,
    own: &OwnFiles,
) -> std::io::Result<Vec<String>> {
    let mut boundary = Boundary::of(workspace, around)?;
    for folder in program_folders(command, around.env.get("PATH")) {
        boundary.reveal(&folder);
    }
    if let Some(home) = around.env.get("HOME").map(Path::new) {
        // Absent, its sessions would be gone with the process, and could not be gone on with.
        for folder in own.folders {
            std::fs::create_dir_all(home.join(folder))?;
            boundary.allow(&home.join(folder));
        }
        for kept in own.left_as_it_is {
            boundary.protect(&home.join(kept));
        }
        for copied in own.copied {
            let from = home.join(copied);
            let to = workspace
                .temp_folder()?
                .join(Path::new(copied).with_extension("copy"));
            if from.is_file() {
                // A private one: in it stand programs that the next agent starts.
                std::fs::copy(&from, &to)?;
                boundary.put_at(&to, &from);
            }
        }
    }
    Ok(sandbox.wrapper(&boundary, workspace.path()))
}

/// Where a program is, also behind links, with what it is made of.
fn program_folders(command: &Path, path: Option<&String>) -> Vec<PathBuf> {
    let named = match command.is_absolute() {
        true => Some(command.to_owned()),
        false => path
            .into_iter()
            .flat_map(std::env::split_paths)
            .map(|folder| folder.join(command))
            .find(|file| file.is_file()),
    };
    let real = named.as_ref().and_then(|named| named.canonicalize().ok());
    let mut folders = Vec::new();
    for file in [named, real].into_iter().flatten() {
        // A script of node's needs the packages around it.
        let packages = file
            .ancestors()
            .filter(|a| a.ends_with("node_modules"))
            .last();
        folders.extend(packages.map(Path::to_owned));
        folders.extend(file.parent().map(Path::to_owned));
        folders.push(file);
    }
    folders
}
