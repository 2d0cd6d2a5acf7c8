//! What programs do, by their names and words. Data first: a program that is in no list
//! is not known, and what is not known is never taken for harmless.

mod build;
mod files;
mod git;
mod lists;
mod network;
mod texts;
mod tools;

use crate::effect::{Effect, Found};
use crate::paths;
use crate::shell::{Around, Input, Invocation, Leads, Word};

use lists::{DECIDING_VARIABLES, DESKTOP, HARMLESS, KEYRINGS, LOOK, RUIN, SYSTEM};

/// One thing an invocation does, and whose doing it is.
pub(crate) struct Doing {
    pub(crate) found: Found,
    /// The words rules know it by: the program's own, or those of the shell around it.
    pub(crate) words: Vec<String>,
    /// Other machines these words name.
    pub(crate) hosts: Vec<String>,
}

/// What an invocation does. Never empty. A rule that speaks of a program does not speak of
/// what the shell does around it: of a redirection, a variable, or `sudo`.
pub(crate) fn effects(
    one: &Invocation,
    functions: &std::collections::HashSet<String>,
    around: Around<'_>,
) -> Vec<Doing> {
    let look = Look { one, around };
    let mut all = Vec::new();
    let mut beside = |found: Found, words: &str| {
        all.push(Doing {
            found,
            words: vec![words.to_owned()],
            hosts: Vec::new(),
        });
    };
    if let Some(by) = &one.raised_by {
        beside(Found::new(Effect::Privilege, by.as_str()), by);
    }
    for name in &one.sets {
        if DECIDING_VARIABLES.contains(&name.as_str()) {
            let found = Found::new(Effect::Environment, format!("{name}=…"));
            beside(found, &format!("{name}="));
        }
    }
    for word in &one.writes {
        if let Some(found) = paths::write(word, one, around) {
            beside(found, ">");
        }
    }
    for word in &one.reads {
        if let Some(found) = paths::read(word, one, around) {
            beside(found, "<");
        }
    }
    let mut own = match functions.contains(one.program()) {
        true => Vec::new(),
        false => look.program(),
    };
    if own.is_empty() {
        own.push(Found::new(Effect::Read, one.words_joined()));
    }
    let hosts = crate::hosts::hosts(one.program(), one.args());
    all.extend(own.into_iter().map(|found| Doing {
        found,
        words: one.named(),
        hosts: hosts.clone(),
    }));
    all
}

/// One invocation that is looked at.
pub(super) struct Look<'a> {
    pub(super) one: &'a Invocation,
    pub(super) around: Around<'a>,
}

