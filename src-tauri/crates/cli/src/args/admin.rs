//! Backends, daemon and service.

use clap::{Args, Subcommand};
use domain::BackendKind;

use crate::parse;

/// `backend …`
#[derive(Debug, Subcommand)]
pub(crate) enum BackendCommand {
    /// Name a new backend
    Add(Box<BackendNew>),
    /// List the backends
    List,
    /// Forget a backend and its key
    Remove(BackendName),
    /// Try a backend
    Test(BackendName),
    /// Look for agents and model servers on this machine
    Found,
}

/// One backend.
#[derive(Debug, Args)]
pub(crate) struct BackendName {
    /// Its name
    pub(crate) name: String,
}

/// `backend add`
#[derive(Debug, Args)]
pub(crate) struct BackendNew {
    /// Its name
    pub(crate) name: String,
    /// anthropic, openai (also Ollama, vLLM, llama.cpp, LM Studio, OpenRouter …), claude-code, codex,
    /// acp (any other agent that speaks the Agent Client Protocol) or rehearsal
    #[arg(long, value_parser = parse::word::<BackendKind>)]
    pub(crate) kind: BackendKind,
    /// The API's address, where it is not the vendor's; a server of your own needs no key
    #[arg(long, visible_alias = "url", value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The model to ask for unless a run names one
    #[arg(long, value_name = "ID")]
    pub(crate) model: Option<String>,
    /// The agent's command, for agents: 'gemini --acp'. Not needed where the backend's name says it
    /// (gemini, opencode, qwen, goose, vibe-acp)
    #[arg(long, value_name = "CMD")]
    pub(crate) command: Option<String>,
    /// Its calls cost nothing (a model on your own machine)
    #[arg(long)]
    pub(crate) free: bool,
    /// Read the key from standard input and keep it in the keychain
    #[arg(long, group = "key")]
    pub(crate) key_stdin: bool,
    /// A command that prints the key
    #[arg(long, value_name = "CMD", group = "key")]
    pub(crate) key_command: Option<String>,
    /// An environment variable of the daemon that has the key
    #[arg(long, value_name = "VAR", group = "key")]
    pub(crate) key_env: Option<String>,
}

/// `webhook …`
#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Set it up, or change it
    Set(WebhookNew),
    /// Show it, and how telling it goes
    Show,
    /// Send one delivery that tells of nothing
    Test,
    /// Tell nobody any more, and forget the secret
    Remove,
}

/// `webhook set`
#[derive(Debug, Args)]
pub(crate) struct WebhookNew {
    /// Where to: https, or http on this machine
    pub(crate) url: String,
    /// What of: reviews, runs (that end), or both
    #[arg(
        long,
        value_name = "WHAT",
        value_delimiter = ',',
        default_value = "reviews,runs"
    )]
    pub(crate) events: Vec<Topic>,
    /// Read the secret that signs deliveries from standard input and keep it in the keychain
    #[arg(long, group = "key")]
    pub(crate) key_stdin: bool,
    /// A command that prints the secret
    #[arg(long, value_name = "CMD", group = "key")]
    pub(crate) key_command: Option<String>,
    /// An environment variable of the daemon that has the secret
    #[arg(long, value_name = "VAR", group = "key")]
    pub(crate) key_env: Option<String>,
}

/// What a webhook is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Topic {
    /// Reviews that are asked for
    Reviews,
    /// Runs that are completed, failed or cancelled
    Runs,
}

/// `daemon …`
#[derive(Debug, Subcommand)]
pub(crate) enum DaemonCommand {
    /// Be the daemon, in this terminal
    Run {
        /// Begin a session of its own first: how other commands start it
        #[arg(long, hide = true)]
        detached: bool,
        /// Serve browsers on this machine too, at 127.0.0.1:PORT (port 0: any that is free);
        /// prints the address to open, with its token
        #[arg(long, value_name = "ADDR", value_parser = parse::listen)]
        listen: Option<std::net::SocketAddr>,
    },
    /// Start it in the background
    Start,
    /// End it; runs go on when it is back
    Stop {
        /// Let every run reach the end of its current operation first
        #[arg(long)]
        drain: bool,
    },
    /// Show how it is
    Status,
}

/// `service …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Have the system start the daemon with your session and keep it running
    Install,
    /// Undo that
    Uninstall,
    /// Show whether it is installed and running
    Status,
}
