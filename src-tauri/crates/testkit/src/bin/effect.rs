//! A command with one countable side effect.
#![allow(clippy::print_stderr, reason = "a command-line program")]

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use testkit::effects::EffectLedger;

const USAGE: &str = "usage: effect LEDGER KEY [--before-ms N] [--sleep-ms N] [--fail]

Appends one line with KEY to LEDGER, durably.
  --before-ms N  wait before the effect
  --sleep-ms N   wait after it, before exiting
  --fail         exit with 1 although it happened";

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("effect: {error:#}\n\n{USAGE}");
        ExitCode::from(2)
    })
}

fn run() -> anyhow::Result<ExitCode> {
    let mut words = Vec::new();
    let (mut before, mut after, mut end) = (Duration::ZERO, Duration::ZERO, ExitCode::SUCCESS);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--before-ms" => before = milliseconds(args.next())?,
            "--sleep-ms" => after = milliseconds(args.next())?,
            "--fail" => end = ExitCode::FAILURE,
            flag if flag.starts_with("--") => bail!("unknown option {flag}"),
            word => words.push(word.to_owned()),
        }
    }
    let [ledger, key] = words.as_slice() else {
        bail!("a ledger and a key are needed")
    };
    std::thread::sleep(before);
    EffectLedger::at(ledger)
        .record(key)
        .with_context(|| format!("cannot write {ledger}"))?;
    std::thread::sleep(after);
    Ok(end)
}

fn milliseconds(arg: Option<String>) -> anyhow::Result<Duration> {
    Ok(Duration::from_millis(
        arg.context("a number of milliseconds is missing")?
            .parse()?,
    ))
}
