//! Figures, measured on the machine they are printed with. `cargo xtask bench [NAME…]`.
//!
//! Each says what it was compared with (the design's target, the disk's own speed, another
//! program on the same content). A missed target is printed and fails nothing: timing
//! depends on the machine, and a reader must see the machine beside it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program"
)]

mod commits;
mod content;
mod daemons;
mod gateway;
mod growth;
mod idle;
mod langgraph;
mod machine;
mod processes;
mod report;
mod resume;
mod runs;
mod samples;
mod session;
mod start;
mod workspaces;

use std::process::ExitCode;

use crate::session::{Scale, Session};

/// What can be named, in the order in which it is measured.
const NAMES: [&str; 10] = [
    "commits",
    "growth",
    "resume",
    "start",
    "idle",
    "keeper",
    "runs",
    "workspaces",
    "gateway",
    "langgraph",
];

#[tokio::main]
async fn main() -> ExitCode {
    let (flags, names): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|arg| arg.starts_with("--"));
    if let Some(unknown) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        eprintln!(
            "there is no figure '{unknown}'; there are: {}",
            NAMES.join(" ")
        );
        return ExitCode::from(2);
    }
    let scale = match flags.iter().any(|flag| flag == "--quick") {
        true => Scale::QUICK,
        false => Scale::FULL,
    };
    let wanted = |name: &&str| names.is_empty() || names.iter().any(|n| n == name);
    let mut session = match Session::new(scale) {
        Ok(session) => session,
        Err(error) => {
            eprintln!("the benches cannot begin: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    for name in NAMES.iter().filter(|name| wanted(name)) {
        eprintln!("== {name}");
        if let Err(error) = measure(name, &mut session).await {
            eprintln!("   {name} could not be measured: {error:#}");
            session.report.broken(name, &error);
        }
    }
    session.report.print();
    match session.report.is_whole() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

async fn measure(name: &str, session: &mut Session) -> anyhow::Result<()> {
    match name {
        "commits" => commits::measure(session).await,
        "growth" => growth::measure(session).await,
        "resume" => resume::measure(session).await,
        "start" => start::measure(session).await,
        "idle" => idle::measure_daemon(session).await,
        "keeper" => idle::measure_keeper(session).await,
        "runs" => runs::measure(session).await,
        "workspaces" => workspaces::measure(session).await,
        "gateway" => gateway::measure(session).await,
        "langgraph" => langgraph::measure(session).await,
        _ => Ok(()),
    }
}
