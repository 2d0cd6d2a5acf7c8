//! Errors by what the caller can do.

use serde::{Deserialize, Serialize};

/// Every way a call can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request is wrong as it stands: change it.
    Usage,
    /// A prefix fits several runs or reviews: give more of it.
    Ambiguous,
    /// The thing is not in a state in which this can be done.
    Conflict,
    /// There is no such thing.
    NotFound,
    /// Refused by policy or budget.
    Refused,
    /// A credential or the keychain does not work: mend it.
    Credential,
    /// The daemon cannot be reached.
    Unreachable,
    /// The store cannot be opened: only doctor, backup and restore work.
    Maintenance,
    /// What was waited for did not come in time.
    Timeout,
    /// A defect or a broken disk: look at the daemon's log.
    Internal,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: &'static [Self] = &[
        Self::Usage,
        Self::Ambiguous,
        Self::Conflict,
        Self::NotFound,
        Self::Refused,
        Self::Credential,
        Self::Unreachable,
        Self::Maintenance,
        Self::Timeout,
        Self::Internal,
    ];

    /// The command line's exit code (DESIGN §6).
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Usage | Self::Ambiguous | Self::Conflict => 2,
            Self::Unreachable | Self::Maintenance => 4,
            Self::Refused | Self::Credential => 5,
            Self::NotFound => 6,
            Self::Timeout => 7,
        }
    }

    /// The HTTP status it travels with.
    pub const fn status(self) -> u16 {
        match self {
            Self::Usage | Self::Ambiguous => 400,
            Self::Refused => 403,
            Self::NotFound => 404,
            Self::Timeout => 408,
            Self::Conflict => 409,
            Self::Credential => 424,
            Self::Internal => 500,
            Self::Unreachable | Self::Maintenance => 503,
        }
    }
}

/// What is wrong, and what to do: one line each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// For programs.
    pub code: ErrorCode,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(default)]
    pub hint: String,
}

impl ApiError {
    /// An error with both its lines.
    pub fn new(code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// A request that is wrong as it stands.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(ErrorCode::Usage, message, hint)
    }

    /// Something that does not exist.
    pub fn not_found(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, message, hint)
    }

    /// A defect, or a disk that fails.
    pub fn internal(why: impl std::fmt::Display) -> Self {
        Self::new(
            ErrorCode::Internal,
            format!("the daemon could not do this: {why}"),
            "look at the newest file in the home's logs folder, and run `longhaul doctor`",
        )
    }
}

/// The document an error travels in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ErrorBody {
    /// The error.
    pub error: ApiError,
}
