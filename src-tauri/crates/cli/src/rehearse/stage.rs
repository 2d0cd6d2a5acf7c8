//! Where the tour is played: its home, its narration, and the commands it shows by
//! running them.

use std::ffi::OsStr;
use std::fmt::Display;
use std::process::Stdio;
use std::time::Duration;

use client::{Client, Paths};
use protocol::{ApiError, ErrorCode};
use serde_json::{Value, json};
use testkit::TestHome;
use tokio::process::Command;
use unicode_width::UnicodeWidthStr;

use super::Pace;
use crate::context::Context;
use crate::failure::Failure;
use crate::print::{Look, Printer};

/// Longest line of narration, in columns: longer ones are hard to read.
const NARRATION: usize = 78;

/// Reading time of a word, in milliseconds (400 words a minute, for eyes that skim).
const WORD_MS: usize = 150;

/// Longest a single command of the tour may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(60);

/// Variables of the user's that the tour's processes get. No others: no keys, no proxies.
const PASSED_ON: [&str; 6] = ["PATH", "TERM", "LANG", "LC_ALL", "NO_COLOR", "TZ"];

/// The tour's own place in the world, and how it talks to the user.
pub(super) struct Stage {
    pub(super) print: Printer,
    pub(super) pace: Pace,
    pub(super) home: TestHome,
    client: Client,
    chapter: Chapter,
}

/// What has been told of the current chapter.
#[derive(Default)]
struct Chapter {
    number: u32,
    title: &'static str,
    commands: Vec<Value>,
    facts: serde_json::Map<String, Value>,
}

