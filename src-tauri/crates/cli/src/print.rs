//! Where output goes and how it looks.

use std::io::Write;

use domain::RunState;
use serde::Serialize;

use crate::failure::Failure;

/// How a piece of text looks on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Plain,
    Bold,
    Faint,
    Good,
    Bad,
    Attention,
    Active,
}

impl Look {
    /// The look of a run's state.
    pub(crate) fn of_state(state: RunState) -> Self {
        match state {
            RunState::Completed => Self::Good,
            RunState::Failed => Self::Bad,
            RunState::Waiting | RunState::Interrupted => Self::Attention,
            RunState::Running | RunState::Verifying => Self::Active,
            RunState::Queued | RunState::Paused | RunState::Cancelled => Self::Faint,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\x1b[1m",
            Self::Faint => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Bad => "\x1b[31m",
            Self::Attention => "\x1b[33m",
            Self::Active => "\x1b[36m",
        }
    }
}

/// Standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    /// Documents instead of words.
    pub(crate) json: bool,
    /// Whether looks show.
    pub(crate) colour: bool,
    /// Columns.
    pub(crate) width: usize,
}

impl Printer {
    /// One document, on one line.
    pub(crate) fn document(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).expect("documents have string keys");
        self.line(&text)
    }

    /// Words on their way: on a terminal, one faint line that the next line replaces.
    pub(crate) fn passing(&self, text: &str) -> Result<(), Failure> {
        if !self.colour || self.json {
            return Ok(());
        }
        let room = self.width.saturating_sub(4).max(10);
        let words = safe(text).replace('\n', " ");
        let skip = words.chars().count().saturating_sub(room);
        let tail: String = words.chars().skip(skip).collect();
        let mut out = std::io::stdout().lock();
        write!(
            out,
            "\r\x1b[2K{}",
            self.look(&format!("… {tail}"), Look::Faint)
        )?;
        Ok(out.flush()?)
    }

    /// One line of words.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        if self.colour && !self.json {
            write!(out, "\r\x1b[2K")?;
        }
        writeln!(out, "{}", text.trim_end_matches('\n'))?;
        Ok(out.flush()?)
    }

    /// Text as it is, without a line end.
    pub(crate) fn raw(&self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    /// The document where documents are wanted, else the words.
    pub(crate) fn either(
        &self,
        value: &impl Serialize,
        words: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json {
            self.document(value)
        } else {
            self.line(&words())
        }
    }

    /// `text` with this look, where looks show.
    pub(crate) fn look(&self, text: &str, look: Look) -> String {
        if !self.colour || look == Look::Plain || text.is_empty() {
            return text.to_owned();
        }
        format!("{}{text}\x1b[0m", look.code())
    }
}

/// Text from a model, a tool or a file name, safe for a terminal: no control
/// characters that could move the cursor or hide part of a command.
pub(crate) fn safe(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control()
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                '\u{fffd}'
            }
            c => c,
        })
        .collect()
}
