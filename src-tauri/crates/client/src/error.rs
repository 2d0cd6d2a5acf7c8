use std::path::PathBuf;

use protocol::{ApiError, ErrorCode};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers: start a daemon, or try again.
    #[error("no daemon answers on {}: {why}", socket.display())]
    Unreachable {
        /// The socket that was tried.
        socket: PathBuf,
        /// What the system says.
        why: String,
    },
    /// The daemon says no, in its own words.
    #[error("{0}")]
    Refused(#[source] ApiError),
    /// What answered does not speak this protocol.
    #[error("the daemon's answer cannot be understood: {0}")]
    Garbled(String),
    /// A daemon could not be started.
    #[error("the daemon could not be started: {0}")]
    Start(String),
}

impl ClientError {
    /// The same as the two lines people see.
    pub fn to_api(&self) -> ApiError {
        let message = self.to_string();
        match self {
            Self::Refused(error) => error.clone(),
            Self::Unreachable { .. } => ApiError::new(
                ErrorCode::Unreachable,
                message,
                "start it with `longhaul daemon start`",
            ),
            Self::Start(_) => ApiError::new(
                ErrorCode::Unreachable,
                message,
                "run `longhaul daemon run` in a terminal to see what it says",
            ),
            Self::Garbled(_) => ApiError::new(
                ErrorCode::Unreachable,
                message,
                "the daemon may be of another version: `longhaul daemon stop`, then try again",
            ),
        }
    }
}
