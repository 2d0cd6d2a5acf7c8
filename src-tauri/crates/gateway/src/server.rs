//! Who knocks, and whether they are let in.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::account::{Desk, Found};
use crate::call;
use crate::door::Door;
use crate::headers;
use crate::refusal;
use crate::route::{Way, way};

/// The longest request taken in: twice what the APIs take (32 MB).
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// What every request needs.
#[derive(Clone)]
struct Gateway {
    door: Door,
    desk: Arc<dyn Desk>,
}

/// Serves at `listener`, which is the door's own, until `stop`.
pub async fn serve(
    listener: TcpListener,
    door: Door,
    desk: Arc<dyn Desk>,
    stop: CancellationToken,
) {
    let gateway = Gateway { door, desk };
    let router = Router::new().fallback(handle).with_state(gateway);
    // Events are small: each is to leave at once.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection waits for full packets");
        }
    });
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "the gateway serves no longer");
    }
}

async fn handle(State(gateway): State<Gateway>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    if !gateway.is_meant(&request) {
        tracing::warn!(%method, "the gateway refused a request for another host");
        return refusal::not_let_in("Longhaul: this is a gateway for agents and no proxy");
    }
    // Claude Code looks whether anybody is there, and shows no key.
    if method == Method::HEAD && path == "/" {
        return StatusCode::OK.into_response();
    }
    let token = headers::token(request.headers());
    let Some((run, op)) = token.and_then(|token| gateway.door.owner(token)) else {
        tracing::warn!(%method, %path, "the gateway refused a request without a token of its own");
        return refusal::not_let_in("Longhaul: no token of an attempt of this Longhaul");
    };
    let account = match gateway.desk.find(run, op) {
        Found::Open(account) => account,
        Found::NotYet => return refusal::not_now("Longhaul is starting"),
        Found::Over => {
            tracing::warn!(%run, %op, %path, "the gateway refused a request of an attempt that is over");
            return refusal::not_let_in(refusal::OVER);
        }
    };
    let way = way(account.upstream().speaks, &method, &path);
    if way == Way::Unknown {
        tracing::warn!(%run, %method, %path, "the gateway refused an unknown request");
        return refusal::unknown(&method, &path);
    }
    let (head, body) = request.into_parts();
    let body = match take_in(body).await {
        Ok(body) => body,
        Err(why) => return refusal::bad(&why),
    };
    call::make(account, way, head, body).await
}

async fn take_in(body: Body) -> Result<bytes::Bytes, String> {
    let taken = axum::body::to_bytes(body, BODY_LIMIT).await;
    taken.map_err(|error| format!("Longhaul: the request could not be taken in: {error}"))
}

impl Gateway {
    /// Whether a request names this gateway, and not another server it should be passed to.
    fn is_meant(&self, request: &Request) -> bool {
        let own = self.door.address().to_string();
        let absolute = request
            .uri()
            .authority()
            .map(|authority| authority.as_str());
        let host = request
            .headers()
            .get(HOST)
            .and_then(|host| host.to_str().ok());
        request.method() != Method::CONNECT
            && absolute.is_none_or(|named| named == own)
            && host == Some(own.as_str())
    }
}
