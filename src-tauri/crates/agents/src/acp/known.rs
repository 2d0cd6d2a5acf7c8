//! Agents that are known by name: how they are started, and what they keep.

use std::path::Path;

use crate::supervised::OwnFiles;

/// One of them.
#[derive(Debug)]
pub struct Known {
    /// What people call it.
    pub name: &'static str,
    /// Its program.
    pub program: &'static str,
    /// What makes it speak the protocol.
    pub args: &'static [&'static str],
    /// The variable it takes a key from, if it takes one.
    pub key: Option<&'static str>,
    /// The variable it takes another server's address from, if it does.
    pub base_url: Option<&'static str>,
    /// How one logs in with it.
    pub needs: &'static str,
    pub(crate) install: &'static str,
    own: Option<OwnFiles>,
}

/// All of them.
pub const KNOWN: &[Known] = &[
    Known {
        name: "Gemini CLI",
        program: "gemini",
        args: &["--acp"],
        key: Some("GEMINI_API_KEY"),
        base_url: Some("GOOGLE_GEMINI_BASE_URL"),
        needs: "A login of its own: run `gemini` once in a terminal. Or a key.",
        install: "install Gemini CLI",
        own: Some(OwnFiles {
            folders: &[".gemini"],
            left_as_it_is: &[
                ".gemini/settings.json",
                ".gemini/GEMINI.md",
                ".gemini/commands",
                ".gemini/extensions",
                ".gemini/policies",
                ".gemini/trustedFolders.json",
            ],
            copied: &[],
        }),
    },
    Known {
        name: "OpenCode",
        program: "opencode",
        args: &["acp"],
        key: None,
        base_url: None,
        needs: "A login of its own: run `opencode auth login` once in a terminal.",
        install: "install OpenCode",
        own: Some(OwnFiles {
            folders: &[
                ".local/share/opencode",
                ".local/state/opencode",
                ".cache/opencode",
                ".config/opencode",
            ],
            left_as_it_is: &[
                ".config/opencode/opencode.json",
                ".config/opencode/opencode.jsonc",
                ".config/opencode/AGENTS.md",
                ".config/opencode/agent",
                ".config/opencode/command",
                ".config/opencode/plugin",
                ".config/opencode/tool",
            ],
            copied: &[],
        }),
    },
    Known {
        name: "Qwen Code",
        program: "qwen",
        args: &["--acp"],
        key: Some("OPENAI_API_KEY"),
        base_url: Some("OPENAI_BASE_URL"),
        needs: "A login of its own: run `qwen` once in a terminal. Or a key.",
        install: "install Qwen Code",
        own: Some(OwnFiles {
            folders: &[".qwen"],
            left_as_it_is: &[
                ".qwen/settings.json",
                ".qwen/QWEN.md",
                ".qwen/commands",
                ".qwen/extensions",
                ".qwen/trustedFolders.json",
            ],
            copied: &[],
        }),
    },
    Known {
        name: "goose",
        program: "goose",
        args: &["acp"],
        key: None,
        base_url: None,
        needs: "A provider of its own: run `goose configure` once in a terminal.",
        install: "install goose",
        own: Some(OwnFiles {
            folders: &[".config/goose", ".local/share/goose", ".local/state/goose"],
            left_as_it_is: &[
                ".config/goose/config.yaml",
                ".config/goose/permission.yaml",
                ".config/goose/.goosehints",
            ],
            copied: &[],
        }),
    },
    Known {
        name: "Mistral Vibe",
        program: "vibe-acp",
        args: &[],
        key: Some("MISTRAL_API_KEY"),
        base_url: None,
        needs: "A login of its own: run `vibe --setup` once in a terminal. Or a key.",
        install: "install Mistral Vibe",
        own: Some(OwnFiles {
            folders: &[".vibe"],
            left_as_it_is: &[
                ".vibe/config.toml",
                ".vibe/agents",
                ".vibe/prompts",
                ".vibe/tools",
            ],
            copied: &[],
        }),
    },
];

/// The program a command starts, behind `env` and the variables it sets.
pub fn program(command: &[String]) -> Option<&str> {
    let (first, rest) = command.split_first()?;
    if file_of(first) != Some("env") {
        return Some(first);
    }
    let mut rest = rest.iter().map(String::as_str);
    rest.find(|word| !word.contains('='))
}

/// The one a command starts.
pub(crate) fn of(command: &[String]) -> Option<&'static Known> {
    let file = file_of(program(command)?)?;
    KNOWN.iter().find(|known| known.program == file)
}

fn file_of(program: &str) -> Option<&str> {
    Path::new(program).file_name()?.to_str()
}

/// The command of the agent that a backend is named after (`gemini`), if it is one.
pub fn usual_command(backend: &str) -> Option<String> {
    let known = KNOWN.iter().find(|known| known.program == backend)?;
    let words = std::iter::once(&known.program).chain(known.args);
    Some(words.copied().collect::<Vec<_>>().join(" "))
}

/// What the agent of this command keeps below the user's home; None if it is not known, and
/// so no boundary can be drawn that leaves it its sessions.
pub fn own_files(command: &[String]) -> Option<OwnFiles> {
    of(command)?.own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_known_by_its_program() {
        let known = |command: &str| {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            of(&words).map(|known| known.program)
        };
        assert_eq!(known("gemini --acp"), Some("gemini"));
        assert_eq!(known("/opt/x/opencode acp"), Some("opencode"));
        assert_eq!(known("env A=1 B=/x/y goose acp"), Some("goose"));
        assert_eq!(known("env A=1"), None);
        assert_eq!(known("my-agent gemini"), None);
        assert_eq!(usual_command("gemini").as_deref(), Some("gemini --acp"));
        assert_eq!(usual_command("mine"), None);
    }
}
