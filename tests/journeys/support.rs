//! What every journey starts from: a home of its own, a daemon in it, a scripted model
//! behind real HTTP, a project to work on.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::{
    EffectLedger, ModelServer, Output, SampleProject, TestDaemon, TestHome,
    model_server::{RequestRecord, Script, Turn},
    project::{CALC_BROKEN, CALC_FIXED},
};

/// Plenty for anything that is to happen; a test that needs it all is broken.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// Obviously no key.
pub(crate) const KEY: &str = "test-key-not-real-0001";

/// The model most journeys ask for: $2 and $10 a million tokens.
pub(crate) const MODEL: &str = "claude-sonnet-5-5";

/// The daemon's settings with everything a person would wait for made short.
pub(crate) const QUICK: &str = "\
slots = 4
retry_ms = 40
stagger_ms = 20
auth_recheck_ms = 200
verify_tries = 2
probe_ms = 150
release_spacing_ms = 50
";

/// A daemon, a model and a project.
pub(crate) struct World {
    pub(crate) daemon: TestDaemon,
    pub(crate) server: ModelServer,
    pub(crate) project: SampleProject,
}

impl World {
    /// With quick settings and a backend `model` at the scripted server.
    pub(crate) async fn new() -> Result<Self> {
        Self::with(QUICK).await
    }

    /// With other settings (`config.toml`).
    pub(crate) async fn with(config: &str) -> Result<Self> {
        Self::at(home(config)?).await
    }

    /// In a home that is prepared already.
    pub(crate) async fn at(home: TestHome) -> Result<Self> {
        let server = ModelServer::start().await?;
        let project = SampleProject::calc(home.place("calc"))?;
        let daemon = TestDaemon::start(home).await?;
        let world = Self {
            daemon,
            server,
            project,
        };
        world.add_backend("model", "LH_TEST_KEY").await?;
        Ok(world)
    }

    /// A backend at the scripted server, with the key in the daemon's variable `key`.
    pub(crate) async fn add_backend(&self, name: &str, key: &str) -> Result<()> {
        let url = self.server.url();
        let args = [
            "backend",
            "add",
            name,
            "--kind",
            "anthropic",
            "--base-url",
            &url,
            "--model",
            MODEL,
            "--key-env",
            key,
        ];
        self.daemon.cli(&args).await?.ok().map(|_| ())
    }

    /// `longhaul ARGS`.
    pub(crate) async fn cli(&self, args: &[&str]) -> Result<Output> {
        self.daemon.cli(args).await
    }

    /// `longhaul ARGS --json`, which must succeed.
    pub(crate) async fn json(&self, args: &[&str]) -> Result<Value> {
        let args = [args, &["--json"]].concat();
        Ok(self.cli(&args).await?.ok()?.json())
    }

    /// `longhaul run` of a script in the project, with these flags besides.
    pub(crate) async fn run(&self, script: &str, flags: &[&str]) -> Result<Output> {
        let prompt = format!("Please do what is needed. [[script:{script}]]");
        let project = self.project.path().display().to_string();
        let mut args = vec!["run", "--project", &project];
        if !flags.contains(&"--backend") {
            args.extend(["--backend", "model"]);
        }
        args.extend(flags);
        args.push(&prompt);
        self.cli(&args).await
    }

    /// Starts a run of a script and does not wait; its id.
    pub(crate) async fn start(&self, script: &str, flags: &[&str]) -> Result<String> {
        let flags = [&["--detach"], flags].concat();
        let id = self.run(script, &flags).await?.ok()?.json()["id"].clone();
        Ok(id.as_str().context("an id")?.to_owned())
    }

    /// Waits until the run is in one of `states`.
    pub(crate) async fn wait(&self, run: &str, states: &[&str]) -> Result<Value> {
        self.daemon.wait_state(run, states, SOON).await
    }

    /// Waits until the run is completed; says why if it comes to another end.
    pub(crate) async fn completed(&self, run: &str) -> Result<Value> {
        let ends = ["completed", "failed", "cancelled", "interrupted"];
        let shown = self.wait(run, &ends).await?;
        ensure!(shown["state"] == "completed", "not completed: {shown:#}");
        Ok(shown)
    }

    /// Waits until the run has an open review of this kind; that review.
    pub(crate) async fn review(&self, run: &str, kind: &str) -> Result<Value> {
        let shown = self
            .daemon
            .wait_shown(run, SOON, |run| open_review(run, kind).is_some())
            .await
            .with_context(|| format!("waiting for a review of kind {kind}"))?;
        open_review(&shown, kind).context("a review")
    }

