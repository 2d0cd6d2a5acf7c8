//! The command line (DESIGN §6).

mod admin;
mod limits;
mod policy;

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::{NanoUsd, Preset, RunState, WorkspaceMode};

pub(crate) use admin::{
    BackendCommand, BackendNew, DaemonCommand, ServiceCommand, Topic, WebhookCommand,
};
pub(crate) use limits::{BucketSetArgs, LimitsArgs, LimitsCommand, ThrottleArgs};
pub(crate) use policy::{PolicyCommand, PolicyTestArgs};

use crate::parse;

/// Long AI-agent runs that survive crashes, limits and closed lids.
#[derive(Debug, Parser)]
#[command(
    name = "longhaul",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// Print JSON: one document, or one object a line where it streams
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a run and watch it (Ctrl-C detaches; the run goes on)
    Run(Box<RunArgs>),
    /// List runs
    Runs(RunsArgs),
    /// Show everything about a run
    Show(OneRun),
    /// Show a run's journal
    Logs(LogsArgs),
    /// Wait until a run is at rest
    Wait(WaitArgs),
    /// Let paused, interrupted or failed runs go on
    Resume(ResumeArgs),
    /// Stop runs at the next operation until they are resumed
    Pause(SomeRuns),
    /// End a run; its files stay until it is discarded
    Cancel(OneRun),
    /// Make a new run that goes on from a checkpoint of this one
    Fork(ForkArgs),
    /// Take a run at rest back to a checkpoint: its conversation and its files
    Rollback(RollbackArgs),
    /// Say something to the agent
    Message(MessageArgs),
    /// Show what a run changed
    Diff(OneRun),
    /// Put a run's result into the project
    Apply(ApplyArgs),
    /// Delete a run's files
    Discard(OneRun),
    /// Say what happened since you last looked
    CatchUp(CatchUpArgs),
    /// List what needs your decision; -i decides it, one key each
    Reviews(ReviewsArgs),
    /// Approve a review
    Approve(ApproveArgs),
    /// Reject a review
    Reject(RejectArgs),
    /// Answer a review with one of its choices, or a question with text
    Answer(AnswerArgs),
    /// Take back a decision made in the window, before it takes effect
    Undo(UndoArgs),
    /// Hide a review for a while
    Snooze(SnoozeArgs),
    /// Where the thinking comes from
    #[command(subcommand)]
    Backend(BackendCommand),
    /// A program of yours that is told of reviews and of runs that end
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// What is reviewed, and by which rule
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Show what was spent
    Cost(CostArgs),
    /// Show rate limits, pauses and buckets, or make a bucket for calls of something outside
    Limits(LimitsArgs),
    /// Run a command when a bucket has room for one more call
    Throttle(ThrottleArgs),
    /// The background process that owns all runs
    #[command(subcommand)]
    Daemon(DaemonCommand),
    /// Have the system keep the daemon running
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Examine the stored state
    Doctor,
    /// Make a verified copy of the stored state
    Backup(BackupArgs),
    /// Put a copy in the place of the stored state
    Restore(RestoreArgs),
    /// The offline tour, in its own throwaway home
    Rehearse(RehearseArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
}

/// `run`
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// What to do; - reads it from standard input
    pub(crate) prompt: String,
    /// The project folder [default: this one]
    #[arg(long, value_name = "DIR")]
    pub(crate) project: Option<std::path::PathBuf>,
    /// The backend that does the thinking
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<String>,
    /// The model to ask for
    #[arg(long, value_name = "ID")]
    pub(crate) model: Option<String>,
    /// A command that must succeed before the run is completed; given several times, they run in order
    /// and the first failure stops
    #[arg(long, value_name = "CMD")]
    pub(crate) verify: Vec<String>,
    /// How the project's files are isolated: clone, copy or in-place (in the folder itself; one run at a time)
    #[arg(long, value_name = "KIND", value_parser = parse::word::<WorkspaceMode>)]
    pub(crate) workspace: Option<WorkspaceMode>,
    /// What is reviewed: careful (every change and command), balanced (sensitive ones) or hands-off
    #[arg(long, value_parser = parse::word::<Preset>)]
    pub(crate) policy: Option<Preset>,
    /// Dollars it may cost
    #[arg(long, value_name = "USD", value_parser = parse::dollars, allow_hyphen_values = true)]
    pub(crate) max_cost: Option<NanoUsd>,
    /// Tokens it may use, cache reads not counted
    #[arg(long, value_name = "N", value_parser = parse::count, allow_hyphen_values = true)]
    pub(crate) max_tokens: Option<u64>,
    /// Tool calls it may make
    #[arg(long, value_name = "N", value_parser = parse::count, allow_hyphen_values = true)]
    pub(crate) max_tool_calls: Option<u64>,
    /// Time it may work, such as 30m; waiting is free
    #[arg(long, value_name = "TIME", value_parser = parse::seconds, allow_hyphen_values = true)]
    pub(crate) max_duration: Option<u64>,
    /// Start only after this run is completed; if it fails or is cancelled, you are asked. What it made is not
    /// part of the project until it is applied
    #[arg(long, value_name = "RUN")]
    pub(crate) after: Option<String>,
    /// A backend that may answer when the first fails (may be given again)
    #[arg(long, value_name = "NAME")]
    pub(crate) fallback: Vec<String>,
    /// Higher starts first; 0 is normal
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_hyphen_values = true
    )]
    pub(crate) priority: i32,
    /// Print the id and return at once
    #[arg(long)]
    pub(crate) detach: bool,
}

