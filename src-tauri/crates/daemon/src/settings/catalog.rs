//! What can be set, in words.

mod sandbox;

use protocol::{SettingChoice, SettingKind};
use serde_json::{Value, json};

/// One setting: its key in the file, and how it is shown.
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) group: &'static str,
    pub(crate) title: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: SettingKind,
    pub(crate) default: Value,
    /// Why it should be changed with care.
    pub(crate) dangerous: Option<&'static str>,
}

const WORK: &str = "Work";
const BUDGET: &str = "Budgets of new runs";
const FAILURES: &str = "Failures and limits";
const RESTART: &str = "After a restart";
const DISK: &str = "Disk";
const NOTICES: &str = "Notifications";
const DAEMON: &str = "Daemon";

/// A day, in seconds.
const DAY_S: u64 = 86_400;

/// Everything that can be set, in the order in which it is shown.
pub(crate) fn all() -> Vec<Spec> {
    let mut specs = work();
    specs.extend(sandbox::settings());
    specs.extend(budgets());
    specs.extend(failures());
    specs.extend(restart());
    specs.extend(disk());
    specs.extend(notifications());
    specs.extend(daemon());
    specs
}

fn number(min: u64, max: u64, unit: &str) -> SettingKind {
    SettingKind::Number {
        min,
        max,
        unit: unit.to_owned(),
    }
}

fn choices(words: &[(&str, &str, &str)]) -> SettingKind {
    let choice = |(id, label, effect): &(&str, &str, &str)| SettingChoice {
        id: (*id).to_owned(),
        label: (*label).to_owned(),
        effect: (*effect).to_owned(),
    };
    SettingKind::Choice {
        choices: words.iter().map(choice).collect(),
    }
}

fn spec(
    group: &'static str,
    name: &'static str,
    title: &'static str,
    help: &'static str,
    kind: SettingKind,
    default: Value,
) -> Spec {
    Spec {
        name,
        group,
        title,
        help,
        kind,
        default,
        dangerous: None,
    }
}

fn work() -> Vec<Spec> {
    let base = engine::Settings::default();
    let limiter = limiter::Settings::default();
    let mut policy = spec(
        WORK,
        "policy",
        "Policy",
        "Which operations of a run are reviewed, where its task does not say.",
        choices(&[
            (
                "careful",
                "Careful",
                "Every change and command is reviewed.",
            ),
            ("balanced", "Balanced", "Sensitive ones are."),
            (
                "hands-off",
                "Hands off",
                "No tool call asks. Deny rules, operations in doubt, questions and budgets still do.",
            ),
        ]),
        json!(base.policy),
    );
    policy.dangerous =
        Some("With “hands off”, agents run commands and change files without asking.");
    vec![
        policy,
        spec(
            WORK,
            "slots",
            "Runs at a time",
            "So many runs work at the same time; others wait in the queue.",
            number(1, 64, "runs"),
            json!(base.slots),
        ),
        spec(
            WORK,
            "chunk_s",
            "Turn length",
            "A run lets others go first after so much work, when some wait.",
            number(10, DAY_S, "s"),
            json!(base.chunk_ms / 1000),
        ),
        spec(
            WORK,
            "concurrency",
            "Calls per key",
            "So many calls with the same key may be on their way at the same time.",
            number(1, 256, "calls"),
            json!(limiter.concurrency),
        ),
        spec(
            WORK,
            "max_answer_tokens",
            "Longest answer",
            "A model may answer with so many tokens at most.",
            number(512, 200_000, "tokens"),
            json!(base.max_answer_tokens),
        ),
        spec(
            WORK,
            "loop_limit",
            "Repetitions before asking",
            "The same call, failing or repeated so often in a row, asks you.",
            number(2, 100, "calls"),
            json!(base.loop_limit),
        ),
        spec(
            WORK,
            "review_expires_s",
            "Reviews expire after",
            "A review nobody has answered for so long expires: nothing is approved or refused, its run stops, and asks \
             again when it is resumed. 0: none ever expires.",
            number(0, 365 * DAY_S, "s"),
            json!(base.review_expires_ms / 1000),
        ),
        spec(
            WORK,
            "verify_tries",
            "Tries to mend",
            "A failing verify command's output goes back to the agent so often before you are asked.",
            number(0, 20, "times"),
            json!(base.verify_tries),
        ),
        spec(
            WORK,
            "verify_timeout_s",
            "Time for verifying",
            "A verify command is stopped after so long.",
            number(1, DAY_S, "s"),
            json!(base.verify_timeout_ms / 1000),
        ),
        spec(
            WORK,
            "lock_stale_after_s",
            "Stale locks",
            "A folder whose holder showed no sign of life for so long goes to the next run that waits for it.",
            number(1, DAY_S, "s"),
            json!(base.lock_stale_after_ms / 1000),
        ),
    ]
}

