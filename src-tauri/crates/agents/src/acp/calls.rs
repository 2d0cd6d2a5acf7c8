//! The agent's tool calls: told in pieces, put together here.

use domain::{OpClass, OpOutcome};
use serde_json::{Map, Value, json};
use similar::TextDiff;

use crate::driver::ObservedCall;
use crate::supervised::{one_line, text};

/// How much of a call's output is kept, in bytes.
const SAID_MAX: usize = 256 * 1024;

/// Tools that run commands, whatever the agent takes a command for: "reading" is its guess.
const SHELLS: [&str; 6] = [
    "bash",
    "shell",
    "exec_command",
    "run_shell_command",
    "terminal",
    "execute",
];

/// A call as far as it was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    id: String,
    name: String,
    /// The protocol's kind: `read`, `edit`, `delete`, `move`, `search`, `execute`, `think`,
    /// `fetch`, `switch_mode`, `other`.
    kind: String,
    title: String,
    input: Value,
    places: Vec<String>,
    changes: Vec<Value>,
    said: String,
    streamed: String,
    output: Value,
    /// Bytes of the longest lines that told of it: what it may hold.
    pub(crate) weight: usize,
}

impl Call {
    pub(crate) fn new(id: String) -> Self {
        Self {
            id,
            ..Self::default()
        }
    }

    /// Takes in what an update, or a question, tells of it. What is not told stays.
    pub(crate) fn take_in(&mut self, told: &Value) {
        let named = [
            text(told, "name"),
            text(&told["_meta"]["claudeCode"], "toolName"),
            text(&told["_meta"], "toolName"),
        ];
        if let Some(name) = named.into_iter().find(|name| !name.is_empty()) {
            name.clone_into(&mut self.name);
        }
        let title = text(told, "title");
        if self.name.is_empty() && self.title.is_empty() && is_word(title) {
            // OpenCode's first title is the tool, its later ones what is done with it.
            title.clone_into(&mut self.name);
        }
        if !title.is_empty() {
            title.clone_into(&mut self.title);
        }
        let kind = text(told, "kind");
        if !kind.is_empty() {
            kind.clone_into(&mut self.kind);
        }
        if has_content(&told["rawInput"]) {
            self.input = told["rawInput"].clone();
        }
        if has_content(&told["rawOutput"]) {
            self.output = told["rawOutput"].clone();
        }
        if let Some(places) = told["locations"].as_array().filter(|list| !list.is_empty()) {
            let paths = places.iter().map(|place| text(place, "path").to_owned());
            self.places = paths.filter(|path| !path.is_empty()).collect();
        }
        if let Some(content) = told["content"].as_array() {
            self.take_content(content);
        }
        let more = text(&told["_meta"]["terminal_output_delta"], "data");
        let room = SAID_MAX.saturating_sub(self.streamed.len());
        self.streamed.push_str(within(more, room));
    }

    fn take_content(&mut self, content: &[Value]) {
        let texts: Vec<&str> = content
            .iter()
            .map(|block| text(&block["content"], "text"))
            .filter(|said| !said.is_empty())
            .collect();
        if !texts.is_empty() {
            self.said = within(&texts.join("\n"), SAID_MAX).to_owned();
        }
        let changes: Vec<Value> = content
            .iter()
            .filter(|block| text(block, "type") == "diff")
            .map(change)
            .collect();
        if !changes.is_empty() {
            self.changes = changes;
        }
    }

    /// As it is told to the host.
    pub(crate) fn observed(&self) -> ObservedCall {
        let input = self.arguments();
        ObservedCall {
            call_id: self.id.clone(),
            name: self.name().to_owned(),
            summary: one_line(&self.summary(&input)),
            input: input.to_string(),
            class: self.class(),
        }
    }

    fn name(&self) -> &str {
        match (self.name.as_str(), self.kind.as_str()) {
            ("", "") => "tool",
            ("", kind) => kind,
            (name, _) => name,
        }
    }

