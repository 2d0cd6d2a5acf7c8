//! What the agent remembers of a session.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::script::Step;

#[derive(Serialize, Deserialize)]
enum Line {
    Begun { step: usize, command: String },
    Ended { step: usize },
}

/// One session's file: a line when a step begins, and one when it ends.
pub(super) struct Memory {
    file: PathBuf,
    done: usize,
    cut_off: Option<String>,
}

impl Memory {
    pub(super) fn of(folder: &str, session: &str) -> Self {
        let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = home.join(folder);
        fs::create_dir_all(&folder).ok();
        let file = folder.join(format!("{session}.rough"));
        let text = fs::read_to_string(&file).unwrap_or_default();
        let (mut done, mut cut_off) = (0, None);
        for line in text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
        {
            match line {
                Line::Begun { step, command } => {
                    // Not again, whatever came of it.
                    done = step + 1;
                    cut_off = Some(command);
                }
                Line::Ended { step } => {
                    done = step + 1;
                    cut_off = None;
                }
            }
        }
        Self {
            file,
            done,
            cut_off,
        }
    }

    /// Steps that are behind it.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// What it was in when it was ended.
    pub(super) fn cut_off(&self) -> Option<String> {
        self.cut_off.clone().filter(|command| !command.is_empty())
    }

    pub(super) fn go_on(&mut self) {
        self.cut_off = None;
    }

    pub(super) fn begin(&mut self, step: usize, what: &Step) {
        let command = match what {
            Step::Run { command, .. } => command.clone(),
            _ => String::new(),
        };
        self.write(&Line::Begun { step, command });
    }

    pub(super) fn end(&mut self, step: usize) {
        self.write(&Line::Ended { step });
    }

    fn write(&self, line: &Line) {
        let text = serde_json::to_string(line).expect("a line is plain data");
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.file);
        if let Err(error) = file.and_then(|mut file| writeln!(file, "{text}")) {
            super::complain(&format!(
                "rough-agent: cannot write {}: {error}",
                self.file.display()
            ));
        }
    }
}
