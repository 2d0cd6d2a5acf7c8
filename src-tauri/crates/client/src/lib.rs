//! How a program talks to the daemon: typed calls over its socket, an event stream
//! that continues where it was cut, and a daemon started when there is none.

mod error;
mod http;
pub mod paths;
mod raw;
mod sse;
mod start;
mod stream;
#[cfg(test)]
mod tests;
mod versions;

use std::path::{Path, PathBuf};

use domain::RunId;
use protocol::{ErrorBody, Request};

pub use error::ClientError;
pub use paths::Paths;
pub use raw::{ENDPOINTS, Opened, RawItem, RawStream};
pub use start::{Launch, start_daemon_if_absent};
pub use stream::{EventStream, StreamItem};
pub use versions::{Handshake, handshake, newer};

/// A daemon's socket. Every call is a connection of its own: a Unix socket's costs
/// next to nothing, and a call never meets a half-dead connection.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of whatever daemon answers on `socket`. Connects with the first call.
    pub fn connect(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// The socket it talks to.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Makes a call.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] where no daemon answers, [`ClientError::Refused`] with
    /// the daemon's own words, [`ClientError::Garbled`] where the answer is not one.
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Response, ClientError> {
        let body = serde_json::to_vec(request)
            .map_err(|e| ClientError::Garbled(format!("the request cannot be written: {e}")))?;
        let answer = http::post(&self.socket, &format!("/v1/{}", R::NAME), body).await?;
        if answer.status == 200 {
            return serde_json::from_slice(&answer.body)
                .map_err(|e| ClientError::Garbled(format!("answer to {}: {e}", R::NAME)));
        }
        match serde_json::from_slice::<ErrorBody>(&answer.body) {
            Ok(body) => Err(ClientError::Refused(body.error)),
            Err(_) => Err(ClientError::Garbled(format!(
                "HTTP status {} to {}",
                answer.status,
                R::NAME
            ))),
        }
    }

    /// Events after `after` (from now on if absent), of one run or of all.
    pub fn events(&self, after: Option<String>, run: Option<RunId>) -> EventStream {
        EventStream::new(self.socket.clone(), after, run)
    }
}

macro_rules! methods {
    ($($name:ident: $request:ident => $response:ident, provides [$($p:ident),*], invalidates [$($i:ident),*];)*) => {
        impl Client {
            $(#[doc = concat!("Calls the endpoint `", stringify!($name), "`; errors as [`Client::call`].")]
            pub async fn $name(&self, request: protocol::$request) -> Result<protocol::$response, ClientError> {
                self.call(&request).await
            })*
        }
    };
}
protocol::endpoints!(methods);
