//! Which operations run, which a person decides, and which are refused.
//!
//! A call is taken apart into its effects ([`effects_of`]): a shell command is parsed, and
//! every program it would start is looked at, through pipes, lists, substitutions and
//! programs that start programs. Rules speak of effects, commands and paths; they come in
//! layers. *Deny* wins over everything, then the last layer that says anything, and in
//! one layer *review* over *allow*. What no rule speaks of is reviewed. A command is as
//! grave as its gravest part.

mod effect;
mod paths;
mod programs;
mod rule;
mod shell;
#[cfg(test)]
mod tests;

use domain::{Preset, Verdict};

pub use effect::{Effect, Found};
pub use rule::{BadRules, Layer, Rule, Source, Tool, Trust};
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
        /// Whether it is said to change nothing.
        read_only: bool,
    },
}

/// One part of a call, and what decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it does; absent where only the call as a whole is known.
    pub found: Option<Found>,
    /// The program it is of, as it would be typed; empty for other tools.
    pub program: String,
    /// What was decided.
    pub verdict: Verdict,
    /// The rule's name.
    pub rule: String,
    /// Where the rule comes from; absent where none spoke of it.
    pub source: Option<Source>,
}

/// What was decided about a call, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What was decided.
    pub verdict: Verdict,
    /// Why, in a line: the rule and what it is about.
    pub why: String,
    /// All of its parts, in the order in which they stand.
    pub parts: Vec<Part>,
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
            layers: rule::built_in(preset),
        }
    }

    /// With another layer on top.
    #[must_use]
    pub fn with(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Decides about a call of a run, by what it finds around it.
    pub fn decide(&self, call: Call<'_>, around: Around<'_>) -> Decided {
        let parts = match call {
            Call::Shell(command) => self.shell(command, around),
            Call::Change { tool, path, lines } => vec![self.change(tool, path, lines, around)],
            Call::Look => vec![self.part(
                Tool::Read,
                Some(Found::new(Effect::Read, "files of the workspace")),
                &[],
                None,
                0,
            )],
            Call::Other { name, read_only } => {
                let effect = if read_only {
                    Effect::Read
                } else {
                    Effect::Unknown
                };
                vec![self.part(Tool::Other, Some(Found::new(effect, name)), &[], None, 0)]
            }
        };
        let gravest = parts
            .iter()
            .max_by_key(|part| gravity(part.verdict))
            .cloned();
        let gravest = gravest.unwrap_or(Part {
            found: None,
            program: String::new(),
            verdict: Verdict::Allow,
            rule: "it does nothing".to_owned(),
            source: None,
        });
        Decided {
            verdict: gravest.verdict,
            why: match (&gravest.found, gravest.verdict) {
                (Some(found), Verdict::Review | Verdict::Deny) => {
                    format!("{} ({found})", gravest.rule)
                }
                _ => gravest.rule.clone(),
            },
            parts,
        }
    }

    fn shell(&self, command: &str, around: Around<'_>) -> Vec<Part> {
        let reading = match shell::read(command, around) {
            Ok(reading) => reading,
            Err(why) => {
                let words = [command.to_owned()];
                let found = Found::new(Effect::Code, format!("it cannot be read: {why}"));
                return vec![self.part(Tool::Shell, Some(found), &words, None, 0)];
            }
        };
        let mut parts = Vec::new();
        if reading.multiplies {
            let found = Found::new(
                Effect::Ruin,
                "a function that starts itself again and again",
            );
            parts.push(self.part(Tool::Shell, Some(found), &[], None, 0));
        }
        for one in &reading.invocations {
            let mut words: Vec<String> = one.words.iter().map(|word| word.text.clone()).collect();
            if let Some(first) = words.first_mut() {
                *first = one.program().to_owned();
            }
            for found in programs::effects(one, &reading.functions, around) {
                let path = Some(found.because.clone());
                parts.push(self.part(Tool::Shell, Some(found), &words, path.as_deref(), 0));
            }
        }
        parts
    }

    fn change(&self, tool: Tool, path: &str, lines: u32, around: Around<'_>) -> Part {
        let one = shell::Invocation {
            words: vec![shell::Word::plain("write")],
            ..shell::Invocation::default()
        };
        let word = shell::Word::plain(path);
        let found =
            paths::write(&word, &one, around).unwrap_or_else(|| Found::new(Effect::Write, path));
        let inside = found.because.clone();
        self.part(tool, Some(found), &[], Some(&inside), lines)
    }

    fn part(
        &self,
        tool: Tool,
        found: Option<Found>,
        words: &[String],
        path: Option<&str>,
        lines: u32,
    ) -> Part {
        let asked = Asked {
            tool,
            effect: found.as_ref().map(|found| found.effect),
            words,
            path,
            lines,
        };
        let decided = self.rule_for(asked);
        Part {
            program: words.join(" "),
            verdict: decided.map_or(Verdict::Review, |(rule, _)| rule.outcome),
            rule: decided.map_or_else(
                || "no rule speaks of it".to_owned(),
                |(rule, _)| rule.name.clone(),
            ),
            source: decided.map(|(_, source)| source),
            found,
        }
    }

    fn rule_for(&self, asked: Asked<'_>) -> Option<(&Rule, Source)> {
        let about = |layer: &'_ Layer| -> Vec<usize> {
            let all = layer.rules.iter().enumerate();
            all.filter(|(_, rule)| rule.is_about(asked))
                .map(|(at, _)| at)
                .collect()
        };
        let mut decided = None;
        for layer in &self.layers {
            let about = about(layer);
            if let Some(at) = about
                .iter()
                .find(|at| layer.rules[**at].outcome == Verdict::Deny)
            {
                return Some((&layer.rules[*at], layer.source));
            }
            // The narrower of two rules of one layer stands behind the wider.
            let gravest = about
                .iter()
                .rev()
                .max_by_key(|at| (rule_weight(&layer.rules[**at]), **at));
            if let Some(at) = gravest {
                decided = Some((&layer.rules[*at], layer.source));
            }
        }
        decided
    }
}

fn rule_weight(rule: &Rule) -> u8 {
    gravity(rule.outcome)
}

const fn gravity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Allow => 0,
        Verdict::Review => 1,
        Verdict::Deny => 2,
    }
}
