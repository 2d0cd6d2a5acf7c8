//! What models are told about the tools.

use domain::OpClass;
use serde_json::{Value, json};

use crate::driver::ToolSpec;

/// All tools, in a fixed order (it is part of the cached prefix).
pub fn specs() -> Vec<ToolSpec> {
    let spec = |name, class, description, properties: Value, required: &[&str]| ToolSpec {
        name,
        description,
        input_schema: json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        }),
        class,
    };
    let path = json!({"type": "string", "description": "Path relative to the workspace."});
    vec![
        spec(
            "read",
            OpClass::Pure,
            "Reads a text file of the workspace. Every line is shown with its number and a tab before it; these are not part of the file. Long files are shown in parts: go on with offset.",
            json!({
                "path": path,
                "offset": {"type": "integer", "minimum": 1, "description": "First line to read; 1 if left out."},
                "limit": {"type": "integer", "minimum": 1, "description": "Most lines to read; 2000 if left out."},
            }),
            &["path"],
        ),
        spec(
            "list",
            OpClass::Pure,
            "Lists a folder of the workspace. Files ignored by .gitignore are left out. Folders end with a slash.",
            json!({
                "path": {"type": "string", "description": "Folder, relative to the workspace; \".\" if left out."},
                "depth": {"type": "integer", "minimum": 1, "maximum": 20, "description": "Levels to show; 2 if left out."},
            }),
            &[],
        ),
        spec(
            "search",
            OpClass::Pure,
            "Finds lines matching a regular expression (Rust syntax, one line at a time; begin with (?i) to ignore case) in files of the workspace that .gitignore does not ignore. Answers with path:line: text.",
            json!({
                "pattern": {"type": "string", "description": "The regular expression."},
                "path": {"type": "string", "description": "File or folder to search; the whole workspace if left out."},
                "glob": {"type": "string", "description": "Only files like this, such as *.rs or src/**/*.ts."},
            }),
            &["pattern"],
        ),
        spec(
            "write",
            OpClass::Reconcilable,
            "Makes a file with these contents, or replaces all of an existing one. Missing folders are made. Prefer edit for changing existing files.",
            json!({"path": path, "content": {"type": "string", "description": "The whole contents."}}),
            &["path", "content"],
        ),
        spec(
            "edit",
            OpClass::Reconcilable,
            "Replaces text in a file. old_text must be in the file exactly as given (whitespace included, without line numbers) and only once, unless replace_all is true.",
            json!({
                "path": path,
                "old_text": {"type": "string", "description": "The text to replace."},
                "new_text": {"type": "string", "description": "The text to put there; empty to delete."},
                "replace_all": {"type": "boolean", "description": "Replace every match; false if left out."},
            }),
            &["path", "old_text", "new_text"],
        ),
        spec(
            "shell",
            OpClass::AtMostOnce,
            "Runs a shell command in the workspace, without a terminal and without input, and answers with its exit status and its output. Some commands wait for a person's approval, which may take long. Commands must end by themselves: nothing is left running in the background.",
            json!({
                "command": {"type": "string", "description": "The command line."},
                "timeout_s": {"type": "integer", "minimum": 1, "maximum": super::MAX_TIMEOUT_S, "description": "Seconds after which it is stopped; 120 if left out."},
            }),
            &["command"],
        ),
        spec(
            "plan",
            OpClass::Pure,
            "Shows your plan to the people watching. Give it whole each time; it replaces the last one. Use it for work of several steps, and keep it current.",
            json!({"items": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "text": {"type": "string", "description": "What is to be done."},
                        "state": {"type": "string", "enum": ["pending", "active", "done"]},
                    },
                    "required": ["text", "state"],
                    "additionalProperties": false,
                },
            }}),
            &["items"],
        ),
        spec(
            "ask_user",
            OpClass::Pure,
            "Asks the person in charge and waits for the answer, perhaps for hours. Only for what you cannot find out and must not decide.",
            json!({
                "question": {"type": "string", "description": "The question, understandable by itself."},
                "choices": {"type": "array", "items": {"type": "string"}, "description": "Answers to choose from; left out for a free answer."},
            }),
            &["question"],
        ),
        spec(
            "flag_uncertain",
            OpClass::Pure,
            "Marks a result or decision of yours that you are not sure of, so that a person looks at it. Use it rather than to guess silently.",
            json!({
                "what": {"type": "string", "description": "What is uncertain."},
                "why": {"type": "string", "description": "Why, and what would settle it."},
            }),
            &["what", "why"],
        ),
    ]
}
