//! What stands between a browser and the API: other pages in the same browser, other
//! programs on the same machine, and names that lead here under a false flag.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use protocol::{ApiError, ErrorCode};

use crate::listen::Token;
use crate::server::failure;

/// What the served pages may do: nothing that is not theirs. Styles may stand in
/// elements, which is how lists place their rows.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// On every answer.
const HEADERS: [(header::HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        header::HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Who may come in.
#[derive(Clone)]
pub(crate) struct Guard {
    token: Token,
    /// This address by the names a browser on this machine has for it.
    hosts: [String; 3],
}

impl Guard {
    pub(crate) fn new(token: Token, port: u16) -> Self {
        Self {
            token,
            hosts: ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{port}")),
        }
    }

    fn check(&self, request: &Request) -> Result<(), Refused> {
        let headers = request.headers();
        // A name that was made to lead here (DNS rebinding) is still in the request.
        let host = one(headers, header::HOST).unwrap_or_default();
        if !self.hosts.iter().any(|own| own == host) {
            return Err(Refused::Host);
        }
        // Absent where the page itself is asked for; else it says whose script calls.
        if headers.contains_key(header::ORIGIN) {
            let origin = one(headers, header::ORIGIN).unwrap_or_default();
            let origin = origin.strip_prefix("http://").unwrap_or_default();
            if !self.hosts.iter().any(|own| own == origin) {
                return Err(Refused::Origin);
            }
        }
        if !request.uri().path().starts_with("/v1/") {
            return Ok(());
        }
        let bearer = one(headers, header::AUTHORIZATION)
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default();
        if !self.token.is(bearer) {
            return Err(Refused::Token);
        }
        // A page of another origin can send a form or plain text without being asked.
        let kind = one(headers, header::CONTENT_TYPE).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if request.method() == Method::POST && !kind.eq_ignore_ascii_case("application/json") {
            return Err(Refused::Kind);
        }
        Ok(())
    }
}

/// A header that is there exactly once.
fn one(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok())?
}

/// Why somebody may not come in.
enum Refused {
    Host,
    Origin,
    Token,
    Kind,
}

impl Refused {
    fn answer(self) -> Response {
        let (status, what, hint) = match self {
            Self::Host => (
                StatusCode::MISDIRECTED_REQUEST,
                "this name does not lead here",
                "open the address that `longhaul daemon run --listen` printed",
            ),
            Self::Origin => (
                StatusCode::FORBIDDEN,
                "another page's script calls",
                "open the address that `longhaul daemon run --listen` printed",
            ),
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "the token is missing or of an earlier start",
                "open the address that `longhaul daemon run --listen` printed",
            ),
            Self::Kind => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "a call must be application/json",
                "send it with that content type",
            ),
        };
        let mut response = failure(ApiError::new(ErrorCode::Refused, what, hint));
        *response.status_mut() = status;
        response
    }
}

/// Lets through what may come in, and says on every answer what may be done with it.
pub(crate) async fn watch(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.check(&request) {
        Ok(()) => next.run(request).await.into_response(),
        Err(refused) => refused.answer(),
    };
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
