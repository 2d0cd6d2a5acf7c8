//! Settings: what is in `config.toml`, with its words.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Asks for all settings.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct SettingsRequest {}

/// All settings, in the order in which they are to be shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, specta::Type)]
pub struct SettingList {
    /// The settings.
    pub settings: Vec<Setting>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, specta::Type)]
pub struct Setting {
    /// Its key in `config.toml`.
    pub name: String,
    /// The heading it stands under.
    pub group: String,
    /// What it is called.
    pub title: String,
    /// What it does, in a sentence or two.
    pub help: String,
    /// Its value now.
    #[specta(type = domain::typescript::Json)]
    pub value: Value,
    /// Its value when nothing is set.
    #[specta(type = domain::typescript::Json)]
    pub default: Value,
    /// What values it can have.
    pub kind: SettingKind,
    /// Why it should be changed with care, where it should.
    pub dangerous: Option<String>,
    /// Whether it takes effect only when the daemon is started again. None does.
    pub restart: bool,
}

/// What values a setting can have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SettingKind {
    /// A whole number.
    Number {
        /// The least.
        #[specta(type = u32)]
        min: u64,
        /// The most.
        #[specta(type = u32)]
        max: u64,
        /// Of what: `s`, `ms`, `runs`; empty for a bare number.
        unit: String,
    },
    /// One of these words.
    Choice {
        /// The words.
        choices: Vec<SettingChoice>,
    },
    /// Yes or no.
    Flag,
    /// A text.
    Text,
}

/// One word a setting can have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct SettingChoice {
    /// The word.
    pub id: String,
    /// For a button.
    pub label: String,
    /// What happens then.
    pub effect: String,
}

/// Changes a setting, at once and in `config.toml`.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct SettingChange {
    /// Its key.
    pub name: String,
    /// Its new value; null for the default.
    #[specta(type = domain::typescript::Json)]
    pub value: Value,
}
