//! A fake `claude`, for supervising an agent in tests. See `testkit::scripted_agent`.

use std::{path::PathBuf, process::ExitCode};

use testkit::scripted_agent::{Surroundings, run};

#[tokio::main]
async fn main() -> ExitCode {
    let surroundings = Surroundings {
        home: std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from),
        cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
        script: std::env::var_os("SCRIPTED_AGENT_SCRIPT").map(PathBuf::from),
    };
    let code = run(std::env::args().skip(1), surroundings).await;
    // Not by returning: a thread that waits for standard input would keep the process.
    std::process::exit(code)
}
