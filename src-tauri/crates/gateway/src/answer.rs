//! An answer on its way: passed on as it comes, heard for its usage, booked however it ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use agents::metering::{Metered, Tap};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use domain::CallEnd;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use limiter::Permit;

use crate::account::{Account, Ended, Failure, Next};
use crate::headers;

/// A call that was sent. However it is let go of, its account hears of it once.
pub(crate) struct Flight {
    account: Arc<dyn Account>,
    /// None when it was booked, or costs nothing.
    call: Option<u32>,
    permit: Option<Permit>,
    status: Option<u16>,
    tap: Option<Tap>,
}

impl Flight {
    pub(crate) fn new(account: Arc<dyn Account>, call: Option<u32>, permit: Permit) -> Self {
        Self {
            account,
            call,
            permit: Some(permit),
            status: None,
            tap: None,
        }
    }

    /// Its answer begins.
    pub(crate) fn answering(&mut self, status: u16, tap: Option<Tap>) {
        self.status = Some(status);
        self.tap = tap;
        if let Some(permit) = &self.permit {
            permit.accepted();
        }
    }

    /// It came to nothing.
    pub(crate) async fn failed(&mut self, failure: Failure) -> Next {
        let Some(permit) = self.permit.take() else {
            return Next::PassOn;
        };
        let call = self.call.take();
        self.account.failed(call, permit, failure).await
    }

    /// The attempt is over.
    pub(crate) fn close(&mut self) {
        self.end(CallEnd::Closed, "");
    }

    fn hear(&mut self, bytes: &[u8]) {
        if let Some(tap) = &mut self.tap {
            tap.hear(bytes);
        }
        // At once: an agent that has its answer may be gone before the end of the stream.
        if self.is_complete() {
            self.end(CallEnd::Answered, "");
        }
    }

    fn is_complete(&self) -> bool {
        self.tap.as_ref().is_some_and(Tap::is_complete)
    }

    /// Nothing more came, and no error.
    fn ran_out(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.end();
        }
        match self.is_complete() {
            true => self.end(CallEnd::Answered, ""),
            false => self.end(CallEnd::Cut, "the answer ended before it was complete"),
        }
    }

    fn end(&mut self, end: CallEnd, detail: &str) {
        let permit = self.permit.take();
        let Some(call) = self.call.take() else {
            return;
        };
        let broken = self.tap.as_ref().and_then(|tap| tap.broken().cloned());
        let detail = match &broken {
            Some(broken) => format!("the answer was broken off: {}", broken.words),
            None => detail.to_owned(),
        };
        let metered = self.tap.as_ref().map_or(Metered::Part(None), Tap::metered);
        let ended = Ended {
            end,
            detail,
            status: self.status,
            metered,
            broken,
            permit,
        };
        self.account.ended(call, ended);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.end(
            CallEnd::HungUp,
            "the agent hung up before the answer was complete",
        );
    }
}

struct Passing {
    upstream: BoxStream<'static, reqwest::Result<Bytes>>,
    silence: Duration,
    flight: Flight,
}

/// The answer as the agent gets it.
pub(crate) fn passed_on(response: reqwest::Response, flight: Flight) -> Response {
    let (status, headers) = (
        response.status(),
        headers::without_connection(response.headers()),
    );
    let passing = Passing {
        silence: flight.account.silence(),
        upstream: response.bytes_stream().boxed(),
        flight,
    };
    let body = stream::unfold(Some(passing), |passing| async {
        match passing {
            Some(passing) => passing.next().await,
            None => None,
        }
    });
    let mut response = Response::new(Body::from_stream(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

impl Passing {
    /// The next bytes; with an error the connection to the agent is cut, as the one behind was.
    async fn next(mut self) -> Option<(io::Result<Bytes>, Option<Self>)> {
        let over = self.flight.account.over().clone();
        let came = tokio::select! {
            biased;
            () = over.cancelled() => {
                self.flight.close();
                return cut("the attempt is over");
            }
            came = tokio::time::timeout(self.silence, self.upstream.next()) => came,
        };
        match came {
            Ok(Some(Ok(bytes))) => {
                self.flight.hear(&bytes);
                Some((Ok(bytes), Some(self)))
            }
            Ok(None) => {
                self.flight.ran_out();
                None
            }
            Ok(Some(Err(error))) => {
                tracing::debug!(%error, "an answer was cut");
                self.flight.end(
                    CallEnd::Cut,
                    "the connection was cut in the middle of the answer",
                );
                cut("the answer was cut")
            }
            Err(_) => {
                let words = format!("the answer stopped for {} s", self.silence.as_secs());
                self.flight.end(CallEnd::Silent, &words);
                cut("the answer stopped")
            }
        }
    }
}

fn cut(why: &str) -> Option<(io::Result<Bytes>, Option<Passing>)> {
    Some((Err(io::Error::other(why.to_owned())), None))
}