impl Stage {
    pub(super) fn new(context: &Context, pace: Pace) -> Result<Self, Failure> {
        let mut home = TestHome::new(context.launch.program.clone()).map_err(told)?;
        home.remove_env("RUST_BACKTRACE").remove_env("TZ");
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name).as_deref().and_then(OsStr::to_str) {
                home.set_env(name, value);
            }
        }
        // Nothing may wait for a key the tour does not announce.
        home.set_env("GIT_PAGER", "cat").set_env("PAGER", "cat");
        let user = rustix::process::getuid().as_raw();
        let env = home.env().clone();
        let paths = Paths::find(|name| env.get(name).map(Into::into), user, home.root());
        let client = Client::connect(paths.map_err(told)?.socket);
        Ok(Self {
            print: context.print,
            pace,
            home,
            client,
            chapter: Chapter::default(),
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn into_home(self) -> TestHome {
        self.home
    }

    /// The current chapter, for words about a failure.
    pub(super) fn place(&self) -> String {
        match self.chapter.number {
            0 => "its preparation".to_owned(),
            n => format!("chapter {n} ({})", self.chapter.title),
        }
    }

    /// Begins the next chapter.
    pub(super) async fn chapter(
        &mut self,
        title: &'static str,
        words: &str,
    ) -> Result<(), Failure> {
        self.end_chapter()?;
        self.chapter = Chapter {
            number: self.chapter.number + 1,
            title,
            ..Chapter::default()
        };
        if !self.print.json {
            let head = format!("{}. {title}", self.chapter.number);
            let head = self.print.look(&head, Look::Bold);
            self.print.line(&format!("\n{head}"))?;
        }
        self.narrate(words).await
    }

    /// Prints what the chapter amounted to, where documents are wanted.
    pub(super) fn end_chapter(&mut self) -> Result<(), Failure> {
        let told = std::mem::take(&mut self.chapter.commands);
        let facts = std::mem::take(&mut self.chapter.facts);
        if !self.print.json || self.chapter.number == 0 {
            return Ok(());
        }
        self.print.document(&json!({
            "chapter": self.chapter.number,
            "title": self.chapter.title,
            "simulated": true,
            "commands": told,
            "facts": facts,
        }))
    }

    /// Commentary below what was shown, and time to read it.
    pub(super) async fn say(&self, words: &str) -> Result<(), Failure> {
        if !self.print.json {
            self.print.line("")?;
        }
        self.narrate(words).await
    }

    /// Commentary, and time to read it.
    pub(super) async fn narrate(&self, words: &str) -> Result<(), Failure> {
        if self.print.json {
            return Ok(());
        }
        for line in wrap(words, self.print.width.min(NARRATION)) {
            self.print.line(&self.print.look(&line, Look::Faint))?;
        }
        self.pause(words.split_whitespace().count()).await;
        Ok(())
    }

    /// Something that was found out, in the words for people and as a document.
    pub(super) fn fact(&mut self, name: &str, value: Value, words: &str) -> Result<(), Failure> {
        self.chapter.facts.insert(name.to_owned(), value);
        if self.print.json {
            return Ok(());
        }
        self.print.line(words)
    }

    /// Time to read so many words.
    async fn pause(&self, words: usize) {
        if self.pace == Pace::Reading {
            let ms = (words * WORD_MS).clamp(700, 6_000);
            tokio::time::sleep(Duration::from_millis(ms as u64)).await;
        }
    }

    /// Shows a command line as a user would type it.
    pub(super) fn show(&self, line: &str) -> Result<(), Failure> {
        if self.print.json {
            return Ok(());
        }
        let prompt = self.print.look("$", Look::Active);
        let line = self.print.look(line, Look::Bold);
        self.print.line(&format!("\n{prompt} {line}"))
    }

    /// Adds a command to the chapter's document.
    pub(super) fn record(&mut self, line: String, exit: i32, output: Value) {
        let entry = json!({"command": line, "exit": exit, "output": output});
        self.chapter.commands.push(entry);
    }

    /// Shows and runs `longhaul ARGS`, which must exit with `exit`.
    pub(super) async fn longhaul(&mut self, args: &[&str], exit: i32) -> Result<(), Failure> {
        let mut command = self.home.command(args);
        if self.print.json {
            command.arg("--json");
        }
        let line = line(&[&["longhaul"], args].concat());
        self.run(command, line, exit).await
    }

    /// Shows and runs another program, which must exit with `exit`.
    pub(super) async fn program(&mut self, words: &[&str], exit: i32) -> Result<(), Failure> {
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .envs(self.home.env())
            .current_dir(self.home.user_home())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        self.run(command, line(words), exit).await
    }

    async fn run(&mut self, mut command: Command, line: String, exit: i32) -> Result<(), Failure> {
        self.show(&line)?;
        // Ctrl-C is for the tour, which then ends its commands.
        command.process_group(0);
        if self.print.json {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        } else {
            // What it reports belongs into the tour's text, in its place.
            command.stderr(std::io::stdout());
        }
        let child = command.spawn()?;
        let ended = tokio::time::timeout(COMMAND_DEADLINE, child.wait_with_output()).await;
        let output = ended.map_err(|_| told(format!("`{line}` does not end")))??;
        let code = output.status.code().unwrap_or(-1);
        let said = document(&output.stdout);
        if code != exit {
            let words = match self.print.json {
                true => format!(": {said} {}", String::from_utf8_lossy(&output.stderr)),
                false => String::new(),
            };
            return Err(told(format!("`{line}` exited with {code}{words}")));
        }
        self.record(line, code, said);
        Ok(())
    }
}

/// Anything that went wrong, as words for the user.
pub(super) fn told(what: impl Display) -> Failure {
    Failure::Told(ApiError::new(
        ErrorCode::Internal,
        format!("{what:#}"),
        "try `longhaul rehearse` again",
    ))
}

/// A command line with the quotes a shell needs.
fn line(words: &[&str]) -> String {
    shlex::try_join(words.iter().copied()).expect("the tour's own words have no zero bytes")
}

/// One document, a list of them where there are several, text where it is none.
fn document(output: &[u8]) -> Value {
    let text = String::from_utf8_lossy(output);
    let documents: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    match documents {
        Ok(mut one) if one.len() == 1 => one.remove(0),
        Ok(many) if !many.is_empty() => many.into(),
        _ => text.trim_end().into(),
    }
}

/// The words in lines of at most `columns`.
fn wrap(words: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.width() + 1 + word.width() > columns {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}