    /// Nothing is believed but that looking changes nothing; and a command that looks is a
    /// command.
    fn class(&self) -> OpClass {
        let shell = SHELLS.contains(&self.name.to_ascii_lowercase().as_str());
        match self.kind.as_str() {
            "read" | "search" | "think" if !shell && self.command().is_none() => OpClass::Pure,
            _ => OpClass::AtMostOnce,
        }
    }

    /// The arguments in a form that rules can be asked about: `command` for commands, a path
    /// or `changes` for edits. What the agent did not tell is not made up: a title may be cut
    /// short, and is not taken for the command.
    fn arguments(&self) -> Value {
        if let (Some(command), "execute") = (self.command(), self.kind.as_str()) {
            let mut arguments = json!({"command": command});
            if let Some(cwd) = self.input["cwd"].as_str() {
                arguments["cwd"] = cwd.into();
            }
            return arguments;
        }
        match self.kind.as_str() {
            "edit" if self.input["file_path"].is_string() => self.input.clone(),
            "edit" if !self.changes.is_empty() => json!({"changes": self.changes}),
            "edit" if !self.places.is_empty() => {
                let touched = |path: &String| json!({"path": path, "diff": ""});
                let changes: Vec<Value> = self.places.iter().map(touched).collect();
                json!({"changes": changes})
            }
            _ => {
                let mut arguments = Map::new();
                arguments.insert("title".to_owned(), self.title.clone().into());
                if has_content(&self.input) {
                    arguments.insert("arguments".to_owned(), self.input.clone());
                }
                if !self.places.is_empty() {
                    arguments.insert("places".to_owned(), self.places.clone().into());
                }
                Value::Object(arguments)
            }
        }
    }

    fn command(&self) -> Option<String> {
        match &self.input["command"] {
            Value::String(command) if !command.trim().is_empty() => Some(command.clone()),
            Value::Array(words) => {
                let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
                shlex::try_join(words?).ok()
            }
            _ => None,
        }
    }

    fn summary(&self, arguments: &Value) -> String {
        if let Some(command) = arguments["command"].as_str() {
            return command.to_owned();
        }
        if let Some(path) = arguments["file_path"].as_str() {
            return path.to_owned();
        }
        let paths = arguments["changes"].as_array().into_iter().flatten();
        let paths: Vec<&str> = paths.map(|change| text(change, "path")).collect();
        match (paths.is_empty(), self.title.is_empty()) {
            (false, _) => paths.join(", "),
            (true, false) => self.title.clone(),
            (true, true) => self.name().to_owned(),
        }
    }

    /// How it ended, by its last update's status.
    pub(crate) fn ended(&self, status: &str) -> (OpOutcome, String) {
        let code = [&self.output["exit_code"], &self.output["metadata"]["exit"]]
            .into_iter()
            .find_map(Value::as_i64);
        let outcome = match status == "completed" && code.unwrap_or(0) == 0 {
            true => OpOutcome::Ok,
            false => OpOutcome::Error,
        };
        let mut said = self.result();
        if let Some(code) = code.filter(|code| *code != 0) {
            said.push_str(&format!("\n[exit code {code}]"));
        }
        (outcome, said)
    }

    fn result(&self) -> String {
        let output = match &self.output {
            Value::String(output) => output.as_str(),
            output => text(output, "output"),
        };
        let paths = || {
            let paths: Vec<&str> = self.changes.iter().map(|c| text(c, "path")).collect();
            paths.join("\n")
        };
        let told = [&self.streamed, output, &self.said];
        let said = told.into_iter().find(|said| !said.trim().is_empty());
        said.map_or_else(paths, |said| within(said, SAID_MAX).to_owned())
    }
}

/// A `diff` block as a change: the path, and what changes in it.
fn change(block: &Value) -> Value {
    let (old, new) = (text(block, "oldText"), text(block, "newText"));
    let diff = TextDiff::from_lines(old, new);
    let diff = diff.unified_diff().context_radius(3).to_string();
    json!({"path": text(block, "path"), "diff": diff})
}

/// The longest beginning of at most so many bytes.
pub(crate) fn within(said: &str, bytes: usize) -> &str {
    &said[..said.floor_char_boundary(bytes)]
}

fn is_word(title: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    !title.is_empty() && title.len() <= 64 && title.chars().all(plain)
}

fn has_content(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}
