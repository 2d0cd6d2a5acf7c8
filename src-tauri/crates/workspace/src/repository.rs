//! What there is to know about the user's repository, found without running or
//! writing anything in it.

use std::path::{Path, PathBuf};

use crate::git::{Call, Git, GitError};

/// The user's repository as seen from the project folder.
pub(crate) struct Repository {
    /// The top of its work tree.
    pub(crate) top: PathBuf,
    /// The project below `top`, no slashes at the ends.
    pub(crate) prefix: String,
    /// This work tree's git folder.
    pub(crate) git_dir: PathBuf,
    /// Where objects and shared refs are.
    pub(crate) common_dir: PathBuf,
    pub(crate) object_format: String,
    /// The commit HEAD is at; `None` before the first commit.
    pub(crate) head: Option<String>,
    /// Whether HEAD has the project folder.
    pub(crate) project_in_head: Presence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Present,
    Absent,
}

/// What a folder is to git.
pub(crate) enum Found {
    Nothing,
    /// A repository without files, or the inside of a `.git`.
    Bare,
    Repository(Box<Repository>),
}

impl Repository {
    /// `project` is canonical.
    pub(crate) async fn find(git: &Git, project: &Path) -> Result<Found, GitError> {
        let looks_bare = project.join("HEAD").is_file() && project.join("objects").is_dir();
        let has_git = project
            .ancestors()
            .any(|dir| dir.join(".git").symlink_metadata().is_ok());
        if !has_git && !looks_bare {
            return Ok(Found::Nothing);
        }
        let kind =
            Call::new(project, "rev-parse").args(["--is-bare-repository", "--is-inside-git-dir"]);
        let kind = git.run(kind).await?;
        if String::from_utf8_lossy(&kind).contains("true") {
            return Ok(Found::Bare);
        }
        let facts = Call::new(project, "rev-parse").args([
            "--path-format=absolute",
            "--show-toplevel",
            "--absolute-git-dir",
            "--git-common-dir",
            "--show-object-format",
            "--show-prefix",
        ]);
        let text = String::from_utf8_lossy(&git.run(facts).await?).into_owned();
        let mut lines = text.lines();
        let mut next = || lines.next().unwrap_or_default().to_owned();
        let (top, git_dir, common_dir) = (next().into(), next().into(), next().into());
        let (object_format, prefix) = (next(), next().trim_end_matches('/').to_owned());
        let head = verified(git, project, "HEAD^{commit}").await?;
        let project_in_head = match verified(git, project, "HEAD:./").await? {
            Some(_) => Presence::Present,
            None => Presence::Absent,
        };
        Ok(Found::Repository(Box::new(Repository {
            top,
            prefix,
            git_dir,
            common_dir,
            object_format,
            head,
            project_in_head,
        })))
    }

    /// Patterns only this repository ignores (`info/exclude`), as bytes.
    pub(crate) fn own_excludes(&self) -> Vec<u8> {
        std::fs::read(self.common_dir.join("info/exclude")).unwrap_or_default()
    }
}

/// The object `name` stands for in the repository at `dir`, if there is one.
pub(crate) async fn verified(
    git: &Git,
    dir: &Path,
    name: &str,
) -> Result<Option<String>, GitError> {
    let call = Call::new(dir, "rev-parse").args(["--verify", "--quiet", "--end-of-options", name]);
    let answer = git.ask(call).await?;
    // `--quiet` still prints the name it was asked for on some failures.
    let line = crate::git::first_line(&answer.stdout);
    Ok((answer.code == 0 && is_object_id(&line)).then_some(line))
}

/// Whether `text` is a full object id: 40 or 64 hexadecimal digits.
pub(crate) fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}
