//! The tour, chapter by chapter.

use std::time::Duration;

use domain::{Event, OpId, OpKind, RunId, RunState};
use keeper::ProcessId;
use protocol::{
    LogEntry, ReviewView, ReviewsRequest, RunView, RunsRequest, ShowRequest, StatusRequest,
};
use serde_json::json;
use testkit::SampleProject;
use testkit::rehearsal as model;

use super::Pace;
use super::approval::{self, Pressed};
use super::stage::{Stage, told};
use super::survivors::Running;
use crate::failure::Failure;
use crate::follow::{Follower, Item};
use crate::print::Look;
use crate::{ids, render};

/// The backend's name; it stands in every list the tour shows.
const BACKEND: &str = "simulated";

/// Plenty for anything the tour waits for.
const SOON: Duration = Duration::from_secs(40);

/// Spacing of looks at what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Plays all of it.
pub(super) async fn play(stage: &mut Stage) -> Result<(), Failure> {
    greet(stage).await?;
    // Ends when the tour does.
    let server = model::start(stage.pace).await.map_err(told)?;
    set_up(stage, &server.url()).await?;
    let project = sample(stage).await?;
    let run = work(stage, &project).await?;
    let running = decide(stage, run).await?;
    let seen = crash(stage, run, running).await?;
    recover(stage, run, seen).await?;
    count(stage, run).await?;
    harvest(stage, run, &project).await?;
    settle_up(stage).await?;
    stage.end_chapter()
}

async fn greet(stage: &mut Stage) -> Result<(), Failure> {
    if !stage.print.json {
        let title = stage.print.look("Longhaul, rehearsed", Look::Bold);
        let label = stage
            .print
            .look("(simulated model, offline, free)", Look::Attention);
        stage.print.line(&format!("{title} {label}"))?;
    }
    stage
        .narrate(
            "No key, no network, about a minute. The model is simulated: a script in this \
              program says its lines. All else is real: the daemon, the commands, the crash.",
        )
        .await
}

async fn set_up(stage: &mut Stage, url: &str) -> Result<(), Failure> {
    let title = "A daemon of its own";
    let words = "The daemon owns all runs. This one has a throwaway home, removed at the end; \
                 yours is not touched.";
    stage.chapter(title, words).await?;
    let root = stage.home.root().display().to_string();
    let shown = stage.print.look(&format!("home: {root}"), Look::Faint);
    stage.fact("home", json!(root), &shown)?;
    stage.longhaul(&["daemon", "start"], 0).await?;
    stage
        .longhaul(
            &[
                "backend",
                "add",
                BACKEND,
                "--kind",
                "rehearsal",
                "--base-url",
                url,
                "--model",
                model::MODEL,
            ],
            0,
        )
        .await?;
    stage.longhaul(&["backend", "list"], 0).await
}

async fn sample(stage: &mut Stage) -> Result<SampleProject, Failure> {
    let words = "A small git repository with one wrong character in it. Its test says so.";
    stage
        .chapter("A project with a failing test", words)
        .await?;
    let project = model::project(stage.home.place("calc")).map_err(told)?;
    let script = project.path().join("test.sh").display().to_string();
    stage.program(&["sh", &script], 1).await?;
    Ok(project)
}

async fn work(stage: &mut Stage, project: &SampleProject) -> Result<RunId, Failure> {
    let words = "A task for the agent. It works in a clone of the project, never in your files. \
                 Reading, editing there and running its test are allowed by the policy; the \
                 project's own rules ask about its release notes. Each call is written down \
                 before it happens and after.";
    stage.chapter("The agent goes to work", words).await?;
    let folder = project.path().display().to_string();
    // Exit code 3: at rest with an open review.
    stage
        .longhaul(
            &[
                "run",
                "--project",
                &folder,
                "--backend",
                BACKEND,
                "--verify",
                model::VERIFY,
                model::PROMPT,
            ],
            3,
        )
        .await?;
    let runs = stage.client().runs(RunsRequest::default()).await?.runs;
    runs.first()
        .map(|run| run.id)
        .ok_or_else(|| told("the daemon knows of no run"))
}

