//! What a call does, as far as it can be told beforehand.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of effect that rules speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It only looks.
    Read,
    /// It changes files of the workspace.
    Write,
    /// It deletes a few files of the workspace.
    Delete,
    /// It deletes many, or nobody can say which.
    DeleteBulk,
    /// It runs the project's own code: builds, tests, scripts.
    Build,
    /// It records changes in the workspace's own git repository.
    Commit,
    /// It throws recorded or unrecorded changes away.
    DropChanges,
    /// It installs what the project has written down that it needs.
    InstallListed,
    /// It installs something new, which brings code of others.
    InstallNew,
    /// It asks another machine for something.
    NetworkRead,
    /// It sends something to another machine.
    NetworkWrite,
    /// It pushes to another repository.
    Push,
    /// It publishes a package, an image or a release, or deploys.
    Publish,
    /// It changes a database's schema.
    Migrate,
    /// It reads secrets.
    Secrets,
    /// It changes what decides over others: secrets, CI, git's own settings, our rules.
    Sensitive,
    /// It changes files outside the workspace.
    Outside,
    /// It takes more rights, or changes the system.
    Privilege,
    /// It runs program text that was not read.
    Code,
    /// It changes how the programs after it are found or run.
    Environment,
    /// It ends processes it did not start.
    Kill,
    /// It would destroy the machine's data or stop the machine.
    Ruin,
    /// It talks to Longhaul, which no run may.
    Longhaul,
    /// Nobody knows what the program does.
    Unknown,
}

impl Effect {
    /// As rules write it.
    pub fn word(self) -> String {
        let debug = format!("{self:?}");
        let mut word = String::new();
        for c in debug.chars() {
            if c.is_ascii_uppercase() && !word.is_empty() {
                word.push('-');
            }
            word.push(c.to_ascii_lowercase());
        }
        word
    }

    /// In words, as the reason for a verdict.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Read => "it only looks",
            Self::Write => "it changes files of the workspace",
            Self::Delete => "it deletes files of the workspace",
            Self::DeleteBulk => "it deletes in bulk",
            Self::Build => "it runs the project's own code",
            Self::Commit => "it records changes in the workspace's repository",
            Self::DropChanges => "it throws changes away",
            Self::InstallListed => "it installs what the project lists",
            Self::InstallNew => "it installs something new",
            Self::NetworkRead => "it fetches something from another machine",
            Self::NetworkWrite => "it sends something to another machine",
            Self::Push => "it pushes to another repository",
            Self::Publish => "it publishes or deploys",
            Self::Migrate => "it changes a database",
            Self::Secrets => "it reads secrets",
            Self::Sensitive => "it changes something sensitive",
            Self::Outside => "it reaches outside the workspace",
            Self::Privilege => "it takes more rights or changes the system",
            Self::Code => "it runs program text that cannot be read here",
            Self::Environment => "it changes how programs are found or run",
            Self::Kill => "it ends processes it did not start",
            Self::Ruin => "it would destroy data or stop the machine",
            Self::Longhaul => "it talks to Longhaul itself",
            Self::Unknown => "what it does is not known",
        }
    }
}

/// An effect, and what of the call says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The effect.
    pub effect: Effect,
    /// The part of the call: a program with its words, a path.
    pub because: String,
    /// The path it is about, if it is about one: from the top of the workspace, or absolute.
    pub path: Option<String>,
}

impl Found {
    pub(crate) fn new(effect: Effect, because: impl Into<String>) -> Self {
        Self {
            effect,
            because: because.into(),
            path: None,
        }
    }

    pub(crate) fn at(effect: Effect, path: impl Into<String>) -> Self {
        let path = path.into();
        Self {
            effect,
            because: path.clone(),
            path: Some(path),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.because.is_empty() {
            true => f.write_str(self.effect.words()),
            false => write!(f, "{} ({})", self.effect.words(), self.because),
        }
    }
}
