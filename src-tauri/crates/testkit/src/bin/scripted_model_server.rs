//! The scripted model server on its own, for tests in other languages and for trying things out.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program"
)]

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use testkit::ModelServer;

const USAGE: &str = "usage: scripted-model-server [--port N] [--script FILE]... [--key KEY]

Serves the Anthropic Messages API on 127.0.0.1. Prompts choose a script by [[script:NAME]].
  --port N       the port (default: any free one, printed)
  --script FILE  a JSON file: {\"default\": \"NAME\", \"scripts\": {\"NAME\": {\"turns\": [...]}}}
  --key KEY      accept only this key (default: any, or none)";

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scripted-model-server: {error:#}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

async fn serve() -> anyhow::Result<()> {
    let (mut port, mut scripts, mut key) = (0, Vec::new(), None);
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        if matches!(flag.as_str(), "-h" | "--help") {
            println!("{USAGE}");
            return Ok(());
        }
        let value = args
            .next()
            .with_context(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--port" => port = value.parse().context("--port needs a number")?,
            "--script" => scripts.push(PathBuf::from(value)),
            "--key" => key = Some(value),
            _ => bail!("unknown option {flag}"),
        }
    }
    let server = ModelServer::start_on(port).await?;
    for file in &scripts {
        server.load_file(file)?;
    }
    server.set_valid_key(key.as_deref());
    println!("{}", server.url());
    server.serve().await;
    Ok(())
}