    /// Says of an operation in doubt that it happened.
    pub(crate) async fn happened(&self, doubt: &Value) -> Result<()> {
        let answer = ["answer", &text(doubt, "id")?, "happened"];
        self.cli(&answer).await?.ok().map(drop)
    }

    /// All of what the model was sent in the last request of a script, as text.
    pub(crate) fn last_request(&self, script: &str) -> Result<RequestRecord> {
        let requests = self.server.requests_of(script);
        requests.into_iter().next_back().context("no request")
    }

    /// Everything the model was ever sent for a script, as text.
    pub(crate) fn said_to_model(&self, script: &str) -> String {
        self.server
            .requests_of(script)
            .last()
            .map(|request| request.body["messages"].to_string())
            .unwrap_or_default()
    }

    /// A ledger of real effects in this home.
    pub(crate) fn effects(&self) -> EffectLedger {
        EffectLedger::at(self.daemon.home.place("effects.jsonl"))
    }
}

/// A home with these settings and a key in its environment.
pub(crate) fn home(config: &str) -> Result<TestHome> {
    let mut home = TestHome::new(env!("CARGO_BIN_EXE_longhaul"))?;
    home.set_env("LH_TEST_KEY", KEY);
    home.set_env("LH_OTHER_KEY", "test-key-not-real-0002");
    home.configure(config)?;
    Ok(home)
}

/// A command that hangs once it has `begun`, to be killed; with the file `go` it ends.
pub(crate) fn hangs(effects: &EffectLedger, go: &Path) -> String {
    let begun = effects.shell("begun");
    format!("{begun}; [ -e {} ] || sleep 600", go.display())
}

/// A command that has `begun`, waits for the file `go`, and has `ended`.
pub(crate) fn waits(effects: &EffectLedger, go: &Path) -> String {
    let (begun, ended) = (effects.shell("begun"), effects.shell("ended"));
    let go = go.display();
    format!("{begun}; while [ ! -e {go} ]; do sleep 0.05; done; {ended}")
}

/// The run's open review of a kind.
pub(crate) fn open_review(run: &Value, kind: &str) -> Option<Value> {
    let mut reviews = run["reviews"].as_array()?.iter();
    reviews
        .find(|review| review["kind"] == kind && review["state"] == "open")
        .cloned()
}

/// The text of a field that must be there.
pub(crate) fn text(value: &Value, field: &str) -> Result<String> {
    let text = value[field].as_str();
    Ok(text
        .with_context(|| format!("no {field}: {value:#}"))?
        .to_owned())
}

/// Decimal dollars as nano-dollars, exactly.
pub(crate) fn nano(amount: &Value) -> Result<i64> {
    let text = amount
        .as_str()
        .with_context(|| format!("no amount: {amount}"))?;
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    ensure!(part.len() <= 9, "more than nano-dollars: {text}");
    Ok(whole.parse::<i64>()? * 1_000_000_000 + format!("{part:0<9}").parse::<i64>()?)
}

/// The first operation that has this name.
pub(crate) fn op(run: &Value, name: &str) -> Result<Value> {
    let ops = run["ops"].as_array().context("ops")?;
    let found = ops.iter().find(|op| op["name"] == name);
    Ok(found
        .with_context(|| format!("no {name} in {ops:#?}"))?
        .clone())
}

/// A turn that runs one shell command.
pub(crate) fn shell(command: &str) -> Turn {
    Turn::new().tool("shell", json!({ "command": command }))
}

/// A model that runs one shell command and ends.
pub(crate) fn one_command(command: &str) -> Script {
    Script::new()
        .turn(shell(command))
        .turn(Turn::text("The command is done."))
}

/// A model that mends `calc.sh`: reads, edits, tests, ends.
pub(crate) fn mend() -> Script {
    let (wrong, right) = (line_of(CALC_BROKEN), line_of(CALC_FIXED));
    Script::new()
        .turn(
            Turn::text("I look at it first.")
                .tool("read", json!({"path": "calc.sh"}))
                .tool("read", json!({"path": "test.sh"})),
        )
        .turn(Turn::new().tool(
            "edit",
            json!({"path": "calc.sh", "old_text": wrong, "new_text": right}),
        ))
        .turn(shell("sh test.sh"))
        .turn(Turn::text("I mended add in calc.sh; its test passes."))
}

fn line_of(calc: &str) -> &str {
    let line = calc.lines().nth(4).unwrap_or_default();
    line.trim()
}