fn budgets() -> Vec<Spec> {
    let base = domain::Budget::default();
    vec![
        spec(
            BUDGET,
            "max_cost_usd",
            "Cost",
            "In dollars, such as 5 or 0.50. At the cap a run waits and asks you.",
            SettingKind::Text,
            json!(base.max_cost),
        ),
        spec(
            BUDGET,
            "max_tokens",
            "Tokens",
            "Tokens read from a cache do not count.",
            number(1_000, 10_000_000_000, "tokens"),
            json!(base.max_tokens),
        ),
        spec(
            BUDGET,
            "max_tool_calls",
            "Tool calls",
            "Tool calls a run may begin.",
            number(1, 1_000_000, "calls"),
            json!(base.max_tool_calls),
        ),
        spec(
            BUDGET,
            "max_duration_s",
            "Working time",
            "Only running and verifying count; waiting is free.",
            number(1, 365 * DAY_S, "s"),
            json!(base.max_active_ms.map(|ms| ms / 1000)),
        ),
    ]
}

fn failures() -> Vec<Spec> {
    let base = engine::Settings::default();
    let limiter = limiter::Settings::default();
    vec![
        spec(
            FAILURES,
            "silence_s",
            "Longest silence",
            "A model or agent that is silent for so long counts as stalled.",
            number(1, DAY_S, "s"),
            json!(base.silence_ms / 1000),
        ),
        spec(
            FAILURES,
            "tries",
            "Tries of a call",
            "A model call that meets a server error is tried so often.",
            number(1, 20, "tries"),
            json!(base.tries),
        ),
        spec(
            FAILURES,
            "retry_ms",
            "First delay",
            "Before the second try; it doubles from then on.",
            number(0, 3_600_000, "ms"),
            json!(base.retry_ms),
        ),
        spec(
            FAILURES,
            "max_wait_s",
            "Longest wait",
            "A run that waited for limits and networks for so long in all fails, and can be resumed.",
            number(1, 30 * DAY_S, "s"),
            json!(base.max_wait_ms / 1000),
        ),
        spec(
            FAILURES,
            "fallback_after_s",
            "Wait before a fallback",
            "After a longer wait the fallback a task names answers instead.",
            number(0, 30 * DAY_S, "s"),
            json!(base.fallback_after_ms / 1000),
        ),
        spec(
            FAILURES,
            "webhook_retry_ms",
            "First retry of a webhook",
            "A webhook that does not answer is told again after this; the wait doubles up to an hour.",
            number(10, 3_600_000, "ms"),
            json!(super::WEBHOOK_RETRY_MS),
        ),
        spec(
            FAILURES,
            "long_wait_s",
            "Wait before asking",
            "A limit that lasts longer than this asks you whether the run should go on waiting.",
            number(0, 30 * DAY_S, "s"),
            json!(base.long_wait_ms / 1000),
        ),
        spec(
            FAILURES,
            "probe_ms",
            "First look after a limit",
            "A limit without a known end is tried again after this; the wait doubles.",
            number(10, 3_600_000, "ms"),
            json!(limiter.probe_first_ms),
        ),
        spec(
            FAILURES,
            "release_spacing_ms",
            "Spacing after a limit",
            "Between the first calls after a limit ended.",
            number(0, 60_000, "ms"),
            json!(limiter.release_spacing_ms),
        ),
        spec(
            FAILURES,
            "auth_recheck_ms",
            "Look at a broken key",
            "How often a key that did not work is tried again by itself.",
            number(100, 86_400_000, "ms"),
            json!(base.auth_recheck_ms),
        ),
    ]
}

