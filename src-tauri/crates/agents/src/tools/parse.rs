//! Reading a call's input strictly: what is not understood is said to the model
//! rather than guessed.

use domain::{PlanItem, PlanState};
use serde_json::{Map, Value};

use super::shell::{DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S};
use super::{Places, Tool};

/// Lines that are read unless more are asked for.
const READ_LINES: u64 = 2000;

/// Levels that are listed unless more are asked for.
const LIST_DEPTH: u64 = 2;

/// Why a call cannot be understood. The text is for the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolInputError {
    /// There is no such tool.
    #[error(
        "there is no tool \"{0}\"; the tools are read, list, search, write, edit, shell, plan, ask_user and flag_uncertain"
    )]
    UnknownTool(String),
    /// The input is not a JSON object.
    #[error("the input of {tool} is not a JSON object: {problem}")]
    NotAnObject {
        /// The tool.
        tool: String,
        /// What is wrong.
        problem: String,
    },
    /// A field is missing.
    #[error("{tool}: the field \"{field}\" is missing; it must be {expected}")]
    Missing {
        /// The tool.
        tool: String,
        /// The field.
        field: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// A field has a value that does not fit.
    #[error("{tool}: the field \"{field}\" must be {expected}, not {found}")]
    Wrong {
        /// The tool.
        tool: String,
        /// The field.
        field: String,
        /// What belongs there.
        expected: &'static str,
        /// What was there, shortened.
        found: String,
    },
    /// There are fields the tool does not know.
    #[error("{tool} has no field \"{field}\"")]
    UnknownField {
        /// The tool.
        tool: String,
        /// The field.
        field: String,
    },
}

impl Tool {
    /// Reads a call.
    ///
    /// # Errors
    /// With words for the model: which field, and what belongs there.
    pub fn parse(name: &str, input_json: &str) -> Result<Self, ToolInputError> {
        let mut fields = Fields::new(name, input_json)?;
        let tool = match name {
            "read" => Self::Read {
                path: fields.path("path")?,
                offset: fields.count("offset", 1, u64::MAX)?.unwrap_or(1),
                limit: fields.count("limit", 1, u64::MAX)?.unwrap_or(READ_LINES),
            },
            "list" => Self::List {
                path: fields.optional_path("path")?,
                depth: fields.count("depth", 1, 20)?.unwrap_or(LIST_DEPTH),
            },
            "search" => Self::Search {
                pattern: fields.filled("pattern")?,
                path: fields.optional_path("path")?,
                glob: fields
                    .optional_text("glob")?
                    .filter(|glob| !glob.is_empty()),
            },
            "write" => Self::Write {
                path: fields.path("path")?,
                content: fields.text("content")?,
            },
            "edit" => Self::Edit {
                path: fields.path("path")?,
                old_text: fields.text("old_text")?,
                new_text: fields.text("new_text")?,
                places: fields.places("replace_all")?,
            },
            "shell" => Self::Shell {
                command: fields.filled("command")?,
                timeout_s: fields
                    .count("timeout_s", 1, MAX_TIMEOUT_S)?
                    .unwrap_or(DEFAULT_TIMEOUT_S),
            },
            "plan" => Self::Plan {
                items: fields.items("items")?,
            },
            "ask_user" => Self::AskUser {
                question: fields.filled("question")?,
                choices: fields.choices("choices")?,
            },
            "flag_uncertain" => Self::FlagUncertain {
                what: fields.filled("what")?,
                why: fields.text("why")?,
            },
            unknown => return Err(ToolInputError::UnknownTool(super::text::one_line(unknown))),
        };
        fields.end()?;
        Ok(tool)
    }
}

/// What is left of an input.
struct Fields<'a> {
    tool: &'a str,
    left: Map<String, Value>,
}

const TEXT: &str = "a string";
const FILLED: &str = "a string that is not empty";
const PATH: &str = "a path relative to the workspace";
const ITEMS: &str = "a list of {\"text\": string, \"state\": \"pending\", \"active\" or \"done\"}";
const CHOICES: &str = "a list of strings";

