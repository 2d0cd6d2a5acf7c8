//! The `longhaul` command: arguments in, calls to the daemon, words or JSON out.

#![allow(clippy::print_stdout, clippy::print_stderr)] // printing is what this crate is for

mod args;
mod commands;
mod context;
mod failure;
mod follow;
mod ids;
mod parse;
mod print;
mod rehearse;
mod render;
mod service;
mod table;
#[cfg(test)]
mod tests;
mod times;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::context::Context;
use crate::failure::Failure;

/// The whole program. Returns what it exits with (DESIGN §6).
pub fn main() -> ExitCode {
    // A keeper must be small and free of threads: it is told apart before anything starts.
    let mut raw = std::env::args_os().skip(1);
    if raw.next().is_some_and(|word| word == "keeper") {
        return keeper::main(raw);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::report_usage(&error),
    };
    let json = cli.json;
    match Context::new(json)
        .map_err(Failure::from)
        .and_then(|context| commands::run(cli, context))
    {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.report(json),
    }
}
