//! `cargo xtask`: the repository's chores. README names two of them.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a chore says what it does

mod bench;
mod chores;
mod ci;
mod desktop;
mod metadata;
mod packages;
mod tidy;
mod ui;

use std::process::ExitCode;

use anyhow::bail;

use crate::desktop::Profile;

const HELP: &str = "\
cargo xtask run             install what is missing, build, and open the application
cargo xtask run -- ARGS     the same for the command line: longhaul ARGS
cargo xtask test            install what is missing and run every test
cargo xtask window [NAME]   the tests in real windows, or those of one file
cargo xtask browser [NAME]  the tests in a browser, or those of one file
cargo xtask dev             the application, reloaded as it is edited
cargo xtask package         make the .deb (--debug: of the debug build)
cargo xtask ci              what .ci/run runs: test, format, lint, dependencies, tidy
cargo xtask bench [NAME]    measure, and print figures with the machine's facts
cargo xtask campaign [N]    the long crash campaign: N random kills (default 1000)
cargo xtask tidy            the repository's own rules: layers, file lengths, names
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> anyhow::Result<()> {
    let (name, rest) = match args.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => ("help", &[][..]),
    };
    match name {
        "run" => desktop::run(rest),
        "dev" => desktop::dev(),
        "window" => {
            chores::build_all()?;
            desktop::test(rest)
        }
        "browser" => {
            chores::build_all()?;
            desktop::test_browser(rest)
        }
        "package" => {
            if rest.iter().any(|word| word == "--debug") {
                desktop::build()?;
                return desktop::package(Profile::Debug).map(drop);
            }
            desktop::package(Profile::Release).map(drop)
        }
        "test" => chores::test(rest),
        "ci" => ci::run(),
        "bench" => bench::run(rest),
        "campaign" => chores::campaign(rest),
        "tidy" => tidy::run(),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => bail!("there is no '{other}'.\n{HELP}"),
    }
}