impl Look<'_> {
    fn program(&self) -> Vec<Found> {
        let program = self.one.program();
        if program.is_empty() {
            return vec![self.found(Effect::Unknown)];
        }
        if let Some(found) = self.by_path() {
            return found;
        }
        if RUIN.contains(&program) || program.starts_with("mkfs.") {
            return vec![self.found(Effect::Ruin)];
        }
        if program == "longhaul" || program == "longhaul-desktop" {
            return vec![self.found(Effect::Longhaul)];
        }
        if LOOK.contains(&program) {
            return self.looking(program);
        }
        if HARMLESS.contains(&program) {
            return self.harmless(program);
        }
        if SYSTEM.contains(&program) {
            return vec![self.found(Effect::Privilege)];
        }
        if KEYRINGS.contains(&program) {
            return vec![self.found(Effect::Secrets)];
        }
        if DESKTOP.contains(&program) {
            return vec![self.found(Effect::Outside)];
        }
        let groups = [
            Look::files,
            Look::texts,
            Look::git,
            Look::build,
            Look::network,
        ];
        let known = groups.iter().find_map(|group| group(self, program));
        known.unwrap_or_else(|| vec![self.found(Effect::Unknown)])
    }

    /// A program named with a folder: the system's own, the project's, or nobody knows whose.
    fn by_path(&self) -> Option<Vec<Found>> {
        let path = self.one.words.first()?.literal()?;
        let (folder, _) = path.rsplit_once('/')?;
        if crate::shell::SYSTEMS.contains(&folder) {
            return None;
        }
        Some(match self.one.place.leads(path, self.around) {
            Leads::Inside(_) => vec![self.of_project(path)],
            _ => vec![self.found(Effect::Unknown)],
        })
    }

    /// A script of the project's own.
    pub(super) fn of_project(&self, path: &str) -> Found {
        match is_delivery(path) || self.args().iter().any(|word| is_delivery(&word.text)) {
            true => self.found(Effect::Publish),
            false => self.found(Effect::Build),
        }
    }

    fn looking(&self, program: &str) -> Vec<Found> {
        let changes = match program {
            "xxd" => self.has(&["-r", "--revert"]) && self.plain_args().count() > 1,
            "jq" => false,
            "base64" | "base32" => false,
            _ => false,
        };
        if changes {
            let last = self.plain_args().last();
            return last
                .and_then(|w| paths::write(w, self.one, self.around))
                .into_iter()
                .collect();
        }
        let skip = usize::from(matches!(
            program,
            "grep" | "egrep" | "fgrep" | "zgrep" | "ag" | "ack" | "jq" | "tr"
        ));
        let texts = self.plain_args().skip(skip);
        let mut found: Vec<Found> = texts.filter_map(|word| self.read(word)).collect();
        if let Some(word) = self
            .args()
            .iter()
            .find(|w| w.text.starts_with("--file=") || w.text.starts_with("--from-file="))
        {
            let path = word.text.split_once('=').map_or("", |(_, path)| path);
            found.extend(self.read(&Word {
                text: path.to_owned(),
                ..word.clone()
            }));
        }
        found
    }

    fn harmless(&self, program: &str) -> Vec<Found> {
        match program {
            // What would be started could not be seen.
            "eval" if !self.args().is_empty() => vec![self.found(Effect::Code)],
            "trap" if self.args().first().is_some_and(|word| !word.known) => {
                vec![self.found(Effect::Code)]
            }
            "env" if self.has(&["-S", "--split-string"]) => vec![self.found(Effect::Code)],
            "declare" | "typeset" | "readonly" | "local" => self.exported(),
            _ => Vec::new(),
        }
    }

    /// Variables that hold from here on.
    pub(super) fn exported(&self) -> Vec<Found> {
        let names = self
            .args()
            .iter()
            .map(|word| word.text.split('=').next().unwrap_or_default());
        let deciding = names.filter(|name| DECIDING_VARIABLES.contains(name));
        deciding
            .map(|name| Found::new(Effect::Environment, format!("{name}=…")))
            .collect()
    }

    pub(super) fn found(&self, effect: Effect) -> Found {
        Found::new(effect, self.one.words_joined())
    }

    pub(super) fn args(&self) -> &[Word] {
        self.one.args()
    }

    /// Words that are no options.
    pub(super) fn plain_args(&self) -> impl Iterator<Item = &Word> {
        let mut only_plain = false;
        self.args().iter().filter(move |word| {
            if word.text == "--" && !only_plain {
                only_plain = true;
                return false;
            }
            only_plain || !word.text.starts_with('-') || word.text == "-"
        })
    }

    /// The first words that are no options, as texts: subcommands.
    pub(super) fn sub(&self, n: usize) -> &str {
        self.plain_args()
            .nth(n)
            .and_then(Word::literal)
            .unwrap_or_default()
    }

    /// Whether one of these options is there: `-x`, also in `-ax`, or `--long`, also with `=`.
    pub(super) fn has(&self, options: &[&str]) -> bool {
        self.args().iter().any(|word| {
            let text = word.text.as_str();
            options
                .iter()
                .any(|option| match option.strip_prefix("--") {
                    Some(_) => text == *option || text.starts_with(&format!("{option}=")),
                    None => {
                        let letter = option.trim_start_matches('-');
                        let bundle = text.starts_with('-') && !text.starts_with("--");
                        text == *option
                            || (letter.len() == 1 && bundle && text[1..].contains(letter))
                    }
                })
        })
    }

    pub(super) fn read(&self, word: &Word) -> Option<Found> {
        paths::read(word, self.one, self.around)
    }

    pub(super) fn write(&self, word: &Word) -> Option<Found> {
        paths::write(word, self.one, self.around)
    }

    pub(super) fn fed(&self) -> bool {
        self.one.input != Input::None
    }
}

/// Whether a name says that something is delivered to others.
pub(super) fn is_delivery(name: &str) -> bool {
    const DELIVERS: [&str; 12] = [
        "deploy",
        "publish",
        "release",
        "upload",
        "ship",
        "promote",
        "rollout",
        "production",
        "prod",
        "provision",
        "teardown",
        "destroy",
    ];
    let lower = name.to_ascii_lowercase();
    let parts = lower.split(|c: char| !c.is_ascii_alphanumeric());
    parts.into_iter().any(|part| DELIVERS.contains(&part))
}