impl<'a> Fields<'a> {
    fn new(tool: &'a str, json: &str) -> Result<Self, ToolInputError> {
        let wrong = |problem: String| ToolInputError::NotAnObject {
            tool: super::text::one_line(tool),
            problem,
        };
        let json = if json.trim().is_empty() { "{}" } else { json };
        match serde_json::from_str(json) {
            Ok(Value::Object(left)) => Ok(Self { tool, left }),
            Ok(other) => Err(wrong(format!("it is {}", excerpt(&other)))),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// `null` is as good as nothing.
    fn take(&mut self, field: &str) -> Option<Value> {
        self.left
            .shift_remove(field)
            .filter(|value| !value.is_null())
    }

    fn missing(&self, field: &str, expected: &'static str) -> ToolInputError {
        ToolInputError::Missing {
            tool: self.tool.to_owned(),
            field: field.to_owned(),
            expected,
        }
    }

    fn wrong(&self, field: &str, expected: &'static str, found: &Value) -> ToolInputError {
        let found = excerpt(found);
        ToolInputError::Wrong {
            tool: self.tool.to_owned(),
            field: field.to_owned(),
            expected,
            found,
        }
    }

    fn string(
        &mut self,
        field: &str,
        expected: &'static str,
    ) -> Result<Option<String>, ToolInputError> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(field, expected, &other)),
        }
    }

    fn text(&mut self, field: &str) -> Result<String, ToolInputError> {
        self.string(field, TEXT)?
            .ok_or_else(|| self.missing(field, TEXT))
    }

    fn filled(&mut self, field: &str) -> Result<String, ToolInputError> {
        let text = self
            .string(field, FILLED)?
            .ok_or_else(|| self.missing(field, FILLED))?;
        if text.trim().is_empty() || text.contains('\0') {
            return Err(self.wrong(field, FILLED, &Value::String(text)));
        }
        Ok(text)
    }

    fn optional_text(&mut self, field: &str) -> Result<Option<String>, ToolInputError> {
        self.string(field, TEXT)
    }

    fn path(&mut self, field: &str) -> Result<String, ToolInputError> {
        let path = self
            .string(field, PATH)?
            .ok_or_else(|| self.missing(field, PATH))?;
        if path.is_empty() || path.contains('\0') {
            return Err(self.wrong(field, PATH, &Value::String(path)));
        }
        Ok(path)
    }

    fn optional_path(&mut self, field: &str) -> Result<String, ToolInputError> {
        match self.string(field, PATH)? {
            Some(path) if path.contains('\0') => Err(self.wrong(field, PATH, &Value::String(path))),
            Some(path) if !path.is_empty() => Ok(path),
            _ => Ok(".".to_owned()),
        }
    }

    fn count(&mut self, field: &str, least: u64, most: u64) -> Result<Option<u64>, ToolInputError> {
        let expected = match most {
            MAX_TIMEOUT_S => "a whole number from 1 to 3600",
            20 => "a whole number from 1 to 20",
            _ => "a whole number from 1",
        };
        let Some(value) = self.take(field) else {
            return Ok(None);
        };
        // Some models write whole numbers as 10.0.
        let whole = value
            .as_f64()
            .filter(|n| n.fract() == 0.0 && (0.0..9e15).contains(n))
            .map(|n| n as u64);
        match value
            .as_u64()
            .or(whole)
            .filter(|n| (least..=most).contains(n))
        {
            Some(n) => Ok(Some(n)),
            None => Err(self.wrong(field, expected, &value)),
        }
    }

    fn places(&mut self, field: &str) -> Result<Places, ToolInputError> {
        match self.take(field) {
            None | Some(Value::Bool(false)) => Ok(Places::Only),
            Some(Value::Bool(true)) => Ok(Places::All),
            Some(other) => Err(self.wrong(field, "true or false", &other)),
        }
    }

    fn items(&mut self, field: &str) -> Result<Vec<PlanItem>, ToolInputError> {
        let value = self.take(field).ok_or_else(|| self.missing(field, ITEMS))?;
        let item = |value: &Value| {
            let state = match value["state"].as_str()? {
                "pending" => PlanState::Pending,
                "active" => PlanState::Active,
                "done" => PlanState::Done,
                _ => return None,
            };
            Some(PlanItem {
                text: value["text"].as_str()?.to_owned(),
                state,
            })
        };
        let items = value
            .as_array()
            .and_then(|values| values.iter().map(item).collect());
        items.ok_or_else(|| self.wrong(field, ITEMS, &value))
    }

    fn choices(&mut self, field: &str) -> Result<Vec<String>, ToolInputError> {
        let Some(value) = self.take(field) else {
            return Ok(Vec::new());
        };
        let text = |value: &Value| {
            value
                .as_str()
                .filter(|text| !text.trim().is_empty())
                .map(str::to_owned)
        };
        let choices = value
            .as_array()
            .and_then(|values| values.iter().map(text).collect());
        choices.ok_or_else(|| self.wrong(field, CHOICES, &value))
    }

    fn end(self) -> Result<(), ToolInputError> {
        match self.left.into_iter().next() {
            Some((field, _)) => {
                let field = super::text::one_line(&field);
                Err(ToolInputError::UnknownField {
                    tool: self.tool.to_owned(),
                    field,
                })
            }
            None => Ok(()),
        }
    }
}

fn excerpt(value: &Value) -> String {
    super::text::cut(&super::text::one_line(&value.to_string()), 60)
}
