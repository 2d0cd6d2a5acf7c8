//! What TypeScript is told of values that have no type of their own here.

use std::collections::BTreeMap;

/// Any JSON document.
#[derive(serde::Serialize, specta::Type)]
#[serde(untagged)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Flag(bool),
    /// A number.
    Number(u32),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object.
    Object(BTreeMap<String, Json>),
}
