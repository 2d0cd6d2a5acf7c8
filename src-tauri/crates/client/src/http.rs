//! One HTTP/1.1 exchange over a Unix socket.

use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::error::ClientError;

/// The largest answer read, in bytes: a run with very many operations stays below.
const MAX_ANSWER: usize = 256 << 20;

/// A complete answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// Posts a JSON document and reads the whole answer.
pub(crate) async fn post(socket: &Path, path: &str, body: Vec<u8>) -> Result<Answer, ClientError> {
    let request = Request::post(path)
        .header("host", "longhaul")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| ClientError::Garbled(e.to_string()))?;
    let response = send(socket, request).await?;
    let status = response.status().as_u16();
    let body = http_body_util::Limited::new(response.into_body(), MAX_ANSWER)
        .collect()
        .await
        .map_err(|why| unreachable_because(socket, why))?
        .to_bytes();
    Ok(Answer { status, body })
}

/// Opens a stream; the answer's body comes as it is written.
pub(crate) async fn get(socket: &Path, path: &str) -> Result<Response<Incoming>, ClientError> {
    let request = Request::get(path)
        .header("host", "longhaul")
        .header("accept", "text/event-stream")
        .body(Full::new(Bytes::new()))
        .map_err(|e| ClientError::Garbled(e.to_string()))?;
    send(socket, request).await
}

async fn send(
    socket: &Path,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, ClientError> {
    let lost = |why: &dyn std::fmt::Display| unreachable_because(socket, why);
    let stream = UnixStream::connect(socket).await.map_err(|e| lost(&e))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| lost(&e))?;
    // Ends by itself when the answer has been read or its body is dropped.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection to the daemon ended");
        }
    });
    sender.send_request(request).await.map_err(|e| lost(&e))
}

pub(crate) fn unreachable_because(socket: &Path, why: impl std::fmt::Display) -> ClientError {
    ClientError::Unreachable {
        socket: socket.to_owned(),
        why: why.to_string(),
    }
}
