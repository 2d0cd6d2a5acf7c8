//! `<home>/config.toml`: numbers a user may change.

pub(crate) mod catalog;
pub(crate) mod live;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::{Budget, NanoUsd, Preset};
use engine::{Along, BringPath, OnRestart, Uncommitted};
use serde::{Deserialize, Serialize};

/// First wait after a webhook was told in vain, in milliseconds.
pub(crate) const WEBHOOK_RETRY_MS: u64 = 5_000;

const GIB: u64 = 1024 * 1024 * 1024;
const MIB: u64 = 1024 * 1024;

/// Processes one command or agent may have at once: far above any build's, far below what
/// a machine can stand.
pub(crate) const PROCESS_LIMIT: u32 = 2_000;

/// One command or agent leaves a quarter of the machine to the user and the others.
pub(crate) fn default_memory_limit() -> Option<u64> {
    keeper::installed_memory().map(|bytes| bytes / 4 * 3)
}
const DAY_S: u64 = 24 * 3600;

/// The file's contents; whatever is absent has its default.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Runs that work at the same time.
    pub slots: Option<usize>,
    /// Seconds of work after which a run lets others go first.
    pub chunk_s: Option<u64>,
    /// Seconds of silence after which a model or agent counts as stalled.
    pub silence_s: Option<u64>,
    /// The same in milliseconds.
    pub silence_ms: Option<u64>,
    /// First delay after a server error, in milliseconds; doubles.
    pub retry_ms: Option<u64>,
    /// Tries of one model call.
    pub tries: Option<u32>,
    /// Longest total wait for limits, in seconds.
    pub max_wait_s: Option<u64>,
    /// A wait longer than this lets a named fallback answer, in seconds.
    pub fallback_after_s: Option<u64>,
    /// A longer wait for a limit asks a person, in seconds.
    pub long_wait_s: Option<u64>,
    /// A review nobody answered for so long expires: its run stops, and asks again when it is
    /// resumed (seconds; 0: never).
    pub review_expires_s: Option<u64>,
    /// First wait after a webhook was told in vain, in milliseconds; doubles up to an hour.
    pub webhook_retry_ms: Option<u64>,
    /// The same call this often in a row asks a person.
    pub loop_limit: Option<usize>,
    /// How often a failing verify command's output goes back to the agent.
    pub verify_tries: Option<u32>,
    /// Time limit of a verify command, in seconds.
    pub verify_timeout_s: Option<u64>,
    /// Seconds without a sign of life after which a lock on a folder is taken over.
    pub lock_stale_after_s: Option<u64>,
    /// Most tokens one answer may have.
    pub max_answer_tokens: Option<u64>,
    /// Whether interrupted runs go on by themselves: `auto` or `ask`.
    pub on_restart: Option<Restart>,
    /// Two daemon deaths within this time leave a run interrupted, in seconds.
    pub crash_window_s: Option<u64>,
    /// A longer downtime leaves runs interrupted, in seconds.
    pub downtime_limit_s: Option<u64>,
    /// Milliseconds between two runs going on by themselves.
    pub stagger_ms: Option<u64>,
    /// How often a broken credential is looked at again, in milliseconds.
    pub auth_recheck_ms: Option<u64>,
    /// First wait for a limit without a known end, in milliseconds; doubles.
    pub probe_ms: Option<u64>,
    /// Milliseconds between two calls released after a pause.
    pub release_spacing_ms: Option<u64>,
    /// Whether the machine is kept awake while runs work on mains power: yes, by default.
    pub inhibit_sleep: Option<bool>,
    /// Calls of one credential that may be on their way at the same time.
    pub concurrency: Option<usize>,
    /// Policy of tasks that name none.
    pub policy: Option<Preset>,
    /// Whether commands run in a sandbox: `auto` (where there can be one) or `off`.
    pub sandbox: Option<Sandboxing>,
    /// Whether commands in a sandbox can talk to others: `on` or `off`.
    pub sandbox_network: Option<Switch>,
    /// Caches that commands in a sandbox may write besides the known ones, with `:`
    /// between them.
    pub sandbox_caches: Option<String>,
    /// Folders and files that commands in a sandbox may write besides, with `:` between
    /// them.
    pub sandbox_writable: Option<String>,
    /// Most memory a command or an agent may take with all it starts, in MiB; 0: no
    /// limit. Three quarters of the machine's, by default.
    pub memory_limit_mb: Option<u64>,
    /// Most processes a command or an agent may have at once; 0: no limit.
    pub process_limit: Option<u32>,
    /// Whether anything is told on the desktop: yes, by default.
    pub notify: Option<bool>,
    /// Whether it is told that somebody has to decide something.
    pub notify_needs_you: Option<bool>,
    /// Whether it is told that a run failed.
    pub notify_failed: Option<bool>,
    /// Whether it is told that runs were interrupted, and went on.
    pub notify_interrupted: Option<bool>,
    /// Whether it is told that 90 % of a budget is used.
    pub notify_budget: Option<bool>,
    /// Whether it is told that a limit holds a run up for over 15 minutes.
    pub notify_limit: Option<bool>,
    /// Whether it is told that a run is done.
    pub notify_finished: Option<bool>,
    /// Cost cap of tasks that name none, in dollars.
    pub max_cost_usd: Option<NanoUsd>,
    /// Token cap of tasks that name none.
    pub max_tokens: Option<u64>,
    /// Cap of tool calls of tasks that name none.
    pub max_tool_calls: Option<u64>,
    /// Cap of working time of tasks that name none, in seconds.
    pub max_duration_s: Option<u64>,
    /// What workspaces may take before those nobody needs are removed early, in GiB.
    pub workspaces_max_gb: Option<u64>,
    /// Days for which a workspace nobody needs is kept.
    pub workspaces_keep_days: Option<u64>,
    /// What comes into the workspaces of single projects, by folder:
    /// `[projects."/abs/path"]`.
    pub projects: BTreeMap<PathBuf, Project>,
    /// Log filter, such as `info` or `longhaul_engine=debug`.
    pub log: Option<String>,
}

