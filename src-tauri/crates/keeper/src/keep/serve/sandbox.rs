//! A child that is a sandbox with the command in it.

use std::fs;
use std::time::Instant;

use super::Keep;
use crate::keep::inside::{Ear, Heard, Told};
use crate::record::{StartFailure, StartFailureKind};
use crate::wire::Stream;

impl Keep {
    /// From now on the child is a sandbox, in which the command has this number.
    pub(in crate::keep) fn listen_to(&mut self, ear: Ear, command: i32) {
        self.ear = Some(ear);
        self.tree.is_wrapped(command);
    }

    pub(super) fn hear(&mut self) {
        while let Some(ear) = &mut self.ear {
            match ear.hear() {
                Heard::Line(Told::Ended(ending)) => self.tree.ended(ending, Instant::now()),
                Heard::Line(_) => {}
                Heard::Nothing => return,
                Heard::End => self.ear = None,
            }
        }
    }

    /// Why the sandbox ended before the command began, in its own words.
    pub(in crate::keep) fn sandbox_failure(&mut self) -> StartFailure {
        self.out.drain(&mut self.buffer);
        self.err.drain(&mut self.buffer);
        let said = [Stream::Err, Stream::Out].map(|stream| {
            let bytes =
                fs::read(crate::keep::spool_path(&self.dir, stream.file())).unwrap_or_default();
            String::from_utf8_lossy(&bytes).trim().to_owned()
        });
        let why = said.into_iter().find(|words| !words.is_empty());
        let why = why.unwrap_or_else(|| "it ended without a word".to_owned());
        StartFailure {
            kind: StartFailureKind::Sandbox,
            message: format!("the sandbox could not be set up: {why}"),
        }
    }
}
