//! The headers that change on the way, and why.

use axum::http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use secrets::Secret;

use crate::account::Speaks;

/// Where Anthropic's API takes its key.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What belongs to one connection and not to the message (RFC 9110 §7.6.1).
const OF_THE_CONNECTION: [HeaderName; 7] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The token a request came with, wherever its agent puts keys.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    if let Some(key) = headers.get(API_KEY) {
        return key.to_str().ok().map(str::trim);
    }
    let bearer = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = bearer.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A request's headers as they go on: its own, with the real key in the token's place.
/// None if the key has characters that no header has.
pub(crate) fn onwards(
    headers: &HeaderMap,
    speaks: Speaks,
    key: Option<&Secret>,
) -> Option<HeaderMap> {
    let mut onwards = without_connection(headers);
    for gone in [HOST, CONTENT_LENGTH, EXPECT, AUTHORIZATION, API_KEY] {
        onwards.remove(gone);
    }
    // What is compressed cannot be read for its usage.
    onwards.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(key) = key {
        let key = key.expose().trim();
        let (name, text) = match speaks {
            Speaks::Anthropic => (API_KEY, key.to_owned()),
            Speaks::OpenAi => (AUTHORIZATION, format!("Bearer {key}")),
        };
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        onwards.insert(name, value);
    }
    Some(onwards)
}

/// Without what belongs to the connection it came by.
pub(crate) fn without_connection(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    let named = headers.get_all(CONNECTION).iter();
    for name in named.filter_map(|value| value.to_str().ok()) {
        for name in name.split(',') {
            kept.remove(name.trim());
        }
    }
    for name in OF_THE_CONNECTION {
        kept.remove(name);
    }
    kept.remove("keep-alive");
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = of.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    #[test]
    fn the_key_takes_the_tokens_place_and_the_rest_stays() {
        let came = headers(&[
            ("host", "127.0.0.1:1"),
            ("x-api-key", "the-token"),
            ("authorization", "Bearer the-token"),
            ("anthropic-beta", "one,two"),
            ("user-agent", "claude-cli"),
            ("accept-encoding", "gzip, br"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("content-length", "3"),
        ]);
        let key = Secret::new("test-key-not-real");
        let anthropic = onwards(&came, Speaks::Anthropic, Some(&key)).unwrap();
        let expected = headers(&[
            ("x-api-key", "test-key-not-real"),
            ("anthropic-beta", "one,two"),
            ("user-agent", "claude-cli"),
            ("accept-encoding", "identity"),
        ]);
        assert_eq!(anthropic, expected);
        let openai = onwards(&came, Speaks::OpenAi, Some(&key)).unwrap();
        assert_eq!(openai["authorization"], "Bearer test-key-not-real");
        assert!(
            !format!("{anthropic:?}{openai:?}").contains("test-key"),
            "printed"
        );
        assert!(onwards(&came, Speaks::OpenAi, Some(&Secret::new("a\nb"))).is_none());
    }

    #[test]
    fn a_token_is_found_where_either_api_has_its_key() {
        assert_eq!(token(&headers(&[("x-api-key", " t ")])), Some("t"));
        assert_eq!(token(&headers(&[("authorization", "bearer t")])), Some("t"));
        assert_eq!(token(&headers(&[("authorization", "Basic t")])), None);
        assert_eq!(token(&headers(&[])), None);
    }
}
