//! Projects: those that were used, and what there is to know of a folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::{
    ApiError, Estimate, Folder, Folders, FoldersRequest, ProjectFacts, ProjectList, ProjectRequest,
    ProjectUse, ProjectsRequest,
};
use tokio::process::Command;

use crate::api::Api;
use crate::environment;

/// Most projects in the list.
const MOST: u32 = 200;

/// Longest a look at a repository may take.
const GIT: Duration = Duration::from_secs(5);

/// Files with instructions for agents, as agents look for them.
const INSTRUCTIONS: &[&str] = &[
    "AGENTS.md",
    "CLAUDE.md",
    "GEMINI.md",
    ".github/copilot-instructions.md",
    ".cursorrules",
];

pub(crate) async fn projects(
    api: &Api,
    _request: ProjectsRequest,
) -> Result<ProjectList, ApiError> {
    let rows = api.working()?.store.projects(MOST).await;
    let projects = rows
        .map_err(ApiError::internal)?
        .into_iter()
        .map(|row| ProjectUse {
            path: row.path,
            runs: u32::try_from(row.runs).unwrap_or(u32::MAX),
            last_used_at: row.last_used_at.into(),
            cost_usd: row.settled,
        });
    Ok(ProjectList {
        projects: projects.collect(),
    })
}

pub(crate) async fn project(api: &Api, request: ProjectRequest) -> Result<ProjectFacts, ApiError> {
    let engine = &api.working()?.engine;
    let path = absolute(&request.path)?;
    let path = path.canonicalize().unwrap_or(path);
    let exists = std::fs::read_dir(&path).is_ok();
    let mut facts = ProjectFacts {
        path: path.display().to_string(),
        exists,
        git: false,
        branch: None,
        uncommitted: 0,
        verify_guesses: Vec::new(),
        instructions: Vec::new(),
        estimate: None,
        note: None,
    };
    if !exists {
        facts.note = Some("There is no such folder, or it cannot be read.".to_owned());
        return Ok(facts);
    }
    look_at_repository(&path, &mut facts).await;
    facts.verify_guesses = verify_guesses(&path);
    facts.instructions = INSTRUCTIONS
        .iter()
        .filter(|name| path.join(name).is_file())
        .map(|name| (*name).to_owned())
        .collect();
    facts.estimate = engine.estimate(&path).await.map(|e| Estimate {
        runs: u32::try_from(e.runs).unwrap_or(u32::MAX),
        cost_usd: e.cost,
        duration_s: crate::views::seconds(e.active_ms),
    });
    facts.note = note(&facts);
    Ok(facts)
}

fn absolute(path: &str) -> Result<PathBuf, ApiError> {
    let path = PathBuf::from(path);
    if !path.is_absolute() {
        return Err(ApiError::usage(
            "the folder must be given as an absolute path",
            "give it from the root on, as /home/you/project",
        ));
    }
    Ok(path)
}

fn note(facts: &ProjectFacts) -> Option<String> {
    if !facts.git {
        return Some("It is not a git repository: a run works on a copy of it.".to_owned());
    }
    match facts.uncommitted {
        0 => None,
        1 => Some("1 file with changes is in no commit; a clone will not have them.".to_owned()),
        n => Some(format!(
            "{n} files with changes are in no commit; a clone will not have them."
        )),
    }
}

async fn look_at_repository(path: &Path, facts: &mut ProjectFacts) {
    let inside = git(path, &["rev-parse", "--is-inside-work-tree"]).await;
    facts.git = inside.is_some_and(|said| said.trim() == "true");
    if !facts.git {
        return;
    }
    let branch = git(path, &["branch", "--show-current"]).await;
    facts.branch = branch
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    let changed = git(path, &["status", "--porcelain", "-z", "--no-renames"]).await;
    let count = changed.map_or(0, |list| list.split_terminator('\0').count());
    facts.uncommitted = u32::try_from(count).unwrap_or(u32::MAX);
}

/// What git says; nothing of the repository's own choosing is run for it.
async fn git(path: &Path, args: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command
        .args(["-c", "core.fsmonitor=false", "--no-optional-locks"])
        .args(args)
        .current_dir(path)
        .env_clear()
        .envs(environment::for_children())
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(GIT, command.output())
        .await
        .ok()?
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Commands that test such a project, by what it is made of; likeliest first.
fn verify_guesses(path: &Path) -> Vec<String> {
    let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap_or_default();
    let has = |name: &str| path.join(name).is_file();
    let mut guesses = Vec::new();
    let mut guess = |likely: bool, command: &str| {
        if likely {
            guesses.push(command.to_owned());
        }
    };
    let has_target = |text: &str| text.lines().any(|line| line.starts_with("test:"));
    guess(has("Cargo.toml"), "cargo test");
    guess(tests_itself(&read("package.json")), "npm test");
    guess(has("go.mod"), "go test ./...");
    let python =
        has("pytest.ini") || has("conftest.py") || read("pyproject.toml").contains("pytest");
    guess(python, "python -m pytest");
    guess(has_target(&read("justfile")), "just test");
    guess(has_target(&read("Makefile")), "make test");
    guess(has("gradlew"), "./gradlew test");
    guess(has("pom.xml"), "mvn test");
    guess(has("mix.exs"), "mix test");
    guess(has("test.sh"), "sh test.sh");
    guesses
}

/// Whether a package has a test script of its own; npm's first one only complains.
fn tests_itself(package: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(package)
        .ok()
        .and_then(|package| Some(package.get("scripts")?.get("test")?.as_str()?.to_owned()))
        .is_some_and(|script| !script.contains("no test specified"))
}

pub(crate) async fn folders(_api: &Api, request: FoldersRequest) -> Result<Folders, ApiError> {
    let path = match request.path.as_deref() {
        Some(path) => absolute(path)?,
        None => environment::user_home().unwrap_or_else(|| PathBuf::from("/")),
    };
    let path = path.canonicalize().unwrap_or(path);
    let entries = std::fs::read_dir(&path).map_err(|e| {
        ApiError::not_found(
            format!("{} cannot be read: {e}", path.display()),
            "choose another folder",
        )
    })?;
    let mut folders: Vec<Folder> = entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .map(|name| Folder {
            git: path.join(&name).join(".git").exists(),
            name,
        })
        .collect();
    folders.sort_by_cached_key(|folder| folder.name.to_lowercase());
    Ok(Folders {
        parent: path.parent().map(|parent| parent.display().to_string()),
        path: path.display().to_string(),
        folders,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_tests_itself_only_with_a_script_of_its_own() {
        assert!(tests_itself(r#"{"scripts":{"test":"vitest run"}}"#));
        assert!(!tests_itself(
            r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#
        ));
        assert!(!tests_itself("{}") && !tests_itself(""));
    }
}
