//! The files that rules are read from, and the one that is written: the user's own.
//! What somebody changed is in force with the next call that is decided about (`rule_cache`).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::{Digest, Preset, Verdict};
use policy::{FileError, Layer, Policy, Rule, Source, Trust, UserRules};

use crate::core::{Core, Engine};

/// The user's own rules, in the home folder.
const USERS: &str = "policy.toml";

/// A project's, in its folder.
const PROJECTS: &str = ".longhaul/policy.toml";

/// Longest file of rules that is read, in bytes.
const LONGEST: u64 = 256 * 1024;

/// The rules in force for a project.
#[derive(Clone, Debug)]
pub struct InForce {
    /// The preset below them.
    pub preset: Preset,
    /// All of them, in layers.
    pub policy: Policy,
    /// The files they were read from.
    pub files: Vec<RuleFile>,
}

/// A file of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// Whose rules.
    pub source: Source,
    /// Where it is, or would be.
    pub path: PathBuf,
    /// How it is.
    pub state: FileState,
}

/// How a file of rules is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// There is none.
    Absent,
    /// Its rules count, as far as it is trusted.
    Read(Trust),
    /// It cannot be read: everything is asked about until it can.
    Broken(String),
}

/// A project's own rules as they stand in its file.
#[derive(Clone, Debug)]
pub struct ProjectRules {
    /// All of it.
    pub text: String,
    /// What this very text is known by when it is trusted.
    pub digest: String,
    /// Its rules that allow: what trusting it loosens.
    pub loosens: Vec<Rule>,
}

/// Why the user's rules were not changed.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The file of rules cannot be used as it is.
    #[error("{}: {why}", file.display())]
    Bad {
        /// Which.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// There is nothing of that name.
    #[error("{0}")]
    Unknown(String),
    /// It is another text than the one that was to be trusted.
    #[error("{} was changed since it was read", .0.display())]
    Changed(PathBuf),
    /// It could not be written.
    #[error("{} cannot be written: {why}", file.display())]
    Unwritable {
        /// Which.
        file: PathBuf,
        /// Why.
        why: std::io::Error,
    },
}

impl Core {
    /// A preset's rules with the user's and the project's on top.
    pub(crate) async fn in_force(&self, preset: Preset, project: &Path) -> Arc<InForce> {
        let (home, project) = (self.parts.home.clone(), project.to_owned());
        let cache = self.rules_read.clone();
        tokio::task::spawn_blocking(move || {
            let (users, own) = (home.join(USERS), project.join(PROJECTS));
            cache.get((preset, &project), [&users, &own], || {
                in_force(preset, &home, &project)
            })
        })
        .await
        .expect("reading rules does not panic")
    }
}

impl Engine {
    /// The rules in force for a project under a preset (the user's default if none is named).
    pub async fn rules_in_force(&self, preset: Option<Preset>, project: &Path) -> Arc<InForce> {
        let preset = preset.unwrap_or(self.core.settings().policy);
        self.core.in_force(preset, project).await
    }

    /// What is wrong with the user's own file of rules; everything is reviewed while it is.
    pub async fn rules_trouble(&self) -> Option<String> {
        let broken = self.broken_rules(&[]).await;
        let broken = broken.into_iter().next();
        broken.map(|(file, why)| format!("{}: {why}", file.path.display()))
    }

    /// The files of rules that cannot be read, and why: the user's own first, then these
    /// projects'. Everything they should speak of is reviewed.
    pub async fn broken_rules(&self, projects: &[PathBuf]) -> Vec<(RuleFile, String)> {
        let mut broken: Vec<(RuleFile, String)> = Vec::new();
        let nowhere = PathBuf::new();
        for project in std::iter::once(&nowhere).chain(projects) {
            let in_force = self.core.in_force(Preset::Balanced, project).await;
            for file in &in_force.files {
                if let FileState::Broken(why) = &file.state
                    && !broken.iter().any(|(known, _)| known == file)
                {
                    broken.push((file.clone(), why.clone()));
                }
            }
        }
        broken
    }

    /// A project's own rules with their text; `None` where there are none that can be read.
    pub async fn project_rules(&self, project: &Path) -> Option<ProjectRules> {
        let file = project.join(PROJECTS);
        tokio::task::spawn_blocking(move || {
            let text = text(&file).ok().flatten()?;
            let all = Layer::parse(Source::Project, &text, Trust::Trusted).ok()?;
            let mut loosens = all.rules;
            loosens.retain(|rule| rule.outcome == Verdict::Allow);
            Some(ProjectRules {
                digest: digest_of(&text),
                text,
                loosens,
            })
        })
        .await
        .expect("reading rules does not panic")
    }

    /// Lets a project's own rules, as they are now, also allow; or no longer. With the digest
    /// of the text that was read: only if they are that text still.
    ///
    /// # Errors
    /// If the project has none, they cannot be read, they are another text by now, or the
    /// user's file cannot be written.
    pub async fn trust_rules(
        &self,
        project: &Path,
        trust: Trust,
        read: Option<&str>,
    ) -> Result<(), RulesError> {
        let file = project.join(PROJECTS);
        let digest = match trust {
            Trust::OnlyTightens => None,
            Trust::Trusted => {
                let text = text(&file).map_err(|why| bad(&file, why))?;
                let text = text.ok_or_else(|| {
                    RulesError::Unknown(format!("there is no {}", file.display()))
                })?;
                Layer::parse(Source::Project, &text, trust)
                    .map_err(|error| bad(&file, error.to_string()))?;
                let digest = digest_of(&text);
                if read.is_some_and(|read| read != digest) {
                    return Err(RulesError::Changed(file));
                }
                Some(digest)
            }
        };
        let project = project.to_owned();
        self.core
            .change_rules(move |text| {
                UserRules::with_trust(text, &project, digest.as_deref()).map(Some)
            })
            .await
    }

