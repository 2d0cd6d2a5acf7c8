//! Scripts: what the model says, turn by turn.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    fault::{Fault, FaultRule, FaultScope},
    view::RequestView,
};

/// One content block of an answer. In JSON as the API writes it, without ids and signatures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Block {
    Text {
        text: String,
    },
    /// Signed by the server when sent.
    Thinking {
        thinking: String,
    },
    ToolUse {
        name: String,
        #[serde(default)]
        input: Value,
        /// A fresh one is made if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
}

/// Tokens an answer is billed for. `input` excludes everything cached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write_5m: u64,
    pub cache_write_1h: u64,
    /// The part of `output` that was thinking.
    pub thinking: u64,
    pub web_search_requests: u64,
    pub web_fetch_requests: u64,
    pub service_tier: String,
    /// Reported only if given, as the API does outside the fast-mode beta.
    pub speed: Option<String>,
    pub inference_geo: Option<String>,
    /// Sent as `usage.iterations` if not empty; then these, not the top level, are the bill.
    pub iterations: Vec<Value>,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            input: 1000,
            output: 50,
            cache_read: 0,
            cache_write_5m: 0,
            cache_write_1h: 0,
            thinking: 0,
            web_search_requests: 0,
            web_fetch_requests: 0,
            service_tier: "standard".to_owned(),
            speed: None,
            inference_geo: None,
            iterations: Vec::new(),
        }
    }
}

impl Usage {
    /// So many uncached input and output tokens, nothing else.
    pub fn of(input: u64, output: u64) -> Self {
        Self {
            input,
            output,
            ..Self::default()
        }
    }
}

/// One answer of the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Turn {
    pub blocks: Vec<Block>,
    /// `tool_use` if a block calls a tool, else `end_turn`, if absent.
    pub stop_reason: Option<String>,
    pub usage: Usage,
    /// The model the answer claims to be from; the requested one if absent.
    pub model: Option<String>,
    /// Pause before every event, milliseconds.
    pub chunk_delay_ms: u64,
    /// Characters in one delta; 24 if absent.
    pub chunk_chars: Option<usize>,
    /// Sends an unknown event type and unknown fields too: a client must not mind.
    pub unknown_events: bool,
    pub faults: Vec<FaultRule>,
}

impl Turn {
    pub fn new() -> Self {
        Self::default()
    }

    /// A turn that says `text` and ends there, unless more is added.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new().say(text)
    }

    #[must_use]
    pub fn say(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Text { text: text.into() });
        self
    }

    #[must_use]
    pub fn think(mut self, thinking: impl Into<String>) -> Self {
        self.blocks.push(Block::Thinking {
            thinking: thinking.into(),
        });
        self
    }

    /// Adds a tool call; several make them parallel.
    #[must_use]
    pub fn tool(mut self, name: impl Into<String>, input: Value) -> Self {
        self.blocks.push(Block::ToolUse {
            name: name.into(),
            input,
            id: None,
        });
        self
    }

    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    #[must_use]
    pub fn stop(mut self, reason: impl Into<String>) -> Self {
        self.stop_reason = Some(reason.into());
        self
    }

    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// The first `times` requests of each conversation for this turn meet `fault`.
    #[must_use]
    pub fn fault(mut self, fault: Fault, times: u32) -> Self {
        self.faults.push(FaultRule {
            fault,
            times,
            scope: FaultScope::Conversation,
        });
        self
    }

    #[must_use]
    pub fn chunk_delay_ms(mut self, ms: u64) -> Self {
        self.chunk_delay_ms = ms;
        self
    }

    #[must_use]
    pub fn with_unknown_events(mut self) -> Self {
        self.unknown_events = true;
        self
    }

    pub(crate) fn calls_tools(&self) -> bool {
        self.blocks
            .iter()
            .any(|block| matches!(block, Block::ToolUse { .. }))
    }

    /// This turn with `{{name}}` replaced by the marker's parameters everywhere in its blocks.
    pub(crate) fn with_params(mut self, params: &BTreeMap<String, String>) -> Self {
        if params.is_empty() {
            return self;
        }
        for block in &mut self.blocks {
            match block {
                Block::Text { text } | Block::Thinking { thinking: text } => fill(text, params),
                Block::ToolUse { input, .. } => fill_value(input, params),
            }
        }
        self
    }
}

fn fill(text: &mut String, params: &BTreeMap<String, String>) {
    for (name, value) in params {
        let hole = format!("{{{{{name}}}}}");
        if text.contains(&hole) {
            *text = text.replace(&hole, value);
        }
    }
}

