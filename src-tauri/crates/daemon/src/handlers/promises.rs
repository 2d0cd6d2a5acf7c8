//! What a run on a backend can count on: the one place that says it, for every surface.

use domain::BackendKind;
use engine::BackendConfig;
use pricing::PriceBook;
use protocol::{Kept, PromiseOf, Promised};

/// What a backend promises and what it does not.
pub(super) fn of(config: &BackendConfig, prices: &PriceBook) -> Vec<Promised> {
    let (tools, permission, interrupt, resume) = match config.kind {
        BackendKind::Anthropic | BackendKind::Rehearsal => native(TOOLS),
        BackendKind::OpenAi if config.base_url.is_none() => native(TOOLS),
        BackendKind::OpenAi => native(SERVER_TOOLS),
        BackendKind::ClaudeCode => CLAUDE_CODE,
        BackendKind::Codex => CODEX,
        BackendKind::Acp => ACP,
    };
    let promise = |of, (kept, words): Words| Promised {
        of,
        kept,
        words: words.to_owned(),
    };
    vec![
        cost(config, prices),
        promise(PromiseOf::Tools, tools),
        promise(PromiseOf::Permission, permission),
        promise(PromiseOf::Interrupt, interrupt),
        promise(PromiseOf::Resume, resume),
    ]
}

