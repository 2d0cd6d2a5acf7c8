//! What the gateway asks of whoever knows the runs.

use std::sync::Arc;
use std::time::Duration;

use agents::TurnError;
use agents::metering::{Asked, Broken, Metered};
use async_trait::async_trait;
use domain::{CallEnd, OpId, RunId};
use futures_util::future::BoxFuture;
use limiter::Permit;
use reqwest::Url;
use secrets::Secret;
use tokio_util::sync::CancellationToken;

/// Knows which attempts go on.
pub trait Desk: Send + Sync + 'static {
    /// The account of a run's turn.
    fn find(&self, run: RunId, op: OpId) -> Found;
}

/// What there is of an attempt.
pub enum Found {
    /// It goes on.
    Open(Arc<dyn Account>),
    /// It is not known yet: somebody is still looking after what an earlier daemon left.
    NotYet,
    /// It is over.
    Over,
}

/// The words of an upstream server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Anthropic's Messages API.
    Anthropic,
    /// OpenAI's APIs.
    OpenAi,
}

/// Where an attempt's calls go.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The server's address; for OpenAI's words with the `/v1`, for Anthropic's without.
    pub base: Url,
    /// Connections to it. Follows no redirects.
    pub client: reqwest::Client,
    /// Its API.
    pub speaks: Speaks,
}

/// One attempt of a run to get its turn done.
#[async_trait]
pub trait Account: Send + Sync {
    /// Where its calls go.
    fn upstream(&self) -> &Upstream;

    /// The longest an answer may say nothing.
    fn silence(&self) -> Duration;

    /// Cancelled when the attempt is over: what is under way then ends.
    fn over(&self) -> &CancellationToken;

    /// Waits until a call may be sent and sets its worst case aside. Without `asked` it is a
    /// request that costs nothing.
    async fn admit(&self, asked: Option<&Asked>) -> Result<Leave, Refused>;

    /// A call came to nothing before any of an answer was there. Books it and says what next.
    async fn failed(&self, call: Option<u32>, permit: Permit, failure: Failure) -> Next;

    /// An answer ended, one way or the other. Books it; returns at once.
    fn ended(&self, call: u32, ended: Ended);
}

/// Leave to send one call.
pub struct Leave {
    /// Its number, where it costs something.
    pub call: Option<u32>,
    /// The credential.
    pub key: Option<Secret>,
    /// The limiter's leave, to be kept as long as the call goes on.
    pub permit: Permit,
    /// Resolves when it is on record. It may be sent before, nothing of its answer may be
    /// used before.
    pub recorded: BoxFuture<'static, Result<(), Refused>>,
}

/// Why a call is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The attempt is over.
    Over,
    /// It cannot be said just now.
    NotNow(String),
    /// It never will be: why (the budget, the credential).
    Never(String),
}

/// A call that came to nothing.
#[derive(Debug)]
pub struct Failure {
    /// The status, if there was one.
    pub status: Option<u16>,
    /// What it means.
    pub error: TurnError,
}

/// What follows a call that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The same again, when it may be sent.
    Again,
    /// The agent hears of it.
    PassOn,
}

/// How an answer ended.
pub struct Ended {
    /// How.
    pub end: CallEnd,
    /// In words, where something went wrong.
    pub detail: String,
    /// The status it began with, if it began.
    pub status: Option<u16>,
    /// What it consumed.
    pub metered: Metered,
    /// What its API said went wrong.
    pub broken: Option<Broken>,
    /// The limiter's leave, given back.
    pub permit: Option<Permit>,
}
