//! The journal of an apply: written and flushed before the first of the user's
//! files is touched, read by whoever goes on after a crash.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::apply::AppliedWork;
use crate::planning::Noted;
use crate::sides::{Name, Side};
use crate::user_tree::Image;

const FILE: &str = "apply.json";
const VERSION: u32 = 1;

/// Contents of all images, beside the journal.
pub(crate) fn staging(run_dir: &Path) -> PathBuf {
    run_dir.join("apply")
}

/// One path of the user's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Step {
    #[serde(with = "name")]
    pub(crate) path: Name,
    pub(crate) before: Option<Image>,
    pub(crate) after: Option<Image>,
    /// Permission bits it has now.
    pub(crate) bits: Option<u32>,
    /// Where contents are staged: `a<n>` and `b<n>`.
    pub(crate) n: usize,
    /// The folder its temporary file is in; not its own where that must go.
    #[serde(with = "name")]
    pub(crate) aside: Name,
    pub(crate) turn: Turn,
}

/// In this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Turn {
    /// Removed first: it is in the way of another.
    MakeWay,
    Write,
    Remove,
}

/// The commit that goes with the files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CommitStep {
    pub(crate) top: PathBuf,
    pub(crate) git_dir: PathBuf,
    /// The branch HEAD is at, in full.
    pub(crate) branch: String,
    pub(crate) old: String,
    pub(crate) new: String,
    pub(crate) index: Vec<IndexStep>,
}

/// An entry of the user's index.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct IndexStep {
    #[serde(with = "name")]
    pub(crate) path: Name,
    pub(crate) before: Option<Side>,
    pub(crate) after: Option<Side>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    Forward,
    Back,
    Done,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    version: u32,
    pub(crate) run: String,
    /// Which apply this is, for the caller.
    pub(crate) key: String,
    pub(crate) root: PathBuf,
    pub(crate) phase: Phase,
    pub(crate) steps: Vec<Step>,
    /// Folders that were not there before, from the top down.
    #[serde(with = "names")]
    pub(crate) made: Vec<Name>,
    pub(crate) commit: Option<CommitStep>,
    pub(crate) done: AppliedWork,
    /// What the next apply is told of this one.
    pub(crate) noted: Vec<Noted>,
}

impl Plan {
    pub(crate) fn new(run: &str, key: &str, root: &Path, steps: Vec<Step>) -> Plan {
        Plan {
            version: VERSION,
            run: run.to_owned(),
            key: key.to_owned(),
            root: root.to_owned(),
            phase: Phase::Forward,
            steps,
            made: Vec::new(),
            commit: None,
            done: AppliedWork::default(),
            noted: Vec::new(),
        }
    }

    /// The journal of `run_dir`, if there is one. One that cannot be read is an
    /// error: somebody's files may be half changed.
    pub(crate) fn read(run_dir: &Path) -> std::io::Result<Option<Plan>> {
        let bytes = match std::fs::read(run_dir.join(FILE)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let plan: Plan = serde_json::from_slice(&bytes).map_err(std::io::Error::other)?;
        Ok(Some(plan))
    }

    pub(crate) fn write(&self, run_dir: &Path) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(run_dir)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.as_file().sync_all()?;
        file.persist(run_dir.join(FILE))?;
        std::fs::File::open(run_dir)?.sync_all()
    }

    pub(crate) fn remove(run_dir: &Path) -> std::io::Result<()> {
        match std::fs::remove_file(run_dir.join(FILE)) {
            Ok(()) => std::fs::File::open(run_dir)?.sync_all()?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        crate::removal::remove_tree(&staging(run_dir))
    }
}

/// Paths in JSON: as text where they are text, else as hexadecimal digits.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Bytes { hex: String },
}

impl From<&Name> for Written {
    fn from(name: &Name) -> Written {
        match String::from_utf8(name.clone()) {
            Ok(text) => Written::Text(text),
            Err(_) => Written::Bytes {
                hex: name.iter().map(|b| format!("{b:02x}")).collect(),
            },
        }
    }
}

impl TryFrom<Written> for Name {
    type Error = std::num::ParseIntError;

    fn try_from(written: Written) -> Result<Name, Self::Error> {
        match written {
            Written::Text(text) => Ok(text.into_bytes()),
            Written::Bytes { hex } => (0..hex.len() / 2)
                .map(|n| u8::from_str_radix(hex.get(2 * n..2 * n + 2).unwrap_or("x"), 16))
                .collect(),
        }
    }
}

mod name {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{Name, Written};

    pub(super) fn serialize<S: Serializer>(name: &Name, s: S) -> Result<S::Ok, S::Error> {
        Written::from(name).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Name, D::Error> {
        Name::try_from(Written::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

mod names {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{Name, Written};

    pub(super) fn serialize<S: Serializer>(names: &[Name], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(names.iter().map(Written::from))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Name>, D::Error> {
        let all = Vec::<Written>::deserialize(d)?;
        let names = all
            .into_iter()
            .map(Name::try_from)
            .collect::<Result<_, _>>();
        names.map_err(serde::de::Error::custom)
    }
}
