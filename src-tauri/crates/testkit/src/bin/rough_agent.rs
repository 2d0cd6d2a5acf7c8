//! An agent that may misbehave, in three languages. See `testkit::rough_agent`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Not by returning: a thread that waits for standard input would keep the process.
    std::process::exit(testkit::rough_agent::run(std::env::args().skip(1)))
}