    /// Takes one of the user's own rules back.
    ///
    /// # Errors
    /// If there is no such rule, or the file cannot be written.
    pub async fn remove_rule(&self, id: &str, project: Option<&Path>) -> Result<(), RulesError> {
        let (id, project) = (id.to_owned(), project.map(Path::to_owned));
        self.core
            .change_rules(move |text| {
                UserRules::without_rule(text, &id, project.as_deref()).map(Some)
            })
            .await
    }
}

impl Core {
    /// The user's own file of rules.
    pub(crate) fn users_rules(&self) -> PathBuf {
        self.parts.home.join(USERS)
    }

    /// Changes the user's file: one change at a time, whole or not at all. `None` from
    /// `change`: it is as it should be.
    pub(crate) async fn change_rules<F>(&self, change: F) -> Result<(), RulesError>
    where
        F: FnOnce(&str) -> Result<Option<String>, FileError> + Send + 'static,
    {
        let _alone = self.changing_rules.lock().await;
        let file = self.users_rules();
        let changed = move || {
            let before = text(&file).map_err(|why| bad(&file, why))?;
            let after = change(&before.unwrap_or_default());
            match after {
                Ok(None) => Ok(()),
                Ok(Some(after)) => {
                    write(&file, &after).map_err(|why| RulesError::Unwritable { file, why })
                }
                Err(FileError::Bad(why)) => Err(bad(&file, why.to_string())),
                Err(error @ FileError::NoRule(_)) => {
                    let text = format!("{}: {error}", file.display());
                    Err(RulesError::Unknown(text))
                }
            }
        };
        tokio::task::spawn_blocking(changed)
            .await
            .expect("changing rules does not panic")
    }
}

fn bad(file: &Path, why: String) -> RulesError {
    RulesError::Bad {
        file: file.to_owned(),
        why,
    }
}

pub(crate) fn in_force(preset: Preset, home: &Path, project: &Path) -> InForce {
    let mut in_force = InForce {
        preset,
        policy: Policy::of(preset),
        files: Vec::new(),
    };
    let file = home.join(USERS);
    let users = match text(&file) {
        Ok(None) => Ok(None),
        Ok(Some(text)) => UserRules::parse(&text).map(Some).map_err(|e| e.to_string()),
        Err(why) => Err(why),
    };
    let known = users.clone().ok().flatten().unwrap_or_default();
    in_force.add(
        Source::User,
        file,
        match users {
            Ok(None) => Ok(None),
            Ok(Some(users)) => Ok(Some((users.everywhere(), Trust::Trusted))),
            Err(why) => Err(why),
        },
    );
    let file = project.join(PROJECTS);
    // No project: a relative path would be looked for wherever the daemon was started.
    let read = match project.is_absolute() {
        true => text(&file),
        false => Ok(None),
    };
    let layer = match read {
        Ok(None) => Ok(None),
        Ok(Some(text)) => {
            let trust = known.trusts(project, &digest_of(&text));
            let layer = Layer::parse(Source::Project, &text, trust);
            layer
                .map(|layer| Some((layer, trust)))
                .map_err(|error| error.to_string())
        }
        Err(why) => Err(why),
    };
    in_force.add(Source::Project, file, layer);
    in_force.policy = in_force.policy.with(known.here(project));
    in_force
}

impl InForce {
    fn add(
        &mut self,
        source: Source,
        path: PathBuf,
        layer: Result<Option<(Layer, Trust)>, String>,
    ) {
        let policy = self.policy.clone();
        let state = match layer {
            Ok(None) => FileState::Absent,
            Ok(Some((layer, trust))) => {
                self.policy = policy.with(layer);
                FileState::Read(trust)
            }
            Err(why) => {
                tracing::error!(file = %path.display(), %why, "rules cannot be read; everything is reviewed");
                self.policy = policy.with(Layer::broken(source, &why));
                FileState::Broken(why)
            }
        };
        self.files.push(RuleFile {
            source,
            path,
            state,
        });
    }
}

/// What a trusted file is known by.
fn digest_of(text: &str) -> String {
    Digest::of("policy", text.as_bytes()).0
}

/// A file's text; `None` if there is none.
fn text(file: &Path) -> Result<Option<String>, String> {
    let about = match std::fs::metadata(file) {
        Ok(about) => about,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if !about.is_file() || about.len() > LONGEST {
        return Err(format!("it is no file of at most {LONGEST} bytes"));
    }
    std::fs::read_to_string(file)
        .map(Some)
        .map_err(|error| error.to_string())
}

/// Whole or not at all, also when the power goes.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    // Where the user keeps it elsewhere, it stays a link to there.
    let real = file.canonicalize();
    let file = real.as_deref().unwrap_or(file);
    let folder = file.parent().unwrap_or(Path::new("."));
    let temp = folder.join(format!(".policy.{}.tmp", std::process::id()));
    let written = (|| {
        let mut out = std::fs::File::create(&temp)?;
        if let Ok(before) = std::fs::metadata(file) {
            out.set_permissions(before.permissions())?;
        }
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        faults::crash_point("engine.rule_half_written");
        std::fs::rename(&temp, file)?;
        std::fs::File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temp);
    }
    written
}
