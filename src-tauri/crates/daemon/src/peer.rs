//! Who is at the other end of the socket.

use std::path::PathBuf;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use keeper::Place;
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

/// Refuses a change that comes from inside a run, and one of which that cannot be
/// told: a caller that ended before it could be looked at, or that is in a namespace
/// out of sight. Whoever asks waits for the answer, so only these are refused.
pub(crate) async fn must_be_outside(peer: Peer, keepers: PathBuf) -> Result<(), ApiError> {
    let place = match peer.pid {
        Some(pid) => tokio::task::spawn_blocking(move || keeper::place_of(pid, &keepers))
            .await
            .map_err(ApiError::internal)?,
        None => Place::Unknown,
    };
    let why = match place {
        Place::Outside => return Ok(()),
        Place::Inside => "nothing can be decided or changed from inside a run",
        Place::Unknown => "it cannot be told whether this comes from inside a run",
    };
    Err(ApiError::new(
        ErrorCode::Refused,
        why,
        "do it yourself, in your own terminal",
    ))
}
