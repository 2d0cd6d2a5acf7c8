//! Where servers that speak chat completions differ in what they take.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;

/// What the length limit of an answer is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LimitField {
    /// The old name, which every imitator knows.
    MaxTokens,
    /// OpenAI's own for its reasoning models; its newest models refuse the old one.
    MaxCompletionTokens,
}

/// Whether `stream_options` may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskUsage {
    Yes,
    No,
}

/// Whether reasoning goes back to the server that sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendReasoning {
    Yes,
    No,
}

/// How one server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(super) limit: LimitField,
    pub(super) ask_usage: AskUsage,
    pub(super) reasoning: SendReasoning,
    pub(super) vendor: Vendor,
}

/// Servers known by their address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vendor {
    OpenAi,
    OpenRouter,
    Other,
}

impl Dialect {
    fn of(base: &Url) -> Self {
        let host = base.host_str().unwrap_or_default();
        let is = |domain: &str| {
            host == domain
                || host
                    .strip_suffix(domain)
                    .is_some_and(|front| front.ends_with('.'))
        };
        let vendor = match () {
            () if is("openai.com") || is("openai.azure.com") => Vendor::OpenAi,
            () if is("openrouter.ai") => Vendor::OpenRouter,
            () => Vendor::Other,
        };
        let limit = match vendor {
            Vendor::OpenAi => LimitField::MaxCompletionTokens,
            _ => LimitField::MaxTokens,
        };
        Self {
            limit,
            ask_usage: AskUsage::Yes,
            reasoning: SendReasoning::Yes,
            vendor,
        }
    }

    /// What else may be tried after a refusal in these words, if it is about one of the
    /// fields that differ. Never what was tried before.
    fn after(self, first: Self, refusal: &str) -> Option<Self> {
        let said = refusal.to_ascii_lowercase();
        if self.ask_usage == AskUsage::Yes && said.contains("stream_options") {
            return Some(Self {
                ask_usage: AskUsage::No,
                ..self
            });
        }
        if self.reasoning == SendReasoning::Yes && said.contains("reasoning") {
            return Some(Self {
                reasoning: SendReasoning::No,
                ..self
            });
        }
        let (named, other) = match self.limit {
            LimitField::MaxTokens => ("max_tokens", LimitField::MaxCompletionTokens),
            LimitField::MaxCompletionTokens => ("max_completion_tokens", LimitField::MaxTokens),
        };
        // Of the field itself, and not of its value, which would be the same by the other name.
        let unknown = [
            "unsupported",
            "not supported",
            "unrecognized",
            "unknown",
            "extra",
            "unexpected",
            "not permitted",
        ];
        let about_it = said.contains(named) && unknown.iter().any(|word| said.contains(word));
        (about_it && self.limit == first.limit).then_some(Self {
            limit: other,
            ..self
        })
    }
}

/// What servers turned out not to take, for as long as the program runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learned(Arc<Mutex<BTreeMap<(String, String), Dialect>>>);

impl Learned {
    /// How to speak to this server of this model.
    pub(super) fn of(&self, base: &Url, model: &str) -> Dialect {
        let learned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (base.as_str().to_owned(), model.to_owned());
        learned
            .get(&key)
            .copied()
            .unwrap_or_else(|| Dialect::of(base))
    }

    /// Takes a refusal in; whether there is another way to ask.
    pub(super) fn learn(&self, base: &Url, model: &str, refusal: &str) -> bool {
        let Some(next) = self.of(base, model).after(Dialect::of(base), refusal) else {
            return false;
        };
        let mut learned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        learned.insert((base.as_str().to_owned(), model.to_owned()), next);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn the_vendor_is_spoken_to_in_its_newest_words_and_imitators_in_the_oldest() {
        let learned = Learned::default();
        let limit = |base: &str| learned.of(&url(base), "m").limit;
        assert_eq!(
            limit("https://api.openai.com/v1"),
            LimitField::MaxCompletionTokens
        );
        assert_eq!(
            limit("https://me.openai.azure.com/x"),
            LimitField::MaxCompletionTokens
        );
        assert_eq!(limit("http://127.0.0.1:11434/v1"), LimitField::MaxTokens);
        assert_eq!(limit("https://notopenai.com/v1"), LimitField::MaxTokens);
    }

    #[test]
    fn a_refused_field_is_left_out_from_then_on_and_nothing_is_tried_twice() {
        let (learned, base) = (Learned::default(), url("http://127.0.0.1:1/v1"));
        let refusal = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        assert!(learned.learn(&base, "m", refusal));
        assert_eq!(
            learned.of(&base, "m").limit,
            LimitField::MaxCompletionTokens
        );
        assert!(!learned.learn(&base, "m", "'max_completion_tokens' is not supported"));
        assert!(learned.learn(&base, "m", "Extra inputs are not permitted: stream_options"));
        assert!(!learned.learn(&base, "m", "Extra inputs are not permitted: stream_options"));
        let unknown = "Unknown parameter: 'messages[7].reasoning_content'.";
        assert!(learned.learn(&base, "m", unknown) && !learned.learn(&base, "m", unknown));
        assert_eq!(learned.of(&base, "m").reasoning, SendReasoning::No);
        assert_eq!(learned.of(&base, "m").ask_usage, AskUsage::No);
        assert_eq!(learned.of(&base, "other").ask_usage, AskUsage::Yes);
        assert!(!learned.learn(&base, "other", "max_tokens is too large: 99999999"));
    }
}
