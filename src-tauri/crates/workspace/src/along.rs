//! What comes along from the user's folder beside the commit: per-project choices.

use serde::{Deserialize, Serialize};

/// What a new workspace gets beside what is committed (or, for a copy, beside
/// what is not ignored).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Along {
    /// What becomes of the user's uncommitted changes in a clone.
    pub uncommitted: Uncommitted,
    /// Ignored or untracked files that a run needs, such as `.env`. They are in
    /// no snapshot, so in no diff and no apply.
    pub bring: Vec<BringPath>,
    /// Another limit for what is copied, in bytes.
    pub copy_limit: Option<u64>,
    /// The commit a clone began with, where it is made again; else the user's present one.
    pub base: Option<String>,
}

/// What becomes of the user's uncommitted changes in a clone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Uncommitted {
    /// They stay behind and are counted. The default: the run starts from HEAD.
    #[default]
    StayBehind,
    /// Changed, deleted and untracked files come along, as the state before the
    /// run: a diff shows the agent's work only.
    ComeAlong,
}

/// The path of something to bring along, relative to the project. A component
/// may have `*` and `?`; a folder is brought with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BringPath(String);

impl BringPath {
    /// Its components.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BringPath {
    type Error = String;

    fn try_from(text: String) -> Result<BringPath, String> {
        let path = BringPath(text);
        let why = if path.0.starts_with('/') || path.0.starts_with('~') {
            "paths are relative to the project"
        } else if path.0.contains(['\0', '\n', '\\']) {
            "it has a character no path here may have"
        } else if path.parts().next().is_none() {
            "it names nothing"
        } else if path.parts().any(|part| part == "..") {
            "nothing from outside the project is brought along"
        } else if path.parts().any(|part| part.eq_ignore_ascii_case(".git")) {
            "the inside of .git is not brought along"
        } else if path.parts().any(|part| part.contains("**")) {
            "** is not possible; name the folder"
        } else {
            return Ok(path);
        };
        Err(format!("\"{}\" cannot be brought along: {why}", path.0))
    }
}

impl From<BringPath> for String {
    fn from(path: BringPath) -> String {
        path.0
    }
}

/// Whether `name` is as `pattern` says: `*` is any characters, `?` is one. A dot
/// at the start has to be written, as in a shell.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    fn rest(pattern: &[char], name: &[char]) -> bool {
        match (pattern.first(), name.first()) {
            (None, None) => true,
            (Some('*'), _) => {
                rest(&pattern[1..], name) || (!name.is_empty() && rest(pattern, &name[1..]))
            }
            (Some('?'), Some(_)) => rest(&pattern[1..], &name[1..]),
            (Some(p), Some(n)) if p == n => rest(&pattern[1..], &name[1..]),
            _ => false,
        }
    }
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    rest(&pattern, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_inside_the_project_can_be_brought() {
        for fine in [
            ".env",
            ".env*",
            "config/local.toml",
            "./a",
            "certs/",
            "a/*/b?",
        ] {
            assert!(BringPath::try_from(fine.to_owned()).is_ok(), "{fine}");
        }
        for wrong in [
            "/etc/passwd",
            "../x",
            "a/../../x",
            "~/.ssh",
            "",
            ".",
            ".git/config",
            "a/.GIT",
            "**/x",
            "a\nb",
        ] {
            assert!(BringPath::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn stars_stay_inside_a_name_and_off_hidden_files() {
        assert!(fits(".env*", ".env.local"));
        assert!(fits("*.pem", "a.b.pem"));
        assert!(fits("a?c", "a\u{fc}c"));
        assert!(!fits("*", ".env"));
        assert!(!fits("a?c", "ac"));
        assert!(!fits("*.pem", "pem"));
    }
}
