//! The `longhaul` binary: command line, daemon and keeper in one file.

fn main() -> std::process::ExitCode {
    cli::main()
}
