//! Settings while the daemon runs: changed in the file and in force at once.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use protocol::{ApiError, ErrorCode, Setting, SettingKind};
use serde_json::Value;
use tokio::task::JoinHandle;
use toml_edit::DocumentMut;

use super::catalog::{self, Spec};
use super::{Config, ConfigError};
use crate::api::Working;
use crate::logs::ChangeLog;

/// The settings in force.
pub(crate) struct Live {
    file: PathBuf,
    config: Mutex<Config>,
    /// One change at a time: each rewrites the file.
    changing: tokio::sync::Mutex<()>,
    change_log: Option<ChangeLog>,
    /// Keeps the machine awake while runs work.
    awake: Mutex<Option<JoinHandle<()>>>,
}

impl Live {
    pub(crate) fn new(file: PathBuf, config: Config, change_log: Option<ChangeLog>) -> Self {
        Self {
            file,
            config: Mutex::new(config),
            changing: tokio::sync::Mutex::default(),
            change_log,
            awake: Mutex::default(),
        }
    }

    /// What is set now.
    pub(crate) fn config(&self) -> Config {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, Config> {
        self.config
            .lock()
            .expect("no code panics while holding the settings")
    }

    /// Every setting, as shown.
    pub(crate) fn all(&self) -> Result<Vec<Setting>, ApiError> {
        let config = self.config();
        let specs = catalog::all();
        specs.into_iter().map(|spec| shown(spec, &config)).collect()
    }

    /// Changes one, in the file and in force; null is its default again.
    pub(crate) async fn change(
        &self,
        working: &Working,
        name: &str,
        value: &Value,
    ) -> Result<Setting, ApiError> {
        let spec = catalog::all()
            .into_iter()
            .find(|spec| spec.name == name)
            .ok_or_else(|| {
                ApiError::not_found(
                    format!("there is no setting '{name}'"),
                    "the settings room lists them",
                )
            })?;
        check(&spec, value)?;
        let _alone = self.changing.lock().await;
        let (file, name, value) = (self.file.clone(), name.to_owned(), value.clone());
        let config = tokio::task::spawn_blocking(move || rewrite(&file, &name, &value))
            .await
            .map_err(ApiError::internal)??;
        *self.locked() = config;
        self.apply(working);
        shown(spec, &self.config())
    }

    /// Puts what is set in force.
    pub(crate) fn apply(&self, working: &Working) {
        let config = self.config();
        let engine = &working.engine;
        working.notifier.wish(config.notices());
        working.teller.pace(config.webhook_retry_ms());
        engine.change_settings(config.engine());
        engine.limiter().change_settings(config.limiter());
        if let Some(change_log) = &self.change_log {
            change_log(config.log());
        }
        self.stay_awake(engine, config.inhibit_sleep.unwrap_or(true));
    }

    #[cfg(target_os = "linux")]
    fn stay_awake(&self, engine: &engine::Engine, wanted: bool) {
        let mut awake = self
            .awake
            .lock()
            .expect("no code panics while holding the task");
        match (wanted, awake.is_some()) {
            (true, false) => {
                *awake = Some(tokio::spawn(crate::sleep::stay_awake(engine.working())));
            }
            (false, true) => {
                if let Some(task) = awake.take() {
                    task.abort();
                }
            }
            _ => {}
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn stay_awake(&self, _engine: &engine::Engine, _wanted: bool) {}
}

fn shown(spec: Spec, config: &Config) -> Result<Setting, ApiError> {
    let set = serde_json::to_value(config).map_err(ApiError::internal)?;
    let mut value = set.get(spec.name).cloned().unwrap_or(Value::Null);
    if spec.name == "silence_s"
        && value.is_null()
        && let Some(ms) = config.silence_ms
    {
        value = (ms / 1000).into();
    }
    if value.is_null() {
        value = spec.default.clone();
    }
    Ok(Setting {
        name: spec.name.to_owned(),
        group: spec.group.to_owned(),
        title: spec.title.to_owned(),
        help: spec.help.to_owned(),
        value,
        default: spec.default,
        kind: spec.kind,
        dangerous: spec.dangerous.map(str::to_owned),
        restart: false,
    })
}

fn check(spec: &Spec, value: &Value) -> Result<(), ApiError> {
    if value.is_null() {
        return Ok(());
    }
    let wrong = |what: String| {
        Err(ApiError::usage(
            format!("'{}' cannot be {value}", spec.name),
            what,
        ))
    };
    match &spec.kind {
        SettingKind::Number { min, max, unit } => match value.as_u64() {
            Some(n) if (*min..=*max).contains(&n) => Ok(()),
            _ => wrong(format!("give a whole number from {min} to {max} ({unit})")),
        },
        SettingKind::Choice { choices } => {
            let known = |word: &str| choices.iter().any(|choice| choice.id == word);
            match value.as_str() {
                Some(word) if known(word) => Ok(()),
                _ => {
                    let words: Vec<&str> = choices.iter().map(|c| c.id.as_str()).collect();
                    wrong(format!("use one of: {}", words.join(", ")))
                }
            }
        }
        SettingKind::Flag if value.is_boolean() => Ok(()),
        SettingKind::Flag => wrong("give true or false".to_owned()),
        SettingKind::Text => match value.as_str() {
            Some(text) if spec.name == "log" && !crate::logs::is_filter(text) => {
                wrong("give a level, such as info, or part=level".to_owned())
            }
            Some(text) if !text.contains('\n') => Ok(()),
            _ => wrong("give a text of one line".to_owned()),
        },
    }
}

/// Changes one key of the file and nothing else in it, and reads the whole again.
fn rewrite(file: &Path, name: &str, value: &Value) -> Result<Config, ApiError> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(unwritable(file, &e)),
    };
    let mut document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| {
        unusable(ApiError::usage(
            format!("{}: {e}", file.display()),
            "mend the file first",
        ))
    })?;
    match value {
        Value::Null => remove(&mut document, name),
        value => set(&mut document, name, value),
    }
    if name == "silence_s" {
        // The finer one would win.
        document.remove("silence_ms");
    }
    let text = document.to_string();
    let config = Config::parse(file, &text)
        .map_err(|e: ConfigError| unusable(ApiError::usage(e.to_string(), "give another value")))?;
    write(file, &text).map_err(|e| unwritable(file, &e))?;
    Ok(config)
}

