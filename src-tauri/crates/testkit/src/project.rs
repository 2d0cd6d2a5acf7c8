//! Small projects to work on. Nothing but a shell is needed to test them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

/// Who commits, and when: fixed, so that commit ids are the same in every run.
const IDENTITY: [(&str, &str); 6] = [
    ("GIT_AUTHOR_NAME", "Sample Author"),
    ("GIT_AUTHOR_EMAIL", "author@example.invalid"),
    ("GIT_AUTHOR_DATE", "2026-11-01T12:00:00+0000"),
    ("GIT_COMMITTER_NAME", "Sample Author"),
    ("GIT_COMMITTER_EMAIL", "author@example.invalid"),
    ("GIT_COMMITTER_DATE", "2026-11-01T12:00:00+0000"),
];

/// `calc.sh` as [`SampleProject::calc`] has it, with its bug: `add` subtracts.
pub const CALC_BROKEN: &str = "#!/bin/sh\n# Integer arithmetic.\n\nadd() {\n    echo $(($1 - $2))\n}\n\nmultiply() {\n    echo $(($1 * $2))\n}\n";

/// The same, mended.
pub const CALC_FIXED: &str = "#!/bin/sh\n# Integer arithmetic.\n\nadd() {\n    echo $(($1 + $2))\n}\n\nmultiply() {\n    echo $(($1 * $2))\n}\n";

const CALC_TEST: &str = r#"#!/bin/sh
# Exits with 1 if calc.sh calculates wrongly.
cd "$(dirname "$0")" || exit 2
. ./calc.sh

failed=0
check() {
    if [ "$2" = "$3" ]; then
        echo "ok   $1 = $3"
    else
        echo "FAIL $1 = $3, but got $2"
        failed=1
    fi
}

check "add 2 3" "$(add 2 3)" 5
check "add 0 7" "$(add 0 7)" 7
check "multiply 4 5" "$(multiply 4 5)" 20
exit $failed
"#;

/// A folder with a sample project. The folder is the caller's; it is not removed here.
#[derive(Clone, Debug)]
pub struct SampleProject {
    path: PathBuf,
}

impl SampleProject {
    /// An empty git repository on branch `main`.
    ///
    /// # Errors
    /// If the folder cannot be made or git is missing.
    pub fn empty(path: impl Into<PathBuf>) -> anyhow::Result<Self> {
        let project = Self::plain(path)?;
        project.git(&["init", "--quiet", "--initial-branch=main"])?;
        Ok(project)
    }

    /// An empty folder without git.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn plain(path: impl Into<PathBuf>) -> anyhow::Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path })
    }

    /// A committed project whose test (`sh test.sh`) fails because of one wrong character in `calc.sh`.
    ///
    /// # Errors
    /// As [`empty`](Self::empty).
    pub fn calc(path: impl Into<PathBuf>) -> anyhow::Result<Self> {
        let project = Self::empty(path)?;
        project.write(
            "README.md",
            "# calc\n\nInteger arithmetic in shell. Test it with `sh test.sh`.\n",
        )?;
        project.write("calc.sh", CALC_BROKEN)?;
        project.write("test.sh", CALC_TEST)?;
        project.commit("Add calc and its test")?;
        Ok(project)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, making its folders.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, file: &str, content: &str) -> anyhow::Result<()> {
        let path = self.path.join(file);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
    }

    /// # Errors
    /// If the file cannot be read.
    pub fn read(&self, file: &str) -> anyhow::Result<String> {
        let path = self.path.join(file);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Commits everything and returns the commit's id.
    ///
    /// # Errors
    /// If git fails.
    pub fn commit(&self, message: &str) -> anyhow::Result<String> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message])?;
        self.head()
    }

    /// # Errors
    /// If there is no commit.
    pub fn head(&self) -> anyhow::Result<String> {
        Ok(self.git(&["rev-parse", "HEAD"])?.trim().to_owned())
    }

    /// `git status --porcelain`: empty if the project is as committed.
    ///
    /// # Errors
    /// If git fails.
    pub fn status(&self) -> anyhow::Result<String> {
        self.git(&["status", "--porcelain"])
    }

    /// Whether `sh test.sh` succeeds.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn passes(&self) -> anyhow::Result<bool> {
        let output = Command::new("sh")
            .arg("test.sh")
            .current_dir(&self.path)
            .output()
            .context("cannot run sh")?;
        Ok(output.status.success())
    }

    /// Runs git in the project with a fixed identity and none of the user's settings.
    ///
    /// # Errors
    /// If git is missing or fails; the message has its standard error.
    pub fn git(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = Command::new("git")
            .args(args)
            .current_dir(&self.path)
            .envs(IDENTITY)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("GIT_DIR")
            .env_remove("GIT_INDEX_FILE")
            .env_remove("GIT_WORK_TREE")
            .output()
            .context("cannot run git")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "git {} failed: {}",
            args.join(" "),
            errors.trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calc_fails_until_it_is_mended() {
        let dir = tempfile::tempdir().unwrap();
        let project = SampleProject::calc(dir.path().join("one")).unwrap();
        assert_eq!(project.status().unwrap(), "");
        assert!(!project.passes().unwrap());
        project.write("calc.sh", CALC_FIXED).unwrap();
        assert!(project.passes().unwrap());
        assert_eq!(project.status().unwrap(), " M calc.sh\n");
        let again = SampleProject::calc(dir.path().join("two")).unwrap();
        assert_eq!(
            project.head().unwrap(),
            again.head().unwrap(),
            "commit ids differ between runs"
        );
    }
}
