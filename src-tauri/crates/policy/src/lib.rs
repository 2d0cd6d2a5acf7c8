//! Which operations run, which a person decides, and which are refused.
//!
//! A call is taken apart into its effects ([`effects_of`]): a shell command is parsed, and
//! every program it would start is looked at, through pipes, lists, substitutions and
//! programs that start programs. Rules speak of effects, commands and paths; they come in
//! layers. *Deny* wins over everything, then the last layer that says anything, and in
//! one layer *review* over *allow*. What no rule speaks of is reviewed. A command is as
//! grave as its gravest part.

mod effect;
mod file;
mod hosts;
mod layer;
mod paths;
mod programs;
mod propose;
mod rule;
mod shell;
#[cfg(test)]
mod tests;

use domain::{NanoUsd, Preset, Verdict};

pub use effect::{Effect, Found};
pub use file::{FileError, Proposal};
pub use layer::{BadRules, Layer, Source, Trust, Trusted, UserRules};
pub use propose::NotOffered;
pub use rule::{Rule, Tool};
pub use shell::{Around, Temp, Unreadable};

use rule::Asked;

/// A call that is to be decided about.
#[derive(Clone, Copy, Debug)]
pub enum Call<'a> {
    /// A shell command, started at the top of the workspace.
    Shell(&'a str),
    /// A file that is changed.
    Change {
        /// Whether it is a whole new file or an edit.
        tool: Tool,
        /// Its path as the agent wrote it.
        path: &'a str,
        /// Lines that are new or gone.
        lines: u32,
    },
    /// Looking at files of the workspace.
    Look,
    /// Any other tool.
    Other {
        /// Its name.
        name: &'a str,
        /// What it says of itself (an MCP annotation): whether it changes nothing.
        read_only: Option<bool>,
    },
}

/// One part of a call, and what decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it does.
    pub found: Found,
    /// The words rules know it by; empty for other tools than the shell.
    pub words: Vec<String>,
    /// Other machines it names.
    pub hosts: Vec<String>,
    /// What was decided.
    pub verdict: Verdict,
    /// The rule's whole id, such as `balanced:beyond`; `none` where no rule spoke of it.
    pub rule_id: String,
    /// The rule's name.
    pub rule: String,
    /// Where the rule comes from; absent where none spoke of it.
    pub source: Option<Source>,
}

impl Part {
    /// Why, in one sentence: what it does, and which rule says what then.
    pub fn why(&self) -> String {
        let found = self.found.to_string();
        let mut letters = found.chars();
        let first = letters.next().map(|c| c.to_uppercase().to_string());
        let found = format!("{}{}", first.unwrap_or_default(), letters.as_str());
        match self.source {
            Some(source) => format!("{found}; rule \"{}\" of {source}", self.rule),
            None => format!("{found}; no rule speaks of it"),
        }
    }
}

/// What was decided about a call, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What was decided.
    pub verdict: Verdict,
    /// Why, in one sentence of the gravest part.
    pub why: String,
    /// The whole id of the rule that decided.
    pub rule_id: String,
    /// All of its parts, in the order in which they stand.
    pub parts: Vec<Part>,
}

/// What is known of the run besides the call.
#[derive(Clone, Copy, Debug, Default)]
pub struct At<'a> {
    /// Its folders.
    pub around: Around<'a>,
    /// What it has cost so far.
    pub spent: NanoUsd,
}

/// Rules in layers.
#[derive(Clone, Debug)]
pub struct Policy {
    layers: Vec<Layer>,
}

impl Policy {
    /// A preset's built-in rules.
    pub fn of(preset: Preset) -> Self {
        Self {
            layers: layer::built_in(preset),
        }
    }

