//! What the window may ask of the daemon. Documents pass through unread: the endpoint
//! list in `protocol` is the contract, and it is the daemon that keeps it.

use std::sync::Arc;

use domain::RunId;
use protocol::ApiError;
use serde_json::Value;
use tauri::State;
use tauri::ipc::{Channel, InvokeResponseBody, Response};

use crate::daemon_link::DaemonLink;
use crate::stream::{Subscriptions, pump};

/// Makes the call `name` and answers with the daemon's document.
#[tauri::command]
pub(crate) async fn call(
    link: State<'_, Arc<DaemonLink>>,
    name: String,
    request: Value,
) -> Result<Response, ApiError> {
    let answer = link.call(&name, request.to_string().into_bytes()).await?;
    Ok(Response::new(answer))
}

/// Opens a stream of the events after `after` (from now on if absent), of one run or of
/// all, and answers with its number. `channel` gets arrays of `hello`, `event`, `delta`
/// and `resync` items, and `end` when the connection is over.
#[tauri::command]
pub(crate) async fn subscribe(
    link: State<'_, Arc<DaemonLink>>,
    subscriptions: State<'_, Subscriptions>,
    after: Option<String>,
    run: Option<String>,
    channel: Channel<InvokeResponseBody>,
) -> Result<u32, ApiError> {
    let run: Option<RunId> = run
        .map(|run| run.parse())
        .transpose()
        .map_err(|e: domain::ParseIdError| ApiError::usage(e.to_string(), "give the whole id"))?;
    Ok(subscriptions.open(pump(Arc::clone(&link), after, run, channel)))
}

/// Ends a stream.
#[tauri::command]
pub(crate) fn unsubscribe(subscriptions: State<'_, Subscriptions>, subscription: u32) {
    subscriptions.close(subscription);
}
