//! The agent's own tools, as the journal knows them.

use domain::OpClass;
use serde_json::Value;

use super::protocol::text;
use crate::driver::ObservedCall;
use crate::supervised::one_line;

/// What may be done when a call's outcome is unknown. Claude's edits are its own:
/// we know no before-image, so that only reading may be repeated.
pub(crate) fn class(tool: &str) -> OpClass {
    match tool {
        "Read" | "Glob" | "Grep" | "LS" | "NotebookRead" | "ToolSearch" => OpClass::Pure,
        _ => OpClass::AtMostOnce,
    }
}

/// Whether it asks before it runs this one, as far as a name can tell. What it
/// really asks about is its own affair: reading commands it runs unasked.
pub(crate) fn is_asked_about(tool: &str) -> bool {
    class(tool) != OpClass::Pure && !matches!(tool, "Task" | "TodoWrite" | "Skill")
}

/// A call as told to the host.
pub(crate) fn observed(call_id: &str, name: &str, input: &Value) -> ObservedCall {
    ObservedCall {
        call_id: call_id.to_owned(),
        name: name.to_owned(),
        input: input.to_string(),
        summary: summary(name, input),
        class: class(name),
    }
}

/// The field of a call's input that says most, in one line.
pub fn summary(name: &str, input: &Value) -> String {
    let telling = [
        "command",
        "file_path",
        "notebook_path",
        "pattern",
        "path",
        "url",
        "query",
        "description",
        "prompt",
    ];
    let said = telling
        .into_iter()
        .map(|field| text(input, field))
        .find(|said| !said.is_empty());
    one_line(said.unwrap_or(name))
}
