//! Rules, and the layers they come in.

use domain::{Preset, Verdict};
use globset::{Glob, GlobMatcher};
use serde::Deserialize;

use crate::effect::Effect;

/// The tools that rules speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// A shell command.
    Shell,
    /// A new or replaced file.
    Write,
    /// A changed file.
    Edit,
    /// Looking at files.
    Read,
    /// Any other tool: of an agent, of an MCP server.
    Other,
}

/// Why a file of rules cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRules(pub String);

/// A rule as it is written. What it does not mention it does not ask for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    id: Option<String>,
    name: String,
    outcome: Outcome,
    #[serde(default)]
    tools: Vec<Tool>,
    /// Beginnings of commands, as words: `["git", "push"]` or `"git push"`.
    #[serde(default)]
    commands: Vec<String>,
    #[serde(default)]
    effects: Vec<Effect>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    more_lines_than: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Allow,
    Review,
    Deny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Written>,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its short name, by which it is counted and taken back.
    pub id: String,
    /// What a person reads when it decides.
    pub name: String,
    /// What it decides.
    pub outcome: Verdict,
    tools: Vec<Tool>,
    commands: Vec<Vec<GlobMatcher>>,
    effects: Vec<Effect>,
    paths: Vec<GlobMatcher>,
    more_lines_than: Option<u32>,
}

/// What a rule is asked about: one effect of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) tool: Tool,
    pub(crate) effect: Option<Effect>,
    pub(crate) words: &'a [String],
    pub(crate) path: Option<&'a str>,
    pub(crate) lines: u32,
}

impl Rule {
    pub(crate) fn is_about(&self, asked: Asked<'_>) -> bool {
        let tool = self.tools.is_empty() || self.tools.contains(&asked.tool);
        let effect = self.effects.is_empty()
            || asked
                .effect
                .is_some_and(|effect| self.effects.contains(&effect));
        let command = self.commands.is_empty()
            || self.commands.iter().any(|begin| begins(begin, asked.words));
        let path = self.paths.is_empty()
            || asked
                .path
                .is_some_and(|path| self.paths.iter().any(|glob| glob.is_match(path)));
        let lines = self.more_lines_than.is_none_or(|most| asked.lines > most);
        tool && effect && command && path && lines
    }
}

fn begins(begin: &[GlobMatcher], words: &[String]) -> bool {
    begin.len() <= words.len()
        && begin
            .iter()
            .zip(words)
            .all(|(glob, word)| glob.is_match(word))
}

/// Where rules come from. A later one decides over an earlier; *deny* over all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// What no preset allows.
    Always,
    /// The preset.
    Preset(Preset),
    /// The user's own rules.
    User,
    /// The project's `.longhaul/policy.toml`.
    Project,
    /// The task.
    Task,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Always => f.write_str("built in"),
            Self::Preset(preset) => write!(f, "preset {preset}"),
            Self::User => f.write_str("your rules"),
            Self::Project => f.write_str("the project's rules"),
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
}

impl Layer {
    /// Reads a file of rules (TOML, `[[rule]]`).
    ///
    /// # Errors
    /// If it is no such file; in words, with the place.
    pub fn parse(source: Source, text: &str, trust: Trust) -> Result<Self, BadRules> {
        let file: File = toml::from_str(text).map_err(|e| BadRules(e.to_string()))?;
        let mut rules = Vec::with_capacity(file.rule.len());
        for written in file.rule {
            let rule = compile(written)?;
            let loosens = rule.outcome == Verdict::Allow;
            if trust == Trust::Trusted || !loosens {
                rules.push(rule);
            }
        }
        Ok(Self { source, rules })
    }
}

impl Layer {
    /// The place of rules that cannot be read: everything is asked about.
    pub fn broken(source: Source, why: &str) -> Self {
        Self {
            source,
            rules: vec![Rule {
                id: "unreadable".to_owned(),
                name: format!("{source} cannot be read, so everything is reviewed: {why}"),
                outcome: Verdict::Review,
                tools: Vec::new(),
                commands: Vec::new(),
                effects: Vec::new(),
                paths: Vec::new(),
                more_lines_than: None,
            }],
        }
    }
}

fn compile(written: Written) -> Result<Rule, BadRules> {
    let glob = |text: &str| {
        let made = Glob::new(text).map_err(|e| BadRules(format!("rule '{}': {e}", written.name)));
        made.map(|glob| glob.compile_matcher())
    };
    let commands: Result<Vec<Vec<_>>, _> = written
        .commands
        .iter()
        .map(|command| command.split_whitespace().map(glob).collect())
        .collect();
    let paths: Result<Vec<_>, _> = written.paths.iter().map(|path| glob(path)).collect();
    Ok(Rule {
        outcome: match written.outcome {
            Outcome::Allow => Verdict::Allow,
            Outcome::Review => Verdict::Review,
            Outcome::Deny => Verdict::Deny,
        },
        commands: commands?,
        paths: paths?,
        id: written.id.unwrap_or_else(|| slug(&written.name)),
        name: written.name,
        tools: written.tools,
        effects: written.effects,
        more_lines_than: written.more_lines_than,
    })
}

/// A name as an id: its words, in small letters.
fn slug(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("-")
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
