//! The UI's files: in the program itself, or as they are on disk in a debug build.

use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use rust_embed::RustEmbed;

/// What `npm run build` makes. A program built without it has no UI to serve.
#[derive(RustEmbed)]
#[folder = "../../../ui/dist"]
#[allow_missing = true]
struct Files;

const NONE: &str = "<!doctype html><title>Longhaul</title><p>This build of Longhaul has no user \
                    interface in it: build it first with <code>npm --prefix ui run build</code>.";

/// The file of this path; the page itself for `/`.
pub(crate) fn file(uri: &Uri) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    match Files::get(path) {
        Some(found) => with_type(found.data.into_owned(), kind(path)),
        None if path == "index.html" => with_type(NONE.into(), kind(path)),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn with_type(bytes: Vec<u8>, kind: &'static str) -> Response {
    let mut response = bytes.into_response();
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "map" | "webmanifest" => "application/json",
        _ => "application/octet-stream",
    }
}