/// `runs`
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// Only runs in this state
    #[arg(long, value_parser = parse::word::<RunState>)]
    pub(crate) state: Option<RunState>,
    /// Only runs of this project
    #[arg(long, value_name = "DIR")]
    pub(crate) project: Option<std::path::PathBuf>,
}

/// One run.
#[derive(Debug, Args)]
pub(crate) struct OneRun {
    /// The run's id, or the first characters of it
    pub(crate) run: String,
}

/// One run or all.
#[derive(Debug, Args)]
pub(crate) struct SomeRuns {
    /// The run's id, or the first characters of it
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) run: Option<String>,
    /// All runs to which it applies
    #[arg(long)]
    pub(crate) all: bool,
}

/// `resume`
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) runs: SomeRuns,
    /// Go back to this checkpoint first (`cp3`; `longhaul show` lists them)
    #[arg(long, value_name = "CHECKPOINT", conflicts_with = "all")]
    pub(crate) from: Option<String>,
}

/// `fork`
#[derive(Debug, Args)]
pub(crate) struct ForkArgs {
    /// The run's id, or the first characters of it
    pub(crate) run: String,
    /// The checkpoint to go on from (`cp3`; `longhaul show` lists them)
    #[arg(long, value_name = "CHECKPOINT")]
    pub(crate) from: String,
    /// Say something to the agent before it goes on; - reads it from standard input
    #[arg(long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
}

/// `rollback`
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The run's id, or the first characters of it
    pub(crate) run: String,
    /// The checkpoint to go back to (`cp3`; `longhaul show` lists them)
    #[arg(long, value_name = "CHECKPOINT")]
    pub(crate) to: String,
    /// Only say what it would do
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `logs`
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The run's id, or the first characters of it
    pub(crate) run: String,
    /// Go on with what happens from here, until the run is at rest
    #[arg(long, short)]
    pub(crate) follow: bool,
}

/// `wait`
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// The run's id, or the first characters of it
    pub(crate) run: String,
    /// Wait for one of these states instead of for rest
    #[arg(long = "for", value_name = "STATE,…", value_delimiter = ',', value_parser = parse::word::<RunState>)]
    pub(crate) states: Vec<RunState>,
    /// Give up after this time, such as 60s
    #[arg(long, value_name = "TIME", value_parser = parse::seconds, allow_hyphen_values = true)]
    pub(crate) timeout: Option<u64>,
}

/// `message`
#[derive(Debug, Args)]
pub(crate) struct MessageArgs {
    /// The run's id, or the first characters of it
    pub(crate) run: String,
    /// What to say; - reads it from standard input
    pub(crate) text: String,
}

/// Into what a result is put.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Into {
    /// A new branch
    Branch,
    /// A commit on the current branch
    Commit,
    /// Uncommitted changes
    Changes,
}

/// `apply`
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The run's id, or the first characters of it
    pub(crate) run: String,
    /// Into what
    #[arg(long = "as", value_enum, default_value_t = Into::Branch)]
    pub(crate) into: Into,
    /// The branch's name; without it longhaul/ and the run's last characters
    #[arg(long, value_name = "NAME")]
    pub(crate) branch: Option<String>,
    /// Only this file or folder, relative to the project; may be given several times
    #[arg(long = "path", value_name = "PATH")]
    pub(crate) paths: Vec<String>,
    /// Only this hunk, as `longhaul diff` numbers them: src/a.rs:2, src/a.rs:1,3, or with what
    /// stands behind the number, src/a.rs:2@3fa2c1d0, to be sure that it is the one you saw;
    /// may be given several times
    #[arg(long = "hunk", value_name = "PATH:N", value_parser = parse::hunks)]
    pub(crate) hunks: Vec<parse::Hunks>,
}

