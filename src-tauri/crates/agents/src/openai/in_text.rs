//! Tool calls that a server left in the text: it does not know its model's way of
//! calling, so that nothing would ever be run.

use serde_json::Value;

/// How models begin a call, each after its own template.
const MARKS: [&str; 8] = [
    "<tool_call>",
    "<|tool_call|>",
    "<|python_tag|>",
    "[TOOL_CALLS]",
    "<function=",
    "<function_call>",
    "<｜tool▁calls▁begin｜>",
    "<|tool_calls_section_begin|>",
];

/// The tool that `text` calls in words, if the whole of it, or all from one of the known
/// marks on, is such a call of an offered tool. A text that only speaks of calls is none.
pub(super) fn call_in(text: &str, offered: &[String]) -> Option<String> {
    let text = text.trim();
    let marked = MARKS.iter().find_map(|mark| {
        let at = text.find(mark)?;
        // At the beginning of a line: quoted marks stand within one.
        let begins = at == 0 || text[..at].ends_with('\n');
        begins.then(|| &text[at + mark.len()..])
    });
    if let Some(call) = marked
        && call.ends_with(['}', ']', '>'])
    {
        return offered
            .iter()
            .find(|name| {
                call.trim_start().starts_with(name.as_str())
                    || call.contains(&format!("\"{name}\""))
            })
            .cloned();
    }
    let bare = unfenced(text);
    if !bare.starts_with(['{', '[']) {
        return None;
    }
    let value: Value = serde_json::from_str(bare).ok()?;
    let first = match &value {
        Value::Array(calls) => calls.first()?,
        other => other,
    };
    let first = match &first["function"] {
        function @ Value::Object(_) => function,
        _ => first,
    };
    let name = ["name", "tool", "function", "tool_name"]
        .iter()
        .find_map(|field| first[*field].as_str())?;
    let has_arguments = ["arguments", "parameters", "input", "args"]
        .iter()
        .any(|field| first.get(*field).is_some());
    offered
        .iter()
        .find(|offered| has_arguments && offered.as_str() == name)
        .cloned()
}

/// What is inside of a fence of backticks that is all there is.
fn unfenced(text: &str) -> &str {
    let inside = text
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"));
    match inside.and_then(|inside| inside.split_once('\n')) {
        Some((_language, code)) => code.trim(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::call_in;

    fn found(text: &str) -> Option<String> {
        call_in(text, &["read".to_owned(), "shell".to_owned()])
    }

    #[test]
    fn calls_that_were_left_in_the_text_are_found() {
        for text in [
            r#"{"name": "read", "arguments": {"path": "a"}}"#,
            "```json\n{\"name\": \"read\", \"parameters\": {}}\n```",
            r#"[{"type": "function", "function": {"name": "read", "arguments": "{}"}}]"#,
            "I look.\n<tool_call>\n{\"name\": \"read\", \"arguments\": {}}\n</tool_call>",
            "<function=read>\n<parameter=path>\na\n</parameter>\n</function>",
            r#"[TOOL_CALLS][{"name": "read", "arguments": {}}]"#,
            r#"<|python_tag|>{"name": "read", "parameters": {"path": "a"}}"#,
        ] {
            assert_eq!(found(text).as_deref(), Some("read"), "{text}");
        }
    }

    #[test]
    fn a_text_about_calls_is_none() {
        for text in [
            "The template writes <tool_call>{\"name\": \"read\"}</tool_call> around it.",
            "Use the `read` tool.",
            r#"{"name": "delete", "arguments": {}}"#,
            r#"{"name": "read"}"#,
            r#"{"version": 1, "name": "my-package"}"#,
            "<tool_call> is how Qwen begins a call of \"read\".",
            "",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
