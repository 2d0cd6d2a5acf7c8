//! The user's own file of rules, changed without losing what they wrote in it.

use std::path::Path;

use domain::Digest;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use crate::effect::Effect;
use crate::layer::{BadRules, UserRules};
use crate::rule::Tool;

/// Why the file is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It cannot be read as it is.
    #[error("{0}")]
    Bad(#[from] BadRules),
    /// There is no such rule in it.
    #[error("there is no rule '{0}' in it")]
    NoRule(String),
}

/// A rule that is to be written: it allows one effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// What it allows, for people.
    pub(crate) what: String,
    pub(crate) tool: Tool,
    pub(crate) tool_name: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) command: Vec<String>,
    pub(crate) whole_command: Vec<String>,
    pub(crate) path: Option<String>,
    pub(crate) hosts: Vec<String>,
}

impl Written {
    pub(crate) fn new(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            tool: Tool::Shell,
            tool_name: None,
            effect: Effect::Unknown,
            command: Vec::new(),
            whole_command: Vec::new(),
            path: None,
            hosts: Vec::new(),
        }
    }

    fn table(&self, project: Option<&Path>) -> Table {
        let mut table = Table::new();
        table["id"] = value(self.id());
        table["name"] = value(format!("always allowed here: {}", self.what));
        table["outcome"] = value("allow");
        if let Some(project) = project {
            table["projects"] = value(list([project.display().to_string()]));
        }
        table["tools"] = value(list([self.tool.word()]));
        if let Some(name) = &self.tool_name {
            table["names"] = value(list([name]));
        }
        table["effects"] = value(list([self.effect.word()]));
        let lines = [
            ("commands", &self.command),
            ("whole_commands", &self.whole_command),
        ];
        for (key, words) in lines {
            if !words.is_empty() {
                let mut outer = Array::new();
                outer.push(list(words));
                table[key] = value(outer);
            }
        }
        if let Some(path) = &self.path {
            table["paths"] = value(list([path]));
        }
        if !self.hosts.is_empty() {
            table["hosts"] = value(list(&self.hosts));
        }
        table
    }

    /// The same for the same rule, so that it is written once.
    fn id(&self) -> String {
        let Self {
            what: _,
            tool,
            tool_name,
            effect,
            command,
            whole_command,
            path,
            hosts,
        } = self;
        let all = format!(
            "{tool:?} {tool_name:?} {effect:?} {command:?} {whole_command:?} {path:?} {hosts:?}"
        );
        let digest = Digest::of("rule", all.as_bytes()).0;
        format!("allowed-{}", digest.get(..10).unwrap_or(&digest))
    }
}

fn list<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Array {
    texts
        .into_iter()
        .map(|text| text.as_ref().to_owned())
        .collect()
}

/// Rules that are proposed for one project, not written yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Their ids.
    pub ids: Vec<String>,
    /// As they would stand in the user's file.
    pub text: String,
    rules: Vec<Written>,
}

impl Proposal {
    pub(crate) fn of(rules: Vec<Written>, project: &Path) -> Self {
        Self {
            ids: rules.iter().map(Written::id).collect(),
            text: document(rules.iter().map(|rule| rule.table(Some(project)))),
            rules,
        }
    }

    /// As rules of a layer that is of this project alone.
    pub fn bare(&self) -> String {
        document(self.rules.iter().map(|rule| rule.table(None)))
    }
}

fn document(tables: impl IntoIterator<Item = Table>) -> String {
    let mut document = DocumentMut::new();
    let all: ArrayOfTables = tables.into_iter().collect();
    document.insert("rule", Item::ArrayOfTables(all));
    document.to_string()
}

impl UserRules {
    /// The file's text with the proposed rules behind all others; `None` if they are all
    /// in it.
    ///
    /// # Errors
    /// If the file cannot be read as it is.
    pub fn with_rules(
        text: &str,
        proposal: &Proposal,
        project: &Path,
    ) -> Result<Option<String>, FileError> {
        let here = Self::parse(text)?.here(project);
        let known = |id: &String| here.rules.iter().any(|rule| rule.id == *id);
        let new: Vec<&Written> = proposal.rules.iter().filter(|r| !known(&r.id())).collect();
        if new.is_empty() {
            return Ok(None);
        }
        let added = document(new.into_iter().map(|rule| rule.table(Some(project))));
        Ok(Some(joined(text, &added)))
    }

    /// The file's text without this rule.
    ///
    /// # Errors
    /// If the file cannot be read as it is, or has no such rule.
    pub fn without_rule(text: &str, id: &str, project: Option<&Path>) -> Result<String, FileError> {
        Self::parse(text)?;
        let mut document = edited(text)?;
        let mut gone = 0;
        if let Some(rules) = document
            .get_mut("rule")
            .and_then(Item::as_array_of_tables_mut)
        {
            let before = rules.len();
            rules.retain(|rule| !(is(rule, "id", id) && is_of(rule, project)));
            gone = before - rules.len();
        }
        match gone {
            0 => Err(FileError::NoRule(id.to_owned())),
            _ => Ok(document.to_string()),
        }
    }

    /// The file's text with a project's rules trusted as they are now (`digest`), or not
    /// trusted at all.
    ///
    /// # Errors
    /// If the file cannot be read as it is.
    pub fn with_trust(
        text: &str,
        project: &Path,
        digest: Option<&str>,
    ) -> Result<String, FileError> {
        Self::parse(text)?;
        let mut document = edited(text)?;
        let named = project.display().to_string();
        if let Some(all) = document
            .get_mut("trust")
            .and_then(Item::as_array_of_tables_mut)
        {
            all.retain(|one| !is(one, "project", &named));
        }
        let kept = document.to_string();
        let Some(digest) = digest else {
            return Ok(kept);
        };
        let mut table = Table::new();
        table["project"] = value(named);
        table["digest"] = value(digest);
        let mut added = DocumentMut::new();
        let all: ArrayOfTables = [table].into_iter().collect();
        added.insert("trust", Item::ArrayOfTables(all));
        Ok(joined(&kept, &added.to_string()))
    }
}

fn joined(text: &str, added: &str) -> String {
    match text.trim_end() {
        "" => format!("{}\n", added.trim()),
        before => format!("{before}\n\n{}\n", added.trim()),
    }
}

fn edited(text: &str) -> Result<DocumentMut, FileError> {
    // It was read just now; this reader knows the same language.
    text.parse().map_err(|e: toml_edit::TomlError| {
        FileError::Bad(BadRules {
            line: 1,
            column: 1,
            why: e.message().to_owned(),
        })
    })
}

fn is(table: &Table, key: &str, wanted: &str) -> bool {
    table.get(key).and_then(Item::as_str) == Some(wanted)
}

fn is_of(rule: &Table, project: Option<&Path>) -> bool {
    let projects = rule.get("projects").and_then(Item::as_array);
    match project {
        None => true,
        Some(project) => projects.is_some_and(|all| {
            let mut names = all.iter().filter_map(toml_edit::Value::as_str);
            names.any(|name| Path::new(name) == project)
        }),
    }
}
