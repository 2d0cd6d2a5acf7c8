//! One delivery over HTTP, signed.

use std::time::Duration;

use domain::Timestamp;
use reqwest::{Client, Url, redirect};
use ring::hmac;
use secrets::Secret;

/// How long one try may take, from connecting to the answer's first line.
const LIMIT: Duration = Duration::from_secs(10);

/// Why a delivery was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// There is nothing to sign with.
    #[error("its secret is not to be had: {0}")]
    Secret(String),
    /// Nobody answered.
    #[error("{0}")]
    Unreachable(String),
    /// The answer sends us elsewhere. A signed delivery goes only where it was meant to.
    #[error("it answered {0}, a redirect; redirects are not followed")]
    Redirect(u16),
    /// Any other answer that is no yes.
    #[error("it answered {0}")]
    Answered(u16),
}

/// What is sent.
pub(crate) struct Parcel<'a> {
    pub(crate) url: &'a str,
    pub(crate) delivery: &'a str,
    pub(crate) event: &'a str,
    pub(crate) body: &'a str,
    /// When it is sent, as it is signed: whoever checks can refuse what is old.
    pub(crate) at: Timestamp,
}

/// The HTTP clients deliveries are sent with.
pub(crate) struct Post {
    /// Through the system's proxies.
    outside: Client,
    /// Without any, for this machine.
    loopback: Client,
}

impl Post {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // Fails only if one is installed already, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = || {
            Client::builder()
                .user_agent(concat!("longhaul/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .timeout(LIMIT)
                // A delivery is rare: a connection kept open would only be cut.
                .pool_max_idle_per_host(0)
        };
        Ok(Self {
            outside: client().build()?,
            loopback: client().no_proxy().build()?,
        })
    }

    /// Sends it once.
    pub(crate) async fn send(&self, secret: &Secret, parcel: &Parcel<'_>) -> Result<(), Failure> {
        let url = checked_url(parcel.url).map_err(Failure::Unreachable)?;
        let client = match is_loopback(&url) {
            true => &self.loopback,
            false => &self.outside,
        };
        let seconds = (parcel.at.0 / 1000).to_string();
        let answer = client
            .post(url)
            .header("content-type", "application/json")
            .header("longhaul-delivery", parcel.delivery)
            .header("longhaul-event", parcel.event)
            .header("longhaul-timestamp", &seconds)
            .header(
                "longhaul-signature",
                signature(secret, &seconds, parcel.body),
            )
            .body(parcel.body.to_owned())
            .send()
            .await
            // Its words may name the address, which may be a secret.
            .map_err(|error| Failure::Unreachable(words_of(&error)))?;
        let status = answer.status();
        match status.as_u16() {
            200..300 => Ok(()),
            code @ 300..400 => Err(Failure::Redirect(code)),
            code => Err(Failure::Answered(code)),
        }
    }
}

fn words_of(error: &reqwest::Error) -> String {
    match error {
        e if e.is_timeout() => format!("nobody answered within {} s", LIMIT.as_secs()),
        e if e.is_connect() => "it cannot be reached".to_owned(),
        _ => "the connection broke off".to_owned(),
    }
}

/// `v1=` and the HMAC-SHA256 of timestamp, a dot and the body, in hex.
pub(super) fn signature(secret: &Secret, seconds: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mut signing = hmac::Context::with_key(&key);
    for part in [seconds, ".", body] {
        signing.update(part.as_bytes());
    }
    let tag = signing.sign();
    let hex = tag.as_ref().iter().map(|byte| format!("{byte:02x}"));
    format!("v1={}", hex.collect::<String>())
}

/// An address deliveries may go to: https, or http on this machine only.
pub(crate) fn checked_url(given: &str) -> Result<Url, String> {
    let url = Url::parse(given.trim()).map_err(|_| "that is not a URL".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL holds a user or password".to_owned());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err("over plain http everybody on the way reads it".to_owned()),
        other => Err(format!("{other}: is not spoken here")),
    }
}

pub(super) fn host_of(url: &str) -> String {
    let url = Url::parse(url.trim());
    let host = url.ok().and_then(|url| {
        let host = url.host_str()?.to_owned();
        Some(match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host,
        })
    });
    host.unwrap_or_else(|| "unknown".to_owned())
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_any_other_program() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac test-secret-not-real
        assert_eq!(
            signature(
                &Secret::new("test-secret-not-real"),
                "1700000000",
                r#"{"a":1}"#
            ),
            "v1=3307475b1ef4b098ceaabe53b07e4f1a3f3fbba6641dfeb6d0d62206f0bf05d4"
        );
    }

    #[test]
    fn deliveries_go_encrypted_or_stay_on_this_machine() {
        for fine in [
            "https://example.com/hook?x=1",
            "http://127.0.0.1:9/",
            "http://[::1]:9/",
            "http://localhost:9/hook",
        ] {
            assert!(checked_url(fine).is_ok(), "{fine}");
        }
        for not in [
            "http://example.com/",
            "ftp://example.com/",
            "https://me:secret@example.com/",
            "http://127.0.0.1.example.com/",
            "nonsense",
        ] {
            assert!(checked_url(not).is_err(), "{not}");
        }
        assert_eq!(
            host_of("https://hooks.example.com/T0/secret"),
            "hooks.example.com"
        );
    }
}
