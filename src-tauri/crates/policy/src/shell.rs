//! A shell command as the shell reads it: every program it would start, with its words,
//! through pipes, lists, substitutions, functions and programs that start programs.
//! What cannot be known before it runs is said to be so; what cannot be read at all is an
//! error, never a guess.

mod place;
mod read;
mod redirect;
mod through;
mod word;

pub use place::{Around, Temp};
pub(crate) use place::{Leads, Place};
pub use read::Unreadable;
pub(crate) use read::read;
pub(crate) use word::UNKNOWN;

/// Folders of the system's own programs.
pub(crate) const SYSTEMS: [&str; 7] = [
    "/bin",
    "/usr/bin",
    "/usr/local/bin",
    "/sbin",
    "/usr/sbin",
    "/usr/local/sbin",
    "/opt/homebrew/bin",
];

/// One word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    /// Its text, quotes and escapes resolved; parts that are not known are `…`.
    pub(crate) text: String,
    /// Whether every character of it is known.
    pub(crate) known: bool,
    /// Whether the shell puts file names in its place.
    pub(crate) glob: bool,
}

impl Word {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            known: true,
            glob: false,
        }
    }

    /// Its text if it is exactly known.
    pub(crate) fn literal(&self) -> Option<&str> {
        (self.known && !self.glob).then_some(self.text.as_str())
    }
}

/// What a program reads from its standard input, as far as that matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Input {
    /// The terminal, or nothing.
    #[default]
    None,
    /// What another program says.
    Pipe,
    /// This text.
    Text(String),
}

/// One program as it would be started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// Its words, the program first; at least one.
    pub(crate) words: Vec<Word>,
    /// Variables set for it alone.
    pub(crate) sets: Vec<String>,
    /// Files the shell writes for it.
    pub(crate) writes: Vec<Word>,
    /// Files the shell reads for it.
    pub(crate) reads: Vec<Word>,
    /// What it is fed.
    pub(crate) input: Input,
    /// Where it is started.
    pub(crate) place: Place,
    /// Programs it is started through that give it more rights (`sudo`).
    pub(crate) raised_by: Option<String>,
}

impl Invocation {
    /// The program's name without its folder; empty when it is not known.
    pub(crate) fn program(&self) -> &str {
        let first = self.words.first().and_then(Word::literal);
        let first = first.unwrap_or_default();
        first.rsplit('/').next().unwrap_or_default()
    }

    /// The words after the program.
    pub(crate) fn args(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Its words as rules know them: the program by its bare name, unless it is named by a
    /// folder of nobody knows whom.
    pub(crate) fn named(&self) -> Vec<String> {
        let mut words: Vec<String> = self.words.iter().map(|word| word.text.clone()).collect();
        if let Some(first) = words.first_mut()
            && let Some((folder, name)) = first.rsplit_once('/')
            && SYSTEMS.contains(&folder)
        {
            *first = name.to_owned();
        }
        words
    }

    /// As it would be typed, for people.
    pub(crate) fn words_joined(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| word.text.as_str()).collect();
        words.join(" ")
    }
}
