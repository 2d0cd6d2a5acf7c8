//! "Always allow this here": the narrowest rules that would have let a call pass.

use std::path::Path;

use domain::Verdict;

use crate::effect::Effect;
use crate::file::{Proposal, Written};
use crate::rule::Tool;
use crate::shell::UNKNOWN;
use crate::{At, Call, Decided, Layer, Part, Policy, Source, Trust};

/// Why no rule is proposed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOffered {
    /// It would not be asked about.
    #[error("it is not asked about because of its rules")]
    NotAsked,
    /// A rule for it would let through what must be looked at each time.
    #[error("this is looked at each time: {0}")]
    Grave(String),
    /// Part of it is known only when it runs.
    #[error("part of it is known only when it runs: {0}")]
    Unknown(String),
    /// Another rule would ask all the same.
    #[error("a rule for it would change nothing: {0}")]
    InVain(String),
}

impl Effect {
    /// Whether it may be allowed once and for all.
    const fn is_offered(self) -> bool {
        match self {
            Self::Read
            | Self::Write
            | Self::Delete
            | Self::DeleteBulk
            | Self::Build
            | Self::Commit
            | Self::InstallListed
            | Self::InstallNew
            | Self::NetworkRead
            | Self::Migrate
            | Self::Unknown => true,
            Self::DropChanges
            | Self::NetworkWrite
            | Self::Push
            | Self::Publish
            | Self::Secrets
            | Self::Sensitive
            | Self::Outside
            | Self::Privilege
            | Self::Code
            | Self::Environment
            | Self::Kill
            | Self::Ruin
            | Self::Longhaul => false,
        }
    }

    /// Whether a program's subcommand says enough about what it does.
    const fn is_told_by_subcommand(self) -> bool {
        matches!(
            self,
            Self::Build | Self::Commit | Self::InstallListed | Self::Delete | Self::Write
        )
    }
}

impl Policy {
    /// The narrowest rules for `project` with which this call would be allowed.
    ///
    /// # Errors
    /// If there are none, or none that should be made with one key.
    pub fn propose(
        &self,
        call: Call<'_>,
        at: At<'_>,
        project: &Path,
    ) -> Result<Proposal, NotOffered> {
        let decided = self.decide(call, at);
        if decided.verdict != Verdict::Review {
            return Err(NotOffered::NotAsked);
        }
        let mut rules: Vec<Written> = Vec::new();
        for part in asked(&decided) {
            let rule = rule_for(call, part)?;
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        let proposal = Proposal::of(rules, project);
        let layer = Layer::parse(Source::Here, &proposal.bare(), Trust::Trusted);
        let then = match layer {
            Ok(layer) => self.clone().with(layer).decide(call, at),
            Err(error) => return Err(NotOffered::InVain(error.to_string())),
        };
        match then.verdict {
            Verdict::Allow => Ok(proposal),
            _ => Err(NotOffered::InVain(then.why)),
        }
    }
}

fn asked(decided: &Decided) -> impl Iterator<Item = &Part> {
    let asked = |part: &&Part| part.verdict == Verdict::Review;
    decided.parts.iter().filter(asked)
}

fn rule_for(call: Call<'_>, part: &Part) -> Result<Written, NotOffered> {
    let found = &part.found;
    if !found.effect.is_offered() {
        return Err(NotOffered::Grave(found.to_string()));
    }
    let all = part.words.join(" ");
    if all.contains(UNKNOWN) || found.because.contains(UNKNOWN) {
        return Err(NotOffered::Unknown(found.because.clone()));
    }
    let mut rule = Written {
        effect: found.effect,
        ..Written::new(&found.because)
    };
    match call {
        Call::Shell(_) => command(&mut rule, part),
        Call::Change { tool, .. } => {
            rule.tool = tool;
            rule.path = found.path.as_deref().map(|path| scope(found.effect, path));
        }
        Call::Other { name, .. } => {
            rule.tool = Tool::Other;
            rule.tool_name = Some(globset::escape(name));
        }
        Call::Look => rule.tool = Tool::Read,
    }
    Ok(rule)
}

/// The file itself; of migrations the files beside it, each of which has its own name.
fn scope(effect: Effect, path: &str) -> String {
    match (effect, path.rsplit_once('/'), path.rsplit_once('.')) {
        (Effect::Migrate, Some((folder, file)), Some((_, ending))) if file.contains('.') => {
            format!("{}/*.{}", globset::escape(folder), globset::escape(ending))
        }
        _ => globset::escape(path),
    }
}

fn command(rule: &mut Written, part: &Part) {
    let words: Vec<String> = part.words.iter().map(|w| globset::escape(w)).collect();
    let effect = part.found.effect;
    let sub = words.get(1).filter(|word| is_subcommand(word));
    if let Some(path) = &part.found.path {
        rule.path = Some(scope(effect, path));
        rule.command = words.into_iter().take(1).collect();
    } else if effect == Effect::NetworkRead && all_by_address(part) {
        rule.hosts.clone_from(&part.hosts);
        let length = 1 + usize::from(sub.is_some());
        rule.command = words.into_iter().take(length).collect();
    } else if effect == Effect::Read {
        rule.command = words.into_iter().take(1).collect();
    } else if effect.is_told_by_subcommand() && sub.is_some() {
        rule.command = words.into_iter().take(2).collect();
    } else {
        rule.whole_command = words;
    }
}

fn is_subcommand(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == ':';
    word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(plain)
}

/// Whether each machine stands in an address, so that the others are no file names.
fn all_by_address(part: &Part) -> bool {
    let in_address = |host: &String| {
        part.words
            .iter()
            .any(|word| word.contains("://") && word.to_ascii_lowercase().contains(host.as_str()))
    };
    !part.hosts.is_empty() && part.hosts.iter().all(in_address)
}
