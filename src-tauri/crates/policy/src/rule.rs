//! One rule: what it is about, and what it decides.

use domain::{NanoUsd, Verdict};
use globset::{Glob, GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

use crate::effect::Effect;

/// The tools that rules speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

impl Tool {
    /// As rules write it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Write => "write",
            Self::Edit => "edit",
            Self::Read => "read",
            Self::Other => "other",
        }
    }
}

/// A rule as it is written. What it does not mention it does not ask for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    #[serde(default)]
    id: Option<String>,
    name: String,
    outcome: Outcome,
    /// Only in the user's own file: the projects it is for; for all when absent.
    #[serde(default)]
    pub(crate) projects: Vec<String>,
    #[serde(default)]
    tools: Vec<Tool>,
    /// Names of other tools, such as `mcp__github__*`.
    #[serde(default)]
    names: Vec<String>,
    /// Beginnings of commands: `"git push"`, or `["git", "push"]`.
    #[serde(default)]
    commands: Vec<Line>,
    /// Commands with all of their words.
    #[serde(default)]
    whole_commands: Vec<Line>,
    #[serde(default)]
    effects: Vec<Effect>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    more_lines_than: Option<u32>,
    /// US dollars: from when on the run has cost more.
    #[serde(default)]
    cost_more_than: Option<String>,
    /// What a tool says of itself (an MCP annotation): whether it changes nothing.
    #[serde(default)]
    read_only: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Allow,
    Review,
    Deny,
}

/// A command in a rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Text(String),
    Words(Vec<String>),
}

impl Line {
    fn words(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => text.split_whitespace().collect(),
            Self::Words(words) => words.iter().map(String::as_str).collect(),
        }
    }
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
    names: Vec<GlobMatcher>,
    commands: Vec<Vec<GlobMatcher>>,
    whole_commands: Vec<Vec<GlobMatcher>>,
    effects: Vec<Effect>,
    paths: Vec<GlobMatcher>,
    hosts: Vec<GlobMatcher>,
    more_lines_than: Option<u32>,
    cost_more_than: Option<NanoUsd>,
    read_only: Option<bool>,
}

/// What a rule is asked about: one effect of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) tool: Tool,
    pub(crate) name: &'a str,
    pub(crate) effect: Effect,
    pub(crate) words: &'a [String],
    pub(crate) path: Option<&'a str>,
    pub(crate) hosts: &'a [String],
    pub(crate) lines: u32,
    pub(crate) spent: NanoUsd,
    pub(crate) read_only: Option<bool>,
}

impl Rule {
    pub(crate) fn compile(written: Written) -> Result<Self, String> {
        let plain = |text: &str| Glob::new(text).map(|glob| glob.compile_matcher());
        let path = |text: &String| {
            let glob = GlobBuilder::new(text).literal_separator(true).build();
            glob.map(|glob| glob.compile_matcher())
        };
        let lines = |lines: &[Line]| -> Result<Vec<Vec<GlobMatcher>>, globset::Error> {
            let line = |line: &Line| line.words().into_iter().map(plain).collect();
            lines.iter().map(line).collect()
        };
        let all = |texts: &[String]| -> Result<Vec<GlobMatcher>, globset::Error> {
            texts.iter().map(|text| plain(text)).collect()
        };
        let empty = |lines: &[Line]| lines.iter().any(|line| line.words().is_empty());
        if empty(&written.commands) || empty(&written.whole_commands) {
            return Err("a command without words".to_owned());
        }
        let wrong = |e: globset::Error| e.to_string();
        let cost = written.cost_more_than.as_deref().map(str::parse);
        Ok(Self {
            outcome: match written.outcome {
                Outcome::Allow => Verdict::Allow,
                Outcome::Review => Verdict::Review,
                Outcome::Deny => Verdict::Deny,
            },
            names: all(&written.names).map_err(wrong)?,
            commands: lines(&written.commands).map_err(wrong)?,
            whole_commands: lines(&written.whole_commands).map_err(wrong)?,
            paths: written
                .paths
                .iter()
                .map(path)
                .collect::<Result<_, _>>()
                .map_err(wrong)?,
            hosts: all(&written.hosts).map_err(wrong)?,
            id: written.id.unwrap_or_else(|| slug(&written.name)),
            name: written.name,
            tools: written.tools,
            effects: written.effects,
            more_lines_than: written.more_lines_than,
            cost_more_than: cost
                .transpose()
                .map_err(|_| "cost_more_than is an amount such as \"2.50\"".to_owned())?,
            read_only: written.read_only,
        })
    }

    /// Asks about everything, because what it should ask about cannot be read.
    pub(crate) fn unreadable(why: &str) -> Self {
        Self {
            id: "unreadable".to_owned(),
            name: format!("everything is reviewed while the rules cannot be read: {why}"),
            outcome: Verdict::Review,
            tools: Vec::new(),
            names: Vec::new(),
            commands: Vec::new(),
            whole_commands: Vec::new(),
            effects: Vec::new(),
            paths: Vec::new(),
            hosts: Vec::new(),
            more_lines_than: None,
            cost_more_than: None,
            read_only: None,
        }
    }

    pub(crate) fn is_about(&self, asked: Asked<'_>) -> bool {
        (self.tools.is_empty() || self.tools.contains(&asked.tool))
            && (self.names.is_empty() || self.names.iter().any(|one| one.is_match(asked.name)))
            && (self.effects.is_empty() || self.effects.contains(&asked.effect))
            && self.is_of_command(asked.words)
            && (self.paths.is_empty()
                || asked
                    .path
                    .is_some_and(|path| self.paths.iter().any(|glob| glob.is_match(path))))
            && self.is_of_hosts(asked.hosts)
            && self.more_lines_than.is_none_or(|most| asked.lines > most)
            && self.cost_more_than.is_none_or(|most| asked.spent > most)
            && self
                .read_only
                .is_none_or(|says| asked.read_only == Some(says))
    }

    fn is_of_command(&self, words: &[String]) -> bool {
        if self.commands.is_empty() && self.whole_commands.is_empty() {
            return true;
        }
        let whole = |line: &Vec<_>| line.len() == words.len() && begins(line, words);
        self.commands.iter().any(|line| begins(line, words))
            || self.whole_commands.iter().any(whole)
    }

    /// To allow, all hosts of a command must be named; to ask or refuse, one is enough.
    fn is_of_hosts(&self, hosts: &[String]) -> bool {
        let named = |host: &String| self.hosts.iter().any(|glob| glob.is_match(host));
        match (self.hosts.is_empty(), self.outcome) {
            (true, _) => true,
            (false, Verdict::Allow) => !hosts.is_empty() && hosts.iter().all(named),
            (false, _) => hosts.iter().any(named),
        }
    }
}

fn begins(line: &[GlobMatcher], words: &[String]) -> bool {
    line.len() <= words.len()
        && line
            .iter()
            .zip(words)
            .all(|(glob, word)| glob.is_match(word))
}

/// A name as an id: its words, in small letters.
fn slug(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("-")
}
