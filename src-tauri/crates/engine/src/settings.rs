//! Numbers a user may change. Defaults come from DESIGN §2 and §5.

use domain::Preset;

use crate::confine::Confinement;
use crate::projects::Projects;

/// Whether interrupted runs go on by themselves after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRestart {
    /// They do, within the limits below.
    Auto,
    /// They wait for somebody to resume them.
    Ask,
}

/// How the engine behaves. All durations in milliseconds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Runs that work at the same time.
    pub slots: usize,
    /// A run yields at a step boundary after this much work when others wait.
    pub chunk_ms: i64,
    /// Longest silence of a model or agent while requesting or streaming.
    pub silence_ms: u64,
    /// First delay after a 5xx or a cut connection; doubles, with jitter.
    pub retry_ms: u64,
    /// Tries of one model call before the run fails (or falls back).
    pub tries: u32,
    /// Longest total wait for limits and networks before a run fails.
    pub max_wait_ms: i64,
    /// A wait longer than this lets a named fallback answer instead.
    pub fallback_after_ms: i64,
    /// A known wait for a limit that is longer than this asks a person whether to go on waiting.
    pub long_wait_ms: i64,
    /// A review nobody answered for so long expires; 0: none ever does.
    pub review_expires_ms: i64,
    /// The same call this often in a row (failing or repeating) asks a person.
    pub loop_limit: usize,
    /// How often a failing verify command's output goes back to the agent.
    pub verify_tries: u32,
    /// Time limit of a verify command.
    pub verify_timeout_ms: u64,
    /// Most tokens one answer may have.
    pub max_answer_tokens: u64,
    /// Below this many affordable answer tokens a call is not worth making.
    pub min_answer_tokens: u64,
    /// What happens to interrupted runs after a restart.
    pub on_restart: OnRestart,
    /// Two daemon deaths within this time leave a run interrupted.
    pub crash_window_ms: i64,
    /// A longer downtime leaves runs interrupted.
    pub downtime_limit_ms: i64,
    /// Time between two runs going on by themselves.
    pub stagger_ms: u64,
    /// How often a broken credential is looked at again.
    pub auth_recheck_ms: u64,
    /// Grace for model calls at a draining stop.
    pub drain_ms: u64,
    /// Without a sign of life for so long, a lease on a folder may be taken over.
    pub lock_stale_after_ms: i64,
    /// Policy of tasks that name none.
    pub policy: Preset,
    /// What all workspaces may take on the disk before those nobody needs are
    /// removed early, in bytes.
    pub workspaces_max_bytes: u64,
    /// How long a workspace nobody needs is kept.
    pub workspaces_keep_ms: i64,
    /// What is set for single projects.
    pub projects: Projects,
    /// What commands may do outside their workspace.
    pub confinement: Confinement,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            slots: 4,
            chunk_ms: 5 * 60_000,
            silence_ms: 5 * 60_000,
            retry_ms: 15_000,
            tries: 4,
            max_wait_ms: 6 * 3_600_000,
            fallback_after_ms: 60_000,
            long_wait_ms: 3_600_000,
            review_expires_ms: 0,
            loop_limit: 5,
            verify_tries: 3,
            verify_timeout_ms: 30 * 60_000,
            max_answer_tokens: 32_000,
            min_answer_tokens: 512,
            on_restart: OnRestart::Auto,
            crash_window_ms: 10 * 60_000,
            downtime_limit_ms: 12 * 3_600_000,
            stagger_ms: 250,
            auth_recheck_ms: 30_000,
            drain_ms: 30_000,
            lock_stale_after_ms: 5 * 60_000,
            policy: Preset::Balanced,
            workspaces_max_bytes: 50 * 1024 * 1024 * 1024,
            workspaces_keep_ms: 30 * 24 * 3_600_000,
            projects: Projects::new(),
            confinement: Confinement::default(),
        }
    }
}
