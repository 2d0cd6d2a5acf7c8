//! What commands and agents may do and take.

use protocol::SettingKind;
use serde_json::json;

use super::{Spec, choices, number, spec};
use crate::settings;

const SANDBOX: &str = "Sandbox";

pub(super) fn settings() -> Vec<Spec> {
    let mut wanted = spec(
        SANDBOX,
        "sandbox",
        "Commands run",
        "Where the commands of runs, verify commands and agents run.",
        choices(&[
            (
                "auto",
                "In a sandbox",
                "They can write only in their workspace, where this machine can (Health says).",
            ),
            ("off", "As you", "They can do whatever you can."),
        ]),
        json!("auto"),
    );
    wanted.dangerous =
        Some("Without a sandbox, a command can read your keys and change any of your files.");
    let mut writable = spec(
        SANDBOX,
        "sandbox_writable",
        "Also writable",
        "Folders and files that commands may write besides, with : between them.",
        SettingKind::Text,
        json!(""),
    );
    writable.dangerous = Some("Commands of all runs can change what is in there.");
    vec![
        wanted,
        spec(
            SANDBOX,
            "sandbox_network",
            "Network",
            "Whether commands in the sandbox can talk to others: installing packages needs it.",
            choices(&[
                ("on", "On", "As your own programs."),
                ("off", "Off", "They talk to nobody."),
            ]),
            json!("on"),
        ),
        spec(
            SANDBOX,
            "sandbox_caches",
            "Caches",
            "Caches that commands may write besides the known ones, below your home or \
             absolute, with : between them.",
            SettingKind::Text,
            json!(""),
        ),
        writable,
        spec(
            SANDBOX,
            "memory_limit_mb",
            "Memory",
            "Most that one command or agent may take with all it starts, whether sandboxed or \
             not; above it all of it is killed. 0: no limit.",
            number(0, 100_000_000, "MiB"),
            json!(settings::default_memory_limit().unwrap_or(0) / (1024 * 1024)),
        ),
        spec(
            SANDBOX,
            "process_limit",
            "Processes",
            "Most that one command or agent may have at once; above it all of it is killed. \
             0: no limit.",
            number(0, 1_000_000, "processes"),
            json!(settings::PROCESS_LIMIT),
        ),
    ]
}
