//! What commands get from their surroundings: the only place that reads them.

use std::io::IsTerminal;
use std::path::PathBuf;

use client::{Client, Launch, Paths, handshake};
use domain::Timestamp;
use protocol::{ApiError, ErrorCode};

use crate::failure::Failure;
use crate::print::Printer;

/// This program's version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A command's surroundings.
pub(crate) struct Context {
    /// Where output goes and how it looks.
    pub(crate) print: Printer,
    /// How a daemon is started.
    pub(crate) launch: Launch,
    /// Where the command was given.
    pub(crate) cwd: PathBuf,
}

impl Context {
    pub(crate) fn new(json: bool) -> Result<Self, ApiError> {
        let cannot = |message: String| {
            ApiError::usage(message, "set LONGHAUL_HOME to a folder Longhaul may use")
        };
        let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let user = rustix::process::getuid().as_raw();
        let paths = Paths::find(|name| std::env::var_os(name), user, &cwd).map_err(cannot)?;
        let program = std::env::current_exe().map_err(|e| {
            ApiError::new(
                ErrorCode::Internal,
                format!("cannot find myself: {e}"),
                "install again",
            )
        })?;
        let user_manager =
            std::env::var_os("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("systemd"));
        let colour = std::io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Ok(Self {
            print: Printer {
                json,
                colour,
                width: width(),
            },
            launch: Launch {
                program,
                paths,
                user_manager,
            },
            cwd,
        })
    }

    /// A client of a daemon that is there: it is started, or replaced by this newer one.
    pub(crate) async fn client(&self) -> Result<Client, Failure> {
        handshake(&self.launch, VERSION).await?;
        Ok(self.client_as_is())
    }

    /// A client of whatever daemon there is.
    pub(crate) fn client_as_is(&self) -> Client {
        Client::connect(&self.launch.paths.socket)
    }

    /// The wall-clock time, for relative times in output.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }
}

/// The terminal's width in columns; wide where there is no terminal.
fn width() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col >= 40 => size.ws_col.into(),
        _ => 200,
    }
}