fn fill_value(value: &mut Value, params: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => fill(text, params),
        Value::Array(items) => items.iter_mut().for_each(|item| fill_value(item, params)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| fill_value(field, params)),
        _ => {}
    }
}

/// Makes a turn out of the request, for tests that react to tool results.
pub type Responder = Arc<dyn Fn(&RequestView) -> Turn + Send + Sync>;

#[derive(Clone, Deserialize)]
#[serde(from = "Turn")]
enum Source {
    Fixed(Box<Turn>),
    Computed(Responder),
}

impl From<Turn> for Source {
    fn from(turn: Turn) -> Self {
        Self::Fixed(Box::new(turn))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(turn) => turn.fmt(f),
            Self::Computed(_) => f.write_str("<computed>"),
        }
    }
}

/// A conversation, one turn for each time the model is asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    turns: Vec<Source>,
    /// What follows the last turn, for ever; a plain closing text if absent.
    #[serde(default)]
    after: Option<Source>,
}

impl Script {
    pub fn new() -> Self {
        Self::default()
    }

    /// A script whose every turn is made by `respond`.
    pub fn computed(respond: impl Fn(&RequestView) -> Turn + Send + Sync + 'static) -> Self {
        Self {
            turns: Vec::new(),
            after: Some(Source::Computed(Arc::new(respond))),
        }
    }

    #[must_use]
    pub fn turn(mut self, turn: Turn) -> Self {
        self.turns.push(turn.into());
        self
    }

    /// Adds a turn made when it is asked for.
    #[must_use]
    pub fn turn_with(
        mut self,
        respond: impl Fn(&RequestView) -> Turn + Send + Sync + 'static,
    ) -> Self {
        self.turns.push(Source::Computed(Arc::new(respond)));
        self
    }

    /// What every turn past the last one says.
    #[must_use]
    pub fn after(mut self, turn: Turn) -> Self {
        self.after = Some(turn.into());
        self
    }

    /// How many turns are written down.
    pub fn len(&self) -> usize {
        self.turns.len()
    }

    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    pub(crate) fn at(&self, view: &RequestView) -> Turn {
        let turn = match self.turns.get(view.turn).or(self.after.as_ref()) {
            Some(Source::Fixed(turn)) => turn.as_ref().clone(),
            Some(Source::Computed(respond)) => respond(view),
            None => Turn::text("Nothing is left to do (end of the script)."),
        };
        turn.with_params(&view.params)
    }
}

/// A file of scripts: `{"default": "NAME", "scripts": {"NAME": {"turns": [..]}}}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptBook {
    /// Used for prompts without a marker; without it they get a short greeting.
    #[serde(default)]
    pub default: Option<String>,
    pub scripts: BTreeMap<String, Script>,
}

impl ScriptBook {
    /// Reads a book; the error says where the JSON is wrong.
    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the script file {}", path.display()))?;
        let book: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a script file", path.display()))?;
        if let Some(name) = book
            .default
            .as_ref()
            .filter(|name| !book.scripts.contains_key(*name))
        {
            anyhow::bail!(
                "{}: the default script \"{name}\" is not among the scripts",
                path.display()
            );
        }
        Ok(book)
    }
}

/// The first `[[script:NAME key=value …]]` in `text`.
pub(crate) fn find_marker(text: &str) -> Option<(String, BTreeMap<String, String>)> {
    let (_, rest) = text.split_once("[[script:")?;
    let (inside, _) = rest.split_once("]]")?;
    let mut words = inside.split_whitespace();
    let name = words.next()?.to_owned();
    let params = words
        .filter_map(|word| word.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    Some((name, params))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn markers_carry_a_name_and_parameters() {
        let (name, params) =
            find_marker("please [[script:fix file=a.sh n=2]] now").expect("a marker");
        assert_eq!(name, "fix");
        let turn = Turn::new()
            .tool("write", json!({"path": ["{{file}}"], "n": 1}))
            .say("{{n}} {{other}}")
            .with_params(&params);
        assert_eq!(
            turn.blocks[0],
            Block::ToolUse {
                name: "write".into(),
                input: json!({"path": ["a.sh"], "n": 1}),
                id: None
            }
        );
        assert_eq!(
            turn.blocks[1],
            Block::Text {
                text: "2 {{other}}".into()
            }
        );
        assert!(find_marker("[[script:").is_none() && find_marker("[[script:]]").is_none());
    }

    #[test]
    fn a_book_with_a_typo_is_refused() {
        let typo = json!({"scripts": {"a": {"turns": [{"block": []}]}}});
        assert!(serde_json::from_value::<ScriptBook>(typo).is_err());
    }
}