async fn decide(stage: &mut Stage, run: RunId) -> Result<Running, Failure> {
    let words = "The agent wants to run a command that is on no list. So the run waits, for as \
                 long as it takes, and costs nothing meanwhile. This is the review queue:";
    stage.chapter("Something needs you", words).await?;
    stage.longhaul(&["reviews"], 0).await?;
    let review = open_review(stage, run).await?;
    ask(stage).await?;
    let id = ids::short(&review.id, []);
    stage.longhaul(&["approve", &id], 0).await?;
    let home = stage.home.path();
    soon("the approved command to run", async || {
        Ok(Running::find(&home))
    })
    .await
}

/// Lets the user approve, where there is one; the approval itself is a command like others.
async fn ask(stage: &Stage) -> Result<(), Failure> {
    if stage.pace == Pace::Fast || stage.print.json || !approval::possible() {
        return stage
            .say("You would decide now. Here the tour approves it.")
            .await;
    }
    let seconds = approval::PATIENCE.as_secs();
    let words = format!("Press a to approve (the tour does so itself after {seconds} s).");
    stage
        .print
        .line(&format!("\n{}", stage.print.look(&words, Look::Attention)))?;
    match approval::wait().await? {
        Pressed::Key => Ok(()),
        Pressed::Nothing => stage.say("No key was pressed: the tour approves it.").await,
    }
}

/// Kills the daemon; returns up to where the journal had come.
async fn crash(stage: &mut Stage, run: RunId, running: Running) -> Result<u64, Failure> {
    let words = "The command runs now, for some seconds. In the middle of it the daemon is \
                 killed, as a crash would, with no chance to save anything.";
    stage.chapter("A crash in mid-command", words).await?;
    let status = stage.client().status(StatusRequest {}).await?;
    let seen = last_seq(stage, run).await?;
    let daemon = ProcessId::of(status.pid).ok_or_else(|| told("the daemon is gone already"))?;
    let target = testkit::processes::ProcessId::of(daemon.pid)
        .ok_or_else(|| told("the daemon is gone already"))?;
    let line = format!("kill -9 {}", daemon.pid);
    stage.show(&line)?;
    target.kill();
    soon("the daemon to die", async || {
        Ok((!daemon.is_alive()).then_some(()))
    })
    .await?;
    stage.record(line, 0, json!(null));
    stage.longhaul(&["daemon", "status"], 4).await?;
    stage
        .say("The daemon is gone. Its keeper, a small process of its own, still has the command:")
        .await?;
    if !running.is_alive() {
        return Err(told("the command did not outlive the daemon"));
    }
    let table = running.table(&stage.print, daemon);
    stage.fact("processes", running.document(daemon), &table)?;
    Ok(seen)
}

async fn recover(stage: &mut Stage, run: RunId, seen: u64) -> Result<(), Failure> {
    let words = "A new daemon reads the journal, finds the keeper and takes the run up again.";
    stage.chapter("It comes back", words).await?;
    stage.longhaul(&["daemon", "start"], 0).await?;
    soon("the recovery briefing", async || {
        let recovery = view(stage, run).await?.recovery;
        Ok(recovery.and_then(|r| r.briefing))
    })
    .await?;
    stage
        .say("The briefing says what was in flight and what is known of it:")
        .await?;
    let id = ids::short(&run, []);
    stage.longhaul(&["show", &id], 0).await?;
    stage
        .say("Nobody has to resume anything. The journal from the crash on:")
        .await?;
    let line = format!("longhaul logs {id} --follow");
    stage.show(&line)?;
    let shown = tokio::time::timeout(SOON, follow(stage, run, seen))
        .await
        .map_err(|_| told("the run does not come to its end"))??;
    stage.record(line, 0, json!(shown));
    let run = view(stage, run).await?;
    if run.state != RunState::Completed {
        let detail = run.detail.unwrap_or_default();
        return Err(told(format!("the run is {}: {detail}", run.state)));
    }
    Ok(())
}

/// Shows the journal after `seen` until the run is over; returns what was shown.
async fn follow(stage: &Stage, run: RunId, seen: u64) -> Result<Vec<LogEntry>, Failure> {
    let mut follower = Follower::new(stage.client(), run).await?;
    let mut shown = Vec::new();
    loop {
        if let Item::Entry(entry) = follower.next().await?
            && entry.seq > seen
        {
            if !stage.print.json
                && let Some(line) = render::entry(&stage.print, &entry)
            {
                stage.print.line(&line)?;
            }
            shown.push(*entry);
        }
        let over = follower.state().is_some_and(|(state, _)| {
            matches!(
                state,
                RunState::Completed | RunState::Failed | RunState::Cancelled
            )
        });
        if over {
            return Ok(shown);
        }
    }
}

