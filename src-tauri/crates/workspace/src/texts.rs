//! Contents in and out of the run's store, and merging them line by line.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::apply::ApplyError;
use crate::git::{Call, Git, GitError};
use crate::merging::in_users_line_ends;
use crate::staging::SnapStore;

/// Larger files are not merged line by line: 16 MiB.
const MERGE_LIMIT: u64 = 16 * 1024 * 1024;
/// Most shown of a conflict: 6 KiB.
const SKETCH_LIMIT: usize = 6 * 1024;
/// Lines shown around a conflict.
const CONTEXT: usize = 3;

/// The contents of one run, as objects of its store.
pub(crate) struct Texts<'a> {
    pub(crate) git: &'a Git,
    pub(crate) store: &'a SnapStore,
    /// Where further objects are: those of the user's newer commits.
    pub(crate) alternates: Option<PathBuf>,
    pub(crate) scratch: &'a Path,
}

/// What a merge came to.
pub(crate) enum Merged {
    /// It is in the file `<stem>.merged`.
    Clean,
    /// Both changed the same lines: what it looks like with all sides.
    Lines(String),
    /// No text, or too long.
    Binary,
}

impl Texts<'_> {
    /// The same, with the run's own objects only.
    pub(crate) fn without_alternates(&self) -> Texts<'_> {
        Texts {
            alternates: None,
            ..*self
        }
    }

    /// A call that finds all objects.
    pub(crate) fn call(&self, dir: &Path, command: &'static str) -> Call {
        let call = Call::new(dir, command)
            .env("GIT_DIR", &self.store.dir)
            .long();
        match &self.alternates {
            Some(objects) => call.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(objects)),
            None => call,
        }
    }

    /// Writes objects as files of these names into `dir`, byte for byte.
    pub(crate) async fn write_out(
        &self,
        dir: &Path,
        wanted: &[(String, &str)],
    ) -> Result<(), ApplyError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let index = tempfile::Builder::new()
            .prefix("names-")
            .tempdir_in(self.scratch)
            .map_err(|e| ApplyError::io(self.scratch, e))?;
        let call = |command| {
            let file = index.path().join("index");
            self.call(dir, command)
                .env("GIT_INDEX_FILE", file)
                .env("GIT_WORK_TREE", dir)
        };
        let info: Vec<u8> = wanted
            .iter()
            .flat_map(|(name, oid)| format!("100644 {oid} 0\t{name}\0").into_bytes())
            .collect();
        self.git
            .run(
                call("update-index")
                    .args(["-z", "--index-info"])
                    .input(info),
            )
            .await?;
        self.git
            .run(call("checkout-index").args(["--all", "--force"]))
            .await?;
        Ok(())
    }

    /// Records files of `dir` as objects, byte for byte; their names, in order.
    pub(crate) async fn read_in(
        &self,
        dir: &Path,
        names: &[String],
    ) -> Result<Vec<String>, ApplyError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let call = self
            .call(dir, "hash-object")
            .args(["-w", "--no-filters", "--stdin-paths"])
            .input((names.join("\n") + "\n").into_bytes());
        let out = self.git.run(call).await?;
        let ids: Vec<String> = String::from_utf8_lossy(&out)
            .lines()
            .map(|line| line.trim().to_owned())
            .collect();
        if ids.len() != names.len() {
            let stderr = "it did not name every file".to_owned();
            return Err(GitError::Failed {
                command: "hash-object".to_owned(),
                stderr,
            }
            .into());
        }
        Ok(ids)
    }

    /// Merges what is in the files `<stem>.ours`, `.base` and `.theirs` of `dir`.
    pub(crate) async fn merge(&self, dir: &Path, stem: &str) -> Result<Merged, ApplyError> {
        let file = |side: &str| dir.join(format!("{stem}.{side}"));
        let io = |e| ApplyError::io(dir, e);
        for side in ["ours", "base", "theirs"] {
            if std::fs::metadata(file(side)).map_err(io)?.len() > MERGE_LIMIT {
                return Ok(Merged::Binary);
            }
        }
        let read = |side: &str| std::fs::read(file(side)).map_err(io);
        let (ours, base, theirs) = (read("ours")?, read("base")?, read("theirs")?);
        if let Some((base, theirs)) = in_users_line_ends(&base, &theirs, &ours) {
            std::fs::write(file("base"), base).map_err(io)?;
            std::fs::write(file("theirs"), theirs).map_err(io)?;
        }
        let call = Call::new(dir, "merge-file")
            .args([
                "--stdout",
                "--diff3",
                "-L",
                "yours",
                "-L",
                "before",
                "-L",
                "the run's",
            ])
            .args([file("ours"), file("base"), file("theirs")]);
        let answer = self.git.ask(call).await?;
        match answer.code {
            0 => {
                let merged = file("merged");
                let mut out = std::fs::File::create(&merged).map_err(io)?;
                out.write_all(&answer.stdout).map_err(io)?;
                out.sync_all().map_err(io)?;
                Ok(Merged::Clean)
            }
            // git-merge-file(1): the number of conflicts, at most 127; an error is negative.
            1..=127 => Ok(Merged::Lines(sketch(&answer.stdout))),
            _ => Ok(Merged::Binary),
        }
    }
}

/// The environment variable is a list; quotes keep a path with `:` whole.
fn quoted(path: &Path) -> OsString {
    let mut out = OsString::from("\"");
    let text = path.to_string_lossy();
    out.push(text.replace('\\', "\\\\").replace('"', "\\\""));
    out.push("\"");
    out
}

/// The conflicts of a merged text with a few lines around each.
fn sketch(merged: &[u8]) -> String {
    let text = String::from_utf8_lossy(merged);
    let lines: Vec<&str> = text.lines().collect();
    let mut shown = vec![false; lines.len()];
    let mut inside = false;
    for (at, line) in lines.iter().enumerate() {
        let (begins, ends) = (line.starts_with("<<<<<<< "), line.starts_with(">>>>>>> "));
        if begins || ends || inside {
            let from = if begins {
                at.saturating_sub(CONTEXT)
            } else {
                at
            };
            let to = if ends {
                (at + CONTEXT + 1).min(lines.len())
            } else {
                at + 1
            };
            shown[from..to].fill(true);
        }
        inside = (inside || begins) && !ends;
    }
    let mut out = String::new();
    let mut skipped = false;
    for (line, shown) in lines.iter().zip(shown) {
        if !shown {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            out.push_str("…\n");
        }
        if out.len() + line.len() > SKETCH_LIMIT {
            out.push_str("… (cut)\n");
            break;
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sketch_has_the_conflict_and_little_else() {
        let mut text = "far\n".repeat(50);
        text.push_str(
            "near\n<<<<<<< yours\na\n||||||| before\nb\n=======\nc\n>>>>>>> the run's\nafter\n",
        );
        text.push_str(&"far\n".repeat(50));
        let sketch = sketch(text.as_bytes());
        assert!(
            sketch.contains("near\n<<<<<<< yours\na\n||||||| before\nb\n"),
            "{sketch}"
        );
        assert_eq!(sketch.matches("far").count(), 4, "{sketch}");
    }
}
