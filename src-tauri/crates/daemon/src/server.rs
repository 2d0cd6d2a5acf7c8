//! The socket: HTTP/1.1 over a Unix socket that only the user can reach.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::Listener;
use protocol::{ApiError, ErrorBody, ErrorCode, Request};
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::guard::{self, Guard};
use crate::handlers;
use crate::listen::Entrance;
use crate::peer::{Peer, must_be_outside};
use crate::stream;
use crate::ui;

type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Longest request: a prompt with room for escapes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The listening socket; connections of other users are dropped.
pub(crate) struct UserSocket {
    listener: UnixListener,
    uid: u32,
}

impl UserSocket {
    /// Listens at `path`, in a folder only the user can enter. A socket left by
    /// a dead daemon is replaced; the lock says that no living one has it.
    pub(crate) fn bind(path: &Path) -> Result<Self, ApiError> {
        let uid = rustix::process::geteuid().as_raw();
        let refuse = |why: String| {
            ApiError::new(
                ErrorCode::Unreachable,
                why,
                "set XDG_RUNTIME_DIR to a folder of your own",
            )
        };
        client::paths::secure_socket_folder(path, uid).map_err(refuse)?;
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path)
            .map_err(|e| refuse(format!("{} cannot be listened at: {e}", path.display())))?;
        std::fs::set_permissions(path, Permissions::from_mode(0o600))
            .map_err(|e| refuse(e.to_string()))?;
        Ok(Self { listener, uid })
    }
}

impl Listener for UserSocket {
    type Io = UnixStream;
    type Addr = tokio::net::unix::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    if stream.peer_cred().is_ok_and(|cred| cred.uid() == self.uid) {
                        return (stream, address);
                    }
                    tracing::warn!("a connection of another user was dropped");
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Serves until `stop`; open streams are ended then, other answers are finished.
pub(crate) async fn serve(
    socket: UserSocket,
    api: Api,
    stop: CancellationToken,
) -> Result<(), ApiError> {
    let service = router(api).into_make_service_with_connect_info::<Peer>();
    axum::serve(socket, service)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await
        .map_err(ApiError::internal)
}

/// The same for browsers, which come over TCP and through the guard.
pub(crate) async fn serve_browsers(entrance: Entrance, api: Api, stop: CancellationToken) {
    let address = entrance.address;
    let _ = api.inner.listens.set(address);
    let guard = Guard::new(entrance.token.clone(), address.port());
    let service = browser_router(api, guard).into_make_service_with_connect_info::<Peer>();
    tracing::info!(%address, "browsers are listened to");
    let served = axum::serve(entrance.listener, service)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "browsers are no longer listened to");
    }
}

/// What a browser can reach: the API, and the UI's files for all else that is read.
fn browser_router(api: Api, guard: Guard) -> Router {
    router(api)
        .fallback(async |method: Method, uri: Uri| match method {
            Method::GET if !uri.path().starts_with("/v1/") => ui::file(&uri),
            _ => unknown(),
        })
        .layer(axum::middleware::from_fn_with_state(guard, guard::watch))
}

/// Endpoints that change nothing durable and still are not for a run to call: they run
/// what the caller says.
const NOT_FROM_INSIDE: &[&str] = &["probe", "project"];

/// Whether a call of this endpoint must come from outside every run.
fn is_guarded<R: Request>() -> bool {
    !R::INVALIDATES.is_empty() || NOT_FROM_INSIDE.contains(&R::NAME)
}

/// One route for each endpoint of the protocol's list. A missing handler does
/// not compile. Whatever changes something is refused from inside a run: an agent
/// that could start a run, or raise a budget, could decide.
macro_rules! routes {
    ($($name:ident: $request:ident => $response:ident, provides [$($p:ident),*], invalidates [$($i:ident),*];)*) => {
        fn endpoints(mut router: Router<Api>) -> Router<Api> {
            $(
                router = router.route(
                    concat!("/v1/", stringify!($name)),
                    post(async |State(api): State<Api>, ConnectInfo(peer): ConnectInfo<Peer>, body: Body| {
                        answer(async {
                            let body = whole(body).await?;
                            api.must_serve(<protocol::$request as Request>::NAME)?;
                            let request: protocol::$request = read(&body)?;
                            if is_guarded::<protocol::$request>() {
                                must_be_outside(peer, api.home().join("keepers")).await?;
                            }
                            let work: BoxFuture<'_, _> = Box::pin(handlers::$name(&api, request));
                            work.await
                        })
                        .await
                    }),
                );
            )*
            router
        }
    };
}
protocol::endpoints!(routes);

fn router(api: Api) -> Router {
    endpoints(Router::new())
        .route("/v1/events", get(stream::events))
        .fallback(async || unknown())
        .method_not_allowed_fallback(async || {
            failure(ApiError::usage(
                "this endpoint is called with another method",
                "calls are POST; only /v1/events is GET",
            ))
        })
        .layer(DefaultBodyLimit::disable())
        .with_state(api)
}

fn unknown() -> Response {
    failure(ApiError::not_found(
        "there is no such endpoint",
        "is the client newer than the daemon?",
    ))
}

/// The whole request. One that is too long is read to its end and forgotten: a client
/// that is still writing would not see why it is refused.
async fn whole(body: Body) -> Result<Vec<u8>, ApiError> {
    let mut pieces = body.into_data_stream();
    let (mut kept, mut length) = (Vec::new(), 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece
            .map_err(|e| ApiError::usage(format!("the request was cut: {e}"), "send it again"))?;
        length += piece.len();
        if length <= BODY_LIMIT {
            kept.extend_from_slice(&piece);
        } else {
            kept = Vec::new();
        }
    }
    if length > BODY_LIMIT {
        return Err(ApiError::usage(
            format!("the request has {length} bytes; the longest allowed is {BODY_LIMIT}"),
            "put long text into a file of the project, and name it in the prompt",
        ));
    }
    Ok(kept)
}

fn read<R: serde::de::DeserializeOwned>(body: &[u8]) -> Result<R, ApiError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|e| {
        ApiError::usage(
            format!("the request cannot be read: {e}"),
            "see `longhaul --help`",
        )
    })
}

async fn answer<T: serde::Serialize>(work: impl Future<Output = Result<T, ApiError>>) -> Response {
    match work.await {
        Ok(document) => Json(document).into_response(),
        Err(error) => failure(error),
    }
}

/// An error as the protocol writes it.
pub(crate) fn failure(mut error: ApiError) -> Response {
    if error.code == ErrorCode::Internal {
        tracing::error!(message = %error.message, "a request failed");
        // The store's words (store::WriteError, ReadError); the log would not help.
        if error.message.contains("the disk is full") {
            error.hint = "free some space on the home's disk, then try again".to_owned();
        }
    }
    let status =
        StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(ErrorBody { error })).into_response()
}
