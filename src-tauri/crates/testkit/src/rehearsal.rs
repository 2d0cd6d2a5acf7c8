//! What the simulated model says. It is asked over real HTTP and its calls are carried
//! out by the real tools; only its words and its token counts are made up.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::model_server::{Script, Turn, Usage};
use crate::{ModelServer, SampleProject};

/// How slowly it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As slowly as a reader can follow.
    Reading,
    /// At once.
    Fast,
}

/// What the task asks for.
pub const PROMPT: &str =
    "The test fails. Find out why, mend the code, and add a line to RELEASE_NOTES.md.";

/// The test command, which is also what verifies the run.
pub const VERIFY: &str = "sh test.sh";

/// The file that shows how often the flagged command took effect.
pub const NOTES: &str = "RELEASE_NOTES.md";

/// The line that each run of the flagged command adds to it.
pub const NOTE: &str = "- add adds again";

/// The sample project's own rules: what it tells people is looked at first.
const RULES: &str = r#"# What is asked about here besides what the user's preset asks about.

[[rule]]
id = "release-notes"
name = "release notes are read by a person first"
outcome = "review"
paths = ["RELEASE_NOTES.md"]
"#;

/// Whose list prices the made-up token counts are multiplied with.
pub const MODEL: &str = "claude-sonnet-5-5";

/// The command that is flagged. Its slow part is long enough for a daemon to be killed
/// and started again in the middle of it.
pub fn flagged(pace: Pace) -> String {
    let seconds = match pace {
        Pace::Reading => 14,
        Pace::Fast => 4,
    };
    format!("sleep {seconds} && echo '{NOTE}' >> {NOTES}")
}

/// The project it works on, in a folder that is the caller's.
///
/// # Errors
/// If the folder cannot be made or git is missing.
pub fn project(folder: PathBuf) -> anyhow::Result<SampleProject> {
    let project = SampleProject::calc(folder)?;
    project.write(".longhaul/policy.toml", RULES)?;
    project.commit("Say what is to be reviewed")?;
    Ok(project)
}

/// A server that plays the script to whoever asks.
///
/// # Errors
/// If it cannot listen on this machine.
pub async fn start(pace: Pace) -> anyhow::Result<ModelServer> {
    let server = ModelServer::start().await?;
    server.default_script("rehearsal", script(pace));
    Ok(server)
}

fn script(pace: Pace) -> Script {
    let turns = [
        say("I look at the project first.")
            .tool("list", json!({}))
            .tool("read", json!({"path": "calc.sh"})),
        say("Now I run its test.").tool("shell", command(VERIFY)),
        say("add subtracts: it has a minus where a plus belongs.").tool(
            "edit",
            json!({
                "path": "calc.sh",
                "old_text": "echo $(($1 - $2))",
                "new_text": "echo $(($1 + $2))",
            }),
        ),
        say("The test again.").tool("shell", command(VERIFY)),
        say("It passes. I add the line to the release notes.")
            .tool("shell", command(&flagged(pace))),
        say(
            "add in calc.sh subtracted; it adds now. The test passes, and RELEASE_NOTES.md says so.",
        ),
    ];
    // What a vendor's cache would report: each call reads what earlier ones wrote.
    let mut cached = 0;
    turns
        .into_iter()
        .zip([2_140, 860, 310, 270, 240, 190])
        .zip([118, 61, 104, 57, 88, 64])
        .fold(Script::new(), |script, ((turn, new), output)| {
            let usage = Usage {
                input: 12,
                output,
                cache_read: cached,
                cache_write_5m: new,
                ..Usage::default()
            };
            cached += new;
            script.turn(paced(turn, pace).usage(usage))
        })
}

fn say(words: &str) -> Turn {
    Turn::text(words)
}

fn command(line: &str) -> Value {
    json!({ "command": line })
}

/// Answers come as slowly as a reader can follow, or at once.
fn paced(turn: Turn, pace: Pace) -> Turn {
    match pace {
        Pace::Reading => turn.chunk_delay_ms(70),
        Pace::Fast => turn,
    }
}