fn restart() -> Vec<Spec> {
    let base = engine::Settings::default();
    vec![
        spec(
            RESTART,
            "on_restart",
            "Interrupted runs",
            "What happens to runs that a crash, reboot or upgrade interrupted.",
            choices(&[
                (
                    "auto",
                    "Go on",
                    "They go on by themselves, within the limits below.",
                ),
                ("ask", "Ask", "They wait until you resume them."),
            ]),
            json!("auto"),
        ),
        spec(
            RESTART,
            "crash_window_s",
            "Crash window",
            "A run that was at work in two deaths of the daemon within this time stays interrupted.",
            number(0, DAY_S, "s"),
            json!(base.crash_window_ms / 1000),
        ),
        spec(
            RESTART,
            "downtime_limit_s",
            "Longest downtime",
            "After a longer downtime runs stay interrupted.",
            number(0, 30 * DAY_S, "s"),
            json!(base.downtime_limit_ms / 1000),
        ),
        spec(
            RESTART,
            "stagger_ms",
            "Stagger",
            "Between two runs that go on by themselves.",
            number(0, 60_000, "ms"),
            json!(base.stagger_ms),
        ),
    ]
}

fn disk() -> Vec<Spec> {
    let base = engine::Settings::default();
    vec![
        spec(
            DISK,
            "workspaces_max_gb",
            "Room for workspaces",
            "Above it, workspaces of cancelled runs and of completed ones whose result is applied are removed \
             early. Others are never removed by themselves.",
            number(1, 100_000, "GiB"),
            json!(base.workspaces_max_bytes / (1024 * 1024 * 1024)),
        ),
        spec(
            DISK,
            "workspaces_keep_days",
            "Keep workspaces",
            "For so long after the end of such a run.",
            number(1, 3_650, "days"),
            json!(base.workspaces_keep_ms / 1000 / i64::try_from(DAY_S).unwrap_or(i64::MAX)),
        ),
    ]
}

fn notifications() -> Vec<Spec> {
    let flags = [
        (
            "notify",
            "Notifications",
            "Whether anything is told on the desktop.",
        ),
        (
            "notify_needs_you",
            "Something needs you",
            "A run waits for your decision.",
        ),
        ("notify_failed", "Failed", "A run failed."),
        ("notify_finished", "Finished", "A run is done."),
        (
            "notify_interrupted",
            "Interrupted",
            "Runs were interrupted, and went on or wait.",
        ),
        (
            "notify_budget",
            "Budget",
            "A run has used 90 % of a budget.",
        ),
        (
            "notify_limit",
            "Long waits",
            "A limit holds a run up for over 15 minutes.",
        ),
    ];
    flags
        .into_iter()
        .map(|(name, title, help)| spec(NOTICES, name, title, help, SettingKind::Flag, json!(true)))
        .collect()
}

fn daemon() -> Vec<Spec> {
    vec![
        spec(
            DAEMON,
            "inhibit_sleep",
            "Stay awake",
            "The machine does not go to sleep by itself while runs work on mains power.",
            SettingKind::Flag,
            json!(true),
        ),
        spec(
            DAEMON,
            "log",
            "Log",
            "What the daemon writes into its log: a level, or levels for parts of it, as \
             longhaul_engine=debug.",
            SettingKind::Text,
            json!("info"),
        ),
    ]
}
