//! Telling a program of the user's: reviews, and runs that end.

use serde::{Deserialize, Serialize};

use crate::backends::{KeySource, KeyView};
use crate::moment::Moment;

/// Asks whom Longhaul tells, and how that goes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct WebhookRequest {}

/// What a webhook can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum WebhookTopic {
    /// Reviews that are asked for.
    Reviews,
    /// Runs that are completed, failed or cancelled.
    Runs,
}

/// Sets up the webhook, or changes it.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct WebhookSet {
    /// Where to: https, or http on this machine.
    pub url: String,
    /// What of.
    pub events: Vec<WebhookTopic>,
    /// Where the secret comes from that signs what is sent; the one there is when absent.
    #[serde(default)]
    pub key: Option<KeySource>,
}

/// Tells nobody any more. What was not delivered yet never is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct WebhookRemove {}

/// Sends one delivery that tells of nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct WebhookTestRequest {}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct WebhookTest {
    /// Whether the other side has taken it.
    pub ok: bool,
    /// In words.
    pub words: String,
    /// The delivery's id, as the other side got it.
    pub delivery: String,
}

/// A webhook that is set up. Its address may be a secret in itself: only the host is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct WebhookState {
    /// The host it tells.
    pub host: String,
    /// What of.
    pub events: Vec<WebhookTopic>,
    /// How it gets the secret it signs with.
    pub key: KeyView,
    /// Whether nothing waits that was tried in vain.
    pub ok: bool,
    /// In words.
    pub words: String,
    /// How many deliveries wait.
    pub waiting: u32,
    /// How many of the newest were given up.
    pub given_up: u32,
    /// When the next is tried, where one waits.
    #[serde(default)]
    pub next_at: Option<Moment>,
    /// When the newest was delivered.
    #[serde(default)]
    pub delivered_at: Option<Moment>,
}

/// The webhook, where there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct WebhookView {
    /// How it is.
    #[serde(default)]
    pub webhook: Option<WebhookState>,
}