fn set(document: &mut DocumentMut, name: &str, value: &Value) {
    let mut item = match value {
        Value::Bool(flag) => toml_edit::Value::from(*flag),
        Value::Number(n) => toml_edit::Value::from(n.as_i64().unwrap_or(i64::MAX)),
        Value::String(text) => toml_edit::Value::from(text.as_str()),
        other => toml_edit::Value::from(other.to_string()),
    };
    // What the user wrote above and beside the old value stays with the new one.
    if let Some(before) = document.get_mut(name) {
        if let Some(value) = before.as_value() {
            *item.decor_mut() = value.decor().clone();
        }
        *before = toml_edit::Item::Value(item);
    } else {
        document.insert(name, toml_edit::Item::Value(item));
    }
}

/// Takes a key away. What the user wrote above it stays, above what comes next.
fn remove(document: &mut DocumentMut, name: &str) {
    let before = |decor: &toml_edit::Decor| {
        let prefix = decor.prefix().and_then(|raw| raw.as_str());
        prefix.unwrap_or_default().to_owned()
    };
    let above = document.key(name).map(|key| before(key.leaf_decor()));
    let above = above.unwrap_or_default();
    let keys = document.iter().map(|(key, _)| key.to_owned());
    let next = keys.skip_while(|key| key != name).nth(1);
    document.remove(name);
    match next.as_deref().and_then(|next| document.key_mut(next)) {
        Some(mut next) => {
            let both = format!("{above}{}", before(next.leaf_decor()));
            next.leaf_decor_mut().set_prefix(both);
        }
        None => {
            let after = document.trailing().as_str().unwrap_or_default();
            let both = format!("{above}{after}");
            document.set_trailing(both);
        }
    }
}

fn unusable(mut error: ApiError) -> ApiError {
    // One line: a parser's words have several.
    error.message = error.message.replace('\n', " ");
    error
}

fn unwritable(file: &Path, why: &std::io::Error) -> ApiError {
    ApiError::new(
        ErrorCode::Conflict,
        format!("{} cannot be changed: {why}", file.display()),
        "look at the file's permissions and the space on its disk",
    )
}

/// Whole or not at all, also when the power goes.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let temp = folder.join(format!(".config.{}.tmp", std::process::id()));
    let written = (|| {
        let mut out = std::fs::File::create(&temp)?;
        if let Ok(before) = std::fs::metadata(file) {
            out.set_permissions(before.permissions())?;
        }
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        std::fs::rename(&temp, file)?;
        std::fs::File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temp);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_key_is_changed_and_every_comment_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let before = "# mine\nslots = 2 # two are enough\n\n# quiet\nlog = \"warn\"\n";
        std::fs::write(&file, before).unwrap();
        let config = rewrite(&file, "slots", &json!(7)).unwrap();
        assert_eq!(config.slots, Some(7));
        let after = std::fs::read_to_string(&file).unwrap();
        assert_eq!(after, before.replace("slots = 2", "slots = 7"));
        rewrite(&file, "tries", &json!(3)).unwrap();
        rewrite(&file, "slots", &Value::Null).unwrap();
        let after = std::fs::read_to_string(&file).unwrap();
        assert!(after.contains("# quiet\nlog = \"warn\"") && after.contains("tries = 3"));
        assert!(after.starts_with("# mine\n"), "{after}");
        assert!(!after.contains("slots ="), "{after}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn every_setting_is_one_of_the_files_and_its_default_is_a_value_it_can_have() {
        let config = Config::default();
        for spec in catalog::all() {
            check(&spec, &spec.default).unwrap_or_else(|e| panic!("{}: {e}", spec.name));
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("config.toml");
            let name = spec.name;
            let default = spec.default.clone();
            rewrite(&file, name, &default).unwrap_or_else(|e| panic!("{name}: {e}"));
            let back = shown(spec, &Config::read(&file).unwrap()).unwrap();
            assert_eq!(back.value, default, "{name}");
            assert_eq!(shown_default(name, &config), default, "{name}");
        }
    }

    fn shown_default(name: &str, config: &Config) -> Value {
        let spec = catalog::all().into_iter().find(|s| s.name == name).unwrap();
        shown(spec, config).unwrap().value
    }

    #[test]
    fn what_a_setting_cannot_be_is_refused_before_anything_is_written() {
        let spec = |name: &str| catalog::all().into_iter().find(|s| s.name == name).unwrap();
        for (name, value) in [
            ("slots", json!(0)),
            ("slots", json!("many")),
            ("slots", json!(1.5)),
            ("policy", json!("reckless")),
            ("inhibit_sleep", json!("yes")),
            ("log", json!("=====")),
        ] {
            assert!(check(&spec(name), &value).is_err(), "{name} = {value}");
        }
    }
}
