//! The command line, as far as it matters here. Everything else is accepted and ignored.

/// Flags of the real program that take a value and mean nothing here.
const IGNORED_WITH_VALUE: [&str; 16] = [
    "--max-turns",
    "--max-budget-usd",
    "--setting-sources",
    "--settings",
    "--tools",
    "--allowedTools",
    "--allowed-tools",
    "--disallowedTools",
    "--disallowed-tools",
    "--mcp-config",
    "--append-system-prompt",
    "--system-prompt",
    "--add-dir",
    "--fallback-model",
    "--permission-prompts",
    "--effort",
];

#[derive(Clone, Debug, Default)]
pub(crate) struct Args {
    pub(crate) prompt: Option<String>,
    pub(crate) stream_input: bool,
    pub(crate) stream_output: bool,
    pub(crate) partial: bool,
    pub(crate) replay: bool,
    pub(crate) asks_on_stdio: bool,
    pub(crate) session_id: Option<String>,
    pub(crate) resume: Option<String>,
    pub(crate) fork: bool,
    pub(crate) model: Option<String>,
    pub(crate) permission_mode: String,
    pub(crate) version: bool,
}

impl Args {
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Self {
        let mut parsed = Self {
            permission_mode: "default".to_owned(),
            ..Self::default()
        };
        let mut args = args.into_iter().flat_map(|arg| match arg.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => {
                vec![flag.to_owned(), value.to_owned()]
            }
            _ => vec![arg],
        });
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--input-format" => {
                    parsed.stream_input = args.next().as_deref() == Some("stream-json")
                }
                "--output-format" => {
                    parsed.stream_output = args.next().as_deref() == Some("stream-json")
                }
                "--permission-prompt-tool" => {
                    parsed.asks_on_stdio = args.next().as_deref() == Some("stdio")
                }
                "--session-id" => parsed.session_id = args.next(),
                "--resume" | "-r" => parsed.resume = args.next(),
                "--model" => parsed.model = args.next(),
                "--permission-mode" => parsed.permission_mode = args.next().unwrap_or_default(),
                "--dangerously-skip-permissions" => {
                    parsed.permission_mode = "bypassPermissions".to_owned()
                }
                "--include-partial-messages" => parsed.partial = true,
                "--replay-user-messages" => parsed.replay = true,
                "--fork-session" => parsed.fork = true,
                "--version" | "-v" => parsed.version = true,
                flag if IGNORED_WITH_VALUE.contains(&flag) => drop(args.next()),
                flag if flag.starts_with('-') => {}
                _ => parsed.prompt = Some(arg),
            }
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_flags_are_ignored() {
        let line = "-p --output-format stream-json --strict-mcp-config --tools Read,Bash --what --resume=abc hello";
        let args = Args::parse(line.split(' ').map(str::to_owned));
        assert_eq!(
            (args.prompt.as_deref(), args.resume.as_deref()),
            (Some("hello"), Some("abc"))
        );
        assert!(args.stream_output && !args.stream_input);
    }
}