async fn count(stage: &mut Stage, run: RunId) -> Result<(), Failure> {
    let words = "The command adds one line to a file each time it is run. After the crash there \
                 is one line, not none and not two, and the journal knows of one start.";
    stage.chapter("Exactly once", words).await?;
    let view = view(stage, run).await?;
    let folder = view.workspace.path.unwrap_or_default();
    let notes = format!("{folder}/{}", model::NOTES);
    stage.program(&["cat", &notes], 0).await?;
    let effects = std::fs::read_to_string(&notes)?
        .lines()
        .filter(|line| *line == model::NOTE)
        .count();
    let starts = starts(stage, run).await?;
    let words = format!(
        "lines in {}: {effects}   starts in the journal: {starts}",
        model::NOTES
    );
    stage.fact(
        "effects",
        json!(effects),
        &stage.print.look(&words, Look::Good),
    )?;
    if (effects, starts) != (1, 1) {
        return Err(told(format!(
            "the command took effect {effects} times, and was started {starts} times"
        )));
    }
    Ok(())
}

async fn harvest(stage: &mut Stage, run: RunId, project: &SampleProject) -> Result<(), Failure> {
    let words = "The test command was run once more, by Longhaul itself, and passed: only then \
                 is a run completed. Nothing has touched the project yet. This is the change:";
    stage.chapter("What came of it", words).await?;
    let id = ids::short(&run, []);
    stage.longhaul(&["diff", &id], 0).await?;
    stage.say("It goes into a branch of its own.").await?;
    stage.longhaul(&["apply", &id, "--as", "branch"], 0).await?;
    let folder = project.path().display().to_string();
    let log = ["git", "-C", &folder, "log", "--oneline", "--all", "--graph"];
    stage.program(&log, 0).await
}

async fn settle_up(stage: &mut Stage) -> Result<(), Failure> {
    let words = "Each call to a model is a row in a ledger. These are simulated: the token \
                 counts are made up and nothing was billed; the prices are real list prices.";
    stage.chapter("What it cost (simulated)", words).await?;
    stage.longhaul(&["cost", "--by", "backend"], 0).await?;
    stage
        .say(
            "That was all. With a real model: `longhaul backend add NAME --kind anthropic \
              --key-stdin`, then `longhaul run PROMPT` in a project.",
        )
        .await
}

async fn view(stage: &Stage, run: RunId) -> Result<RunView, Failure> {
    let request = ShowRequest {
        run: run.to_string(),
        ..ShowRequest::default()
    };
    Ok(stage.client().show(request).await?)
}

async fn open_review(stage: &Stage, run: RunId) -> Result<ReviewView, Failure> {
    let request = ReviewsRequest {
        run: Some(run.to_string()),
        ..ReviewsRequest::default()
    };
    let reviews = stage.client().reviews(request).await?.reviews;
    reviews
        .into_iter()
        .next()
        .ok_or_else(|| told("there is no review"))
}

/// Everything in the journal so far.
async fn journal(stage: &Stage, run: RunId) -> Result<Vec<LogEntry>, Failure> {
    let mut follower = Follower::new(stage.client(), run).await?;
    let mut entries = Vec::new();
    loop {
        match follower.next().await? {
            Item::Entry(entry) => entries.push(*entry),
            Item::Delta(_) => {}
            Item::CaughtUp => return Ok(entries),
        }
    }
}

async fn last_seq(stage: &Stage, run: RunId) -> Result<u64, Failure> {
    let journal = journal(stage, run).await?;
    Ok(journal.last().map_or(0, |entry| entry.seq))
}

/// How often the journal says that the flagged command was started.
async fn starts(stage: &Stage, run: RunId) -> Result<usize, Failure> {
    let journal = journal(stage, run).await?;
    let flagged: Option<OpId> = journal.iter().find_map(|entry| match &entry.event {
        Event::OpIntended {
            op,
            op_kind: OpKind::Tool,
            summary,
            ..
        } if summary.contains(model::NOTES) => Some(*op),
        _ => None,
    });
    Ok(journal
        .iter()
        .filter(|entry| matches!(&entry.event, Event::OpStarted { op, .. } if Some(*op) == flagged))
        .count())
}

/// Looks until there is what is waited for.
async fn soon<T>(
    what: &str,
    look: impl AsyncFn() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let found = async {
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(SOON, found)
        .await
        .map_err(|_| told(format!("waited in vain for {what}")))?
}