type Words = (Kept, &'static str);

const TOOLS: Words = (Kept::Yes, "Longhaul's own.");

const SERVER_TOOLS: Words = (
    Kept::Partly,
    "Longhaul's own, if the server gives them to its model. Where tool calls come back as text the run stops and says so.",
);

/// Of kinds whose loop is Longhaul's.
const fn native(tools: Words) -> (Words, Words, Words, Words) {
    (
        tools,
        (Kept::Yes, "Every call is decided on before it happens."),
        (
            Kept::Yes,
            "At any moment. The model call on its way then may still be billed; it is booked apart.",
        ),
        (
            Kept::Yes,
            "Exactly where it was, also after a crash. Only a command that was under way is asked about.",
        ),
    )
}

const CLAUDE_CODE: (Words, Words, Words, Words) = (
    (Kept::Yes, "Its own. Longhaul sees every call."),
    (
        Kept::Partly,
        "It asks before what its own settings do not allow; Longhaul answers by your policy.",
    ),
    (
        Kept::Yes,
        "At any moment; the whole process tree ends. A pause waits for the end of what is under way.",
    ),
    (
        Kept::Partly,
        "In the same session, told what was in flight. What it was in the middle of is asked about.",
    ),
);

const CODEX: (Words, Words, Words, Words) = (
    (Kept::Yes, "Its own. Longhaul sees every call."),
    (
        Kept::Partly,
        "It asks before every change, and before every command it does not know to be reading or its own rules allow; \
         Longhaul answers by your policy.",
    ),
    (
        Kept::Yes,
        "At any moment; the whole process tree ends. A pause waits for the end of what is under way.",
    ),
    (
        Kept::Partly,
        "In the same thread, told what was in flight. What it was in the middle of is asked about.",
    ),
);

const ACP: (Words, Words, Words, Words) = (
    (
        Kept::Partly,
        "Its own. Longhaul sees the calls it tells of; not every agent tells all arguments.",
    ),
    (
        Kept::Partly,
        "It asks before what its own settings do not allow; Longhaul answers by your policy, and asks you about \
         commands whose words it was not told. Why something is refused cannot be told to it.",
    ),
    (
        Kept::Yes,
        "At any moment; the whole process tree ends. A pause waits for the end of what is under way.",
    ),
    (
        Kept::Partly,
        "In the same session if it can take one up again, else in a new one that is told what was done. What it was in \
         the middle of is asked about.",
    ),
);

fn cost(config: &BackendConfig, prices: &PriceBook) -> Promised {
    let model = config.model_for(None).unwrap_or_default();
    let own = config.base_url.is_none();
    let (kept, words) = match config.kind {
        _ if config.free => (Kept::Yes, "Its calls cost nothing, as you said.".to_owned()),
        BackendKind::ClaudeCode | BackendKind::Codex if config.passes_the_gateway() => (
            Kept::Yes,
            "Exact: its calls go through Longhaul's gateway, which has the key and counts each of them. A call that was \
             cut off is booked apart, at the most it can have cost."
                .to_owned(),
        ),
        BackendKind::ClaudeCode => (
            Kept::Partly,
            "As Claude Code reports it; estimated where a turn was cut off before its report."
                .to_owned(),
        ),
        BackendKind::Codex => (
            Kept::Partly,
            "Codex's count of every answer at the price book's rates; with a subscription you pay something else. \
             Estimated where a turn was cut off in an answer."
                .to_owned(),
        ),
        BackendKind::Acp => (
            Kept::Partly,
            "As the agent reports it, where it does; else estimated from the tokens it tells of, or unknown. Calls it \
             makes by the way (for titles, say) may be missing."
                .to_owned(),
        ),
        BackendKind::OpenAi if !own && prices.known(&model) => (
            Kept::Partly,
            "Exact where the server counts its tokens or names the cost; estimated, and marked so, where it does not."
                .to_owned(),
        ),
        BackendKind::OpenAi if !own => (
            Kept::No,
            format!(
                "No price is known of {}: calls count as unpriced, unless the server names the cost. If it runs on your \
                 own machine, say that its calls cost nothing.",
                named(&model)
            ),
        ),
        _ if prices.known(&model) => (
            Kept::Yes,
            "Exact: the API's own count at the price book's rates.".to_owned(),
        ),
        _ => (
            Kept::No,
            format!("No price is known of {}: its calls count as unpriced.", named(&model)),
        ),
    };
    Promised {
        of: PromiseOf::Cost,
        kept,
        words,
    }
}

fn named(model: &str) -> &str {
    if model.is_empty() {
        "its models"
    } else {
        model
    }
}

#[cfg(test)]
mod tests {
    use secrets::KeySource;

    use super::*;

    fn backend(kind: BackendKind, base_url: Option<&str>, model: &str) -> BackendConfig {
        BackendConfig {
            name: "b".to_owned(),
            kind,
            base_url: base_url.map(str::to_owned),
            model: Some(model.to_owned()),
            command: None,
            free: false,
            key: KeySource::None,
        }
    }

    fn cost_of(config: &BackendConfig) -> (Kept, String) {
        let all = of(config, &PriceBook::bundled());
        let cost = all
            .into_iter()
            .find(|promise| promise.of == PromiseOf::Cost);
        cost.map(|cost| (cost.kept, cost.words)).unwrap()
    }

    #[test]
    fn a_cost_is_promised_exactly_only_where_it_can_be() {
        let local = Some("http://127.0.0.1:11434/v1");
        let exact = [
            backend(BackendKind::Anthropic, None, "claude-sonnet-5-5"),
            backend(BackendKind::OpenAi, None, "gpt-5.4"),
        ];
        for config in &exact {
            assert_eq!(cost_of(config).0, Kept::Yes, "{config:?}");
        }
        let other = backend(BackendKind::OpenAi, local, "gpt-5.4");
        assert_eq!(cost_of(&other).0, Kept::Partly);
        let (kept, words) = cost_of(&backend(BackendKind::OpenAi, local, "qwen4:8b"));
        assert!(kept == Kept::No && words.contains("qwen4:8b"), "{words}");
        let free = BackendConfig {
            free: true,
            ..backend(BackendKind::OpenAi, local, "qwen4:8b")
        };
        assert_eq!(cost_of(&free).0, Kept::Yes);
    }

    #[test]
    fn an_agent_with_a_key_is_counted_exactly_and_one_that_signs_in_by_itself_is_not() {
        for kind in [BackendKind::ClaudeCode, BackendKind::Codex] {
            let signs_in = backend(kind, None, "m");
            assert_eq!(cost_of(&signs_in).0, Kept::Partly);
            let with_key = BackendConfig {
                key: KeySource::Env {
                    var: "K".to_owned(),
                },
                ..signs_in
            };
            let (kept, words) = cost_of(&with_key);
            assert!(kept == Kept::Yes && words.contains("gateway"), "{words}");
        }
    }

    #[test]
    fn every_kind_that_can_be_added_says_all_of_it() {
        for kind in [
            BackendKind::Anthropic,
            BackendKind::OpenAi,
            BackendKind::ClaudeCode,
            BackendKind::Codex,
            BackendKind::Acp,
            BackendKind::Rehearsal,
        ] {
            let promises = of(&backend(kind, None, "m"), &PriceBook::bundled());
            assert_eq!(promises.len(), 5, "{kind}");
            assert!(promises.iter().all(|promise| promise.words.ends_with('.')));
        }
    }
}
