//! What went wrong, where all APIs agree: connections, waits, words.

use domain::OpErrorKind;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::HeaderMap;

use crate::driver::{Answered, TurnError, Usage};

impl TurnError {
    /// A turn that never came to an answer.
    pub fn refused(kind: OpErrorKind, message: String) -> Self {
        Self {
            kind,
            message,
            retry_after_ms: None,
            partial: None,
            charge: None,
            answered: Answered::No,
        }
    }

    /// With what was seen of an answer.
    pub(crate) fn seen(mut self, answered: Answered, partial: Option<Usage>) -> Self {
        self.answered = answered;
        self.partial = partial;
        self
    }
}

/// A request that got no answer.
pub(crate) fn of_transport(endpoint: &str, error: &reqwest::Error) -> TurnError {
    let why = innermost(error);
    if error.is_builder() {
        return TurnError::refused(
            OpErrorKind::BadRequest,
            format!("the request to {endpoint} cannot be made: {why}"),
        );
    }
    if error.is_connect() || error.is_dns() {
        return TurnError::refused(
            OpErrorKind::Offline,
            format!("no connection to {endpoint}: {why}"),
        );
    }
    TurnError::refused(
        OpErrorKind::Cut,
        format!("the connection to {endpoint} was cut: {why}"),
    )
}

/// The last cause of an error: what the system said. Without the URL.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        Some(_) => "it was given up".to_owned(),
        None => shortened(&cause.to_string()),
    }
}

/// The provider's id of a request.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    header(headers, "request-id")
        .or_else(|| header(headers, "x-request-id"))
        .map(str::to_owned)
}

/// `x-should-retry` overrides the status, as in the vendors' SDKs.
pub(crate) fn by_should_retry(kind: OpErrorKind, headers: &HeaderMap) -> OpErrorKind {
    match (header(headers, "x-should-retry"), kind) {
        (
            Some("false"),
            OpErrorKind::Server | OpErrorKind::Overloaded | OpErrorKind::RateLimited,
        ) => OpErrorKind::BadRequest,
        (Some("true"), OpErrorKind::BadRequest) => OpErrorKind::Server,
        _ => kind,
    }
}

/// `retry-after-ms`, else `retry-after` in seconds or as a date. A date is
/// measured against the answer's own `date`, so that no clock of ours matters.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<u64> {
    if let Some(ms) = header(headers, "retry-after-ms").and_then(|text| text.parse().ok()) {
        return whole_ms(ms);
    }
    let text = header(headers, "retry-after")?;
    match text.parse::<f64>() {
        Ok(seconds) => whole_ms(seconds * 1000.0),
        Err(_) => ms_until(http_date(text)?, headers),
    }
}

pub(crate) fn ms_until(moment: Timestamp, headers: &HeaderMap) -> Option<u64> {
    let now = http_date(header(headers, "date")?)?;
    whole_ms((moment.as_millisecond() - now.as_millisecond()) as f64)
}

pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// Only waits that are waits: the SDK ignores zero and less, too.
pub(crate) fn whole_ms(ms: f64) -> Option<u64> {
    (ms.is_finite() && ms > 0.0).then(|| ms.ceil() as u64)
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Long enough to understand, short enough for a line.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 400;
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
