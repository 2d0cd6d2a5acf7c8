//! Projects: the folders runs work on.

use domain::NanoUsd;
use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::runs::Estimate;

/// Asks for the projects runs were made for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct ProjectsRequest {}

/// A project that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ProjectUse {
    /// Its absolute path.
    pub path: String,
    /// Runs made for it.
    pub runs: u32,
    /// When the newest of them was made.
    pub last_used_at: Moment,
    /// What they cost, as far as known.
    pub cost_usd: NanoUsd,
}

/// The projects, last used first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ProjectList {
    /// The projects.
    pub projects: Vec<ProjectUse>,
}

/// Asks what there is to know of a folder before a run is made for it.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct ProjectRequest {
    /// Its absolute path.
    pub path: String,
}

/// What there is to know of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ProjectFacts {
    /// Its absolute path.
    pub path: String,
    /// Whether it is a folder that can be read.
    pub exists: bool,
    /// Whether it is in a git repository.
    pub git: bool,
    /// The branch checked out.
    pub branch: Option<String>,
    /// Files with changes that are in no commit; a clone will not have them.
    pub uncommitted: u32,
    /// Commands that may verify a run's work, likeliest first.
    pub verify_guesses: Vec<String>,
    /// Files in it with instructions for agents (`AGENTS.md` …).
    pub instructions: Vec<String>,
    /// What earlier runs of this project took.
    pub estimate: Option<Estimate>,
    /// What the user should know, in words.
    pub note: Option<String>,
}

/// Asks for the folders in a folder.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct FoldersRequest {
    /// Its absolute path; the user's home folder if absent.
    #[serde(default)]
    pub path: Option<String>,
}

/// A folder in a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Folder {
    /// Its name.
    pub name: String,
    /// Whether it is a git repository.
    pub git: bool,
}

/// The folders in a folder, by name; hidden ones are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Folders {
    /// The folder's absolute path.
    pub path: String,
    /// The folder it is in.
    pub parent: Option<String>,
    /// The folders.
    pub folders: Vec<Folder>,
}
