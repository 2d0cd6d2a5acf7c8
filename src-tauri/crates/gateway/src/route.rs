//! What an agent may ask for, by path.

use agents::metering::Api;
use axum::http::Method;
use reqwest::Url;

use crate::account::Speaks;

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A call of a model.
    Metered(Api),
    /// Something that costs nothing: a list of models, a count of tokens.
    Free,
    /// Nothing that passes here.
    Unknown,
}

/// What a request to a server that speaks so is.
pub(crate) fn way(speaks: Speaks, method: &Method, path: &str) -> Way {
    let post = method == Method::POST;
    match (speaks, path) {
        (Speaks::Anthropic, "/v1/messages") if post => Way::Metered(Api::Messages),
        (Speaks::Anthropic, "/v1/messages/count_tokens") if post => Way::Free,
        (Speaks::OpenAi, "/v1/responses" | "/v1/responses/compact") if post => {
            Way::Metered(Api::Responses)
        }
        (Speaks::OpenAi, "/v1/chat/completions") if post => Way::Metered(Api::Chat),
        _ if method == Method::GET && is_about_models(path) => Way::Free,
        _ => Way::Unknown,
    }
}

fn is_about_models(path: &str) -> bool {
    match path.strip_prefix("/v1/models") {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix('/')
            .is_some_and(|id| !id.is_empty() && !id.contains('/') && !id.contains("..")),
        None => false,
    }
}

/// Where a request goes that came for this path, at the server with this address.
pub(crate) fn target(speaks: Speaks, base: &Url, path: &str, query: Option<&str>) -> Url {
    let below = match speaks {
        Speaks::Anthropic => path,
        // Its base has the version already.
        Speaks::OpenAi => path.strip_prefix("/v1").unwrap_or(path),
    };
    let mut url = base.clone();
    url.set_path(&format!("{}{below}", url.path().trim_end_matches('/')));
    url.set_query(query);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_passes() {
        use Speaks::{Anthropic, OpenAi};
        let ways = [
            (
                Anthropic,
                "POST",
                "/v1/messages",
                Way::Metered(Api::Messages),
            ),
            (Anthropic, "POST", "/v1/messages/count_tokens", Way::Free),
            (Anthropic, "POST", "/v1/responses", Way::Unknown),
            (Anthropic, "GET", "/v1/messages", Way::Unknown),
            (Anthropic, "POST", "/v1/messages/batches", Way::Unknown),
            (
                OpenAi,
                "POST",
                "/v1/responses",
                Way::Metered(Api::Responses),
            ),
            (
                OpenAi,
                "POST",
                "/v1/chat/completions",
                Way::Metered(Api::Chat),
            ),
            (OpenAi, "POST", "/v1/messages", Way::Unknown),
            (OpenAi, "GET", "/v1/models", Way::Free),
            (Anthropic, "GET", "/v1/models/claude-sonnet-5-5", Way::Free),
            (OpenAi, "GET", "/v1/models/../files", Way::Unknown),
            (OpenAi, "GET", "/v1/models/a/b", Way::Unknown),
            (OpenAi, "GET", "/v1/files", Way::Unknown),
            (OpenAi, "POST", "/v1/responses/", Way::Unknown),
            (OpenAi, "POST", "", Way::Unknown),
        ];
        for (speaks, method, path, expected) in ways {
            let method: Method = method.parse().unwrap();
            assert_eq!(
                way(speaks, &method, path),
                expected,
                "{speaks:?} {method} {path}"
            );
        }
    }

    #[test]
    fn a_request_goes_below_the_servers_own_address() {
        let base = "https://api.anthropic.com".parse().unwrap();
        let url = target(Speaks::Anthropic, &base, "/v1/messages", Some("beta=true"));
        assert_eq!(
            url.as_str(),
            "https://api.anthropic.com/v1/messages?beta=true"
        );
        let base = "http://127.0.0.1:1/openai/v1".parse().unwrap();
        let url = target(Speaks::OpenAi, &base, "/v1/responses", None);
        assert_eq!(url.as_str(), "http://127.0.0.1:1/openai/v1/responses");
    }
}