/// What is set for one project.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Project {
    /// Whether a clone has the user's uncommitted changes: no, by default.
    pub include_uncommitted: bool,
    /// Files a run needs that git does not have, such as `.env`, relative to the
    /// project; `*` and `?` stand for characters of a name.
    pub bring: Vec<BringPath>,
    /// A command run once in a new workspace, such as `npm ci`.
    pub setup: Option<String>,
    /// Most that is copied into a workspace, in MiB.
    pub copy_limit_mb: Option<u64>,
}

impl Project {
    fn engine(&self) -> engine::ProjectSettings {
        engine::ProjectSettings {
            along: Along {
                uncommitted: match self.include_uncommitted {
                    true => Uncommitted::ComeAlong,
                    false => Uncommitted::StayBehind,
                },
                bring: self.bring.clone(),
                copy_limit: self.copy_limit_mb.map(|mb| mb.saturating_mul(1024 * 1024)),
                base: None,
            },
            setup: self
                .setup
                .clone()
                .filter(|command| !command.trim().is_empty()),
        }
    }
}

/// Whether commands run in a sandbox.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sandboxing {
    /// Where there can be one.
    Auto,
    /// Never.
    Off,
}

/// Whether something is on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// What happens to interrupted runs after a restart.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Restart {
    /// They go on by themselves.
    Auto,
    /// They wait for somebody.
    Ask,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct ConfigError {
    file: String,
    problem: String,
}

