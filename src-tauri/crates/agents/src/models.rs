//! Whether two names are of the same model.

/// Tags that say how a model is served, or which of its files is meant by default: not
/// which model it is (OpenRouter, Ollama).
const TAGS: [&str; 8] = [
    "latest", "free", "nitro", "floor", "online", "exacto", "extended", "thinking",
];

/// Whether `answered`, as a response names it, is the model that was asked for. A release
/// date (`-2026-03-05`, `-20260305`, `@20260305`), a vendor's prefix or a folder
/// (`openai/…`), and a tag that says how it is served make no other model of it; anything
/// else does. A response that names none is believed.
pub fn same_model(asked: &str, answered: &str) -> bool {
    if answered.trim().is_empty() || asked.trim().is_empty() {
        return true;
    }
    let (asked, answered) = (plain(asked), plain(answered));
    asked == answered || undated(&asked) == undated(&answered)
}

fn plain(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    let name = name.rsplit('/').next().unwrap_or(&name);
    let name = match name.rsplit_once(':') {
        Some((model, tag)) if TAGS.contains(&tag) => model,
        _ => name,
    };
    name.strip_suffix(".gguf").unwrap_or(name).to_owned()
}

/// Without a date of release, or the word for the newest one, at its end.
fn undated(name: &str) -> &str {
    if let Some(model) = name.strip_suffix("-latest") {
        return model;
    }
    for length in [11, 9] {
        let Some(at) = name.len().checked_sub(length).filter(|at| *at > 0) else {
            continue;
        };
        if name.is_char_boundary(at) && is_date(&name[at..]) {
            return &name[..at];
        }
    }
    name
}

/// `-2026-03-05`, `-20260305` or `@20260305`.
fn is_date(text: &str) -> bool {
    let digits = match text.strip_prefix(['-', '@']) {
        Some(rest) if rest.len() == 8 => rest.to_owned(),
        Some(rest) if rest.len() == 10 => {
            let dashed = rest.as_bytes()[4] == b'-' && rest.as_bytes()[7] == b'-';
            if !dashed {
                return false;
            }
            rest.replace('-', "")
        }
        _ => return false,
    };
    digits.len() == 8 && digits.starts_with("20") && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::same_model;

    #[test]
    fn dates_prefixes_and_tags_make_no_other_model() {
        for (asked, answered) in [
            ("gpt-5.4", "gpt-5.4-2026-03-05"),
            ("gpt-5.4-2026-03-05", "gpt-5.4"),
            ("claude-haiku-5-5", "claude-haiku-5-5-20261007"),
            ("claude-opus-4-5", "claude-opus-4-5@20251101"),
            ("openai/gpt-5.4", "gpt-5.4-2026-03-05"),
            ("qwen/qwen4-coder:free", "qwen/qwen4-coder"),
            ("llama5", "llama5:latest"),
            ("mistral-large-4-latest", "mistral-large-4"),
            ("Qwen4-8B-Q4_K_M", "/models/qwen4-8b-q4_k_m.gguf"),
            ("gpt-5.4", ""),
        ] {
            assert!(same_model(asked, answered), "{asked} {answered}");
        }
    }

    #[test]
    fn another_name_is_another_model() {
        for (asked, answered) in [
            ("gpt-5.4", "gpt-5.4-mini"),
            ("gpt-5.4", "gpt-5.4-mini-2026-03-05"),
            ("gpt-5.4", "gpt-5.5"),
            ("claude-opus-5", "claude-opus-5-5"),
            ("llama5:8b", "llama5:70b"),
            ("o4", "o4-12345678"),
            ("gpt-5.4", "gpt-5.4-20-6-03-05"),
        ] {
            assert!(!same_model(asked, answered), "{asked} {answered}");
        }
    }
}
