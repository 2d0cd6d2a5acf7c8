//! The HTTP client and the addresses it is used with.

use std::time::Duration;

use reqwest::{Client, Url, redirect};

use crate::openai::Learned;

/// How long making a connection may take, as in the vendor's SDK.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The most that is read of an answer that is not streamed: an error, a model list.
const BODY_LIMIT: usize = 1024 * 1024;

/// Connections shared by all drivers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Http {
    /// Through the system's proxies.
    outside: Client,
    /// Without any proxy: for servers on this machine.
    loopback: Client,
    /// What servers turned out not to take.
    pub(crate) learned: Learned,
}

/// The HTTP client cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client can be made: {0}")]
pub struct HttpError(#[from] reqwest::Error);

/// Why an address cannot be a backend's base URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// It is not an address at all.
    #[error("\"{0}\" is not a URL: it should look like https://host or http://host:port")]
    NotAUrl(String),
    /// A scheme nobody speaks here.
    #[error("{0}: is not spoken here, only https: and http:")]
    Scheme(String),
    /// It holds a user or password, which would end up in messages and logs.
    #[error("the base URL holds a user or password: leave them out and give the key by itself")]
    Credentials,
    /// It has a query or fragment, which would be lost.
    #[error("the base URL has a query or fragment: leave it out")]
    Query,
}

impl Http {
    /// Makes the clients. They follow no redirects (a key would follow too) and
    /// retry nothing by themselves.
    ///
    /// # Errors
    /// If the system's certificates cannot be used.
    pub fn new() -> Result<Self, HttpError> {
        // Fails only if one is installed already, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            outside: builder().build()?,
            loopback: builder().no_proxy().build()?,
            learned: Learned::default(),
        })
    }

    /// A client for whoever passes requests on to the server at `base`.
    pub fn client_for(&self, base: &Url) -> Client {
        self.clone().for_host(base)
    }

    pub(crate) fn for_host(self, base: &Url) -> Client {
        if is_loopback(base) {
            self.loopback
        } else {
            self.outside
        }
    }
}

fn builder() -> reqwest::ClientBuilder {
    Client::builder()
        .user_agent(concat!("longhaul/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_LIMIT)
        .tcp_keepalive(Duration::from_secs(30))
}

pub(crate) fn is_loopback(base: &Url) -> bool {
    let host = base
        .host_str()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// Whether an address is in the user's own network: private by its number (RFC 1918, RFC
/// 4193), or a name that no public name server has.
pub(crate) fn is_private(base: &Url) -> bool {
    let host = base.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse() {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_private() || ip.is_link_local(),
        Ok(std::net::IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_unicast_link_local(),
        Err(_) => {
            let suffixes = [".local", ".lan", ".home.arpa", ".internal"];
            !host.contains('.') || suffixes.iter().any(|suffix| host.ends_with(suffix))
        }
    }
}

/// A base URL as given by a user, without a slash at its end.
pub fn address(given: &str) -> Result<Url, BaseUrlError> {
    let mut url = Url::parse(given.trim()).map_err(|_| BaseUrlError::NotAUrl(given.to_owned()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BaseUrlError::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BaseUrlError::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(BaseUrlError::Query);
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// `parts` below a base address; each is escaped.
pub(crate) fn below(base: &Url, parts: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}

/// `scheme://host[:port]/path`, as messages name an endpoint.
pub fn name_of(base: &Url) -> String {
    base.as_str().trim_end_matches('/').to_owned()
}

/// As much of a body as matters; what cannot be read is left out.
pub(crate) async fn bounded_body(mut response: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(bytes)) = response.chunk().await {
        let room = BODY_LIMIT.saturating_sub(body.len());
        body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if body.len() >= BODY_LIMIT {
            break;
        }
    }
    body
}
