//! Who is at the other end of the socket.

use std::path::PathBuf;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use protocol::{ApiError, ErrorCode};
use tokio::net::UnixStream;

use crate::server::UserSocket;

/// The process at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) pid: Option<u32>,
}

impl Peer {
    pub(crate) fn of(stream: &UnixStream) -> Self {
        let pid = stream.peer_cred().ok().and_then(|cred| cred.pid());
        Self {
            pid: pid.and_then(|pid| u32::try_from(pid).ok()),
        }
    }
}

impl Connected<IncomingStream<'_, UserSocket>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UserSocket>) -> Self {
        Self::of(stream.io())
    }
}

/// Refuses a decision that comes from inside a run.
pub(crate) async fn must_be_outside(peer: Peer, keepers: PathBuf) -> Result<(), ApiError> {
    let Some(pid) = peer.pid else { return Ok(()) };
    let inside = tokio::task::spawn_blocking(move || keeper::descends_from_keeper(pid, &keepers))
        .await
        .map_err(ApiError::internal)?;
    if inside {
        return Err(ApiError::new(
            ErrorCode::Refused,
            "a decision cannot come from inside a run",
            "decide it yourself: `longhaul reviews` in your own terminal",
        ));
    }
    Ok(())
}
