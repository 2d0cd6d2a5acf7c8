//! What `longhaul keeper …` is in the real binary, for this crate's tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    keeper::main(std::env::args_os().skip(2))
}