    /// With another layer on top.
    #[must_use]
    pub fn with(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Without the rules of one source.
    #[must_use]
    pub fn without(mut self, source: Source) -> Self {
        self.layers.retain(|layer| layer.source != source);
        self
    }

    /// The layers, lowest first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Decides about a call of a run, by what is known of it.
    pub fn decide(&self, call: Call<'_>, at: At<'_>) -> Decided {
        let parts = match call {
            Call::Shell(command) => self.shell(command, at),
            Call::Change { tool, path, lines } => vec![self.change(tool, path, lines, at)],
            Call::Look => {
                let found = Found::new(Effect::Read, "files of the workspace");
                vec![self.part(found, Facts::of(Tool::Read, at))]
            }
            Call::Other { name, read_only } => {
                let effect = match read_only {
                    Some(true) => Effect::Read,
                    _ => Effect::Unknown,
                };
                let facts = Facts {
                    name,
                    read_only,
                    ..Facts::of(Tool::Other, at)
                };
                vec![self.part(Found::new(effect, name), facts)]
            }
        };
        // The first of the gravest is what a person would stumble over first.
        let gravest = parts.iter().rev().max_by_key(|part| gravity(part.verdict));
        match gravest {
            Some(part) => Decided {
                verdict: part.verdict,
                why: part.why(),
                rule_id: part.rule_id.clone(),
                parts,
            },
            None => Decided {
                verdict: Verdict::Allow,
                why: "It does nothing".to_owned(),
                rule_id: "none".to_owned(),
                parts,
            },
        }
    }

    fn shell(&self, command: &str, at: At<'_>) -> Vec<Part> {
        let facts = Facts::of(Tool::Shell, at);
        let reading = match shell::read(command, at.around) {
            Ok(reading) => reading,
            Err(why) => {
                let found = Found::new(Effect::Code, format!("it cannot be read: {why}"));
                return vec![self.part(found, facts)];
            }
        };
        let mut parts = Vec::new();
        if reading.multiplies {
            let itself = "a function that starts itself again and again";
            parts.push(self.part(Found::new(Effect::Ruin, itself), facts));
        }
        for one in &reading.invocations {
            for doing in programs::effects(one, &reading.functions, at.around) {
                let facts = Facts {
                    words: &doing.words,
                    hosts: &doing.hosts,
                    ..facts
                };
                parts.push(self.part(doing.found, facts));
            }
        }
        parts
    }

    fn change(&self, tool: Tool, path: &str, lines: u32, at: At<'_>) -> Part {
        let one = shell::Invocation {
            words: vec![shell::Word::plain("write")],
            ..shell::Invocation::default()
        };
        let word = shell::Word::plain(path);
        let found = paths::write(&word, &one, at.around);
        let facts = Facts {
            lines,
            ..Facts::of(tool, at)
        };
        self.part(
            found.unwrap_or_else(|| Found::at(Effect::Write, path)),
            facts,
        )
    }

    fn part(&self, found: Found, facts: Facts<'_>) -> Part {
        let asked = Asked {
            tool: facts.tool,
            name: facts.name,
            effect: found.effect,
            words: facts.words,
            path: found.path.as_deref(),
            hosts: facts.hosts,
            lines: facts.lines,
            spent: facts.spent,
            read_only: facts.read_only,
        };
        let decided = self.rule_for(asked);
        Part {
            words: facts.words.to_vec(),
            hosts: facts.hosts.to_vec(),
            verdict: decided.map_or(Verdict::Review, |(rule, _)| rule.outcome),
            rule_id: decided.map_or_else(
                || "none".to_owned(),
                |(rule, source)| format!("{}:{}", source.word(), rule.id),
            ),
            rule: decided.map_or_else(String::new, |(rule, _)| rule.name.clone()),
            source: decided.map(|(_, source)| source),
            found,
        }
    }

    fn rule_for(&self, asked: Asked<'_>) -> Option<(&Rule, Source)> {
        let mut decided = None;
        for layer in &self.layers {
            let about = || layer.rules.iter().filter(|rule| rule.is_about(asked));
            if let Some(deny) = about().find(|rule| rule.outcome == Verdict::Deny) {
                return Some((deny, layer.source));
            }
            // In one layer the gravest counts, of equal ones the last.
            let gravest = about().max_by_key(|rule| gravity(rule.outcome));
            decided = gravest.map(|rule| (rule, layer.source)).or(decided);
        }
        decided
    }
}

/// What a rule may ask of a call besides the effect.
#[derive(Clone, Copy)]
struct Facts<'a> {
    tool: Tool,
    name: &'a str,
    words: &'a [String],
    hosts: &'a [String],
    lines: u32,
    spent: NanoUsd,
    read_only: Option<bool>,
}

impl<'a> Facts<'a> {
    fn of(tool: Tool, at: At<'_>) -> Self {
        Self {
            tool,
            name: "",
            words: &[],
            hosts: &[],
            lines: 0,
            spent: at.spent,
            read_only: None,
        }
    }
}

const fn gravity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Allow => 0,
        Verdict::Review => 1,
        Verdict::Deny => 2,
    }
}