/// Which reviews are listed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Which {
    /// Those that wait for an answer now
    Open,
    /// Those put off until later
    Snoozed,
    /// Those decided, newest first
    Decided,
    /// All there ever were, newest first
    All,
}

/// `catch-up`
#[derive(Debug, Args)]
pub(crate) struct CatchUpArgs {
    /// Of this time, such as 12h or 7d, instead of since you last looked
    #[arg(long, value_name = "TIME", value_parser = parse::seconds, allow_hyphen_values = true)]
    pub(crate) since: Option<u64>,
    /// Say the same next time again
    #[arg(long)]
    pub(crate) keep: bool,
}

/// `reviews`
#[derive(Debug, Args)]
pub(crate) struct ReviewsArgs {
    /// Decide one after the other with one key each, on a terminal. A decision takes effect after
    /// 5 s, until when u undoes it; what is pressed within half a second of a review's appearing
    /// decides nothing
    #[arg(long, short, conflicts_with_all = ["status", "limit", "stats"])]
    pub(crate) interactive: bool,
    /// How often you are asked, how long you take, what is reverted, which rules speak
    #[arg(long, conflicts_with_all = ["status", "limit", "run"])]
    pub(crate) stats: bool,
    /// With --stats: of this time, such as 7d [default: 30d]
    #[arg(long, value_name = "TIME", value_parser = parse::seconds, requires = "stats")]
    pub(crate) since: Option<u64>,
    /// Which
    #[arg(long, value_enum, default_value_t = Which::Open)]
    pub(crate) status: Which,
    /// Only those of this run
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
}

/// What else an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// What asks for the very same call
    Call,
    /// What the same rule asked about
    Rule,
}

/// `approve`
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The review's id, or the first characters of it
    pub(crate) review: String,
    /// A remark for the agent
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// Let the call run with these arguments instead, a JSON object; the agent is told
    #[arg(long, value_name = "JSON")]
    pub(crate) arguments: Option<String>,
    /// Also for every other open review that asks for the very same call; with --group=rule, for
    /// every one the same rule asked about, whatever it asks for
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true,
          default_missing_value = "call", conflicts_with = "arguments")]
    pub(crate) group: Option<Group>,
    /// Allow its like in this project from now on, by the narrowest rule
    #[arg(long, conflicts_with_all = ["arguments", "group"])]
    pub(crate) always: bool,
    /// With --always or --group: only say what would be allowed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `reject`
#[derive(Debug, Args)]
pub(crate) struct RejectArgs {
    /// The review's id, or the first characters of it
    pub(crate) review: String,
    /// A remark for the agent
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// Also for every other open review that asks for the very same call; with --group=rule, for
    /// every one the same rule asked about, whatever it asks for
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true,
          default_missing_value = "call")]
    pub(crate) group: Option<Group>,
    /// With --group: only say what would be rejected
    #[arg(long, requires = "group")]
    pub(crate) dry_run: bool,
}

/// `undo`
#[derive(Debug, Args)]
pub(crate) struct UndoArgs {
    /// The review's id, or the first characters of it
    pub(crate) review: String,
}

/// `answer`
#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// The review's id, or the first characters of it
    pub(crate) review: String,
    /// One of its choices, or the answer to its question
    pub(crate) choice: String,
    /// A remark for the agent
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// The new cost cap in dollars, with a budget's `more`
    #[arg(long, value_name = "USD", value_parser = parse::dollars, allow_hyphen_values = true)]
    pub(crate) max_cost: Option<NanoUsd>,
}

/// `snooze`
#[derive(Debug, Args)]
pub(crate) struct SnoozeArgs {
    /// The review's id, or the first characters of it
    pub(crate) review: String,
    /// For how long, such as 2h
    #[arg(value_parser = parse::seconds)]
    pub(crate) time: u64,
}

/// What the rows of a cost table stand for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum By {
    Day,
    Model,
    Backend,
    Project,
    Run,
}

/// `cost`
#[derive(Debug, Args)]
pub(crate) struct CostArgs {
    /// A row for each
    #[arg(long, value_enum, default_value_t = By::Day)]
    pub(crate) by: By,
    /// Only what was spent within this time, such as 30d
    #[arg(long, value_name = "TIME", value_parser = parse::seconds)]
    pub(crate) since: Option<u64>,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

/// `backup`
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file to make [default: a dated one in the home's backups folder]
    pub(crate) file: Option<std::path::PathBuf>,
}

/// `restore`
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The copy to use
    pub(crate) file: std::path::PathBuf,
}

/// `rehearse`
#[derive(Debug, Args)]
pub(crate) struct RehearseArgs {
    /// Without pauses for reading
    #[arg(long)]
    pub(crate) fast: bool,
}

/// `completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
