//! The layers that rules come in, and the files they are read from.

use std::fmt;
use std::path::Path;

use domain::{Preset, Verdict};
use serde::Deserialize;
use toml::Spanned;

use crate::rule::{Rule, Written};

/// Why a file of rules cannot be used, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {why}")]
pub struct BadRules {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub why: String,
}

/// Where rules come from. A later one decides over an earlier; *deny* over all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// What no preset allows.
    Always,
    /// The preset.
    Preset(Preset),
    /// The user's own rules for every project.
    User,
    /// The project's `.longhaul/policy.toml`.
    Project,
    /// The user's own rules for this project.
    Here,
    /// The task: what the user wrote into it.
    Task,
}

impl Source {
    /// One word, before the colon of a rule's whole id.
    pub fn word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Preset(preset) => preset.word(),
            Self::User => "user",
            Self::Project => "project",
            Self::Here => "here",
            Self::Task => "task",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("what no preset allows"),
            Self::Preset(preset) => write!(f, "the preset {preset}"),
            Self::User => f.write_str("your rules"),
            Self::Project => f.write_str("the project's rules"),
            Self::Here => f.write_str("your rules for this project"),
            Self::Task => f.write_str("the task"),
        }
    }
}

/// Whether the user trusts a project's own rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Its rules count like the user's.
    Trusted,
    /// They can only ask for more reviews and refuse more.
    OnlyTightens,
}

/// Rules of one source.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Where they come from.
    pub source: Source,
    /// In the order in which they are written.
    pub rules: Vec<Rule>,
    /// Rules that were left out: they would allow, and their source is not trusted.
    pub left_out: usize,
}

/// A project's rules the user has said yes to, as they were then.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trusted {
    /// The project's folder.
    pub project: String,
    /// The digest of its file of rules.
    pub digest: String,
}

/// The user's own file: rules for all projects, for single ones, and whose are trusted.
#[derive(Clone, Debug, Default)]
pub struct UserRules {
    rules: Vec<(Vec<String>, Rule)>,
    /// Projects whose own rules count like the user's.
    pub trusted: Vec<Trusted>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Spanned<Written>>,
    #[serde(default)]
    trust: Vec<Trusted>,
}

impl UserRules {
    /// Reads the user's file (TOML, `[[rule]]` and `[[trust]]`).
    ///
    /// # Errors
    /// If it is no such file; in words, with the place.
    pub fn parse(text: &str) -> Result<Self, BadRules> {
        let file = read(text)?;
        let compiled = file.rule.into_iter().map(|written| {
            let projects = written.get_ref().projects.clone();
            compile(text, written).map(|rule| (projects, rule))
        });
        Ok(Self {
            rules: compiled.collect::<Result<_, _>>()?,
            trusted: file.trust,
        })
    }

    /// Those for every project.
    pub fn everywhere(&self) -> Layer {
        let all = self
            .rules
            .iter()
            .filter(|(projects, _)| projects.is_empty());
        Layer::of(Source::User, all.map(|(_, rule)| rule.clone()).collect())
    }

    /// Those for this project alone.
    pub fn here(&self, project: &Path) -> Layer {
        let own = |projects: &[String]| projects.iter().any(|one| Path::new(one) == project);
        let own = self.rules.iter().filter(|(projects, _)| own(projects));
        Layer::of(Source::Here, own.map(|(_, rule)| rule.clone()).collect())
    }

    /// Whether this very text of a project's rules is trusted.
    pub fn trusts(&self, project: &Path, digest: &str) -> Trust {
        let is = |one: &Trusted| Path::new(&one.project) == project && one.digest == digest;
        match self.trusted.iter().any(is) {
            true => Trust::Trusted,
            false => Trust::OnlyTightens,
        }
    }
}

impl Layer {
    fn of(source: Source, rules: Vec<Rule>) -> Self {
        Self {
            source,
            rules,
            left_out: 0,
        }
    }

    /// Reads a file of rules (TOML, `[[rule]]`).
    ///
    /// # Errors
    /// If it is no such file; in words, with the place.
    pub fn parse(source: Source, text: &str, trust: Trust) -> Result<Self, BadRules> {
        let file = read(text)?;
        let compiled = file.rule.into_iter().map(|written| {
            let at = written.span().start;
            match written.get_ref().projects.is_empty() && file.trust.is_empty() {
                true => compile(text, written),
                false => Err(bad(text, at, "only the user's own rules name projects")),
            }
        });
        let all: Vec<Rule> = compiled.collect::<Result<_, _>>()?;
        let count = all.len();
        let counts = |rule: &Rule| trust == Trust::Trusted || rule.outcome != Verdict::Allow;
        let rules: Vec<Rule> = all.into_iter().filter(counts).collect();
        Ok(Self {
            source,
            left_out: count - rules.len(),
            rules,
        })
    }

    /// In the place of rules that cannot be read: everything is asked about.
    pub fn broken(source: Source, why: &str) -> Self {
        Self::of(source, vec![Rule::unreadable(why)])
    }
}

fn read(text: &str) -> Result<File, BadRules> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let why = error.message().lines().next().unwrap_or_default();
        bad(text, at, why)
    })
}

fn compile(text: &str, written: Spanned<Written>) -> Result<Rule, BadRules> {
    let at = written.span().start;
    Rule::compile(written.into_inner()).map_err(|why| bad(text, at, &why))
}

fn bad(text: &str, at: usize, why: &str) -> BadRules {
    let before = text.get(..at).unwrap_or(text);
    let last = before.rsplit('\n').next().unwrap_or_default();
    BadRules {
        line: before.matches('\n').count() + 1,
        column: last.chars().count() + 1,
        why: why.to_owned(),
    }
}

/// The built-in rules of a preset, with what no preset allows before them.
pub(crate) fn built_in(preset: Preset) -> Vec<Layer> {
    let text = match preset {
        Preset::Careful => include_str!("../presets/careful.toml"),
        Preset::Balanced => include_str!("../presets/balanced.toml"),
        Preset::HandsOff => include_str!("../presets/hands-off.toml"),
    };
    let layer = |source, text| {
        Layer::parse(source, text, Trust::Trusted).expect("the built-in rules are tested")
    };
    vec![
        layer(Source::Always, include_str!("../presets/always.toml")),
        layer(Source::Preset(preset), text),
    ]
}
