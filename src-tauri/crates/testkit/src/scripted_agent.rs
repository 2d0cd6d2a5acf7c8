//! A stand-in for the `claude` program: its stream-json protocol, its permission
//! questions, its transcript and its ways of failing, driven by a script instead of a model.
//!
//! It does what it says it does: an allowed `Bash` or `Write` really happens, so that
//! effects can be counted. Killed and resumed, it knows from its transcript what it had
//! finished and which call was interrupted.

mod args;
mod script;
mod session;
mod tools;
mod turn;
mod wire;

use std::{path::PathBuf, sync::Arc};

use serde_json::{Value, json};
use tokio::sync::mpsc;

pub use self::script::{AgentScript, AgentTurn, AgentUsage, DieAt, OnResume, Step, TurnError};
use self::{args::Args, session::Session, turn::Performance, wire::Wire};

/// What the agent takes from its surroundings.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Transcripts go to `.claude/scripted` in here.
    pub home: PathBuf,
    pub cwd: PathBuf,
    /// The script file, if one is named; else `scripted-agent.json` in `cwd`, else the one
    /// named by `[[agent-script:PATH]]` in a prompt.
    pub script: Option<PathBuf>,
}

/// The version it claims to be.
const VERSION: &str = "2.1.329";

/// Runs the agent on this process's standard streams. `args` are those after the
/// program's name. Returns the exit code.
pub async fn run(args: impl IntoIterator<Item = String>, surroundings: Surroundings) -> i32 {
    let args = Args::parse(args);
    if args.version {
        wire::print(&format!("{VERSION} (scripted)"));
        return 0;
    }
    let session = match Session::open(&surroundings.home, &args) {
        Ok(session) => session,
        Err(refusal) => return refuse(&refusal, &args),
    };
    let script = match script::find(&surroundings) {
        Ok(script) => script,
        Err(error) => {
            wire::complain(&format!("scripted-agent: {error:#}"));
            return 2;
        }
    };
    let wire = Arc::new(Wire::new(session.id.clone(), &args));
    let (prompts_in, prompts) = mpsc::unbounded_channel();
    if let Some(prompt) = &args.prompt {
        prompts_in.send(wire::Prompt::plain(prompt)).ok();
    }
    if args.stream_input {
        let wire = wire.clone();
        std::thread::spawn(move || wire.read(&prompts_in));
    } else {
        drop(prompts_in);
    }
    tokio::spawn(wire.clone().obey_signals());
    Performance::new(wire, session, args, surroundings, script, prompts)
        .perform()
        .await
}

/// What the real one does with a session it does not know, or one in use.
fn refuse(refusal: &session::Refusal, args: &Args) -> i32 {
    wire::complain(&refusal.to_string());
    if let session::Refusal::Unknown(id) = refusal
        && args.stream_output
    {
        let result = json!({
            "type": "result", "subtype": "error_during_execution", "is_error": true, "num_turns": 0, "stop_reason": null,
            "session_id": id, "total_cost_usd": 0, "usage": {}, "modelUsage": {}, "permission_denials": [], "duration_ms": 0,
            "errors": [refusal.to_string()], "uuid": wire::uuid(),
        });
        wire::print(&Value::to_string(&result));
    }
    1
}
