//! Loading the book, laying overrides over it, finding a model in it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::entry::ModelEntry;

/// See `data/README.md` for source and licence.
const BUNDLED: &str = include_str!("../data/prices.json");

/// Prices and limits of the models we know, with a version that names exactly
/// this content.
#[derive(Clone, Debug)]
pub struct PriceBook {
    version: String,
    models: BTreeMap<String, ModelEntry>,
}

/// How much a model takes and gives. Providers report fresher figures at run
/// time; these are what is known without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Tokens of prompt and answer together.
    pub context_window: Option<u64>,
    /// Prompt tokens of one request.
    pub max_input_tokens: Option<u64>,
    /// Answer tokens of one request.
    pub max_output_tokens: Option<u64>,
}

/// Why a file of prices was refused. Each names what to mend; nothing of the
/// file was used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PriceBookError {
    /// Not JSON, or not of the form `{"models":[…]}`.
    #[error("the price file is not of the form {{\"models\":[…]}}: {0}")]
    NotAPriceFile(String),
    /// An entry cannot be read.
    #[error("price entry {position} ('{id}'): {why}")]
    BadEntry {
        /// Which entry, counted from 1.
        position: usize,
        /// Its `id`, or `no id`.
        id: String,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "_about", default)]
    about: Value,
    models: Vec<Value>,
}

impl PriceBook {
    /// The book this program was built with.
    pub fn bundled() -> Self {
        let file: File = serde_json::from_str(BUNDLED).expect("the vendored price file is JSON");
        let date = file.about["generated"]
            .as_str()
            .unwrap_or("undated")
            .to_owned();
        let mut book = Self {
            version: format!("{date}+{}", content_hash(BUNDLED)),
            models: BTreeMap::new(),
        };
        book.lay_over(file.models)
            .expect("the vendored price entries are valid; a test loads them");
        book
    }

    /// This book with a user's file laid over it: the same schema, any subset.
    ///
    /// An entry with `prices` replaces all of a model's pricing (prices, variants
    /// and multipliers: the book's variants would not fit other base prices); one
    /// without changes only the limits it names. An unknown model needs `prices`.
    pub fn with_overrides(mut self, json: &str) -> Result<Self, PriceBookError> {
        let file: File =
            serde_json::from_str(json).map_err(|e| PriceBookError::NotAPriceFile(e.to_string()))?;
        self.lay_over(file.models)?;
        self.version = format!("{}+user.{}", self.version, content_hash(json));
        Ok(self)
    }

    /// Names this content: the date of the data, a hash of it, and a hash of the
    /// overrides if there are any.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether this model has a price at all.
    pub fn known(&self, model: &str) -> bool {
        self.entry(model).is_some()
    }

    /// The limits of a model, if it is known.
    pub fn limits(&self, model: &str) -> Option<Limits> {
        self.entry(model).map(|entry| Limits {
            context_window: entry.context_window,
            max_input_tokens: entry.max_input_tokens,
            max_output_tokens: entry.max_output_tokens,
        })
    }

    /// The most tokens one request to this model answers with, if that is known.
    pub fn max_output(&self, model: &str) -> Option<u64> {
        self.entry(model)?.max_output_tokens
    }

    /// The ids of all models in the book, in alphabetical order.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.models.keys().map(String::as_str)
    }

    /// A model's display name and provider, if the book has them.
    pub fn describe(&self, model: &str) -> Option<(Option<&str>, Option<&str>)> {
        self.entry(model)
            .map(|entry| (entry.name.as_deref(), entry.provider.as_deref()))
    }

    /// Exactly this id, or this id with a release date (`-YYYYMMDD`, or OpenAI's
    /// `-YYYY-MM-DD`). Nothing looser: matching by prefix prices a new model as an old one.
    pub(crate) fn entry(&self, model: &str) -> Option<&ModelEntry> {
        self.models
            .get(model)
            .or_else(|| self.models.get(undated(model)?))
    }

    fn lay_over(&mut self, entries: Vec<Value>) -> Result<(), PriceBookError> {
        for (index, value) in entries.into_iter().enumerate() {
            let id = value["id"].as_str().unwrap_or("no id").to_owned();
            let bad = |why: String| PriceBookError::BadEntry {
                position: index + 1,
                id: id.clone(),
                why,
            };
            let entry: ModelEntry =
                serde_json::from_value(value).map_err(|e| bad(e.to_string()))?;
            let merged = match self.models.get(&entry.id) {
                Some(known) => merge(known, entry),
                None => entry,
            };
            check(&merged).map_err(bad)?;
            self.models.insert(merged.id.clone(), merged);
        }
        Ok(())
    }
}

fn merge(known: &ModelEntry, over: ModelEntry) -> ModelEntry {
    let mut merged = known.clone();
    if over.prices.is_some() {
        merged.prices = over.prices;
        merged.variants = over.variants;
        merged.multipliers = over.multipliers;
    } else {
        merged.multipliers.extend(over.multipliers);
        merged.variants.splice(0..0, over.variants);
    }
    merged.name = over.name.or(merged.name);
    merged.provider = over.provider.or(merged.provider);
    merged.context_window = over.context_window.or(merged.context_window);
    merged.max_input_tokens = over.max_input_tokens.or(merged.max_input_tokens);
    merged.max_output_tokens = over.max_output_tokens.or(merged.max_output_tokens);
    merged
}

fn check(entry: &ModelEntry) -> Result<(), String> {
    let Some(prices) = entry.prices.as_deref().filter(|prices| !prices.is_empty()) else {
        return Err("a model that is not in the book yet needs 'prices'".to_owned());
    };
    match prices
        .iter()
        .position(|p| p.input.is_none() || p.output.is_none())
    {
        Some(index) => Err(format!("prices[{index}] needs both 'input' and 'output'")),
        None => Ok(()),
    }
}

/// The first 40 bits, in hex, are plenty to tell versions of one file apart.
fn content_hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..10].to_owned()
}

/// The id before a date of release, if there is one.
fn undated(model: &str) -> Option<&str> {
    let is_date = |digits: &str| {
        digits.len() == 8 && digits.starts_with("20") && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let (before, date) = model.rsplit_once('-')?;
    if is_date(date) {
        return Some(before);
    }
    let (before, month) = before.rsplit_once('-')?;
    let (before, year) = before.rsplit_once('-')?;
    let dashed = (year.len(), month.len(), date.len()) == (4, 2, 2);
    (dashed && is_date(&format!("{year}{month}{date}"))).then_some(before)
}
