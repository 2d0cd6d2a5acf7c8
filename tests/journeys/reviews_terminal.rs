//! `longhaul reviews -i` in a real terminal: what was not meant decides nothing.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::model_server::{Script, Turn};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::support::{SOON, World, one_command, text};

/// Longer than a key counts as held down.
const APART: Duration = Duration::from_millis(900);

/// `longhaul reviews -i` in a terminal of its own (util-linux's `script` makes it).
struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    shown: String,
}

impl Terminal {
    fn open(world: &World) -> Result<Self> {
        let program = world.daemon.home.binary().display().to_string();
        let mut child = Command::new("script")
            .args(["-qfec", &format!("{program} reviews -i"), "/dev/null"])
            .env_clear()
            .envs(world.daemon.home.env())
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("`script` of util-linux")?;
        let keys = child.stdin.take().context("keys")?;
        let screen = child.stdout.take().context("a screen")?;
        Ok(Self {
            child,
            keys,
            screen,
            shown: String::new(),
        })
    }

    async fn press(&mut self, keys: &str) -> Result<()> {
        self.keys.write_all(keys.as_bytes()).await?;
        Ok(self.keys.flush().await?)
    }

    /// Reads for a while; whether `words` has come up by now.
    async fn reads(&mut self, words: &str, time: Duration) -> Result<bool> {
        let deadline = Instant::now() + time;
        while !self.shown.contains(words) {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut part = [0; 4096];
            match tokio::time::timeout(left, self.screen.read(&mut part)).await {
                Err(_) | Ok(Ok(0) | Err(_)) => return Ok(false),
                Ok(Ok(n)) => self.shown.push_str(&String::from_utf8_lossy(&part[..n])),
            }
        }
        Ok(true)
    }

    /// Waits until the screen has shown this since the last time it was asked about.
    async fn shows(&mut self, words: &str) -> Result<()> {
        let there = self.reads(words, SOON).await?;
        ensure!(there, "no '{words}' on: {}", self.shown);
        self.forget_to(words);
        Ok(())
    }

    /// What comes after these words has not been asked about yet.
    fn forget_to(&mut self, words: &str) {
        if let Some(at) = self.shown.find(words) {
            self.shown.drain(..at + words.len());
        }
    }

    /// Presses a key, as often as a person would, until the screen shows this.
    async fn press_until(&mut self, key: &str, words: &str) -> Result<()> {
        for _ in 0..20 {
            self.press(key).await?;
            if self.reads(words, APART).await? {
                self.forget_to(words);
                return Ok(());
            }
        }
        anyhow::bail!("{key} never led to '{words}': {}", self.shown)
    }

    async fn ends(mut self) -> Result<String> {
        self.reads("\u{0}", SOON).await?;
        let status = tokio::time::timeout(SOON, self.child.wait()).await??;
        ensure!(status.success(), "{status}: {}", self.shown);
        Ok(self.shown)
    }
}

async fn review_of(world: &World, run: &str) -> Result<Value> {
    let all = world
        .json(&["reviews", "--status", "all", "--run", run])
        .await?;
    Ok(all["reviews"][0].clone())
}

async fn asked(world: &World, script: &str, command: &str) -> Result<String> {
    world.server.script(script, one_command(command));
    let run = world.start(script, &[]).await?;
    world.review(&run, "tool_call").await?;
    Ok(run)
}

#[tokio::test]
async fn one_key_decides_and_what_was_typed_ahead_does_not() -> Result<()> {
    let world = World::new().await?;
    let one = asked(&world, "one", "git push origin first").await?;
    let two = asked(&world, "two", "git push origin second").await?;
    let question = json!({"question": "Which colour?"});
    let asks = Turn::new().tool("ask_user", question);
    let script = Script::new().turn(asks).turn(Turn::text("Done."));
    world.server.script("three", script);
    let three = world.start("three", &[]).await?;
    world.review(&three, "question").await?;

    let mut terminal = Terminal::open(&world)?;
    // Typed before anything can be read; and a paste the moment it can.
    terminal.press("aaaa").await?;
    terminal.shows("git push origin first").await?;
    terminal.press("aaaaaaaa").await?;
    terminal.shows("quit").await?;
    // Had one of them counted, nothing would be left to deny here.
    terminal.press_until("d", "why not").await?;
    terminal.press("not today\r").await?;
    terminal.shows("u undoes it").await?;
    // The key held down a little too long is no answer to the next one.
    terminal.shows("git push origin second").await?;
    terminal.press_until("u", "open again").await?;
    terminal.shows("git push origin first").await?;
    terminal.press_until("d", "why not").await?;
    terminal.press("never\r").await?;
    terminal.shows("git push origin second").await?;
    terminal.press_until("j", "Which colour?").await?;
    terminal.press_until("k", "git push origin second").await?;
    // Put off is no answer.
    terminal.press_until("s", "which is not a no").await?;
    terminal.shows("Which colour?").await?;
    terminal.press_until("\r", "your answer").await?;
    terminal.press("blue\x7f\x7f\x7f\x7fred\r").await?;
    terminal.shows("nothing needs a decision").await?;
    let end = terminal.ends().await?;
    ensure!(end.contains("2 decided"), "{end}");

    let first = review_of(&world, &one).await?;
    assert_eq!(
        (&first["answer"]["choice"], &first["answer"]["note"]),
        (&json!("reject"), &json!("never"))
    );
    let second = review_of(&world, &two).await?;
    ensure!(
        second["state"] == "open" && second["snoozed_until"].is_string(),
        "{second:#}"
    );
    world.completed(&one).await?;
    world.completed(&three).await?;
    ensure!(world.said_to_model("three").contains("red"));
    Ok(())
}

#[tokio::test]
async fn a_held_key_approves_one_and_a_decision_elsewhere_is_seen() -> Result<()> {
    let world = World::new().await?;
    let one = asked(&world, "one", "git push origin first").await?;
    let two = asked(&world, "two", "git push origin second").await?;
    let mut terminal = Terminal::open(&world)?;
    terminal.shows("git push origin first").await?;
    terminal.press_until("a", "u undoes it").await?;
    // Held down from there on, well beyond the moment in which a new review counts no key.
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        terminal.press("a").await?;
        terminal.reads("\u{0}", Duration::from_millis(40)).await?;
    }
    let second = review_of(&world, &two).await?;
    assert_eq!(second["state"], "open", "a held key approved it");
    world
        .json(&["reject", &text(&second, "id")?, "--note", "elsewhere"])
        .await?;
    terminal.shows("decided elsewhere: reject by cli").await?;
    terminal.shows("nothing needs a decision").await?;
    terminal.ends().await?;
    let first = review_of(&world, &one).await?;
    assert_eq!(first["answer"]["choice"], "approve");
    world.completed(&two).await?;
    let piped = world.cli(&["reviews", "-i"]).await?;
    assert_eq!(piped.code, 2, "there is no terminal");
    Ok(())
}
