//! What Claude Code keeps below the user's home, for whoever draws a boundary around it.

/// Sessions, credentials, state: it must be able to write here. A folder, because files
/// are replaced in it by renaming.
pub const FOLDER: &str = ".claude";

/// In that folder, but read by the next one that is started, perhaps outside of any
/// sandbox: commands stand in them.
pub const LEFT_AS_IT_IS: &[&str] = &[
    ".claude/settings.json",
    ".claude/settings.local.json",
    ".claude/CLAUDE.md",
    ".claude/agents",
    ".claude/commands",
    ".claude/hooks",
    ".claude/output-styles",
    ".claude/plugins",
    ".claude/rules",
    ".claude/skills",
];

/// Read and written by it; what is written is not to come back, because tool servers it
/// starts are named in here.
pub const COPIED: &[&str] = &[".claude.json"];
