//! The edge at which errors become words and exit codes.

use std::io::Write;
use std::process::ExitCode;

use client::ClientError;
use protocol::{ApiError, ErrorBody, ErrorCode};

/// Why a command ends without having done what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// With words for the user.
    Told(ApiError),
    /// The reader of our output went away: nothing to say and nobody to say it to.
    PipeClosed,
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Told(error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Told(error.to_api())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::PipeClosed;
        }
        Self::Told(ApiError::new(
            ErrorCode::Internal,
            format!("cannot read or write: {error}"),
            "check the terminal, file or disk it concerns",
        ))
    }
}

impl Failure {
    /// A request that is wrong as it stands.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Told(ApiError::usage(message, hint))
    }

    /// Says it: two lines on stderr, or one document on stdout.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        let Self::Told(error) = self else {
            return ExitCode::SUCCESS;
        };
        if json {
            let _ = writeln!(std::io::stdout(), "{}", document(error));
        } else {
            eprintln!("{}", words(error));
        }
        ExitCode::from(error.code.exit_code())
    }
}

/// `error: …` and `hint: …`.
pub(crate) fn words(error: &ApiError) -> String {
    let mut text = format!("error: {}", error.message);
    if !error.hint.is_empty() {
        text.push_str(&format!("\nhint: {}", error.hint));
    }
    text
}

/// `{"error":{…}}`.
pub(crate) fn document(error: &ApiError) -> String {
    serde_json::to_string(&ErrorBody {
        error: error.clone(),
    })
    .expect("errors have string keys")
}

/// What clap says of a wrong command line, or its help and version.
pub(crate) fn report_usage(error: &clap::Error) -> ExitCode {
    // There are no parsed arguments to ask, so the raw ones are.
    let json = std::env::args_os().any(|word| word == "--json");
    if !error.use_stderr() || !json {
        let _ = error.print();
        return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
    }
    Failure::Told(usage_of(&error.render().to_string())).report(true)
}

/// The first line of clap's words as the message, its advice as the hint.
pub(crate) fn usage_of(rendered: &str) -> ApiError {
    let mut lines = rendered
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let first = lines
        .next()
        .unwrap_or("the command line cannot be understood");
    let details: Vec<&str> = lines
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .collect();
    let message = first.trim_start_matches("error: ");
    ApiError::usage(
        [&[message], details.as_slice()].concat().join(" "),
        "see `longhaul help` and `longhaul help COMMAND`",
    )
}
