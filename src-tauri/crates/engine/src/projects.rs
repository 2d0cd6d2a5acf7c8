//! What the user set for a project: what comes into its workspaces, and the
//! command that makes a new one ready.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::{FailCause, OpKind, Run};
use workspace::Along;

use crate::core::Core;
use crate::journal::{Batch, Halt};
use crate::settings::Settings;
use crate::verify::Verdict;
use crate::worker::Worker;

/// How much of a failed setup command's output the run's failure tells: its end.
const TOLD: usize = 4 * 1024;

/// What is set for one project.
#[derive(Clone, Debug, Default)]
pub struct ProjectSettings {
    /// What comes into a new workspace beside the commit.
    pub along: Along,
    /// A command that is run once in a new workspace, before the first step.
    pub setup: Option<String>,
}

/// What is set for each project, by its folder.
pub type Projects = BTreeMap<PathBuf, ProjectSettings>;

impl Settings {
    /// What is set for the project at `path`, also when one of both names it
    /// through a link.
    pub(crate) fn project(&self, path: &Path) -> ProjectSettings {
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let found = self.projects.get(path).or_else(|| {
            let wanted = real(path);
            let mut all = self.projects.iter();
            all.find_map(|(folder, set)| (real(folder) == wanted).then_some(set))
        });
        found.cloned().unwrap_or_default()
    }
}

impl Core {
    /// What is set for the project of `run`.
    pub(crate) fn project_settings(&self, run: &Run) -> ProjectSettings {
        self.settings().project(Path::new(&run.task.project))
    }
}

impl Worker {
    /// Runs the project's setup command in a workspace that is not declared ready
    /// yet. A crash in it has it run again; when it fails, so does the run, and a
    /// resume tries again.
    pub(crate) async fn set_up(&self, mut run: Run) -> Result<Run, Halt> {
        let Some(command) = self.core.project_settings(&run).setup else {
            return Ok(run);
        };
        let open = run.open_ops.values().find(|op| op.kind == OpKind::Setup);
        let op = match open.cloned() {
            Some(op) => op,
            None => {
                let mut batch = Batch::default();
                let as_what = (OpKind::Setup, crate::policy::project_setup());
                let op = self.intend_own_command(&run, as_what, &command, &mut batch);
                run = self.journal.append(batch).await?;
                run.open_ops.get(&op.id).cloned().unwrap_or(op)
            }
        };
        let _busy = self.busy().await?;
        let verdict = self.run_verify(&run, &op, &command).await?;
        let run = self.journal.load().await?;
        match verdict {
            Verdict::Passed => Ok(run),
            Verdict::Failed(output) | Verdict::Lost(output) => {
                let why = format!(
                    "the project's setup command `{command}` failed; mend it in config.toml, then resume\n\n{}",
                    end_of(&output)
                );
                self.fail(FailCause::Workspace, why).await
            }
        }
    }
}

/// What a command said last is what it failed of.
fn end_of(output: &str) -> &str {
    let mut from = output.len().saturating_sub(TOLD);
    while !output.is_char_boundary(from) {
        from += 1;
    }
    &output[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_found_under_its_other_names() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let set = ProjectSettings {
            setup: Some("make ready".to_owned()),
            ..ProjectSettings::default()
        };
        let settings = Settings {
            projects: Projects::from([(link.clone(), set)]),
            ..Settings::default()
        };
        for path in [&real, &link] {
            assert!(settings.project(path).setup.is_some(), "{}", path.display());
        }
        assert!(settings.project(folder.path()).setup.is_none());
        assert!(settings.project(Path::new("/nonexistent")).setup.is_none());
    }

    #[test]
    fn the_end_of_an_output_is_told_in_whole_characters() {
        let long = "\u{fc}".repeat(TOLD);
        let told = end_of(&long);
        assert!(told.len() <= TOLD && told.starts_with('\u{fc}'));
        assert_eq!(end_of("short"), "short");
    }
}