impl Config {
    /// Reads the file; an absent one is an empty one.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let error = |problem: String| ConfigError {
            file: file.display().to_string(),
            problem,
        };
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(file, &text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(error(e.to_string())),
        }
    }

    /// Reads the file's text.
    pub(crate) fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|e| ConfigError {
            file: file.display().to_string(),
            problem: e.to_string(),
        })
    }

    /// The log's filter.
    pub(crate) fn log(&self) -> &str {
        self.log.as_deref().unwrap_or("info")
    }

    /// The caps of tasks that name none.
    pub fn budget(&self) -> Budget {
        let base = Budget::default();
        let ms = |s: u64| i64::try_from(s.saturating_mul(1000)).unwrap_or(i64::MAX);
        Budget {
            max_cost: self.max_cost_usd.or(base.max_cost),
            max_tokens: self.max_tokens.or(base.max_tokens),
            max_tool_calls: self.max_tool_calls.or(base.max_tool_calls),
            max_active_ms: self.max_duration_s.map(ms).or(base.max_active_ms),
        }
    }

    /// The engine's settings.
    pub fn engine(&self) -> engine::Settings {
        let base = engine::Settings::default();
        let ms = |seconds: Option<u64>, default: i64| {
            seconds.map_or(default, |s| {
                i64::try_from(s.saturating_mul(1000)).unwrap_or(i64::MAX)
            })
        };
        engine::Settings {
            slots: self.slots.unwrap_or(base.slots).max(1),
            chunk_ms: ms(self.chunk_s, base.chunk_ms),
            silence_ms: self
                .silence_ms
                .or(self.silence_s.map(|s| s * 1000))
                .unwrap_or(base.silence_ms),
            retry_ms: self.retry_ms.unwrap_or(base.retry_ms),
            tries: self.tries.unwrap_or(base.tries).max(1),
            max_wait_ms: ms(self.max_wait_s, base.max_wait_ms),
            fallback_after_ms: ms(self.fallback_after_s, base.fallback_after_ms),
            long_wait_ms: ms(self.long_wait_s, base.long_wait_ms),
            review_expires_ms: ms(self.review_expires_s, base.review_expires_ms),
            loop_limit: self.loop_limit.unwrap_or(base.loop_limit).max(2),
            verify_tries: self.verify_tries.unwrap_or(base.verify_tries),
            verify_timeout_ms: self
                .verify_timeout_s
                .map_or(base.verify_timeout_ms, |s| s * 1000),
            max_answer_tokens: self.max_answer_tokens.unwrap_or(base.max_answer_tokens),
            on_restart: match self.on_restart {
                Some(Restart::Ask) => OnRestart::Ask,
                Some(Restart::Auto) | None => OnRestart::Auto,
            },
            crash_window_ms: ms(self.crash_window_s, base.crash_window_ms),
            downtime_limit_ms: ms(self.downtime_limit_s, base.downtime_limit_ms),
            stagger_ms: self.stagger_ms.unwrap_or(base.stagger_ms),
            auth_recheck_ms: self.auth_recheck_ms.unwrap_or(base.auth_recheck_ms),
            lock_stale_after_ms: ms(self.lock_stale_after_s, base.lock_stale_after_ms),
            policy: self.policy.unwrap_or(base.policy),
            workspaces_max_bytes: self
                .workspaces_max_gb
                .map_or(base.workspaces_max_bytes, |gb| gb.saturating_mul(GIB)),
            workspaces_keep_ms: ms(
                self.workspaces_keep_days
                    .map(|days| days.saturating_mul(DAY_S)),
                base.workspaces_keep_ms,
            ),
            projects: self
                .projects
                .iter()
                .map(|(folder, project)| (folder.clone(), project.engine()))
                .collect(),
            confinement: self.confinement(),
            ..base
        }
    }

    fn confinement(&self) -> engine::Confinement {
        let paths = |list: &Option<String>| {
            let paths = std::env::split_paths(list.as_deref().unwrap_or_default());
            paths.filter(|path| !path.as_os_str().is_empty()).collect()
        };
        engine::Confinement {
            wanted: match self.sandbox {
                Some(Sandboxing::Off) => engine::UseSandbox::Off,
                Some(Sandboxing::Auto) | None => engine::UseSandbox::Auto,
            },
            network: match self.sandbox_network {
                Some(Switch::Off) => engine::Network::Off,
                Some(Switch::On) | None => engine::Network::On,
            },
            caches: paths(&self.sandbox_caches),
            writable: paths(&self.sandbox_writable),
            limits: keeper::Limits {
                memory_bytes: match self.memory_limit_mb {
                    None => default_memory_limit(),
                    Some(mb) => Some(mb.saturating_mul(MIB)).filter(|bytes| *bytes > 0),
                },
                processes: Some(self.process_limit.unwrap_or(PROCESS_LIMIT)).filter(|n| *n > 0),
            },
        }
    }

    /// The first wait after a webhook was told in vain.
    pub fn webhook_retry_ms(&self) -> u64 {
        self.webhook_retry_ms.unwrap_or(WEBHOOK_RETRY_MS)
    }

    /// What is told on the desktop.
    pub fn notices(&self) -> notices::Wishes {
        use protocol::NoticeKind::{Budget, Failed, Finished, Interrupted, Limit, NeedsYou};
        let kinds = [
            (NeedsYou, self.notify_needs_you),
            (Failed, self.notify_failed),
            (Interrupted, self.notify_interrupted),
            (Budget, self.notify_budget),
            (Limit, self.notify_limit),
            (Finished, self.notify_finished),
        ];
        let on = self.notify.unwrap_or(true);
        let wanted = kinds
            .into_iter()
            .filter(|(_, one)| on && one.unwrap_or(true));
        notices::Wishes {
            kinds: wanted.map(|(kind, _)| kind).collect(),
        }
    }

    /// The limiter's settings.
    pub fn limiter(&self) -> limiter::Settings {
        let base = limiter::Settings::default();
        limiter::Settings {
            concurrency: self.concurrency.unwrap_or(base.concurrency).max(1),
            probe_first_ms: self.probe_ms.unwrap_or(base.probe_first_ms),
            release_spacing_ms: self.release_spacing_ms.unwrap_or(base.release_spacing_ms),
            ..base
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "slots = 2\nslot = 3\n").unwrap();
        let problem = Config::read(&file).unwrap_err().to_string();
        assert!(
            problem.contains("slot") && problem.contains("config.toml"),
            "{problem}"
        );
    }

    #[test]
    fn projects_say_what_comes_into_their_workspaces() {
        let text = "[projects.\"/abs/path\"]\ninclude_uncommitted = true\nbring = [\".env\"]\n\
                    setup = \"npm ci\"\ncopy_limit_mb = 2\n";
        let config: Config = toml::from_str(text).unwrap();
        let settings = config.engine();
        let project = &settings.projects[Path::new("/abs/path")];
        assert_eq!(project.setup.as_deref(), Some("npm ci"));
        assert_eq!(project.along.uncommitted, Uncommitted::ComeAlong);
        assert_eq!(project.along.bring[0].as_str(), ".env");
        assert_eq!(project.along.copy_limit, Some(2 * 1024 * 1024));
        let outside = "[projects.\"/abs/path\"]\nbring = [\"../x\"]\n";
        let problem = toml::from_str::<Config>(outside).unwrap_err().to_string();
        assert!(problem.contains("outside the project"), "{problem}");
    }

    #[test]
    fn what_is_absent_has_its_default() {
        let config: Config = toml::from_str("slots = 9\non_restart = \"ask\"").unwrap();
        let settings = config.engine();
        assert_eq!((settings.slots, settings.on_restart), (9, OnRestart::Ask));
        assert_eq!(settings.retry_ms, engine::Settings::default().retry_ms);
    }
}
