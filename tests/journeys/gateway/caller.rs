//! An agent whose calls the test makes itself: its process only holds the turn open.

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{SOON, World};

/// Says its version, else nothing at all.
const SILENT: &str =
    r#"sh -c 'case "$*" in *--version*) echo 1.0.0;; *) cat >/dev/null;; esac' agent"#;

/// A run in its turn, and what its agent was given.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) run: String,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    pub(crate) token: String,
    openai: bool,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Got {
    /// 0 where the connection ended without an answer.
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Caller {
    /// Starts a run of an agent of this kind, with these flags, and waits for its process.
    pub(crate) async fn start(world: &World, kind: &str, flags: &[&str]) -> Result<Self> {
        let openai = kind == "codex";
        let url = match openai {
            true => format!("{}/v1", world.server.url()),
            false => world.server.url(),
        };
        let add = [
            "backend",
            "add",
            kind,
            "--kind",
            kind,
            "--command",
            SILENT,
            "--base-url",
            &url,
            "--key-env",
            "LH_TEST_KEY",
        ];
        world.json(&add).await?;
        let flags = [&["--backend", kind], flags].concat();
        let run = world.start("none", &flags).await?;
        let variable = match openai {
            true => "LONGHAUL_CODEX_KEY",
            false => "ANTHROPIC_API_KEY",
        };
        let token = variable_of_the_agent(world, &run, variable).await?;
        let address = match openai {
            true => token.1["LONGHAUL_TEST_ARGV"].clone(),
            false => token.1["ANTHROPIC_BASE_URL"].clone(),
        };
        let address = address
            .split("127.0.0.1:")
            .nth(1)
            .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next())
            .with_context(|| format!("no address in {address}"))?;
        Ok(Self {
            run,
            address: format!("127.0.0.1:{address}"),
            token: token.0,
            openai,
        })
    }

    /// The same with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// A call of a script by the Messages API, or by Codex's API.
    pub(crate) async fn call(&self, script: &str, prompt: &str) -> Result<Got> {
        let text = format!("{prompt} [[script:{script}]]");
        match self.openai {
            true => self.response(&text).await,
            false => self.message(&text).await,
        }
    }

    pub(crate) async fn message(&self, text: &str) -> Result<Got> {
        let body = json!({"model": "claude-sonnet-5-5", "max_tokens": 1000, "stream": true,
            "messages": [{"role": "user", "content": text}]});
        self.post("/v1/messages?beta=true", &body).await
    }

    pub(crate) async fn response(&self, text: &str) -> Result<Got> {
        let input = json!([{"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}]);
        let body = json!({"model": "gpt-5.5", "stream": true, "instructions": "", "input": input});
        self.post("/v1/responses", &body).await
    }

    pub(crate) async fn chat(&self, text: &str) -> Result<Got> {
        let body = json!({"model": "gpt-5.5", "stream": true, "stream_options": {"include_usage": true},
            "messages": [{"role": "user", "content": text}]});
        self.post("/v1/chat/completions", &body).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Got> {
        let host = self.address.clone();
        self.send(&format!("POST {path}"), &host, &body.to_string())
            .await
    }

    /// A request as it is written, with this `Host`.
    pub(crate) async fn send(&self, line: &str, host: &str, body: &str) -> Result<Got> {
        let key = match self.openai {
            true => format!("authorization: Bearer {}", self.token),
            false => format!("x-api-key: {}\r\nanthropic-version: 2023-06-01", self.token),
        };
        let head = format!(
            "{line} HTTP/1.1\r\nhost: {host}\r\n{key}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut came = Vec::new();
        // A connection that is cut has what it had.
        let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut came))
            .await
            .context("no end of the answer")?;
        let text = String::from_utf8_lossy(&came).into_owned();
        let status = text
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Ok(Got {
            status: status.unwrap_or(0),
            text,
        })
    }
}

/// A variable of the run's agent, and its whole environment; `LONGHAUL_TEST_ARGV` is its
/// command line.
async fn variable_of_the_agent(
    world: &World,
    run: &str,
    name: &str,
) -> Result<(String, BTreeMap<String, String>)> {
    let until = tokio::time::Instant::now() + SOON;
    loop {
        for process in world.daemon.home.processes() {
            let place = format!("/proc/{}", process.pid);
            let environment = zero_ended(&format!("{place}/environ"));
            let argv = zero_ended(&format!("{place}/cmdline")).join(" ");
            let mut found: BTreeMap<String, String> = environment
                .iter()
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            found.insert("LONGHAUL_TEST_ARGV".to_owned(), argv);
            // Its keeper has the same environment on its way to it.
            let is_keeper = found["LONGHAUL_TEST_ARGV"].contains(" keeper ");
            let value = found.get(name).filter(|value| names_run(value, run));
            if let Some(value) = value.filter(|_| !is_keeper) {
                return Ok((value.clone(), found));
            }
        }
        if tokio::time::Instant::now() > until {
            let shown = world.json(&["show", run]).await?;
            ensure!(false, "no process has {name}: {shown:#}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A token names its run.
fn names_run(token: &str, run: &str) -> bool {
    token.contains(&run.replace('-', ""))
}

fn zero_ended(file: &str) -> Vec<String> {
    let bytes = fs::read(file).unwrap_or_default();
    let texts = bytes.split(|byte| *byte == 0);
    texts
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect()
}
